"""Rows for tests of stores, and the shortest ways to put them there."""

import asyncpg
from msgspec.structs import replace

from contracts_schema.rows import (
    Changes,
    LogRow,
    OffsetRange,
    ParkedRow,
    Partition,
    Quarantined,
    StateRow,
)

CLUSTER = "cluster-1"
P0, P1 = Partition("erp.events", 0), Partition("erp.events", 1)
LINE = ("erp-eu", "purchase.line:1")


def offsets(first, following, partition=P0, read_to=0):
    return OffsetRange(CLUSTER, partition, first, following, read_to)


def state_row(contract="C-1", revision=1, state=b"state"):
    return StateRow(contract, revision, state)


def log_row(contract="C-1", revision=1, entry=b"entry"):
    return LogRow(contract, revision, entry, b"previous", b"head %d" % revision)


def parked_row(subject="s", keys=(LINE,), **others):
    row = ParkedRow("erp-eu", subject, tuple(keys), b"fact", 1, "erp.events/0/7", "unknown", since=10)
    return replace(row, **others)


def quarantined(record="q", sentence="no JSON", value=b"\x00\xff", fault="unreadable"):
    headers = (("milepost-kind", b"account.invoice"), ("odd", None), ("odd", b"\xff"))
    return Quarantined(record, "erp-eu", CLUSTER, "erp.events", 0, 7, 1_700_000_000_000, b"key", headers, value,
                       fault, sentence, 2, "ab" * 32)  # fmt: skip


async def sql(dsn, statement, *args):
    """One statement beside the store."""
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetch(statement, *args)
    finally:
        await connection.close()


async def commit(store, changes):
    async with store.batch() as batch:
        await batch.load([row.contract for row in changes.states])
        await batch.write(changes)


async def move(store, owner, *ranges):
    async with store.batch() as batch:
        await batch.fence(owner, ranges)


async def parked_under(store, *keys):
    async with store.batch() as batch:
        return list(await batch.parked_under(keys))


async def claims(store, *keys):
    async with store.batch() as batch:
        return dict(await batch.claims(keys))


async def take_due(store, moment=100, limit=10):
    """Take what is due and remove it, as a worker that has dealt with it."""
    async with store.batch() as batch:
        due = await batch.due(moment, limit)
        await batch.load([review.contract for review in due])
        await batch.write(Changes(wakes=[(review.contract, None, review.cause) for review in due]))
    return due
