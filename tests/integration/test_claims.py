"""Invoices claimed across contracts on a real Postgres: the upgrade, what it costs, and who meets whom."""

import asyncio

import asyncpg
from alembic import command
from builders import invoice
from claiming import CODE, Worker, plan
from sqlalchemy.ext.asyncio import create_async_engine

from connectors import migrations
from connectors.migrations import upgrade
from connectors.postgres import PostgresSettings, PostgresStore
from connectors.postgres.batch import PostgresBatch
from contracts_schema.rows import Changes, Review, StateRow


async def test_the_upgrade_has_every_contract_that_was_there_looked_at(postgres_dsn):
    await upgrade_to(postgres_dsn, "0003")
    async with PostgresStore(PostgresSettings(dsn=postgres_dsn)) as store:
        connection = await asyncpg.connect(postgres_dsn)
        await connection.execute("insert into contract (id, revision, state) values ('C-1', 1, ''), ('C-2', 1, '')")
        await connection.close()
        assert "0004" in await upgrade(postgres_dsn)
        causes = ("documents", "upgrade")  # of what they have parts of, and what they claim
        assert await store.wakes(10) == [Review(name, 0, cause) for name in ("C-1", "C-2") for cause in causes]
        async with store.batch() as batch:
            assert await batch.lock_invoices([b"k"]) == {}
            await batch.write(Changes(states=[StateRow("C-1", 2, b"s")], invoices=[(b"k", b"claims")]))
        async with store.batch() as batch:
            assert await batch.look_at_invoices([b"k"]) == {b"k": b"claims"}


async def test_a_batch_with_invoices_costs_one_round_trip_more(postgres_dsn):
    await upgrade(postgres_dsn)
    async with PostgresStore(PostgresSettings(dsn=postgres_dsn, connections=1)) as store:
        statements: list[str] = []
        await claim(store, b"1", [])
        await claim(store, b"2", statements)
    assert len(statements) == 3  # lock, write, and the commit; in the first batch the driver asks for types


async def claim(store, key, statements):
    async with store.batch() as batch:
        batch._connection.add_query_logger(lambda query: statements.append(query.query))
        await batch.lock_invoices([key, b"k"])
        await batch.write(Changes(states=[StateRow("C-1", 2, b"s")], invoices=[(key, b"c"), (b"k", b"")]))


async def upgrade_to(dsn, revision):
    """As a program of that time has left it."""
    engine = create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.begin() as connection:
        await connection.run_sync(_to, revision)
    await engine.dispose()


def _to(connection, revision):
    config = migrations._config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


async def test_who_shares_an_invoice_only_through_a_third_is_held_although_neither_could_see_the_other(
    postgres_dsn, monkeypatch
):
    """A and C know the supplier by different names, B by both. A and C are told at once: each looks before the other
    has committed, and neither waits for the other's lock."""
    await upgrade(postgres_dsn)
    async with PostgresStore(PostgresSettings(dsn=postgres_dsn)) as store:
        one, other = [await Worker(store, name).begin() for name in "01"]
        await one.tell(plan("A", supplier={"id": "S"}), plan("B", supplier={"id": "S", "identifiers": ["T"]}))
        await other.tell(plan("C", supplier={"id": "T"}))
        await one.tell(invoice("30.00", contract="B", supplier="S", total="100.00"))
        await one.look()
        both, write = asyncio.Barrier(2), PostgresBatch.write

        async def when_both_have_looked(batch, changes):
            await both.wait()
            await write(batch, changes)

        monkeypatch.setattr(PostgresBatch, "write", when_both_have_looked)
        async with asyncio.timeout(20):
            await asyncio.gather(
                one.tell(invoice("60.00", contract="A", supplier="S")),
                other.tell(invoice("60.00", contract="C", supplier="T")),
            )
        monkeypatch.undo()
        assert not any(CODE in codes for codes in (await one.reasons()).values())
        await one.look()
        assert all(CODE in codes for codes in (await one.reasons()).values())
