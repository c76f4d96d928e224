"""Batches that meet on a real Postgres: who waits for whom, what is skipped, what deadlocks, what ends by itself."""

import asyncio
import random
from datetime import date

import asyncpg
import pytest
from store_rows import LINE, commit, sql

from connectors.postgres import PostgresSettings, PostgresStore
from contracts_schema.errors import TransientError
from contracts_schema.rows import Changes, ParkedRow, Review, StateRow


async def test_what_another_batch_holds_is_skipped_not_awaited(store):
    states = [StateRow("C-1", 1, b""), StateRow("C-2", 1, b"")]
    await commit(store, Changes(states=states, wakes=[("C-1", 5, "review"), ("C-2", 6, "review")]))
    async with store.batch() as first:
        await first.load(["C-1"])
        async with store.batch() as second:
            assert await second.due(100, 10) == [Review("C-2", 6, "review")]
            async with store.batch() as third:
                assert await third.due(100, 10) == []


async def test_a_wake_just_dealt_with_is_not_taken_again(store):
    """The wake is seen, its contract is held; when the contract is free the wake is gone."""
    await commit(store, Changes(states=[StateRow("C-1", 1, b"")], wakes=[("C-1", 5, "review")]))
    taken = []

    async def worker():
        async with store.batch() as batch:
            due = await batch.due(100, 10)
            taken.extend(due)
            await batch.write(Changes(wakes=[(review.contract, None, review.cause) for review in due]))

    for _ in range(20):
        await asyncio.gather(*(worker() for _ in range(6)))
        assert taken == [Review("C-1", 5, "review")]
        taken.clear()
        await commit(store, Changes(wakes=[("C-1", 5, "review")]))


async def test_contracts_that_wake_each_other_do_not_deadlock(store):
    names = ("C-1", "C-2")
    await commit(store, Changes(states=[StateRow(name, 1, b"") for name in names]))
    await commit(store, Changes(wakes=[(name, 5, "claim") for name in names]))
    ready = [asyncio.Event(), asyncio.Event()]

    async def worker(number):
        async with store.batch() as batch:
            await batch.due(100, 1)
            ready[number].set()
            await ready[1 - number].wait()
            own, other = names[number], names[1 - number]
            await batch.write(
                Changes(states=[StateRow(own, 2, b"")], wakes=[(own, None, "claim"), (other, 9, "claim")])
            )

    async with asyncio.timeout(10):
        first = asyncio.create_task(worker(0))
        await ready[0].wait()
        await asyncio.gather(first, worker(1))
    assert await store.wakes(10) == [Review("C-1", 9, "claim"), Review("C-2", 9, "claim")]


async def test_workers_that_share_everything_never_deadlock(store):
    """Every kind of row that two batches may touch, in any order, with the port's order of calls."""
    names = [f"C-{number}" for number in range(12)]
    keys = [("erp-eu", f"purchase.line:{number}") for number in range(12)]
    await commit(store, Changes(states=[StateRow(name, 0, b"") for name in names]))
    chance = random.Random(20_260_301)

    def some(of):
        return chance.sample(of, 5)

    async def worker():
        for _ in range(15):
            async with store.batch() as batch:
                await batch.lock_keys(some(keys), some(keys)[:2])
                await batch.load(some(names))
                due = await batch.due(100, 3)
                await batch.parked_under(some(keys))
                parked = [ParkedRow("erp-eu", f"s{n}", (keys[n],), b"f", 1, "o", "unknown", 1) for n in some(range(12))]
                done = [(review.contract, None, review.cause) for review in due]
                changes = Changes(
                    parked=parked,
                    unparked=[("erp-eu", "s1")],
                    wakes=[*done, *((name, chance.randrange(200), "claim") for name in some(names))],
                    counts=dict.fromkeys(some(["a", "b", "c", "d", "e", "f"]), 1),
                )
                await batch.write(changes)

    async with asyncio.timeout(60):
        await asyncio.gather(*(worker() for _ in range(8)))
    assert sum(sum(totals.values()) for totals in (await store.counts(date(2000, 1, 1))).values()) == 8 * 15 * 5


async def test_workers_that_park_under_one_key_do_not_wait_for_each_other(store):
    async with store.batch() as first, store.batch() as second:
        await first.lock_keys([LINE], [])
        await second.lock_keys([LINE], [])


