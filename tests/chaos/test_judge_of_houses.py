"""The judge on houses in memory: one that is disturbed, some driven by hand, and simulated runs. It finds nothing."""

import asyncio
import sys
from pathlib import Path

import pytest
from memory_house import House
from msgspec.json import encode
from workload import START, TOPICS, Event, events, name, registrations

from contracts_schema.errors import TransientError
from contracts_schema.rows import Partition

sys.path.append(str(Path(__file__).parent))  # the judge stands by itself: it finds its own modules beside it
from judge import judge
from judged_houses import HOUSES
from judged_simulation import parked_while_its_contract_comes, simulated
from judging.waiting import check_waiting
from memory_evidence import of_house, says_nothing

CONTRACTS, SEEDS = 8, range(20)


@pytest.mark.parametrize("happens", HOUSES, ids=lambda happens: happens.__name__)
async def test_the_judge_finds_nothing_in_a_house(happens):
    says_nothing(judge(await happens()))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_judge_finds_nothing_in_a_simulated_run(seed):
    says_nothing(judge(simulated(seed)))


def test_the_judge_finds_that_nothing_waits_in_vain():
    says_nothing(check_waiting(parked_while_its_contract_comes()))


def odd(n, topic, kind, contract=0, **data):
    """An event that the workload does not have."""
    data = {"contract": name(contract), "milestone": "M0"} | data
    event = {"specversion": "1.0", "id": f"odd-{n}", "source": "odd", "type": f"milepost.{kind}.v1", "data": data}
    value = encode(event | {"time": START.isoformat()})
    return Event(topic, name(0).encode(), value, int(START.timestamp() * 1000))


def said_to_the_house():
    """The workload, with garbage, a person's hold, what nobody claims, and what cannot be read, in between."""
    between = [
        Event("erp.events", b"odd", b"\xff\x00 no event at all", 1),
        odd(1, "erp.events", "value.agreed", contract=999, version=1, value={"amount": "1.00", "currency": "EUR"}),
        odd(2, "operator.events", "hold.placed", hold="H-1", reason="look again", by="olga"),
        odd(3, "project.events", "milestone.assessed", contract=1, status="nearly"),
        odd(4, "erp.events", "value.agreed", contract=5, version=9999, value={"amount": "7.00", "currency": "EUR"}),
    ]
    spoken = events(600, CONTRACTS, seed=5)
    return [*spoken[:40], *registrations(CONTRACTS), *spoken[40:300], *between, *spoken[300:]]


class Mishaps:
    """Ways in which the world disturbs a house while it works."""

    def __init__(self, house):
        self.house = house

    async def store_is_silent(self):
        """The next batches end in doubt: committed, and not answered; or not even begun."""
        batch = self.house.store.batch

        def broken():
            self.house.store.batch = batch
            return _InDoubt(batch())

        self.house.store.batch = broken

    async def partitions_change_hands(self):
        one, other = (process.feed for process in self.house.processes)
        await self.house.topics.rebalance({one: [], other: self.house.inputs})
        await self.house.topics.rebalance({one: self.house.inputs[::2], other: self.house.inputs[1::2]})

    async def somebody_else_takes_a_partition(self):
        await self.house.store.take("somebody", self.house.topics.cluster, [Partition(TOPICS[1], 0)])


class _InDoubt:
    """A batch that is committed, and whose commit is not answered."""

    def __init__(self, opening):
        self._opening = opening

    async def __aenter__(self):
        return await self._opening.__aenter__()

    async def __aexit__(self, *error):
        await self._opening.__aexit__(*error)
        if error[0] is None:
            raise TransientError("the connection broke during commit")


async def test_the_judge_finds_nothing_in_a_hallway_that_is_disturbed():
    house = House()
    house.batch = 40
    mishaps = Mishaps(house)
    first, second = await house.running("w1"), house.process("w2")
    second.start()
    try:
        records = said_to_the_house()
        happenings = [mishaps.store_is_silent, mishaps.partitions_change_hands, mishaps.somebody_else_takes_a_partition]
        for at in range(0, len(records), 60):
            house.send(records[at : at + 60])
            await happenings[at // 60 % 3]()
            await asyncio.sleep(0.02)
        await house.topics.rebalance({first.feed: house.inputs[::2], second.feed: house.inputs[1::2]})
        await house.settled()
        house.send(records[-200:])
        await house.settled()
        await first.stop()
        await second.stop()
    finally:
        for process in house.processes:
            await process.die()
    says_nothing(judge(of_house(house)))
