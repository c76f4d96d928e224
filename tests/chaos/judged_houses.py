"""Houses in memory for the judge, each driven by hand to where a planted bug of the doing room shows."""

import asyncio
from contextlib import suppress

from builders import an_amendment, micros
from collecting import Rig, System
from judging.evidence import Evidence
from memory_evidence import came_in, of_house
from memory_house import House
from msgspec.json import encode
from workload import HEADERS, START, registrations

from connectors.memory import MemoryStore
from contracts_schema.errors import TransientError
from services.runtime import relay
from services.runtime.reviews import Reviews

MINUTE_US, HOUR_US, DAY_US = 60_000_000, 3_600_000_000, 86_400_000_000


class Timed:
    """A house whose clocks are set by hand: the store's, and the broker's, which may be `ahead` of it."""

    def __init__(self):
        self.house, self.now, self.ahead = House(), micros(START), 0
        self.house.store = MemoryStore(lambda: self.now)
        self.house.topics.clock = lambda: self.now + self.ahead
        self.process = None
        self.told = 0

    async def begin(self):
        self.process = self.house.process()
        await self.process.upkeep.begin()
        await self.process.feed.assign(self.house.inputs)
        return self

    def says(self, topic, kind, **data):
        """A source speaks; the broker dates it."""
        self.told += 1
        event = {"specversion": "1.0", "id": f"e{self.told}", "source": "here", "type": f"milepost.{kind}.v1"}
        event["time"] = START.isoformat()
        self.house.topics.append(topic, b"C-1", encode(event | {"data": {"contract": "C-1"} | data}), HEADERS)

    async def reads(self):
        """One batch of everything that is there."""
        records = await self.process.feed.poll(100, 0)
        ranges = self.process.holdings.ranges(records, self.now)
        await self.process.hallway.carry(records, self.process.holdings.owner, ranges, self.now)

    async def looks(self):
        """The reviews that may run now, by a worker that has just looked at the clock."""
        reviews = Reviews(self.house.store, self.process.feed, self.process.hallway, self.house.topics.cluster)
        await reviews.between_batches(self.now)

    async def evidence(self):
        await self.process.relay.flush(5)
        evidence = of_house(self.house)
        evidence.now, evidence.punctual = self.now, True
        return evidence


def plan(**terms):
    milestone = {"id": "M1", "title": "M1", "kind": "payment", "value": "100.00", "requires": ["met", "invoiced"]}
    return {
        "version": 1, "title": "Hall", "currency": "EUR", "buyer": {"id": "B"}, "supplier": {"id": "S"},
        "milestones": [milestone],
    } | terms  # fmt: skip


async def _before_its_day(effective_from):
    """From that day on it suffices that the milestone is invoiced."""
    timed = await Timed().begin()
    timed.says("contract.events", "contract.registered", **plan())
    milestone = plan()["milestones"][0] | {"requires": ["invoiced"]}
    amendment = an_amendment(effective_from=effective_from)
    more = plan(version=2, amendment=amendment, milestones=[milestone])
    timed.says("contract.events", "contract.registered", **more)
    net = {"amount": "100.00", "currency": "EUR"}
    timed.says("erp.events", "invoice.received", milestone="M1", number="I-1", supplier="S", net=net,
               issued_on="2026-03-01", state="open")  # fmt: skip
    await timed.reads()
    return timed


async def a_dispute_of_yesterday_lies_unread_at_midnight():
    timed = await _before_its_day("2026-03-03")
    timed.now += 15 * HOUR_US
    timed.says("operator.events", "dispute.opened", milestone="M1", dispute="D-1", by="olga", reason="OTHER")
    timed.now += 2 * HOUR_US
    await timed.looks()
    await timed.reads()
    await timed.looks()
    return await timed.evidence()


async def the_brokers_clock_runs_a_month_ahead():
    timed = await _before_its_day("2026-03-20")
    timed.ahead = 30 * DAY_US
    await timed.looks()
    timed.ahead = 0
    return await timed.evidence()


async def two_relays_have_one_lane():
    """Both look at what waits at the same time; nobody dies, and the broker confirms everything."""
    timed = await Timed().begin()
    second = timed.house.process("w2")
    timed.house.send(registrations(3))
    await timed.reads()
    await asyncio.gather(*(process.relay.turn(hurry=True) for process in (timed.process, second)))
    return await _once(timed)


async def a_relay_loses_its_lease_between_two_sends():
    """It stands still after a send; another one takes the lane over, and the first then goes on."""
    timed = await Timed().begin()
    second = timed.house.process("w2")
    timed.house.send(registrations(3))
    await timed.reads()
    publish, at_a_time = timed.process.publisher.publish, relay.SEND_AT_A_TIME

    async def publishes_and_stands_still(rows):
        await publish(rows)
        timed.process.publisher.publish = publish
        timed.process.leases._until.clear()
        timed.now += MINUTE_US
        await second.relay.turn(hurry=True)

    timed.process.publisher.publish, relay.SEND_AT_A_TIME = publishes_and_stands_still, 1
    try:
        await timed.process.relay.turn(hurry=True)
    finally:
        relay.SEND_AT_A_TIME = at_a_time
    return await _once(timed, but=1)


async def _once(timed, but=0):
    """Nobody died, so each command stands there once, but for those that a relay was about to delete."""
    evidence = await timed.evidence()
    evidence.repeats = but
    return evidence


async def the_broker_is_down_while_a_system_is_asked():
    rig = Rig()
    system = System(clock=rig.clock)
    system.put(1, b"a")
    collector = rig.collector(system, every_s=1)
    rig.publisher.refuses = True
    with suppress(TransientError):
        await collector.round()
    rig.publisher.refuses = False
    rig.clock.pass_by(5)
    await collector.round()
    evidence = Evidence()
    for place, records in rig.topics.records.items():
        evidence.topics[place.topic] += map(came_in, records)
    evidence.collected = [(s, kind, n) for (s, kind), told in rig.cursor._told.items() for n in told]
    return evidence


HOUSES = (
    a_dispute_of_yesterday_lies_unread_at_midnight, the_brokers_clock_runs_a_month_ahead, two_relays_have_one_lane,
    a_relay_loses_its_lease_between_two_sends, the_broker_is_down_while_a_system_is_asked,
)  # fmt: skip
