"""The fence: the newest command of a milestone is wanted, whatever the order; what is not whole is not believed."""

import random

import pytest
from gate_desk import command, eur, record, target
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.json import decode, encode
from msgspec.structs import replace

from contracts_schema.errors import MessageError, Refused, Unreadable
from contracts_schema.records import Record
from services.gate.fence import Verdict, accept, read_command
from services.gate.memory import ContractMemory, contract_memory, encode_memory


def wanted_of(memory):
    return {name: (k.sequence, tuple(memory.payable(k, w) for w in k.wishes)) for name, k in memory.milestones.items()}


@st.composite
def histories(draw):
    """Commands 1..n over two milestones, in any order, some of them more than once."""
    steps = draw(st.lists(st.tuples(st.sampled_from(["M1", "M2"]), st.integers(0, 100)), min_size=1, max_size=8))
    sent = [command(n, [target("INV-1", paid * 100)], milestone=m) for n, (m, paid) in enumerate(steps, 1)]
    again = draw(st.lists(st.sampled_from(sent), max_size=6))
    return sent, draw(st.permutations([*sent, *again]))


@settings(max_examples=300, deadline=None)
@given(histories())
def test_any_order_and_any_repeats_end_in_the_newest(history):
    sent, arrived = history
    memory = ContractMemory()
    for one in arrived:
        accept(memory, one, ours=True)
    newest = {one.milestone: one for one in sent}
    expected = {
        m: (c.sequence, (int(c.targets[0].payable_to_date.amount.replace(".", "")),)) for m, c in newest.items()
    }
    assert wanted_of(memory) == expected
    assert memory.upto == len(sent)
    assert memory.beyond == []


@settings(max_examples=300, deadline=None)
@given(histories())
def test_a_hold_counts_at_once_and_a_gap_delays_only_what_pays_more(history):
    _, arrived = history
    memory = ContractMemory()
    for one in arrived:
        before = wanted_of(memory).get(one.milestone, (0, (0,)))
        verdict = accept(memory, one, ours=True).verdict
        kept = memory.milestones[one.milestone]
        asked = int(one.targets[0].payable_to_date.amount.replace(".", ""))
        now = wanted_of(memory)[one.milestone][1][0]
        if verdict is Verdict.NEW:
            assert now <= asked
            assert now == asked if kept.sequence <= memory.upto else now <= max(before[1][0], 0)


def test_a_release_never_comes_back_after_a_later_hold_was_seen():
    memory = ContractMemory()
    hold = command(2, [target("INV-1", 0)])
    accept(memory, hold, ours=True)
    assert accept(memory, command(1, [target("INV-1", 100_00)]), ours=True).verdict is Verdict.SUPERSEDED
    assert wanted_of(memory) == {"M1": (2, (0,))}


def test_a_gap_that_closes_names_the_milestones_that_waited_for_it():
    memory = ContractMemory()
    accept(memory, command(1, [target("INV-1", 0)]), ours=True)
    accept(memory, command(3, [target("INV-1", 100_00)]), ours=True)
    assert wanted_of(memory)["M1"] == (3, (0,))
    assert accept(memory, command(2, [], milestone="M2"), ours=True).caught_up == ("M1",)
    assert wanted_of(memory)["M1"] == (3, (100_00,))


def test_the_same_sequence_with_other_content_is_refused():
    memory = ContractMemory()
    accept(memory, command(1, [target("INV-1", 0)]), ours=True)
    for forged in (command(1, [target("INV-1", 100_00)]), command(1, [], milestone="M2")):
        with pytest.raises(Refused, match="sequence 1 was seen"):
            accept(memory, forged, ours=True)
    assert wanted_of(memory) == {"M1": (1, (0,))}


def test_a_command_for_another_finance_system_frees_nothing_here():
    memory = ContractMemory()
    accept(memory, command(1, [target("INV-1", 0)]), ours=True)
    accept(memory, command(2, [target("INV-1", 100_00)], finance="ap-us"), ours=False)
    assert wanted_of(memory) == {"M1": (2, (0,))}


