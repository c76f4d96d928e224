"""Each process with the login of its role: it does its work, and whatever else it tries is refused."""

import asyncio
import contextlib
import itertools

import asyncpg
import pytest
from gate_desk import command, invoice, target
from gate_process import GateProcess
from gate_process import Site as GateSite
from worker_process import Site, carried
from workload import events, registrations

from connectors.finance.simulator import Ledger, serving
from connectors.migrations import upgrade
from connectors.postgres import PostgresSettings, PostgresStore
from connectors.postgres.cursor import PostgresCursor
from connectors.postgres_roles import ROLES, TABLES, apply, script
from contracts_schema.collected import Place, Told
from contracts_schema.errors import ConfigurationError
from contracts_schema.rows import Changes, Lane, LogRow, StateRow

CONTRACTS = 20
RECORDS = [*registrations(CONTRACTS), *events(500, CONTRACTS)]
HOLD = command(1, [target(payable=0)])
CREATE_LOGIN = """do $$ begin create role test_{role} login in role {role};
exception when duplicate_object or unique_violation then null; end $$"""
PARTS = [f"revision_{part:02}" for part in range(16)]  # of the log; nobody may name one
# What is recorded, and how somebody would change it.
CHANGES = {
    **{log: (f"update {log} set entry = 'x'", f"delete from {log}", f"truncate {log}") for log in ("revision", *PARTS)},
    "archived": ("update archived set head = 'x'", "delete from archived", "truncate archived"),
    "quarantine": ("update quarantine set value = 'x'", "delete from quarantine", "truncate quarantine"),
    "rulebook": ("update rulebook set content = 'x'", "delete from rulebook", "truncate rulebook"),
    "gate_refusal": ("update gate_refusal set sentence = 'x'", "delete from gate_refusal", "truncate gate_refusal"),
}
RECORDED = """
    insert into revision values ('C-1', 1, 'entry', '', 'head');
    insert into archived values ('C-2', 1, 'head');
    insert into rulebook (hash, content, used) values ('sha256:0', '{}', 1);
    insert into gate_refusal (finance, origin, command_id, sentence) values ('ap-eu', 'o', 'c', 's');
    insert into quarantine (id, source, cluster, topic, partition, record_offset, recorded, headers, value, fault,
                            sentence, size, sha256) values ('q', 's', 'c', 't', 0, 0, 0, '', 'bytes', 'f', 's', 5, '')
"""


@pytest.fixture
async def dsn(postgres_dsn):
    """A database with all tables, the roles, and a login for each."""
    await upgrade(postgres_dsn)
    assert await apply(postgres_dsn) == []
    async with connected(postgres_dsn) as owner:
        for role in ROLES:
            await owner.execute(CREATE_LOGIN.format(role=role))
    return postgres_dsn


@contextlib.asynccontextmanager
async def connected(dsn):
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


def as_role(dsn, role):
    return dsn.replace("postgres@", f"test_{role}@")


# The processes do their work


async def test_a_worker_does_its_work_with_the_rights_of_its_role_alone(kafka, dsn, tmp_path):
    site = Site(tmp_path, kafka.bootstrap, as_role(dsn, "milepost_worker"), f"roles-{dsn.rpartition('/')[2]}", 2)
    await site.prepare(worker={"keep_records_days": 36_500})
    await site.send([*RECORDS, RECORDS[-1]._replace(value=b"\xff")])
    worker = site.worker()
    try:
        await asyncio.to_thread(worker.start)
        await carried(site, len(RECORDS) + 1)
        await asyncio.to_thread(worker.stop)
    finally:
        await asyncio.to_thread(worker.discard)
    assert len(await site.commands()) == CONTRACTS
    assert len(await site.read("milepost.quarantine")) == 1
    assert "permission denied" not in worker.log.read_text()
    async with connected(dsn) as owner:
        assert await owner.fetchval("select count(*) from kept_records")


async def test_a_gate_does_its_work_with_the_rights_of_its_role_alone(kafka, dsn, tmp_path):
    ledger = Ledger(refuses_repeats=True)
    ledger.post(invoice())
    async with serving(ledger) as url:
        site = GateSite(kafka, dsn, tmp_path, url)
        site.settings["postgres"]["dsn"] = as_role(dsn, "milepost_gate")
        await site.prepare()
        gate = GateProcess(tmp_path, site.config, 1)
        try:
            await asyncio.to_thread(gate.start)
            await site.decide(HOLD)
            await site.told((HOLD, "applied"))
        finally:
            await asyncio.to_thread(gate.discard)
            await site.publisher.stop()
    assert ledger.line("inv:INV-1", "1").held
    assert "permission denied" not in gate.log.read_text()


async def test_a_relay_reads_and_deletes_what_is_to_be_said_and_can_say_nothing_itself(dsn):
    changes = Changes(states=[StateRow("C-1", 1, b"s")], log=[LogRow("C-1", 1, b"e", b"", b"h")],
                      outbox=[(Lane.COMMANDS, b"said")])  # fmt: skip
    async with PostgresStore(PostgresSettings(dsn=as_role(dsn, "milepost_worker"))) as worker, worker.batch() as batch:
        await batch.load(["C-1"])
        await batch.write(changes)
    async with PostgresStore(PostgresSettings(dsn=as_role(dsn, "milepost_relay"))) as relay:
        assert await relay.lease("relay/commands", "me", 5) == 1
        [row] = await relay.outbox(Lane.COMMANDS, 10)
        assert len(await relay.revisions([("C-1", 1)])) == len(await relay.states_of(["C-1"])) == 1
        await relay.published(Lane.COMMANDS, [row.id])
        assert await relay.backlog() == {}
        for forbidden in (changes, Changes(outbox=[(Lane.COMMANDS, b"forged")])):
            with pytest.raises(ConfigurationError, match="permission denied"):
                async with relay.batch() as batch:
                    await batch.write(forbidden)


