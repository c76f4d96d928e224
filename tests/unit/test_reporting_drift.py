"""Commanded against actual, as the log and the gate tell it."""

from datetime import UTC, datetime

import pytest
from builders import Story, a_contract, a_milestone, invoice, met, paid, registered, said
from gate_desk import a_desk, command, target
from gate_desk import invoice as a_bill
from msgspec.msgpack import encode

from connectors.finance.http import Line
from connectors.finance.simulator import Ledger
from contracts_schema.drift import ADVICE, Difference, DriftKind
from contracts_schema.payables import Finding, Refusal
from services.gate.memory import encode_memory, invoice_memory
from services.reconciliation.calendar import moment_of
from services.reporting.dossier import dossier
from services.reporting.drift import from_gate, from_log, from_refusal, from_text, joined, totals

HOUR = 3_600_000_000
NOW = moment_of(datetime(2026, 4, 1, 8, tzinfo=UTC))


def told(story, *, now=NOW, patience=HOUR):
    return list(from_log(dossier(story.state(), story.entries(), story.rules), now, patience))


def answered(story, state="applied", milestone="M1", **more):
    """Finance's answer to the milestone's last command."""
    last = [c for c in story.commands if c["milestone"] == milestone][-1]["command_id"]
    return said("ap", "command.acknowledged", milestone, command_id=last, state=state, **more)


def settled(story):
    """Every last command is applied."""
    for milestone in {c["milestone"] for c in story.commands}:
        story.tell(answered(story, milestone=milestone))
    return story


def a_story(*requires, value="100.00"):
    return Story().tell(registered(a_contract(a_milestone("M1", value, requires=list(requires)), finance="ap")))


@pytest.mark.parametrize("kind", DriftKind)
def test_every_kind_says_what_to_do(kind):
    assert len(ADVICE[kind]) > 20


def test_finance_as_it_is_wanted_gives_no_finding():
    story = settled(a_story("met", "invoiced").tell(met(), invoice("100.00")))
    story.tell(paid("100.00", invoice="I-1"))
    assert told(story) == []


def test_a_payment_without_a_release_is_told_with_its_age_and_what_was_paid():
    story = settled(a_story("met")).tell(paid("30.00"))
    (found,) = told(story, now=moment_of(story.now) + 36 * HOUR)
    assert (found.kind, found.age_days, found.milestones) == ("PAID_WITHOUT_RELEASE", "1.5", ("C-1/M1",))
    assert (found.amount.amount, found.amount.currency, found.finance) == ("30.00", "EUR", "ap")
    assert "0.00 is released" in found.detail


def test_a_payment_in_a_currency_without_a_rate_is_told_in_its_own():
    story = settled(a_story("met").tell(met())).tell(paid("30.00", currency="USD"))
    (found,) = told(story)
    assert (found.kind, found.amount.amount) == ("PAID_WHILE_HELD", "0.00")
    assert found.detail == "0.00 and 30.00 USD was paid, 100.00 is released"


def test_what_differs_is_as_old_as_its_beginning_whatever_came_since():
    story = settled(a_story("met")).tell(paid("30.00"))
    paid_at = moment_of(story.now)
    story.now = datetime(2026, 3, 9, tzinfo=UTC)
    story.tell(paid("40.00", "P-2"), met(status="partiallyMet"))
    (found,) = told(story, now=paid_at + 240 * HOUR)
    assert (found.age_days, found.amount.amount) == ("10.0", "70.00")


def test_a_payment_beyond_the_release_is_told_with_what_exceeds_it():
    story = a_story("met", "invoiced").tell(met(), invoice("60.00"))
    settled(story).tell(paid("75.50"))
    (found,) = told(story)
    assert (found.kind, found.amount.amount) == ("PAID_WHILE_HELD", "15.50")


def test_a_hold_that_came_too_late_is_told_with_what_is_held():
    story = a_story("met")
    story.tell(answered(story, "rejected", detail="HELD_TOO_LATE: it had been approved"))
    kinds = {d.kind: d.amount.amount for d in told(story)}
    assert kinds == {"HELD_TOO_LATE": "100.00", "COMMAND_REJECTED": "100.00"}