async def test_claiming_a_key_waits_for_whoever_parks_under_it(store):
    parked = asyncio.Event()

    async def claims_it():
        async with store.batch() as batch:
            await batch.lock_keys([], [LINE])
            assert parked.is_set()

    async with store.batch() as batch:
        await batch.lock_keys([LINE], [])
        claiming = asyncio.create_task(claims_it())
        await asyncio.wait([claiming], timeout=0.1)
        parked.set()
    await claiming


async def test_who_looks_at_a_key_leaves_out_what_another_is_claiming(store):
    other, third = ("erp-eu", "purchase.line:2"), ("erp-eu", "purchase.line:3")
    async with store.batch() as first, store.batch() as second, store.batch() as third_batch:
        await first.lock_keys([other], [LINE])
        assert set(await second.lock_free_keys([LINE, other, third])) == {other, third}
        assert set(await third_batch.lock_free_keys([other, third])) == {other, third}


async def test_claiming_a_key_waits_for_whoever_looks_at_it(store):
    looked = asyncio.Event()

    async def claims_it():
        async with store.batch() as batch:
            await batch.lock_keys([], [LINE])
            assert looked.is_set()

    async with store.batch() as batch:
        assert set(await batch.lock_free_keys([LINE])) == {LINE}
        claiming = asyncio.create_task(claims_it())
        await asyncio.wait([claiming], timeout=0.1)
        looked.set()
    await claiming


async def test_a_statement_that_waits_too_long_is_done_again_later(dsn, store):
    await commit(store, Changes(states=[StateRow("C-1", 1, b"")]))
    async with PostgresStore(PostgresSettings(dsn=dsn, statement_s=0.2)) as impatient, store.batch() as holder:
        await holder.load(["C-1"])
        with pytest.raises(TransientError, match="in time"):
            await commit(impatient, Changes(states=[StateRow("C-1", 2, b"")]))
    assert await store.contracts("", 10) == [("C-1", 1)]


async def test_a_deadlock_is_done_again_later(store):
    states = [StateRow("C-1", 1, b""), StateRow("C-2", 1, b"")]
    await commit(store, Changes(states=states))
    both = asyncio.Barrier(2)

    async def out_of_order(first, second):
        async with store.batch() as batch:
            await batch.load([first])
            await both.wait()
            await batch.load([second])

    ends = await asyncio.gather(out_of_order("C-1", "C-2"), out_of_order("C-2", "C-1"), return_exceptions=True)
    assert sorted(type(end).__name__ for end in ends) == ["NoneType", "TransientError"]


async def test_a_batch_whose_statement_failed_is_not_taken_for_committed(store):
    async def swallows():
        async with store.batch() as batch:
            await batch.write(Changes(states=[StateRow("C-1", 1, b"")]))
            with pytest.raises(asyncpg.NotNullViolationError):
                await batch.write(Changes(states=[StateRow(None, 1, b"")]))

    with pytest.raises(TransientError, match="rolled"):
        await swallows()
    assert await store.state("C-1") is None


async def test_a_stopped_worker_does_not_hold_contracts_for_ever(dsn, store):
    await commit(store, Changes(states=[StateRow("C-1", 1, b"old")]))

    async def stops(stopped):
        async with stopped.batch() as batch:
            await batch.load(["C-1"])
            await commit(store, Changes(states=[StateRow("C-1", 2, b"new")]))
            await batch.write(Changes(states=[StateRow("C-1", 2, b"zombie")]))

    async with PostgresStore(PostgresSettings(dsn=dsn, idle_s=0.2)) as stopped:
        with pytest.raises(TransientError):
            await stops(stopped)
    assert await store.state("C-1") == b"new"


async def test_a_worker_that_stopped_between_two_messages_of_a_statement_does_not_either(dsn, store):
    await commit(store, Changes(states=[StateRow("C-1", 1, b"old")]))

    async def stops(stopped):
        async with stopped.batch() as batch:
            await batch.load(["C-1"])
            await batch._connection.prepare("select 7")  # parsed, not bound: the server waits for the rest of it
            assert await sql(dsn, "select state from pg_stat_activity where query = 'select 7'") == [("active",)]
            while not await watchful.end_stalled():
                await asyncio.sleep(0)
            await commit(store, Changes(states=[StateRow("C-1", 2, b"new")]))
            await batch.write(Changes(states=[StateRow("C-1", 2, b"zombie")]))

    zombie, other = (PostgresSettings(dsn=dsn, name="milepost worker", idle_s=idle_s) for idle_s in (60, 0.2))
    async with PostgresStore(zombie) as stopped, PostgresStore(other) as watchful:
        with pytest.raises(TransientError):
            await stops(stopped)
    assert await store.state("C-1") == b"new"
