"""Rows of the database as the store's words, and back."""

from __future__ import annotations

from datetime import datetime, timedelta

import asyncpg
import msgspec

from contracts_schema.rows import ParkedRow, Partition, PartitionState, Quarantined

_keys = msgspec.json.Decoder(tuple[tuple[str, str], ...])
_headers = msgspec.msgpack.Decoder(tuple[tuple[str, bytes | None], ...])
encode_headers = msgspec.msgpack.encode


def encode_keys(keys: tuple[tuple[str, str], ...]) -> str:
    """As JSON text, which operators can read in psql."""
    return msgspec.json.encode(keys).decode()


def readable(text: str) -> str:
    """Text that Postgres can keep: NUL and lone surrogates, which it cannot, are written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def parked_row(row: asyncpg.Record) -> ParkedRow:
    """A row of `parked`."""
    return ParkedRow(
        source=row["source"],
        subject=row["subject"],
        keys=_keys.decode(row["keys"]),
        fact=row["fact"],
        timestamp=row["recorded"],
        origin=row["origin"],
        reason=row["reason"],
        since=row["since"],
        order=row["ordering"],
    )


def quarantined(row: asyncpg.Record) -> Quarantined:
    """A row of `quarantine`, or of its listing, which has no value."""
    return Quarantined(
        id=row["id"],
        source=row["source"],
        cluster=row["cluster"],
        topic=row["topic"],
        partition=row["partition"],
        offset=row["record_offset"],
        timestamp=row["recorded"],
        key=row["key"],
        headers=_headers.decode(row["headers"]),
        value=row.get("value"),
        fault=row["fault"],
        sentence=row["sentence"],
        size=row["size"],
        sha256=row["sha256"],
    )


def partition_state(row: asyncpg.Record) -> PartitionState:
    """A row of `kafka_offset`."""
    return PartitionState(
        cluster=row["cluster"],
        partition=Partition(row["topic"], row["partition"]),
        next=row["next_offset"],
        owner=row["owner"],
        epoch=row["epoch"],
        attempts=row["attempts"],
        read_to=row["read_to"],
    )


def microseconds(age: timedelta) -> int:
    """A span in whole microseconds."""
    return age // timedelta(microseconds=1)


def epoch_microseconds(moment: datetime) -> int:
    """A moment in whole microseconds since 1970."""
    return microseconds(moment - datetime.fromtimestamp(0, moment.tzinfo))
