"""What every store promises of vendor documents and who has parts of them: memory and Postgres alike (rule F9)."""

import asyncio
import random
from datetime import timedelta

import pytest
from builders import OWNER, START, a_contract, a_milestone, met, record_of, registered
from laws.house import HOUSE
from ubl_papers import a_paper, sent

from connectors.memory import MemoryStore
from contracts_schema.records import Record
from contracts_schema.rows import Changes, DocumentRow, OffsetRange, Partition
from services.reconciliation.merge import document_key
from services.reconciliation.policy import Policy, make_rules
from services.reconciliation.state import decode_state
from services.reconciliation.view import standings
from services.runtime.documents import _key_of
from services.runtime.hallway import Hallway
from services.runtime.outgoing import Topics
from services.runtime.reading import Reader

X, Y = b"x" * 16, b"y" * 16
NOW_US = int((START + timedelta(days=1)).timestamp()) * 1_000_000


async def write(store, *rows):
    async with store.batch() as batch:
        found = await batch.lock_documents([row.key for row in rows])
        await batch.write(Changes(documents=list(rows)))
    return dict(found)


async def test_what_is_known_of_a_document_is_there_for_the_next_batch(store):
    assert await write(store, DocumentRow(X, b"1", True), DocumentRow(Y, b"2", False)) == {X: b"", Y: b""}
    assert await write(store, DocumentRow(X, b"3", True)) == {X: b"1"}
    async with store.batch() as batch:
        assert await batch.lock_free_documents([X, Y, b"z"]) == {X: b"3", Y: b"2", b"z": b""}


async def test_a_batch_that_failed_has_learnt_nothing(store):
    async def fails():
        async with store.batch() as batch:
            await batch.lock_documents([X])
            await batch.write(Changes(documents=[DocumentRow(X, b"1", True)]))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    assert await write(store, DocumentRow(X, b"2", True)) == {X: b""}


async def test_only_documents_that_nobody_holds_are_forgotten(store):
    await write(store, DocumentRow(X, b"1", True), DocumentRow(Y, b"2", False))
    assert await store.forget_documents(before=1, limit=9) == 0
    assert await store.forget_documents(before=await store.now() + 60_000_000, limit=9) == 1
    assert await write(store, DocumentRow(X, b"1", True), DocumentRow(Y, b"2", False)) == {X: b"1", Y: b""}


async def test_batches_that_lock_the_same_documents_in_any_order_never_deadlock(store):
    keys = [b"%016d" % number for number in range(12)]
    chance = random.Random(20_260_301)

    async def worker():
        for _ in range(8):
            await write(store, *(DocumentRow(key, b"a", True) for key in chance.sample(keys, 6)))

    async with asyncio.timeout(60):
        await asyncio.gather(*(worker() for _ in range(6)))


# Two workers


class Worker:
    """One worker on this store, with partitions of its own."""

    def __init__(self, store, number):
        rules = make_rules({name: source.role for name, source in HOUSE.items()}, {}, Policy(), "ap")
        self.store, self.number, self.rules, self.offset = store, number, rules, 0
        self.hallway = Hallway(store, Reader(HOUSE, rules, OWNER), rules, Topics(), "1")

    async def begin(self):
        partitions = {Partition(source.topic, self.number) for source in HOUSE.values()}
        await self.store.take(str(self.number), OWNER, partitions)
        return self

    async def carry(self, record):
        self.offset += 1
        placed = Record(record.topic, self.number, self.offset, record.timestamp, None, (), record.value)
        moved = OffsetRange(OWNER, Partition(record.topic, self.number), self.offset, self.offset + 1, 0)
        await self.hallway.carry([placed], str(self.number), [moved], NOW_US)

    async def look(self, until=NOW_US):
        while (await self.hallway.wake(until, 100, NOW_US)).woken:
            pass


@pytest.fixture
async def workers(store):
    return await Worker(store, 0).begin(), await Worker(store, 1).begin()


def of_contract(n, moment):
    """A contract and its proof, and the two versions of an invoice, of which only the first is for it."""
    line, name = f"L{n}", f"C-{n}"
    milestone = a_milestone("M1", requires=["invoiced", "met"], refs={"ubl": [f"order:PO-1/{line}"]})
    plan = record_of(registered(a_contract(milestone, contract=name)), moment, f"r{n}")
    proof = record_of(met(contract=name), moment, f"m{n}")
    versions = [sent(a_paper(f"U-{n}", lines=((where, "100.00"),)), moment + timedelta(seconds=second))
                for second, where in enumerate((line, "elsewhere"))]  # fmt: skip
    return plan, proof, versions


@pytest.mark.parametrize("late", [False, True])
async def test_two_workers_that_have_a_version_each_leave_no_void_part_standing(workers, late):
    """Whoever comes first, and also where the older one waited for its contract, which comes in meanwhile."""
    one, other = workers
    for n in range(12):
        plan, proof, (old, new) = of_contract(n, START + timedelta(minutes=n))
        if late:
            await one.carry(old)
            await asyncio.gather(registering(one, plan), other.carry(new))
        else:
            await one.carry(plan)
            await asyncio.gather(one.carry(old), other.carry(new))
        await one.look()
        await one.carry(proof)
        await one.look()
    async for _, raw in await one.store.states():
        (standing,) = standings(decode_state(raw), one.rules)
        assert standing.position.allowed == 0
        assert [str(reason.code) for reason in standing.position.reasons] == ["NOT_INVOICED"]


async def registering(worker, plan):
    await worker.carry(plan)
    await worker.look()


async def test_a_part_that_is_unparked_never_waits_for_a_batch_that_is_at_its_document(store, workers):
    """Which may be waiting for this very contract: it stays parked, and is looked at again a moment later."""
    if type(store) is MemoryStore:
        return  # its batches wait for each other as a whole
    one, other = workers
    plan, _, (old, _) = of_contract(0, START)
    await one.carry(old)
    await one.carry(plan)
    async with asyncio.timeout(30), store.batch() as busy:
        await busy.lock_documents([_key_of(document_key("ubl", "invoice:SUP-1/U-0"))])
        await other.look()
        assert len(await store.stranded(9)) == 1
    await other.look(NOW_US + 1)
    assert await store.stranded(9) == []
    state = decode_state(await store.state("C-0"))
    assert [slot.kind for slot in state.slots.values()] == ["invoice.received"]
