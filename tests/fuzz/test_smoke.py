"""The smoke of the fuzzing: what was found once, seeded mutations of it, and where atheris is there some thousands
of its own.

`make fuzz MINUTES=10` is the long form.
"""

import importlib.util
import tracemalloc
from pathlib import Path
from random import Random

import pytest
from fuzz.hostile import mutated
from fuzz.run import CORPUS, one
from fuzz.targets import TARGETS

MUTANTS = 600  # of each target
RUNS = 3_000  # the same ones on every machine: what is new is for `make fuzz` to find
MOST_MB = 64
NO_ATHERIS = "atheris has no wheel for this Python: the corpus and seeded mutations of it were tried, and no more"


def corpus(target):
    return sorted(CORPUS.joinpath(target).iterdir())


def test_every_target_has_a_corpus_and_every_corpus_a_target():
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)


@pytest.mark.parametrize("target", TARGETS)
def test_what_was_found_once_keeps_to_our_word_in_bounded_memory(target):
    tracemalloc.start()
    for path in corpus(target):
        TARGETS[target](path.read_bytes())
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < MOST_MB * 2**20


@pytest.mark.parametrize("target", TARGETS)
def test_mutations_of_it_keep_to_our_word(target, tmp_path):
    rng = Random(f"milepost {target}")
    seeds = [path.read_bytes() for path in corpus(target)]
    for _ in range(MUTANTS):
        data = mutated(rng.choice(seeds), rng)
        Path(tmp_path, "last").write_bytes(data)  # what to look at when this fails
        TARGETS[target](data)


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason=NO_ATHERIS)
@pytest.mark.parametrize("target", TARGETS)
def test_coverage_guided_it_keeps_to_our_word(target, tmp_path):
    code, said = one(target, f"-runs={RUNS}", "-seed=1", str(tmp_path), str(CORPUS / target), seconds=60)
    assert code == 0, said[-3000:]
