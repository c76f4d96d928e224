"""The stores that the suite runs against: memory and the simulation's always, Postgres where the machine has one."""

import asyncio

import pytest
from servers.postgres import database_name
from simulation.store import SimStore

from connectors.memory import MemoryStore
from connectors.migrations import upgrade
from connectors.postgres import PostgresSettings, PostgresStore


@pytest.fixture(scope="session")
def migrated_database(postgres_server):
    """Name of a database with the whole schema, to make copies of."""
    dsn = postgres_server.create_database()
    asyncio.run(upgrade(dsn))
    yield database_name(dsn)
    postgres_server.drop_database(dsn)


@pytest.fixture
def migrated_dsn(postgres_server, migrated_database):
    """Address of a fresh database with the whole schema and no rows."""
    dsn = postgres_server.create_database(template=migrated_database)
    yield dsn
    postgres_server.drop_database(dsn)


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.postgres)])
def store_dsn(request):
    """Where the store lies; None for memory."""
    return request.getfixturevalue("migrated_dsn") if request.param == "postgres" else None


@pytest.fixture(params=["memory", "simulated", pytest.param("postgres", marks=pytest.mark.postgres)])
def store_place(request):
    """Which store, and where it lies; databases are made before the test's loop runs."""
    return request.param, request.getfixturevalue("migrated_dsn") if request.param == "postgres" else None


@pytest.fixture
async def store(store_place):
    kind, dsn = store_place
    if dsn is None:
        yield MemoryStore() if kind == "memory" else SimStore()
        return
    async with PostgresStore(PostgresSettings(dsn=dsn)) as opened:
        yield opened
