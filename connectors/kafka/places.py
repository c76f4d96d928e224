"""Where reading goes on: the next offset of each partition, and of which the records in hand are no longer the next."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition

from contracts_schema.records import Record


class Places:
    """The partitions that are positioned; `next` is the offset of each that is handed out next.

    aiokafka's own positions run ahead of it. They are sought anew where something that it fetched is not handed out.
    """

    def __init__(self) -> None:
        self.next: dict[TopicPartition, int] = {}
        self._unsure: set[TopicPartition] = set()

    def move(self, consumer: Any, place: TopicPartition, offset: int, *, is_fetching: bool) -> None:
        """Read this partition from `offset`; what a fetch under way brings of it is doubtful."""
        self.next[place] = offset
        consumer.seek(place, offset)
        if is_fetching:
            self._unsure.add(place)

    def seek_anew(self, consumer: Any, places: Collection[TopicPartition] | None = None) -> None:
        """With no fetch under way: aiokafka's positions of these partitions, else of all, are ours again."""
        for place in self.next if places is None else places:
            consumer.seek(place, self.next[place])
        self._unsure.clear()

    def hand_out(self, consumer: Any, runs: Iterable[Sequence[Any]], limit: int, *, is_paused: bool) -> list[Record]:
        """Up to `limit` records of these runs, each of one partition, as far as they are still the next ones."""
        records: list[Record] = []
        for run in runs:
            place = TopicPartition(run[0].topic, run[0].partition)
            if place not in self.next:
                continue
            if is_paused or run[0].offset < self.next[place]:
                self._unsure.add(place)
            if place in self._unsure:
                continue
            wanted = run[: limit - len(records)]
            if wanted:
                records += wanted if isinstance(wanted[0], Record) else map(_as_record, wanted)
                self.next[place] = wanted[-1].offset + 1
            if len(wanted) < len(run) or isinstance(run[0], Record):
                self._unsure.add(place)
        self.seek_anew(consumer, self._unsure & self.next.keys())
        return records


def _as_record(got: ConsumerRecord) -> Record:
    return Record(got.topic, got.partition, got.offset, got.timestamp, got.key, got.headers, got.value)