def test_a_command_is_unanswered_only_after_some_patience():
    story = a_story("met")
    sent = moment_of(story.now)
    assert told(story, now=sent + HOUR // 2) == []
    (found,) = told(story, now=sent + 3 * HOUR)
    assert (found.kind, found.age_days, found.amount.amount) == ("UNANSWERED", "0.1", "100.00")


@pytest.mark.parametrize(("state", "kind"), [("rejected", "COMMAND_REJECTED"), ("unknown", "UNANSWERED")])
def test_an_answer_that_is_none_is_told_at_once_with_its_detail(state, kind):
    story = a_story("met")
    story.tell(answered(story, state, detail="no such line"))
    (found,) = told(story, now=moment_of(story.now))
    assert (found.kind, "no such line" in found.detail) == (kind, True)


def test_a_command_that_waits_for_its_invoice_is_no_drift():
    story = a_story("met")
    story.tell(answered(story, "waiting", detail="invoice I-1: it is not in finance yet"))
    assert told(story) == []


def test_an_invoice_cancelled_after_its_release_is_told_with_what_was_released_of_it():
    story = settled(a_story("met", "invoiced").tell(met(), invoice("80.00", source="ap")))
    settled(story.tell(invoice("80.00", source="ap", state="cancelled")))
    (found,) = told(story)
    assert (found.kind, found.invoice, found.amount.amount) == ("CANCELLED_AFTER_RELEASE", "I-1", "80.00")
    assert "it is cancelled" in found.detail
    settled(story.tell(invoice("80.00", source="ap", state="open")))
    assert told(story) == []


def test_an_invoice_amended_after_its_release_is_told_with_both_nets():
    story = settled(a_story("met", "invoiced").tell(met(), invoice("80.00", source="ap", version=1)))
    settled(story.tell(invoice("90.00", source="ap", version=2)))
    (found,) = told(story)
    assert (found.kind, found.detail) == (
        "AMENDED_AFTER_RELEASE", "released of a net of 80.00 EUR; it is open with 90.00 now"
    )  # fmt: skip


def test_an_invoice_that_was_only_held_may_change_as_it_likes():
    story = settled(a_story("met", "invoiced").tell(invoice("80.00", source="ap")))
    settled(story.tell(invoice("80.00", source="ap", state="cancelled")))
    assert told(story) == []


def block(holder, *, held, **more):
    return said("ap", "hold.observed", invoice="I-1", holder=holder, held=held, by="clerk", **more)


def test_a_block_that_finance_says_was_lifted_or_is_anothers_is_told_with_who_and_how_much():
    story = settled(a_story("met", "invoiced").tell(invoice("80.00"), block("other", held=True)))
    (found,) = told(story)
    assert (found.kind, found.finance, found.invoice, found.amount.amount) == ("HELD_BY_OTHERS", "ap", "I-1", "80.00")
    assert "user clerk" in found.detail
    story.tell(block("other", held=False), block("ours", held=False, reason="lapsed"))
    (found,) = told(story)
    assert (found.kind, found.detail) == ("LIFTED_BY_HAND", "lapsed (user clerk)")
    story.tell(block("ours", held=True))
    assert told(story) == []
    known = joined(told(story.tell(block("ours", held=False))), gate_found(DriftKind.LIFTED_BY_HAND, "C-1/M1"))
    assert len(known) == 1, "the gate has told it already"


# What the gate finds


async def seen(desk):
    found = [d for finding in await desk.wanted.findings() for d in invoice_memory(finding.memory).differences]
    return {d.kind.value: d for d in found}


def a_ledger(*bills):
    ledger = Ledger()
    for bill in bills or (a_bill(),):
        ledger.post(bill)
    return ledger


HOLD, FREE = command(1, [target(payable=0)]), command(2, [target(payable=100_00)])


async def test_the_gate_tells_a_block_lifted_by_hand_since_it_was_first_seen():
    async with a_desk(a_ledger()) as desk:
        await desk.settle(HOLD)
        assert await seen(desk) == {}
        desk.ledger.hold("inv:INV-1", "1", "clerk", held=False)
        await desk.turn()
        first = (await seen(desk))["LIFTED_BY_HAND"]
        assert (first.invoice, first.amount, first.currency, first.places) == ("INV-1", 100_00, "EUR", ("C-1/M1",))
        await desk.turn()
        assert (await seen(desk))["LIFTED_BY_HAND"].since == first.since > 0
        desk.ledger.hold("inv:INV-1", "1", "milepost", held=True)
        await desk.turn()
        assert "LIFTED_BY_HAND" not in await seen(desk)


async def test_the_gate_tells_another_departments_hold_and_who_placed_it():
    bill = a_bill(lines=[Line("1", "40.00", held=True, held_by="legal"), Line("2", "60.00", held=False)])
    async with a_desk(a_ledger(bill)) as desk:
        await desk.settle(HOLD)
        found = (await seen(desk))["HELD_BY_OTHERS"]
        assert (found.amount, "user legal" in found.detail) == (40_00, True)


async def test_the_gate_tells_an_unclaimed_invoice_with_what_it_owes():
    async with a_desk(a_ledger(a_bill("INV-9", keys=("purchase.line:1",)))) as desk:
        desk.wanted.crosswalk = {("erp-eu", "purchase.line:1"): {"C-1"}}
        await desk.turn()
        found = (await seen(desk))["UNCLAIMED"]
        assert (found.invoice, found.amount, found.places) == ("INV-9", 100_00, ())


async def test_the_gate_tells_what_cannot_be_split_and_how_much_of_it_waits():
    async with a_desk(a_ledger()) as desk:
        await desk.settle(command(1, [target(payable=30_00)]))
        found = await seen(desk)
        assert (found["NOT_TO_BE_SPLIT"].amount, list(found)) == (30_00, ["NOT_TO_BE_SPLIT"])


async def test_the_gate_tells_a_hold_that_came_after_the_payment():
    paid_bill = a_bill(lines=[Line("1", "100.00", held=False, state="paid")], state="paid")
    async with a_desk(a_ledger(paid_bill)) as desk:
        await desk.settle(HOLD)
        found = await seen(desk)
        assert (found["HELD_TOO_LATE"].amount, list(found)) == (100_00, ["HELD_TOO_LATE"])


async def test_the_gate_tells_an_invoice_amended_after_it_was_freed():
    async with a_desk(a_ledger()) as desk:
        await desk.settle(HOLD, FREE)
        await desk.turn()
        assert await seen(desk) == {}
        desk.ledger.post(a_bill(gross="130.00", lines=[Line("1", "130.00", held=False)]))
        await desk.turn()
        assert (await seen(desk))["AMENDED_AFTER_RELEASE"].amount == 30_00
        await desk.settle(command(3, [target(payable=130_00, net=130_00)]))
        assert await seen(desk) == {}, "the newer command knows the invoice as it is"


async def test_the_gate_tells_an_invoice_cancelled_after_it_was_freed():
    async with a_desk(a_ledger()) as desk:
        await desk.settle(HOLD, FREE)
        desk.ledger.post(a_bill(state="cancelled"))
        await desk.turn()
        found = await seen(desk)
        assert list(found) == ["CANCELLED_AFTER_RELEASE"]


async def test_the_gate_tells_two_open_invoices_under_one_number():
    async with a_desk(a_ledger(a_bill(), a_bill(id="inv:2"))) as desk:
        await desk.settle(command(1, [target(payable=100_00)]))
        assert "AMBIGUOUS" in await seen(desk)


async def test_a_finance_system_that_does_not_answer_is_told_and_what_was_known_stays():
    async with a_desk(a_ledger()) as desk:
        await desk.settle(HOLD)
        desk.ledger.hold("inv:INV-1", "1", "clerk", held=False)
        await desk.turn()
        desk.ledger.down = True
        await desk.turn()
        first = await seen(desk)
        assert list(first) == ["LIFTED_BY_HAND", "FINANCE_SILENT"]
        await desk.turn()
        assert await seen(desk) == first
        desk.ledger.down = False
        await desk.turn()
        assert list(await seen(desk)) == ["LIFTED_BY_HAND"]


# Both together


def gate_found(kind, *places, **more):
    return list(from_gate("ap", [Difference(kind, "I-1", "why", places, 5_00, "EUR", NOW - HOUR)], NOW))


def test_what_the_gate_explains_is_not_told_twice():
    story = a_story("met")
    story.tell(answered(story, "rejected", detail="HELD_TOO_LATE: it had been approved"))
    found = joined(told(story), gate_found(DriftKind.HELD_TOO_LATE, "C-1/M1"))
    assert [(d.kind, d.invoice) for d in found] == [("HELD_TOO_LATE", "I-1")]


def test_what_the_gate_says_of_another_milestone_explains_nothing_here():
    story = a_story("met")
    story.tell(answered(story, "rejected", detail="no such line"))
    found = joined(told(story), gate_found(DriftKind.HELD_TOO_LATE, "C-1/M2"))
    assert [d.kind for d in found] == ["HELD_TOO_LATE", "COMMAND_REJECTED"]


def test_the_gravest_stand_first_and_sums_stay_within_a_currency():
    yen = list(from_gate("ap", [Difference(DriftKind.UNCLAIMED, "I-2", "why", (), 7, "JPY", NOW)], NOW))
    found = joined([], [*gate_found(DriftKind.UNCLAIMED), *yen, *gate_found(DriftKind.LIFTED_BY_HAND, "C-1/M1")])
    assert [d.kind for d in found] == ["LIFTED_BY_HAND", "UNCLAIMED", "UNCLAIMED"]
    sums = {key: amount.amount for key, amount in totals(found).items()}
    assert sums == {("UNCLAIMED", "EUR"): "5.00", ("UNCLAIMED", "JPY"): "7", ("LIFTED_BY_HAND", "EUR"): "5.00"}


def test_a_command_that_was_not_believed_names_its_record():
    found = from_refusal(Refusal("finance.commands/0/7", "x", "no such command", NOW - HOUR), NOW)
    assert (found.kind, found.detail) == ("COMMAND_REFUSED", "no such command (record finance.commands/0/7)")


def test_a_finding_of_an_earlier_gate_is_shown_by_its_text():
    found = from_text(Finding("ap", "n:I-1", "lifted: our block", NOW - 24 * HOUR), NOW)
    assert (found.invoice, found.detail, found.age_days) == ("I-1", "lifted: our block", "1.0")


def test_a_memory_of_an_earlier_gate_can_still_be_read():
    bill = {"held": {}, "freed": ["1"], "lifted": [], "told": {}, "tellings": 0}
    known = invoice_memory(encode({"bills": {"inv:1": bill}}))
    assert (known.differences, known.bills["inv:1"].net) == ([], None)
    assert invoice_memory(encode_memory(known)) == known
