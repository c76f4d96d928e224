"""Which partitions are ours: they are let go of between batches, and only then."""

import asyncio

from connectors.memory import MemoryStore
from contracts_schema.records import Record
from contracts_schema.rows import Partition
from services.runtime.holdings import Holdings

MINE = Partition("erp.events", 0)


async def holding():
    holdings = Holdings(MemoryStore(), "w1", "memory", records_at_once=10)
    await holdings.assigned([MINE])
    return holdings


async def test_a_partition_is_let_go_of_only_when_the_running_batch_is_done():
    holdings = await holding()
    holdings.begin()
    letting_go = asyncio.create_task(holdings.revoked([MINE]))
    done, _ = await asyncio.wait({letting_go}, timeout=0.05)
    assert not done
    assert holdings.abandoned
    holdings.end()
    await asyncio.wait_for(letting_go, 5)
    assert not holdings.abandoned


async def test_who_lets_go_in_good_order_has_not_died_on_what_it_took():
    store, attempts = MemoryStore(), []
    for owner in ("w1", "w2", "w3", "w4"):
        holdings = Holdings(store, owner, "memory", records_at_once=10)
        await holdings.assigned([MINE])
        attempts += [state.attempts for state in await store.partitions()]
        if owner != "w2":  # which dies
            await holdings.revoked([MINE])
    assert attempts == [1, 1, 2, 2]


async def test_between_batches_a_partition_is_let_go_of_at_once():
    holdings = await holding()
    await asyncio.wait_for(holdings.revoked([MINE]), 5)
    assert MINE not in holdings.held


async def test_a_record_whose_clock_runs_ahead_says_nothing_of_those_behind_it():
    holdings = await holding()
    records = [Record("erp.events", 0, n, moment, None, (), b"") for n, moment in enumerate((5, 900, 7))]
    (moved,) = holdings.ranges(records, 500_000)
    assert (moved.first, moved.next, moved.read_to) == (0, 3, 5_000)
