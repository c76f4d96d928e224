"""What every store promises of claimed invoices, and of a rulebook that changes: memory and Postgres alike."""

import asyncio
import random

import pytest
from builders import invoice
from claiming import CODE, Worker, plan

from contracts_schema.rows import Changes, Review, Rulebook, StateRow
from services.reconciliation.state import decode_state, encode_state
from services.reconciliation.view import standings
from services.runtime.claims import _key_of

X, Y = b"x" * 16, b"y" * 16
BOOK = Rulebook("sha256:1", b"one")


async def write(store, *rows, keys=()):
    async with store.batch() as batch:
        found = await batch.lock_invoices([*keys, *(key for key, _ in rows)])
        await batch.write(Changes(invoices=list(rows)))
    return found


async def look(store, *keys):
    async with store.batch() as batch:
        return dict(await batch.look_at_invoices(keys))


# Rows


async def test_what_is_claimed_is_there_for_the_next_batch(store):
    assert await write(store, (X, b"1"), (Y, b"2")) == {}
    assert await write(store, (X, b"3")) == {X: b"1"}
    assert await look(store, X, Y, b"z") == {X: b"3", Y: b"2"}


async def test_a_key_that_nobody_claims_any_more_is_gone(store):
    await write(store, (X, b"1"), (Y, b"2"))
    await write(store, (X, b""))
    assert await look(store, X, Y) == {Y: b"2"}
    assert await write(store, (X, b"4")) == {}
    assert await look(store, X) == {X: b"4"}


async def test_keys_that_were_only_looked_at_claim_nothing(store):
    assert await write(store, keys=[X, Y, X]) == {}
    assert await look(store, X, Y) == {}


async def test_a_batch_that_failed_has_claimed_nothing(store):
    await write(store, (X, b"1"))

    async def fails():
        async with store.batch() as batch:
            await batch.lock_invoices([X, Y])
            await batch.write(Changes(invoices=[(X, b"2"), (Y, b"2")]))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    assert await look(store, X, Y) == {X: b"1"}


async def test_a_locked_invoice_is_told_as_the_batch_before_left_it(store):
    """Also where it was not there yet, and where it was given up meanwhile."""

    async def adds(number):
        async with store.batch() as batch:
            before = (await batch.lock_invoices([X, Y])).get(X, b"")
            await asyncio.sleep(0)
            now = b"" if len(before) == 7 else before + b"%d" % (number % 10)
            await batch.write(Changes(invoices=[(X, now), (Y, now)]))

    async with asyncio.timeout(30):
        await asyncio.gather(*(adds(number) for number in range(21)))
    assert [len(claims) for claims in (await look(store, X, Y)).values()] == [5, 5]


async def test_batches_that_lock_the_same_invoices_in_any_order_never_deadlock(store):
    keys = [b"%016d" % number for number in range(12)]
    chance = random.Random(20_260_301)

    async def worker():
        for _ in range(12):
            await write(store, *((key, chance.choice([b"a", b""])) for key in chance.sample(keys, 6)))

    async with asyncio.timeout(60):
        await asyncio.gather(*(worker() for _ in range(8)))


# A rulebook


async def test_another_rulebook_wakes_every_contract_in_the_same_commit(store):
    async with store.batch() as batch:
        await batch.write(Changes(states=[StateRow("C-1", 1, b"s"), StateRow("C-2", 1, b"s")]))
    assert await store.keep_rulebook(BOOK, "rulebook") == 2
    assert await store.wakes(10) == [Review("C-1", 0, "rulebook"), Review("C-2", 0, "rulebook")]
    assert await store.rulebook(BOOK.hash) == BOOK


async def test_the_same_rulebook_wakes_nobody(store):
    await store.keep_rulebook(BOOK, "rulebook")
    async with store.batch() as batch:
        await batch.write(Changes(states=[StateRow("C-1", 1, b"s")]))
    assert await store.keep_rulebook(BOOK, "rulebook") is None
    assert await store.wakes(10) == []


# Workers


@pytest.fixture
async def workers(store):
    return [await Worker(store, "0").begin(), await Worker(store, "1").begin()]


async def test_two_workers_with_the_same_invoices_never_deadlock_and_all_contracts_are_held(workers):
    """Each worker has contracts of its own and is told of the same invoices as the other, in another order."""
    one, other = workers
    chance = random.Random(20_260_301)
    numbers = [f"I-{n}" for n in range(6)]
    await one.tell(*(plan(f"A-{n}") for n in range(6)))
    await other.tell(*(plan(f"B-{n}") for n in range(6)))

    async def tells(worker, letter):
        parts = [invoice("100.00", number, contract=f"{letter}-{n}") for n, number in enumerate(numbers)]
        while parts:
            chance.shuffle(parts)
            some, parts = parts[:3], parts[3:]
            await worker.tell(*some)
            await asyncio.sleep(0)
            await worker.look()

    async with asyncio.timeout(60):
        await asyncio.gather(tells(one, "A"), tells(other, "B"))
        await asyncio.gather(one.look(), other.look())
    reasons = await one.reasons()
    assert len(reasons) == 12
    assert all(CODE in codes for codes in reasons.values())


async def test_of_two_workers_only_one_releases_an_invoice(workers):
    """Both are told at the same moment; whoever comes second knows of the first before it decides."""
    one, other = workers
    for n in range(8):
        await one.tell(plan(f"A-{n}"))
        await other.tell(plan(f"B-{n}"))
        told = [w.tell(invoice("100.00", f"I-{n}", contract=f"{c}-{n}")) for w, c in ((one, "A"), (other, "B"))]
        await asyncio.gather(*told)
    released = [
        s.position.released
        async for _, raw in await one.store.states()
        for s in standings(decode_state(raw), one.rules)
    ]
    assert sum(released) == 8 * 100_00


async def test_contracts_that_share_an_invoice_through_a_third_are_held_however_they_meet(workers):
    """A and C know the supplier by different names, B by both; A and C are told at the same moment."""
    one, other = workers
    for n in range(8):
        a, b, c = (f"{letter}-{n}" for letter in "ABC")
        await one.tell(plan(a, supplier={"id": "S"}), plan(b, supplier={"id": "S", "identifiers": ["T"]}))
        await other.tell(plan(c, supplier={"id": "T"}))
        await one.tell(invoice("30.00", f"I-{n}", contract=b, supplier="S", total="100.00"))
        await asyncio.gather(
            one.tell(invoice("60.00", f"I-{n}", contract=a, supplier="S")),
            other.tell(invoice("60.00", f"I-{n}", contract=c, supplier="T")),
        )
    await asyncio.gather(one.look(), other.look())
    assert all(CODE in codes for codes in (await one.reasons()).values())


async def test_what_was_claimed_before_the_table_was_there_is_written_by_an_upgrade(workers):
    """As after the migration: states know nothing of claims, and every contract is woken."""
    one, other = workers
    await one.tell(plan("A"), invoice("100.00", contract="A"))
    await one.look()
    old = decode_state(await one.store.state("A"))
    old.claims = {}
    key = _key_of(("SUP-1", "I-1"))
    async with one.store.batch() as batch:
        await batch.load(["A"])
        assert await batch.lock_invoices([key])
        row = StateRow("A", old.revision, encode_state(old))
        await batch.write(Changes(states=[row], invoices=[(key, b"")], wakes=[("A", 0, "upgrade")]))
    await one.look()
    await other.tell(plan("B"), invoice("100.00", contract="B"))
    await other.look()
    assert all(CODE in codes for codes in (await one.reasons()).values())
