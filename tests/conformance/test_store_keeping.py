"""Leases, rulebooks, the clock, and what is counted: what every store promises."""

import asyncio
from datetime import date

from store_rows import commit, parked_row, quarantined, state_row

from contracts_schema.rows import Changes, Rulebook

LONG_AGO = date(2000, 1, 1)


async def test_a_lease_is_held_by_one_and_renewed_by_him(store):
    assert await store.lease("relay", "w1", 60) == 1
    assert await store.lease("relay", "w2", 60) is None
    assert await store.lease("relay", "w1", 60) == 1
    assert await store.lease("review", "w2", 60) == 1


async def test_taking_over_an_expired_lease_raises_the_epoch(store):
    assert await store.lease("relay", "w1", 0) == 1
    assert await store.lease("relay", "w2", 60) == 2
    assert await store.lease("relay", "w1", 60) is None


async def test_a_lease_given_back_is_free_at_once(store):
    await store.lease("relay", "w1", 60)
    await store.release("relay", "w2")
    assert await store.lease("relay", "w2", 60) is None
    await store.release("relay", "w1")
    assert await store.lease("relay", "w2", 60) == 2


async def test_many_workers_reach_for_a_lease_and_one_gets_it(store):
    epochs = await asyncio.gather(*(store.lease("relay", f"w{number}", 60) for number in range(10)))
    assert [epoch for epoch in epochs if epoch] == [1]


async def test_a_rulebook_differs_from_the_one_last_used(store):
    one, two = Rulebook("sha256:1", b"one"), Rulebook("sha256:2", b"two")
    answers = [await store.keep_rulebook(book, "rulebook") for book in (one, one, two, two, one)]
    assert answers == [0, None, 0, None, 0]
    assert await store.rulebook("sha256:2") == two
    assert await store.rulebook("sha256:3") is None


async def test_the_clock_runs_in_microseconds_since_1970(store):
    first = await store.now()
    assert 1_700_000_000_000_000 < first <= await store.now() < 5_000_000_000_000_000


async def test_control_totals_add_up_by_day_and_outcome(store):
    await commit(store, Changes(counts={"applied": 3, "parked": 1}))
    await commit(store, Changes(counts={"applied": 2}))
    ((day, totals),) = (await store.counts(LONG_AGO)).items()
    assert totals == {"applied": 5, "parked": 1}
    assert await store.counts(date(day.year + 1, 1, 1)) == {}


async def test_a_fit_store_has_no_faults(store):
    assert await store.check() == []


async def test_an_empty_batch_is_allowed(store):
    async with store.batch() as batch:
        await batch.fence("w1", [])
        await batch.lock_keys([], [])
        assert not await batch.claims([])
        assert not await batch.load([])
        assert not await batch.parked_under([])
        await batch.write(Changes())


async def test_it_tells_how_many_contracts_open_quarantined_records_and_parked_facts_there_are(store):
    assert await store.tally() == {"contracts": 0, "quarantine": 0, "parked": 0}
    changes = Changes(states=[state_row()], quarantine=[quarantined("q1"), quarantined("q2")], parked=[parked_row()])
    await commit(store, changes)
    await store.settle_quarantine("q1", "discarded")
    assert await store.tally() == {"contracts": 1, "quarantine": 1, "parked": 1}


async def test_it_tells_who_holds_which_lease_and_for_how_long(store):
    await store.lease("relay", "w1", 30)
    await store.lease("sweep", "w2", 30)
    await store.release("sweep", "w2")
    (held,) = await store.leases()
    assert (held.name, held.owner, held.epoch) == ("relay", "w1", 1)
    assert 0 < held.left <= 30_000_000
