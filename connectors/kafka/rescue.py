"""Reading a record batch that aiokafka cannot: one with a header whose name is no UTF-8.

Kafka's brokers do not look into a batch, so any producer may write such a name, and aiokafka then fails on the whole
partition, for ever. Here the one batch is fetched raw and taken apart by the record format of Kafka 0.11 and newer
(message format v2). Names keep what can be read of them; the rest is written as \\xNN.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterator
from typing import Any

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.codec import gzip_decode, lz4_decode, snappy_decode, zstd_decode
from aiokafka.errors import CorruptRecordException, KafkaError, LeaderNotAvailableError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.util import calc_crc32c

from connectors.kafka.connection import KafkaConnection
from contracts_schema.records import Record

_READ_COMMITTED = 1
_TIMEOUT_S = 30
_HEAD = struct.Struct(">qiibIhiqqqhii")  # offset, length, epoch, magic, crc, attributes, last, first and max time, ...
_CHECKED_FROM = 21  # the checksum covers everything behind itself
_LENGTH_AT = 12  # what `length` counts begins after itself
_CODEC, _LOG_APPEND_TIME, _TRANSACTIONAL, _CONTROL = 0x07, 0x08, 0x10, 0x20
_CODECS: dict[int, Callable[[bytes], Any]] = {
    0: bytes,
    1: gzip_decode,
    2: snappy_decode,
    3: lz4_decode,
    4: zstd_decode,
}


async def rescue(connection: KafkaConnection, place: TopicPartition, offset: int, fetch_bytes: int) -> list[Record]:
    """The committed records from `offset` on of the first batches that have any; empty at the end of the partition.

    Raises:
        KafkaError, TimeoutError: the cluster does not answer.
    """
    client = AIOKafkaClient(**connection.client_options())
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await client.bootstrap()
            await client.set_topics([place.topic])
            while True:
                batches, aborted = await _fetch(client, place, offset, fetch_bytes)
                records, following = take_apart(place, batches, offset, aborted)
                if records or following == offset:
                    return records
                offset = following
    finally:
        await client.close()


async def _fetch(client: Any, place: TopicPartition, offset: int, most: int) -> tuple[bytes, list[tuple[int, int]]]:
    leader = client.cluster.leader_for_partition(place)
    if leader is None or leader < 0:
        raise LeaderNotAvailableError(place)
    wanted = [(place.topic, [(place.partition, offset, most)])]
    answer = await client.send(leader, FetchRequest(100, 1, most, _READ_COMMITTED, wanted, rack_id=""))
    [(_, [(_, code, _, *rest)])] = answer.topics
    if code:
        raise for_code(code)(place)
    return rest[-1], rest[2] or []


def take_apart(
    place: TopicPartition, batches: bytes, offset: int, aborted: list[tuple[int, int]]
) -> tuple[list[Record], int]:
    """The records from `offset` on of the first batch that has any, and the offset that follows what was read.

    `aborted` lists (producer, first offset) of the transactions that the broker calls aborted.
    """
    at = 0
    while at + _HEAD.size <= len(batches):
        base, length, _, magic, checksum, attributes, last, first_ms, max_ms, producer, *_ = _HEAD.unpack_from(
            batches, at
        )
        end = at + _LENGTH_AT + length
        if end > len(batches):
            break  # the broker cuts the last batch of an answer
        if magic != 2:
            raise KafkaError(f"{place} has records of message format {magic}")
        dropped = any(who == producer and start <= base for who, start in aborted) and attributes & _TRANSACTIONAL
        if calc_crc32c(batches[at + _CHECKED_FROM : end]) != checksum:
            raise CorruptRecordException(f"{place} at offset {base}")
        if not attributes & _CONTROL and not dropped:
            body = bytes(_CODECS[attributes & _CODEC](batches[at + _HEAD.size : end]))
            dated = max_ms if attributes & _LOG_APPEND_TIME else None
            records = [r for r in _records(place, body, base, first_ms, dated) if r.offset >= offset]
            if records:
                return records, base + last + 1
        offset, at = max(offset, base + last + 1), end
    return [], offset


def _records(place: TopicPartition, body: bytes, base: int, first_ms: int, dated: int | None) -> Iterator[Record]:
    cursor = _Cursor(body)
    while not cursor.at_end():
        cursor.varint()  # length
        cursor.take(1)  # attributes, unused
        timestamp = first_ms + cursor.varint()
        offset = base + cursor.varint()
        key, value = cursor.sized(), cursor.sized()
        headers = tuple(
            ((cursor.sized() or b"").decode(errors="backslashreplace"), cursor.sized()) for _ in range(cursor.varint())
        )
        yield Record(place.topic, place.partition, offset, timestamp if dated is None else dated, key, headers, value)


class _Cursor:
    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def at_end(self) -> bool:
        return self._at >= len(self._body)

    def take(self, size: int) -> bytes:
        taken = self._body[self._at : self._at + size]
        if len(taken) < size:
            raise CorruptRecordException("a record is shorter than it says")
        self._at += size
        return taken

    def varint(self) -> int:
        """A zigzag number, seven bits a byte, the lowest first."""
        raw = shift = 0
        while True:
            byte = self.take(1)[0]
            raw |= (byte & 0x7F) << shift
            if byte < 0x80:
                return (raw >> 1) ^ -(raw & 1)
            shift += 7

    def sized(self) -> bytes | None:
        size = self.varint()
        return None if size < 0 else self.take(size)
