"""The relay in front of a broker and leases that fail in the middle: nothing is lost, and nothing goes out unowned."""

import pytest
from memory_house import House
from workload import SOURCES, registrations

from contracts_schema.errors import TransientError
from contracts_schema.rows import Lane
from services.runtime import relay
from services.settings import check

CONTRACTS = 6


@pytest.fixture
async def behind():
    """A process whose worker has carried everything, and whose relay has sent nothing yet."""
    house = House()
    process = house.process()
    await process.upkeep.begin()
    await process.feed.assign(house.inputs)
    house.send(registrations(CONTRACTS))
    while records := await process.feed.poll(100, 0):
        now = await house.store.now()
        ranges = process.holdings.ranges(records, now)
        await process.hallway.carry(records, process.holdings.owner, ranges, now)
    return house, process


async def test_what_a_broker_refused_stays_in_the_outbox_and_goes_out_later(behind):
    house, process = behind
    process.publisher.refuses = True
    with pytest.raises(TransientError):
        await process.relay.turn(hurry=True)
    assert house.waiting(Lane.COMMANDS)
    process.publisher.refuses = False
    await process.relay.turn(hurry=True)
    assert house.commands().keys() == {f"C-{n:05d}" for n in range(CONTRACTS)}


async def test_a_lease_that_goes_between_two_sends_stops_the_second(behind, monkeypatch):
    house, process = behind
    monkeypatch.setattr(relay, "SEND_AT_A_TIME", 1)
    publish = process.publisher.publish

    async def published_then_robbed(rows):
        await publish(rows)
        house.store._tables.leases["relay/commands"] = ("somebody", 9, house.store._clock() + 10**9)
        process.leases._until.clear()

    process.publisher.publish = published_then_robbed
    await process.relay.turn(hurry=True)
    assert len(house.out()) == 1


@pytest.mark.parametrize(
    ("left_out", "written"), [("decisions", "milestone.snapshots"), ("snapshots", "milestone.decisions")]
)
async def test_a_topic_that_nobody_reads_stays_empty_and_the_others_do_not(left_out, written):
    house = House()
    house.settings = check({"sources": SOURCES, "worker": {"leave_out": [left_out]}})
    process = await house.running()
    house.send(registrations(CONTRACTS))
    await house.settled()
    await process.stop()
    assert len(house.commands()) == CONTRACTS
    assert house.out(written)
    assert not house.out(f"milestone.{left_out}")
