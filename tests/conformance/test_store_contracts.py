"""Contracts and their log: what every store promises."""

import asyncio
from datetime import date

import asyncpg
import pytest
from store_rows import CLUSTER, LINE, P0, claims, commit, log_row, offsets, parked_row, quarantined, state_row

from contracts_schema.rows import Changes, Lane

LONG_AGO = date(2000, 1, 1)


async def test_states_come_back_as_the_bytes_that_were_written(store):
    await commit(store, Changes(states=[state_row("C-2"), state_row("C-1", state=b"\x00")]))
    await commit(store, Changes(states=[state_row("C-1", 2, b"later")]))
    async with store.batch() as batch:
        assert dict(await batch.load(["C-1", "C-2", "C-new"])) == {"C-1": b"later", "C-2": b"state"}
    assert await store.state("C-1") == b"later"
    assert await store.state("C-new") is None
    assert [row async for row in await store.states()] == [("C-1", b"later"), ("C-2", b"state")]
    assert await store.contracts("", 10) == [("C-1", 2), ("C-2", 1)]
    assert await store.contracts("C-1", 10) == [("C-2", 1)]


async def test_the_last_state_of_a_contract_in_a_batch_counts(store):
    await commit(store, Changes(states=[state_row(state=b"first"), state_row(revision=2, state=b"last")]))
    assert await store.state("C-1") == b"last"


async def test_more_states_than_a_page_are_all_read(store):
    names = [f"C-{number:04}" for number in range(1203)]
    await commit(store, Changes(states=[state_row(name) for name in names]))
    assert [name async for name, _ in await store.states()] == names


async def test_a_batch_that_fails_leaves_nothing_behind(store):
    await store.take("w1", CLUSTER, [P0])
    changes = Changes(
        states=[state_row()], log=[log_row()], outbox=[(Lane.COMMANDS, b"x")], quarantine=[quarantined()],
        parked=[parked_row()], claimed=[(*LINE, "C-1")], wakes=[("C-1", 5, "review")], counts={"applied": 1},
    )  # fmt: skip

    async def fails():
        async with store.batch() as batch:
            await batch.fence("w1", [offsets(0, 5, read_to=9)])
            await batch.write(changes)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    assert (await store.take("w1", CLUSTER, [P0]))[P0].next is None
    assert await store.frontier() == 0
    assert await store.state("C-1") is None
    assert not [*await store.log("C-1"), *await store.outbox(Lane.COMMANDS, 9), *await store.quarantine(9)]
    assert not [*await store.parked(9), *await store.stranded(9), *await store.wakes(9)]
    assert await store.counts(LONG_AGO) == {}
    assert await claims(store, LINE) == {}


async def test_a_cancelled_batch_leaves_nothing_behind_and_frees_its_locks(store):
    written = asyncio.Event()

    async def never_ends():
        async with store.batch() as batch:
            await batch.load(["C-1"])
            await batch.write(Changes(states=[state_row()]))
            written.set()
            await asyncio.Event().wait()

    batch = asyncio.create_task(never_ends())
    await written.wait()
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch
    assert await store.state("C-1") is None
    await commit(store, Changes(states=[state_row()]))


async def test_two_batches_over_one_contract_see_each_others_work(store):
    await commit(store, Changes(states=[state_row(state=b"0")]))

    async def add_one():
        async with store.batch() as batch:
            held = int((await batch.load(["C-1"]))["C-1"])
            await asyncio.sleep(0)
            await batch.write(Changes(states=[state_row(state=b"%d" % (held + 1))]))

    await asyncio.gather(*(add_one() for _ in range(20)))
    assert await store.state("C-1") == b"20"


async def test_batches_that_share_contracts_in_any_order_all_end(store):
    names = [f"C-{number}" for number in range(9)]
    await commit(store, Changes(states=[state_row(name) for name in names]))

    async def touch(shift):
        async with store.batch() as batch:
            await batch.load(names[shift:] + names[:shift])
            await batch.write(Changes(states=[state_row(name, shift + 2) for name in names]))

    await asyncio.gather(*(touch(shift) for shift in range(9)))


async def test_the_log_gives_revisions_in_order(store):
    await commit(store, Changes(log=[log_row("C-1", 2), log_row("C-2", 1), log_row("C-1", 1)]))
    await commit(store, Changes(log=[log_row("C-1", 10)]))
    assert [row.revision for row in await store.log("C-1")] == [1, 2, 10]
    assert await store.revisions([("C-2", 1), ("C-1", 10), ("C-9", 1)]) == [log_row("C-1", 10), log_row("C-2", 1)]


async def test_a_revision_is_never_written_twice(store):
    await commit(store, Changes(log=[log_row(entry=b"first")]))
    with pytest.raises((ValueError, asyncpg.UniqueViolationError)):  # a defect: no family of errors hides it
        await commit(store, Changes(states=[state_row(state=b"other")], log=[log_row(entry=b"second")]))
    assert [row.entry for row in await store.log("C-1")] == [b"first"]
    assert await store.state("C-1") is None
