"""Migrations, and what a program refuses to start on: a schema, a server, an address or a user that does not fit."""

import asyncio

import asyncpg
import pytest
from store_rows import commit, sql

from connectors import schema
from connectors.migrations import upgrade
from connectors.postgres import PostgresSettings, PostgresStore
from connectors.schema import shipped_revisions
from contracts_schema.errors import ConfigurationError, TransientError
from contracts_schema.rows import Changes, StateRow

# Migrations


def test_migrations_stand_in_one_line():
    assert shipped_revisions()[0] == "0001"
    assert shipped_revisions() == sorted(set(shipped_revisions()))


async def test_an_upgrade_is_idempotent_and_tells_what_it_did(postgres_dsn):
    assert await upgrade(postgres_dsn) == shipped_revisions()
    assert await upgrade(postgres_dsn) == []


async def test_two_upgrades_at_once_do_the_work_once(postgres_dsn):
    done = await asyncio.gather(upgrade(postgres_dsn), upgrade(postgres_dsn))
    assert sorted(done) == [[], shipped_revisions()]


async def test_a_database_newer_than_the_program_is_refused(dsn):
    await sql(dsn, "update alembic_version set version_num = '9999'")
    await sql(dsn, "update schema_floor set revision = '9999'")
    with pytest.raises(ConfigurationError, match="newer"):
        await upgrade(dsn)


async def test_an_upgrade_does_not_wait_for_ever(dsn):
    holder = await asyncpg.connect(dsn)
    await holder.execute("begin; lock table alembic_version")
    with pytest.raises(TransientError):
        await upgrade(dsn, lock_timeout_s=0.1)
    await holder.close()


async def test_an_upgrade_of_nobodys_server_can_be_tried_again(dsn, postgres_server):
    postgres_server.kill()
    with pytest.raises(TransientError):
        await upgrade(dsn)
    with pytest.raises(ConfigurationError):
        await upgrade("mysql://root:hunter2@localhost/x")


# Start


async def test_the_start_check_names_what_is_missing(postgres_dsn):
    async with PostgresStore(PostgresSettings(dsn=postgres_dsn)) as store:
        (fault,) = await store.check()
        assert "milepost db upgrade" in fault
        with pytest.raises(ConfigurationError, match="milepost db upgrade"):
            await store.frontier()
        with pytest.raises(ConfigurationError, match="milepost db upgrade"):
            await commit(store, Changes(states=[StateRow("C-1", 1, b"s")]))


async def test_the_start_check_refuses_a_newer_schema(dsn, store):
    await sql(dsn, "update alembic_version set version_num = '9999'")
    await sql(dsn, "update schema_floor set revision = '9999'")
    (fault,) = await store.check()
    assert "run a newer Milepost" in fault


async def test_the_start_check_refuses_an_older_schema(store, monkeypatch):
    shipped = [*shipped_revisions(), "9998"]
    monkeypatch.setattr(schema, "shipped_revisions", lambda: shipped)
    (fault,) = await store.check()
    assert "needs 9998: run `milepost db upgrade`" in fault


async def test_the_start_check_refuses_a_server_that_loses_commits(dsn):
    name = dsn.rpartition("/")[2]
    await sql(dsn, f'alter database "{name}" set synchronous_commit = off')
    async with PostgresStore(PostgresSettings(dsn=dsn)) as store:
        (fault,) = await store.check()
    assert fault.startswith("Postgres has synchronous_commit = off; set synchronous_commit to on")


@pytest.mark.parametrize(
    "address",
    ["mysql://root:hunter2@localhost/x", "postgresql://root:hunter2@localhost:port/x", "postgresql://u:hunter2@[/x"],
)
async def test_an_address_that_cannot_be_read_is_refused_without_quoting_it(address):
    with pytest.raises(ConfigurationError) as refusal:
        await PostgresStore(PostgresSettings(dsn=address)).open()
    assert "hunter2" not in str(refusal.value)
    assert refusal.value.__cause__ is None or "hunter2" not in str(refusal.value.__cause__)


async def test_a_database_or_a_user_that_is_not_there_is_a_fault_of_configuration(postgres_server):
    for address in (postgres_server.dsn_of("nowhere"), postgres_server.dsn.replace("postgres@", "nobody@")):
        with pytest.raises(ConfigurationError):
            await PostgresStore(PostgresSettings(dsn=address)).open()


async def test_a_user_without_rights_is_a_fault_of_configuration(dsn):
    await sql(dsn, "do $$ begin create role weak login; exception when duplicate_object then null; end $$")
    async with PostgresStore(PostgresSettings(dsn=dsn.replace("postgres@", "weak@"))) as store:
        with pytest.raises(ConfigurationError, match="grant"):
            await store.frontier()
