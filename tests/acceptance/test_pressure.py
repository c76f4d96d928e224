"""A worker whose words do not go out stops reading, and reads on when they do."""

import pytest
from memory_house import House
from workload import events, registrations

from services.runtime.pressure import Pressure


def test_it_begins_at_the_mark_and_ends_at_half_of_it():
    pressure = Pressure(10)
    seen = [(rows, pressure.saw(rows), pressure.on) for rows in (9, 10, 12, 5, 4, 9, 10)]
    assert seen == [
        (9, False, False), (10, True, True), (12, False, True), (5, False, True), (4, True, False), (9, False, False),
        (10, True, True),
    ]  # fmt: skip


def counting(feed):
    """Every poll from now on."""
    polls, poll = [], feed.poll

    async def counted(limit, timeout_s):
        polls.append(limit)
        return await poll(limit, timeout_s)

    feed.poll = counted
    return polls


@pytest.fixture
async def house():
    house = House()
    house.batch, house.outbox_rows = 10, 6
    yield house
    for process in house.processes:
        await process.die()


async def test_with_a_full_outbox_nothing_is_read_and_nothing_is_lost(house):
    process = await house.running()
    process.publisher.refuses = True
    house.send(registrations(5))
    await house.until(lambda: house.carried() == 5)
    while not house.store._tables.outbox or len(house.store._tables.outbox) < house.outbox_rows:
        house.send(events(20, 5, seed=house.carried()))
        sent = sum(len(house.topics.records[place]) for place in house.inputs)
        await house.until(lambda wanted=sent: house.carried() == wanted)
    await process.upkeep.measure()
    assert process.counted("milepost_outbox_full") == 1
    await house.until(lambda: process.feed._paused)
    before, polls = house.carried(), counting(process.feed)
    house.send(events(50, 5, seed=99))
    await house.until(lambda: len(polls) > 3)  # the group keeps it
    assert house.carried() == before
    process.publisher.refuses = False
    await house.until(lambda: not house.store._tables.outbox)
    await process.upkeep.measure()
    assert process.counted("milepost_outbox_full") == 0
    await house.settled()