async def test_a_collector_keeps_its_place_and_sees_no_contract(dsn):
    settings = PostgresSettings(dsn=as_role(dsn, "milepost_collect"))
    async with PostgresStore(settings) as store, PostgresCursor(settings) as cursor:
        assert await store.check() == []
        assert await store.lease("collect/erp-eu", "me", 5) == 1
        for told in ({1: Told(b"f", "c", 0)}, {1: Told(b"g", "c", 1)}, {1: None}):
            await cursor.keep("erp-eu", "invoice", Place(1, 0, 0), told)
        await cursor.say("erp-eu", None)
        assert len(await cursor.standings()) == 1
        with pytest.raises(ConfigurationError, match="permission denied"):
            await store.state("C-1")


# And nothing else


async def test_what_is_recorded_is_changed_by_nobody(dsn):
    async with connected(dsn) as owner:
        await owner.execute(RECORDED)
        for change in itertools.chain(*CHANGES.values()):
            with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
                await owner.execute(change)
        await owner.execute("update quarantine set state = 'discarded'")
        await owner.execute("update rulebook set used = 2")
    for role in ROLES:
        async with connected(as_role(dsn, role)) as login:
            for change in itertools.chain(*CHANGES.values()):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await login.execute(change)


async def test_each_role_may_do_what_it_was_granted_and_no_other_statement(dsn):
    """Every role, every table, every kind of statement, asked of the server itself."""
    async with connected(dsn) as owner:
        column = dict(await owner.fetch(FIRST_COLUMN))
    refused = 0
    for role, rights in ROLES.items():
        async with connected(as_role(dsn, role)) as login:
            for table, (kind, statement) in itertools.product([*TABLES, *PARTS], STATEMENTS.items()):
                whole = {part.strip() for part in rights.get(table, "").split(",")}
                allowed = await is_allowed(login, statement.format(table=table, column=column[table]))
                assert allowed == (kind in whole), (role, kind, table)
                refused += not allowed
    assert refused > 500


FIRST_COLUMN = """
    select table_name::text, column_name::text from information_schema.columns
    where table_schema = current_schema() and ordinal_position = 1
"""
STATEMENTS = {
    "select": "select from {table} limit 0",
    "insert": "insert into {table} default values",
    "update": "update {table} set {column} = default where false",
    "delete": "delete from {table} where false",
    "truncate": "truncate {table}",
}


async def is_allowed(login, statement):
    transaction = login.transaction()
    await transaction.start()
    try:
        await login.execute(statement)
    except asyncpg.InsufficientPrivilegeError:
        return False
    except asyncpg.IntegrityConstraintViolationError:
        return True  # it was let in, and then had no values for the row
    finally:
        await transaction.rollback()
    return True


async def test_every_table_has_somebody_who_may_use_it(dsn):
    async with connected(dsn) as owner:
        made = await owner.fetch(
            "select relname from pg_class where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p')"
            " and not relispartition"
        )
    assert {row[0] for row in made} == set(TABLES)


# Making them


async def test_the_roles_are_made_by_the_printed_sql_too_and_again_it_changes_nothing(postgres_dsn):
    await upgrade(postgres_dsn)
    async with connected(postgres_dsn) as owner:
        rights = "select grantee, table_name, privilege_type from information_schema.role_table_grants order by 1, 2, 3"
        for statement in script() * 2:
            await owner.execute(statement)
        made = await owner.fetch(rights)
        assert await apply(postgres_dsn) == []
        assert await owner.fetch(rights) == made


async def test_a_table_that_an_upgrade_brings_is_granted_by_the_upgrade(postgres_dsn, dsn):
    async with connected(dsn) as owner:
        await owner.execute("drop owned by milepost_worker; update alembic_version set version_num = '0005'")
        assert await upgrade(dsn)
        assert await owner.fetchval("select has_table_privilege('milepost_worker', 'revision', 'insert')")


async def test_who_may_not_make_roles_is_told_which_an_administrator_has_to_make(
    postgres_server, postgres_dsn, monkeypatch
):
    await upgrade(postgres_dsn)
    monkeypatch.setitem(ROLES, "milepost_stranger", {})
    async with connected(postgres_dsn) as owner:
        await owner.execute(
            "do $$ begin create role test_plain login; exception when duplicate_object then null; end $$"
        )
        await owner.execute(f'alter database "{postgres_dsn.rpartition("/")[2]}" owner to test_plain')
        tables = await owner.fetch("select format('alter table %I owner to test_plain', tablename) from pg_tables"
                                   " where schemaname = 'public'")  # fmt: skip
        for (statement,) in tables:
            await owner.execute(statement)
        await owner.execute("alter schema public owner to test_plain")
    assert await apply(postgres_dsn.replace("postgres@", "test_plain@")) == ["milepost_stranger"]
