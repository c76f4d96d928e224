"""Offsets that are written to Kafka for lag tools: what a broker did not take is written later, newer ones first."""

import asyncio

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from connectors.kafka import lag

PLACE, OTHER = TopicPartition("erp.events", 0), TopicPartition("erp.events", 1)


class Group:
    """A group whose coordinator is away for the first commits."""

    def __init__(self, refusals, assigned=(PLACE, OTHER)):
        self.refusals, self.assigned, self.committed, self.done = refusals, {*assigned}, {}, asyncio.Event()

    def assignment(self):
        return self.assigned

    async def commit(self, offsets):
        if self.refusals:
            self.refusals -= 1
            raise KafkaError("the coordinator is away")
        self.committed |= offsets
        self.done.set()


@pytest.fixture
def signal(monkeypatch):
    monkeypatch.setattr(lag, "_EVERY_S", 0)
    return lag.LagSignal()


async def test_offsets_that_were_not_taken_are_written_again(signal):
    group = Group(refusals=2)
    signal.note(group, {PLACE: 7})
    async with asyncio.timeout(10):
        await group.done.wait()
    assert group.committed == {PLACE: 7}


async def test_newer_offsets_replace_those_that_were_not_taken(signal):
    group = Group(refusals=1)
    signal.note(group, {PLACE: 7, OTHER: 1})
    while group.refusals:
        await asyncio.sleep(0)
    signal.note(group, {PLACE: 9})
    async with asyncio.timeout(10):
        await group.done.wait()
    assert group.committed == {PLACE: 9, OTHER: 1}


async def test_what_is_no_longer_ours_is_not_written(signal):
    group = Group(refusals=0, assigned=[PLACE])
    signal.note(group, {PLACE: 7, OTHER: 1})
    async with asyncio.timeout(10):
        await group.done.wait()
    assert group.committed == {PLACE: 7}
