"""Leases, and looks that are put off, on a real Postgres whose clock may be set back meanwhile."""

import asyncpg

from connectors.postgres import PostgresSettings
from connectors.postgres.gate import PostgresWanted
from connectors.postgres.pool import Database
from contracts_schema.payables import Finished
from services.gate.drive import Manner


async def set_back(dsn, name, by):
    """As if the clock had been set back since the lease was given."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("update lease set expires_at = expires_at + $2::text::interval where name = $1", name, by)
    await connection.close()


async def test_a_lease_of_before_the_clock_was_set_back_lasts_once_more_as_long_as_a_lease_does(store, postgres_dsn):
    assert await store.lease("relay", "w1", 5) == 1
    await set_back(postgres_dsn, "relay", "1 hour")
    assert await store.lease("relay", "w2", 0) is None  # its owner may still believe in it
    assert await store.lease("relay", "w2", 5) == 2


async def test_a_lease_that_is_long_is_not_cut_short(store):
    assert await store.lease("relay", "w1", 300) == 1
    assert await store.lease("relay", "w2", 0) is None
    assert await store.lease("relay", "w2", 5) is None
    assert await store.lease("relay", "w1", 5) == 1


async def test_an_invoice_that_was_put_off_before_the_clock_was_set_back_is_due(store, postgres_dsn):
    database = Database(PostgresSettings(dsn=postgres_dsn))
    await database.open()
    wanted = PostgresWanted(database, "ap-eu")
    async with wanted.look("n:INV-1") as look:
        await look.finish(Finished(b"", 1, Manner(()).settled_s))
    assert await wanted.due(1) == []
    await database.execute("update gate_invoice set due = due + interval '1 hour'")
    assert [task.subject for task in await wanted.due(1)] == ["n:INV-1"]
    await database.close()
