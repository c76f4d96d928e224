"""A review waits until every partition of every source has been read past its moment, by the store's clock."""

from contextlib import suppress

import pytest
from memory_house import House
from workload import TOPICS, invoice_event, registrations

from contracts_schema.errors import TransientError
from contracts_schema.rows import Changes, Partition
from services.runtime.reviews import Reviews

DUE_IN_US = 2_000_000


@pytest.fixture
async def rested():
    """A house that has read everything, with its worker stopped."""
    house = House()
    process = await house.running()
    house.send(registrations(1))
    await house.settled()
    await process.stop()
    return house, process


async def due_soon(house):
    """A review of the contract, due in two seconds; its moment."""
    moment = await house.store.now() + DUE_IN_US
    async with house.store.batch() as batch:
        await batch.write(Changes(wakes=[("C-00000", moment, "review")]))
    return moment


def reviews(house, process):
    return Reviews(house.store, process.feed, process.hallway, house.topics.cluster)


async def test_a_record_that_was_not_read_yet_holds_a_review_back(rested):
    house, process = rested
    moment = await due_soon(house)
    house.topics.clock = lambda: moment + 1
    house.send([invoice_event(0)])
    assert (await reviews(house, process).between_batches(moment + 1)).woken == 0


async def test_a_review_runs_when_all_sources_are_read_past_its_moment(rested):
    house, process = rested
    moment = await due_soon(house)
    house.topics.clock = lambda: moment + 1
    assert (await reviews(house, process).between_batches(moment + 1)).woken == 1


async def test_a_broker_whose_clock_runs_ahead_brings_no_review_forward(rested):
    house, process = rested
    moment = await due_soon(house)
    house.topics.clock = lambda: moment + 1
    assert (await reviews(house, process).between_batches(moment - 1)).woken == 0
    assert all(s.read_to < moment for s in await house.store.partitions() if s.partition == Partition(TOPICS[0], 0))


async def test_a_look_that_was_too_much_for_the_database_takes_fewer_the_next_time(rested, monkeypatch):
    house, process = rested
    asked, wake = [], process.hallway.wake

    async def gives_up(frontier, limit, now):
        asked.append(limit)
        if limit > 1:
            raise TransientError("the session was ended: idle in transaction")
        return await wake(frontier, limit, now)

    monkeypatch.setattr(process.hallway, "wake", gives_up)
    looks = reviews(house, process)
    for _ in range(9):
        looks.rouse()
        with suppress(TransientError):
            await looks.between_batches(await house.store.now())
    assert asked == [300, 150, 75, 37, 18, 9, 4, 2, 1]
