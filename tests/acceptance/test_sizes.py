"""No record may block its lane: a command that is too large is not written, and lists that only explain are cut."""

from msgspec.json import encode
from workload import START, _as_event, name, registrations

from contracts_schema.commands import Amount, Chain, DecisionRecord
from contracts_schema.rows import Partition, PublishRow
from services.runtime.outgoing import fitted, size_of

LIMIT = 6000


def invoice(n):
    body = {"contract": name(0), "milestone": "M0", "number": f"INV-{n}", "supplier": "SUP-0", "version": n,
            "net": {"amount": "1.00", "currency": "EUR"}, "issued_on": "2026-03-02", "state": "open"}  # fmt: skip
    return _as_event("erp.events", 0, f"inv-{n}", "invoice.received", START, body)


def hold():
    body = {"contract": name(0), "milestone": "M1", "hold": "H-1", "reason": "audit", "by": "jane"}
    return _as_event("operator.events", 0, "hold-1", "hold.placed", START, body)


async def test_the_invoice_that_makes_a_command_too_large_is_refused_and_all_else_counts(house):
    process = await house.running()
    process.hallway.record_bytes = LIMIT
    house.send(registrations(1))
    await house.settled()
    house.send([*map(invoice, range(60)), hold()])
    await house.settled()
    await process.stop()
    refused = house.out("milepost.quarantine")
    assert refused
    assert all("too many invoices" in record["sentence"] for record in refused)
    commands = [r for n in range(2) for r in house.topics.records[Partition("finance.commands", n)]]
    assert max(len(r.value) for r in commands) <= LIMIT
    assert len(house.commands()[name(0)][-1]["targets"]) < 60
    assert "MANUAL_HOLD" in [r.code for r in (await house.positions())[name(0), "M1"].reasons]
    assert not process.counted("milepost_frozen_total")


async def test_a_contract_whose_parked_facts_make_a_command_too_large_is_frozen(house):
    process = await house.running()
    process.hallway.record_bytes = LIMIT
    house.send([*map(invoice, range(60)), hold()])
    await house.settled()
    house.send(registrations(1))
    await house.settled()
    await process.stop()
    assert process.counted("milepost_frozen_total") == 1
    assert "UNDECIDED" in (await house.positions())[name(0), "M0"].exceptions
    assert {c["action"] for c in house.out()} == {"hold"}


def test_lists_that_only_explain_are_cut_until_the_record_fits():
    nothing = Amount("0.00", "EUR")
    record = DecisionRecord(
        contract="C", milestone="M", revision=1, at="", status="met", value=nothing, released_to_date=nothing,
        held=nothing, reasons=(), conflicts=(), exceptions=(), facts=tuple(f"pm/{n}" for n in range(100_000)),
        rulebook="", chain=Chain(1, ""), command_id=None,
    )  # fmt: skip
    row = fitted(lambda r: PublishRow("t", b"k", (), encode(r)), record, LIMIT)
    assert 1000 < size_of(row) <= LIMIT
