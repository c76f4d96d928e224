"""What every store of the gate promises, memory and Postgres alike."""

import asyncio

import pytest
from simulation.locks import Locks
from simulation.wanted import SimWanted

from connectors.memory_gate import MemoryWanted
from connectors.postgres import PostgresSettings
from connectors.postgres.gate import PostgresWanted
from connectors.postgres.pool import Database
from contracts_schema.payables import Finished, Intake, Refusal
from contracts_schema.rows import FenceLost, OffsetRange, Partition, PublishRow

P0 = Partition("finance.commands", 0)
LINE = ("erp-eu", "purchase.line:1")


@pytest.fixture
async def wanted(store_place):
    kind, dsn = store_place
    if dsn is None:
        memory = MemoryWanted("ap-eu", {LINE: {"C-1"}})
        yield memory if kind == "memory" else SimWanted(memory, Locks())
        return
    database = Database(PostgresSettings(dsn=dsn))
    await database.open()
    await database.execute("insert into crosswalk values ($1, $2, 'C-1')", *LINE)
    yield PostgresWanted(database, "ap-eu")
    await database.close()


def row(text):
    return PublishRow("finance.events", b"C-1", (("ce_id", b"1"),), text.encode(), "C-1")


async def take_in(wanted, first=None, owner="gate-1", contract="C-1", **content):
    async with wanted.intake() as batch:
        if first is not None:
            await batch.fence(owner, [OffsetRange("k", P0, first, first + 1, 0)])
        await batch.load([contract])
        await batch.write(Intake(**content))


async def finish(wanted, subject="n:INV-1", **content):
    async with wanted.look(subject) as look:
        await look.finish(Finished(**{"memory": b"m", "tries": 1, "again_s": None, **content}))


async def due(wanted):
    return [task.subject for task in await wanted.due(10)]


async def test_offsets_move_with_what_was_taken_in_and_only_for_their_owner(wanted):
    assert await wanted.take("gate-1", "k", [P0]) == {P0: None}
    await take_in(wanted, 0, memories={"C-1": b"one"})
    assert await wanted.take("gate-2", "k", [P0]) == {P0: 1}
    with pytest.raises(FenceLost):
        await take_in(wanted, 1, owner="gate-1")
    with pytest.raises(FenceLost):
        await take_in(wanted, 0, owner="gate-2")
    await take_in(wanted, 1, owner="gate-2")


async def fail(wanted):
    async with wanted.intake() as batch:
        await batch.fence("gate-1", [OffsetRange("k", P0, 0, 1, 0)])
        await batch.write(Intake(memories={"C-1": b"one"}, wake={"n:INV-1"}, answers=[row("a")]))
        raise RuntimeError


async def test_nothing_is_kept_of_a_batch_that_failed(wanted):
    await wanted.take("gate-1", "k", [P0])
    with pytest.raises(RuntimeError):
        await fail(wanted)
    assert await wanted.take("gate-1", "k", [P0]) == {P0: None}
    assert await due(wanted) == []
    assert await wanted.answers(10) == []


async def test_what_is_named_comes_due_until_it_was_looked_at(wanted):
    await take_in(wanted, memories={"C-1": b"one"}, wake={"n:INV-1", "n:INV-2"},
                  listings={("C-1", "M1"): ("n:INV-1", "n:INV-2")})  # fmt: skip
    assert sorted(await due(wanted)) == ["n:INV-1", "n:INV-2"]
    async with wanted.look("n:INV-1") as look:
        assert [(place.contract, place.milestone) for place in await look.listings()] == [("C-1", "M1")]
        assert dict(await look.memories(["C-1"], lock=False)) == {"C-1": b"one"}
        assert dict(await look.memories(["C-1"], lock=True)) == {"C-1": b"one"}
        await look.finish(Finished(b"m", 3, None, {"C-1": b"two"}, [row("a")], "odd"))
    assert await due(wanted) == ["n:INV-2"]
    async with wanted.look("n:INV-1") as look:
        assert (look.row.memory, look.row.tries) == (b"m", 3)
        assert dict(await look.memories(["C-1"], lock=False)) == {"C-1": b"two"}


async def test_an_invoice_comes_due_again_when_it_was_asked_for(wanted):
    await finish(wanted, again_s=0)
    assert await due(wanted) == ["n:INV-1"]
    await finish(wanted, again_s=60)
    assert await due(wanted) == []
    await wanted.wake(["n:INV-1"])
    assert await due(wanted) == ["n:INV-1"]


