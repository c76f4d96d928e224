"""Law 9: a mapper given any bytes answers facts or one `MessageError`, within bounded time, and never with a defect."""

import base64
import json
import time
from pathlib import Path

import msgspec
import pytest
from builders import START, a_contract, invoice, met, record_of, registered
from hypothesis import given
from hypothesis import strategies as st
from laws.profiles import tried
from mutated import mutations

from contracts_schema.errors import MessageError, Unreadable
from contracts_schema.facts import Fact
from contracts_schema.records import Record, Source
from mappers import canonical
from mappers.translate import DIALECTS, Translator

GOLDEN = Path(__file__).parents[1] / "golden"
LONGEST_S = 5
SPOKEN = ("milepost", *DIALECTS)
KINDS = ("purchase.purchase", "account.invoice", "account.move.line", "account.payment", "project.work", "nothing")


def translator(dialect):
    source = Source("it", dialect, "operator" if dialect == "milepost" else "erp", "it.events")
    return Translator({"it": source}), source


def answers(dialect, record):
    """What the mapper says, which must be facts that can be stored, or one sentence that is no defect's."""
    spoken, source = translator(dialect)
    begun = time.monotonic()
    try:
        facts, sentence = spoken.translate(record, source), "none"
    except MessageError as error:
        facts, sentence = (), error.sentence
    assert time.monotonic() - begun < LONGEST_S
    assert sentence
    assert "defect" not in sentence
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(facts), type=tuple[Fact, ...]) == facts
    return facts or sentence


def samples(dialect):
    """Values of real messages of the dialect, as far as they are JSON."""
    if dialect == "milepost":
        events = (met(), registered(a_contract()), invoice("1.00"))
        return [json.loads(record_of(event, START, "e1").value) for event in events]
    envelopes = [json.loads(p.read_text()) for p in sorted(GOLDEN.glob(f"{dialect}/*.json")) if ".facts" not in p.name]
    return [envelope["value"] for envelope in envelopes if "value" in envelope] or [{}]


headers = st.lists(
    st.tuples(
        st.sampled_from(["ce_id", "ce_type", "ce_specversion", "ce_source", "ce_time", "milepost-kind"]),
        st.one_of(st.none(), st.binary(max_size=12), st.sampled_from([b"1.0", b"milepost.milestone.assessed.v1",
                                                                      *(kind.encode() for kind in KINDS)])),
    ),
    max_size=5,
)  # fmt: skip


@pytest.mark.parametrize("dialect", SPOKEN)
@tried(100)
@given(value=st.binary(max_size=200), headers=headers)
def test_any_bytes(dialect, value, headers):
    answers(dialect, Record("it.events", 0, 0, 1_772_352_000_000, None, tuple(headers), value))


@pytest.mark.parametrize("dialect", SPOKEN)
@tried(60)
@given(data=st.data())
def test_real_messages_with_parts_replaced_dropped_or_doubled(dialect, data):
    value = mutations(data, data.draw(st.sampled_from(samples(dialect))))
    record = Record("it.events", 0, 0, 1_772_352_000_000, None, (), json.dumps(value).encode())
    assert answers(dialect, record) == answers(dialect, record)


@pytest.mark.parametrize("dialect", SPOKEN)
@pytest.mark.parametrize(
    "value",
    [b"[" * 100_000, b'{"a":' * 50_000, b"<a>" * 50_000, b"9" * 1_000_000, b'"' + b"\\u0000" * 50_000 + b'"',
     b"\x00" * 1_000_000, base64.b64encode(bytes(1_500_000)), b"x" * 5_000_000],
    ids=["lists", "objects", "elements", "digits", "escapes", "zeros", "base64", "too much"],
)  # fmt: skip
def test_what_is_meant_to_hurt(dialect, value):
    assert isinstance(answers(dialect, Record("it.events", 0, 0, 1_772_352_000_000, None, (), value)), str)


def test_a_defect_in_any_mapper_sets_the_record_aside(monkeypatch):
    def defect(*_):
        raise ZeroDivisionError

    for dialect in SPOKEN:
        spoken, source = translator(dialect)
        monkeypatch.setattr(canonical if dialect == "milepost" else spoken._modules[dialect], "translate", defect)
        with pytest.raises(Unreadable, match=f"a defect in the mapper of {dialect}: ZeroDivisionError"):
            spoken.translate(Record("it.events", 0, 0, 0, None, (), b"{}"), source)
