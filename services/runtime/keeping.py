"""Records kept for replay: the bytes of a batch, packed by partition, with marks of what each record said.

A record that was set aside is left out: quarantine has its bytes, keeps them for good, and replay reads them there.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder

from contracts_schema.records import Record
from contracts_schema.rows import KeptRow, OffsetRange, Partition
from services.history.remapped import MARK, marks_of
from services.runtime.reading import Reading

LEVEL = 1  # a batch is written while others wait, and more effort makes it hardly smaller


class _Kept(Struct, frozen=True, array_like=True):
    """One record without its place, and the marks of its facts, one after the other."""

    offset: int
    timestamp: int
    key: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    value: bytes | None
    said: bytes


_encoder = Encoder()
_decoder = Decoder(tuple[_Kept, ...])


def kept_rows(readings: Sequence[Reading], ranges: Sequence[OffsetRange]) -> list[KeptRow]:
    """One row for each partition of the batch of which a record could be read."""
    kept: dict[Partition, list[_Kept]] = {}
    for record, facts, set_aside, _ in readings:
        if set_aside is None:
            said = b"".join(sorted(marks_of(facts)))
            one = _Kept(record.offset, record.timestamp, record.key, record.headers, record.value, said)
            kept.setdefault(Partition(record.topic, record.partition), []).append(one)
    return [
        KeptRow(moved.cluster, moved.partition, moved.first, moved.next, moved.read_to, _packed(kept[moved.partition]))
        for moved in ranges
        if moved.partition in kept
    ]


def kept_records(row: KeptRow) -> Iterator[tuple[Record, frozenset[bytes]]]:
    """Every record of a row, and the marks of what it said when it was used."""
    for one in _decoder.decode(zlib.decompress(row.records)):
        said = frozenset(one.said[at : at + MARK] for at in range(0, len(one.said), MARK))
        place = (*row.partition, one.offset, one.timestamp)
        yield Record(*place, one.key, one.headers, one.value), said


def _packed(records: Sequence[_Kept]) -> bytes:
    return zlib.compress(_encoder.encode(records), LEVEL)