async def test_what_a_hold_names_comes_first(wanted):
    await take_in(wanted, wake={"n:INV-1"})
    await take_in(wanted, wake={"n:INV-2"}, urgent={"n:INV-2"})
    await take_in(wanted, wake={"n:INV-2"})
    assert await due(wanted) == ["n:INV-2", "n:INV-1"]


async def test_a_command_that_names_the_invoice_during_a_look_makes_it_due_at_once(wanted):
    async with wanted.look("n:INV-1") as look:
        await take_in(wanted, wake={"n:INV-1"})
        await look.finish(Finished(b"m", 5, None))
    assert await due(wanted) == ["n:INV-1"]
    async with wanted.look("n:INV-1") as look:
        assert (look.row.generation, look.row.tries) == (1, 0)


async def test_an_invoice_that_is_woken_during_a_look_is_looked_at_again(wanted):
    """The look may have asked finance before that was there which the invoice was woken for."""
    await finish(wanted)
    async with wanted.look("n:INV-1") as look:
        await wanted.wake(["n:INV-1"])
        await look.finish(Finished(b"m", 5, None))
    assert await due(wanted) == ["n:INV-1"]


async def test_a_newer_command_replaces_what_its_milestone_names(wanted):
    await take_in(wanted, listings={("C-1", "M1"): ("n:INV-1",), ("C-1", "M2"): ("n:INV-1",)})
    await take_in(wanted, listings={("C-1", "M1"): ("n:INV-2",)})
    assert set(await wanted.listed(["n:INV-1", "n:INV-2", "n:INV-3"])) == {"n:INV-1", "n:INV-2"}
    async with wanted.look("n:INV-1") as look:
        assert [place.milestone for place in await look.listings()] == ["M2"]


async def test_nobody_else_looks_at_an_invoice_that_is_looked_at(wanted):
    order = []

    async def second():
        async with wanted.look("n:INV-1"):
            order.append("second")

    async with wanted.look("n:INV-1"):
        waiting = asyncio.create_task(second())
        await wanted.due(1)
        order.append("first")
    await waiting
    assert order == ["first", "second"]


async def test_no_command_is_taken_in_while_a_release_of_its_invoice_is_on_its_way(wanted):
    order = []

    async def hold():
        await take_in(wanted, wake={"n:INV-1"})
        order.append("taken in")

    async with wanted.releasing("n:INV-1", 0) as still:
        assert still in (True, False)
        waiting = asyncio.create_task(hold())
        await take_in(wanted, contract="C-2", wake={"n:INV-2"})  # C-1 may wait already, and would keep its own waiting
        await asyncio.wait({waiting}, timeout=0.2)
        order.append("released")
    await waiting
    assert order == ["released", "taken in"]
    async with wanted.releasing("n:INV-1", 0) as still:
        assert not still
    async with wanted.releasing("n:INV-1", 1) as still:
        assert still


async def test_answers_are_kept_in_order_until_they_are_confirmed(wanted):
    await take_in(wanted, answers=[row("a"), row("b")])
    await finish(wanted, answers=[row("c")])
    found = await wanted.answers(10)
    assert [said for _, said in found] == [row("a"), row("b"), row("c")]
    await wanted.answered([found[0][0]])
    assert [said.value for _, said in await wanted.answers(1)] == [b"b"]


async def test_findings_are_listed_until_they_are_gone(wanted):
    await finish(wanted, finding="unclaimed")
    (first,) = await wanted.findings()
    assert (first.finance, first.subject, first.finding) == ("ap-eu", "n:INV-1", "unclaimed")
    await finish(wanted, finding="unclaimed")
    assert (await wanted.findings())[0].since == first.since
    await finish(wanted)
    assert await wanted.findings() == []


async def test_a_refusal_is_kept_once_for_each_record(wanted):
    refusal = Refusal("finance.commands/0/7", "id\0", "no such thing")
    await take_in(wanted, refusals=[refusal])
    await take_in(wanted, refusals=[refusal])
    (kept,) = await wanted.refusals(10)
    assert (kept.origin, kept.sentence) == (refusal.origin, refusal.sentence)
    assert kept.at > 0


async def test_the_crosswalk_tells_which_contracts_claim_a_key(wanted):
    assert await wanted.claimed({LINE, ("erp-eu", "purchase.line:2")}) == {LINE: ("C-1",)}