def test_the_memory_of_a_contract_survives_its_encoding():
    memory = ContractMemory()
    accept(memory, command(1, [target("INV-1", 0)], carried=5), ours=True)
    accept(memory, command(4, [target("INV-1", 100_00)]), ours=True)
    assert contract_memory(encode_memory(memory)) == memory


def test_a_genuine_command_is_read_as_it_was_sent():
    sent = command(7, [target("INV-1", 60_00, ids=("account.invoice:2",))], carried=10_00)
    assert read_command(record(sent)) == sent


ALTERATIONS = {
    "sequence": 8,
    "contract": "C-2",
    "milestone": "M2",
    "action": "release",
    "value": {"amount": "1.00", "currency": "EUR"},
    "released_to_date": {"amount": "9.00", "currency": "EUR"},
    "held": {"amount": "0.00", "currency": "EUR"},
    "targets": [],
    "command_id": "0" * 64,
    "carried": {"amount": "1.00", "currency": "EUR"},
}


@pytest.mark.parametrize("field", ALTERATIONS)
def test_a_command_altered_on_its_way_is_refused(field):
    altered = record(command(7, [target("INV-1", 0)]), **{field: ALTERATIONS[field]})
    with pytest.raises(Refused):
        read_command(altered)


@pytest.mark.parametrize(
    "wanted",
    [
        command(1, [replace(target("INV-1", 0), payable_to_date=eur(200_00), state="part")], action="release"),
        command(1, [replace(target("INV-1", 0), state="free")]),
        command(1, [replace(target("INV-1", 0), payable_to_date=eur(-1))]),
        command(0, [target("INV-1", 0)]),
    ],
    ids=["more than its net", "state against amount", "negative", "no sequence"],
)
def test_a_command_that_contradicts_itself_is_refused_although_its_id_fits(wanted):
    with pytest.raises(Refused):
        read_command(record(wanted))


def test_ten_thousand_forged_and_altered_commands_are_all_refused():
    dice = random.Random(20260301)
    genuine = record(command(7, [target("INV-1", 0), target("INV-2", 40_00)]))
    tokens = [
        b'"amount":"',
        b'"sequence":',
        b'"state":"',
        b'"milestone":"',
        b'"invoice":"',
        b'"payable_to_date":{"amount":"',
    ]
    applied = 0
    for _ in range(10_000):
        raw = bytearray(genuine.value)
        at = raw.find(dice.choice(tokens)) if dice.random() < 0.5 else dice.randrange(raw.find(b'"reasons"'))
        at = min(len(raw) - 1, at + dice.randrange(40))
        raw[at] = dice.choice(b'0123456789"{}[],:abcxyz\x00\xff')
        if raw == genuine.value:
            continue
        forged = Record(genuine.topic, 0, 0, 0, genuine.key, genuine.headers, bytes(raw))
        try:
            read = read_command(forged)
        except MessageError:
            continue
        applied += read.targets != read_command(genuine).targets or read.sequence != 7
    assert applied == 0


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b'{"a":1,"a":2}', b"\xff", encode({"command_id": "x"})])
def test_what_is_no_command_is_unreadable(raw):
    row = record(command(1))
    with pytest.raises(Unreadable):
        read_command(Record(row.topic, 0, 0, 0, row.key, row.headers, raw))


def test_an_envelope_that_says_something_else_is_refused():
    row = record(command(1))
    for name in ("ce_id", "ce_type", "ce_subject"):
        headers = tuple((k, b"other" if k == name else v) for k, v in row.headers)
        with pytest.raises(Refused, match=name):
            read_command(Record(row.topic, 0, 0, 0, row.key, headers, row.value))
    with pytest.raises(Refused, match="key"):
        read_command(Record(row.topic, 0, 0, 0, b"C-2", row.headers, row.value))
    assert decode(row.value)["contract"] == "C-1"
