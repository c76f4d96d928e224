"""What the gate says is read at the front door as facts of the finance system, and a repeat is a repeat."""

import pytest
from gate_desk import VOICE, a_desk, command, invoice, target

from contracts_schema.errors import TransientError
from contracts_schema.facts import CommandAcknowledged, HoldObserved
from contracts_schema.payables import Bill
from contracts_schema.records import Record, Source
from mappers import canonical
from services.gate.answers import observed, settled, together
from services.gate.fence import accept
from services.gate.memory import BillMemory, ContractMemory, Result
from services.gate.remember import Seen

SOURCE = Source("ap-eu", "milepost", "finance", "finance.events")


def fact_of(row):
    record = Record(row.topic, 0, 0, 1_772_000_000_000, row.key, row.headers, row.value)
    (fact,) = canonical.translate(record, SOURCE, lambda _source, key: key)
    return fact


def kept(*results, targets=("INV-1", "INV-2")):
    memory = ContractMemory()
    accept(memory, command(1, [target(name) for name in targets]), ours=True)
    made = memory.milestones["M1"]
    made.results = dict(zip(targets, results, strict=False))
    return made


def test_an_answer_comes_in_as_a_fact_about_the_milestone():
    made = kept(Result("applied"), Result("waiting", "it is not in finance yet"))
    row = settled(made, "C-1", "M1", 1_772_000_000_000_000, VOICE)
    fact = fact_of(row)
    assert (fact.address.contract, fact.address.milestone) == ("C-1", "M1")
    assert fact.body == CommandAcknowledged(made.command_id, "waiting", "invoice INV-2: it is not in finance yet")
    assert dict(row.headers)["milepost-source"] == b"ap-eu"


def test_a_sighting_comes_in_as_a_fact_about_the_milestone():
    bill = Bill("inv:1", "INV-1", ("S",), "EUR", 1, 1, "open", ())
    seen = Seen("other", held=True, by="7", reason="theirs")
    fact = fact_of(observed(VOICE, "C-1", "M1", bill, seen, BillMemory(tellings=1), 1_772_000_000_000_000))
    assert fact.body == HoldObserved("other", held=True, invoice="INV-1", by="7", reason="theirs")


def test_nothing_is_answered_before_every_invoice_was_looked_at():
    assert together(kept(Result("applied"))) is None


def test_a_command_without_invoices_is_applied_at_once():
    assert together(kept(targets=())).state == "applied"


def test_the_worst_invoice_decides_and_a_code_stays_in_front():
    result = together(kept(Result("waiting", "later"), Result("rejected", "HELD_TOO_LATE: it left")))
    assert (result.state, result.detail) == ("rejected", "HELD_TOO_LATE: invoice INV-2: it left; invoice INV-1: later")


def test_there_and_back_again_is_three_answers_and_the_same_state_is_one():
    made, told = kept(targets=("INV-1",)), []
    for state in ("applied", "already_applied", "unknown", "unknown", "applied"):
        made.results = {"INV-1": Result(state)}
        told.append(settled(made, "C-1", "M1", 5, VOICE))
    assert [row is not None for row in told] == [True, False, True, False, True]
    ids = [dict(row.headers)["ce_id"] for row in told if row]
    assert len(set(ids)) == 3
    assert [fact_of(row).time for row in told if row] == [5, 6, 7]


def test_the_same_answer_given_again_after_a_crash_has_the_same_id():
    rows = [settled(kept(Result("applied"), targets=("INV-1",)), "C-1", "M1", now, VOICE) for now in (5, 9)]
    assert len({dict(row.headers)["ce_id"] for row in rows}) == 1


async def test_what_the_broker_did_not_confirm_is_said_again():
    async with a_desk() as desk:
        desk.ledger.post(invoice())
        await desk.send(command(1, [target()]))
        await desk.gate.act()
        publisher = desk.gate._publisher
        publisher.refuses = True
        with pytest.raises(TransientError):
            await desk.gate.answer()
        publisher.refuses = False
        await desk.turn()
        assert desk.states() == ["applied"]
