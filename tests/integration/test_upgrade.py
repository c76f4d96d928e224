"""A newer schema under running workers, and back again."""

import asyncio
import contextlib

import asyncpg
import pytest
from alembic import command
from log_checks import check_said
from servers.postgres import database_name
from sqlalchemy.ext.asyncio import create_async_engine
from worker_process import carried
from workload import events, registrations

from connectors import migrations
from connectors.migrations import upgrade
from connectors.postgres import PostgresSettings, PostgresStore
from connectors.schema import shipped_revisions
from contracts_schema.errors import ConfigurationError
from contracts_schema.rows import Changes, LogRow, StateRow
from services.settings import load
from services.wiring.history import verify_contracts

CONTRACTS = 10
RECORDS = [*registrations(CONTRACTS), *events(800, CONTRACTS)]
TABLES = """
    select relname::text from pg_class where relnamespace = current_schema()::regnamespace
    and relkind in ('r', 'p') and not relispartition and relname <> 'alembic_version'
"""
FLOOR = "0007"  # `schema_floor`: programs that know it work on all that came since
SINCE = shipped_revisions()[shipped_revisions().index(FLOOR) + 1 :]
AWAITED = "select from pg_locks where relation = 'revision'::regclass and not granted"
AUDITOR = "do $$ begin create role test_auditor; exception when duplicate_object then null; end $$"
STRICTER = "default_transaction_isolation = 'repeatable read'"  # in which one sees nothing that comes later
NEWER = ("create table brought_by_9999 (n integer)", "update alembic_version set version_num = '9999'")
OLDER = ("drop table brought_by_9999", f"update alembic_version set version_num = '{shipped_revisions()[-1]}'")


async def run(dsn, *statements):
    """All of them or none, again where a worker's batch was in the way, as an administrator would."""
    connection = await asyncpg.connect(dsn)
    try:
        while True:
            with contextlib.suppress(asyncpg.DeadlockDetectedError):
                async with connection.transaction():
                    for statement in statements:
                        await connection.execute(statement)
                return
    finally:
        await connection.close()


async def to_newer(dsn):
    """As a program of tomorrow would upgrade: another table, and a column in each that there is."""
    connection = await asyncpg.connect(dsn)
    columns = [f"alter table {table} add column brought integer" for (table,) in await connection.fetch(TABLES)]
    await connection.close()
    await run(dsn, *columns, *NEWER)


async def to_older(dsn):
    connection = await asyncpg.connect(dsn)
    columns = [f"alter table {table} drop column if exists brought" for (table,) in await connection.fetch(TABLES)]
    await connection.close()
    await run(dsn, *columns, *OLDER)


async def downgraded(dsn, revision):
    def to(connection):
        config = migrations._config()
        config.attributes["connection"] = connection
        command.downgrade(config, revision)

    engine = create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.begin() as connection:
        await connection.run_sync(to)
    await engine.dispose()


async def test_a_worker_works_on_while_the_schema_becomes_newer_starts_on_it_and_goes_back(site, worker):
    parts = [RECORDS[: len(RECORDS) // 3], RECORDS[len(RECORDS) // 3 : -200], RECORDS[-200:]]
    await asyncio.to_thread(worker.start)
    await site.send(parts[0])
    await to_newer(site.dsn)
    await carried(site, len(parts[0]))
    await asyncio.to_thread(worker.kill)
    await asyncio.to_thread(worker.start)  # an older program on a newer schema, as after a rollback of the image
    await site.send(parts[1])
    await carried(site, len(RECORDS) - 200)
    assert await upgrade(site.dsn) == []
    await to_older(site.dsn)
    await site.send(parts[2])
    await carried(site, len(RECORDS))
    commands = await site.commands()
    assert len(commands) == CONTRACTS
    for found in commands.values():
        kept = {c["sequence"]: c for c in found}
        check_said([kept[number] for number in sorted(kept)], found)


async def test_what_came_since_the_floor_is_undone_and_done_again_under_a_running_worker(site, worker):
    await asyncio.to_thread(worker.start)
    await site.send(RECORDS[:300])
    await downgraded(site.dsn, FLOOR)
    await site.send(RECORDS[300:])
    assert await upgrade(site.dsn) == SINCE
    await carried(site, len(RECORDS))
    assert len(await site.commands()) == CONTRACTS
    proven = await verify_contracts(load(site.config), (), lambda *_: None)
    assert (proven.contracts, proven.faults) == (CONTRACTS, [])


async def test_what_is_written_while_the_log_is_copied_is_copied_too(postgres_dsn):
    await upgrade(postgres_dsn)
    async with PostgresStore(PostgresSettings(dsn=postgres_dsn)) as store:
        await written_meanwhile(store, "C-1", downgraded(postgres_dsn, FLOOR))
        await run(postgres_dsn, f'alter database "{database_name(postgres_dsn)}" set {STRICTER}')
        await written_meanwhile(store, "C-2", upgrade(postgres_dsn))


async def written_meanwhile(store, contract, moves):
    """An entry is committed when the log was copied already and the end of all batches is awaited."""
    row = LogRow(contract, 1, b"entry", b"", b"head")
    async with store.batch() as batch:
        await batch.write(Changes(states=[StateRow(contract, 1, b"")], log=[row]))
        moving = asyncio.create_task(moves)
        while not moving.done() and not await store._database.fetch(AWAITED):
            await asyncio.sleep(0.02)
    await moving
    assert await store.log(contract) == [row]


async def test_who_may_read_the_log_may_still_when_it_was_moved(postgres_dsn):
    await upgrade(postgres_dsn)
    await run(postgres_dsn, AUDITOR, "grant select on revision to test_auditor")
    await downgraded(postgres_dsn, FLOOR)
    await upgrade(postgres_dsn)
    await run(postgres_dsn, "set role test_auditor", "select from revision")


async def test_a_program_that_does_not_know_the_floor_does_not_start(site):
    await to_newer(site.dsn)
    await run(site.dsn, "update schema_floor set revision = '9999'")
    async with PostgresStore(PostgresSettings(dsn=site.dsn)) as store:
        [fault] = await store.check()
    assert "run a newer Milepost" in fault
    with pytest.raises(ConfigurationError, match="newer"):
        await upgrade(site.dsn)
