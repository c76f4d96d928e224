"""Registration files that mean to hurt: each ends in a sentence with its line, in bounded memory."""

import tracemalloc

import pytest

from services.wiring.documents import read_documents
from services.wiring.loader import PARTS_MAX


def faults_of(tmp_path, text):
    path = tmp_path / "contract.yaml"
    path.write_text(text)
    reading = read_documents([path])
    assert reading.documents == []
    return reading.faults


def bomb(levels):
    """Each line repeats the one before it ten times."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


def test_a_few_lines_that_repeat_each_other_do_not_become_millions(tmp_path):
    tracemalloc.start()
    (fault,) = faults_of(tmp_path, bomb(30))
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()
    assert f"contract.yaml:6: it is neither YAML nor JSON: it has more than {PARTS_MAX} parts" in fault


HOSTILE = [
    ("title: &a [*a]", "*a stands for a part that contains it"),
    ("title: &a {b: [{c: *a}]}", "*a stands for a part that contains it"),
    ("title: x\n---\ntitle: &a [1]\n---\ntitle: &a [*a]", "5: it is neither YAML nor JSON: *a stands for a part"),
    ("title: *nobody", "found undefined alias"),
    ("title: !!binary aGFsbG8=", "tags are not accepted"),
    ("title: !!python/object/apply:os.system [ls]", "tags are not accepted"),
    ("version: !!int ''", "tags are not accepted"),
    ("status: !!bool x", "tags are not accepted"),
    ("value_cap: .nan", ".nan is no number"),
    ("value_cap: -.inf", "-.inf is no number"),
    ("value_cap: " + "9" * 5000, "neither YAML nor JSON"),
    ("[" * 5000, "neither YAML nor JSON"),
    ("{a: " * 5000, "neither YAML nor JSON"),
    ('title: "\\ud800"', "cannot be written as JSON"),
    ("? [a, b]\n: c", "unhashable key"),
    ("title: a\ntitle: b", "title stands twice"),
    ("---\n---\n# nothing\n", "it holds no document"),
    ("contract: C\n---\n\n---\n---\n", "1: version is missing"),
    ("title: \x00", "neither YAML nor JSON"),
    ('{"contract": "C", "version": 1, "version": 2}', "version stands twice"),
]


@pytest.mark.parametrize(("text", "sentence"), HOSTILE, ids=range(len(HOSTILE)))
def test_what_only_means_to_hurt_is_a_fault_with_a_sentence(tmp_path, text, sentence):
    assert sentence in "\n".join(faults_of(tmp_path, text))


def test_a_part_may_still_be_repeated_where_it_says_the_same(tmp_path):
    path = tmp_path / "contract.yaml"
    path.write_text(
        "contract: C-1\nversion: 1\ntitle: T\nbuyer: &us {id: BUY-1}\nsupplier: {id: SUP-1}\n"
        "currency: EUR\nmilestones:\n"
        "  - &first {id: M1, title: A, kind: payment, value: '1.00'}\n  - {<<: *first, id: M2}\n"
    )
    (document,) = read_documents([path]).documents
    assert [m.value for m in document.plan.milestones] == [100, 100]
