"""What only a real Postgres can show: locks, crashes, reconnects, refusals, migrations, round trips."""

import asyncio
import random
from datetime import date
from pathlib import Path

import asyncpg
import pytest
from servers.process import await_condition

from connectors import schema
from connectors.migrations import upgrade
from connectors.postgres import PostgresSettings, PostgresStore
from connectors.schema import shipped_revisions
from contracts_schema.errors import ConfigurationError, TransientError
from contracts_schema.rows import Changes, FenceLost, Lane, LogRow, OffsetRange, ParkedRow, Partition, Review, StateRow

CLUSTER = "cluster-1"
P0 = Partition("erp.events", 0)
LINE = ("erp-eu", "purchase.line:1")


@pytest.fixture
async def dsn(postgres_dsn):
    """Address of a database with the whole schema."""
    await upgrade(postgres_dsn)
    return postgres_dsn


@pytest.fixture
async def store(dsn):
    async with PostgresStore(PostgresSettings(dsn=dsn)) as opened:
        yield opened


async def sql(dsn, statement, *args):
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetch(statement, *args)
    finally:
        await connection.close()


async def commit(store, changes):
    async with store.batch() as batch:
        await batch.load([row.contract for row in changes.states])
        await batch.write(changes)


async def answers_again(store):
    """Ask until the store answers; it reconnects by itself."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await store.now()
            except TransientError:
                await asyncio.sleep(0.02)


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


# Locks


async def test_the_log_refuses_every_change(dsn, store):
    await commit(store, Changes(log=[LogRow("C-1", 1, b"entry", b"", b"head")]))
    for change in ("update revision set entry = 'x'", "delete from revision", "truncate revision"):
        with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
            await sql(dsn, change)
    assert [row.entry for row in await store.log("C-1")] == [b"entry"]


async def test_what_another_batch_holds_is_skipped_not_awaited(store):
    states = [StateRow("C-1", 1, b""), StateRow("C-2", 1, b"")]
    await commit(store, Changes(states=states, wakes=[("C-1", 5, "review"), ("C-2", 6, "review")]))
    async with store.batch() as first:
        await first.load(["C-1"])
        async with store.batch() as second:
            assert await second.due(100, 10) == [Review("C-2", 6, "review")]
            async with store.batch() as third:
                assert await third.due(100, 10) == []


async def test_a_wake_just_dealt_with_is_not_taken_again(store):
    """The wake is seen, its contract is held; when the contract is free the wake is gone."""
    await commit(store, Changes(states=[StateRow("C-1", 1, b"")], wakes=[("C-1", 5, "review")]))
    taken = []

    async def worker():
        async with store.batch() as batch:
            due = await batch.due(100, 10)
            taken.extend(due)
            await batch.write(Changes(wakes=[(review.contract, None, review.cause) for review in due]))

    for _ in range(20):
        await asyncio.gather(*(worker() for _ in range(6)))
        assert taken == [Review("C-1", 5, "review")]
        taken.clear()
        await commit(store, Changes(wakes=[("C-1", 5, "review")]))


async def test_contracts_that_wake_each_other_do_not_deadlock(store):
    names = ("C-1", "C-2")
    await commit(store, Changes(states=[StateRow(name, 1, b"") for name in names]))
    await commit(store, Changes(wakes=[(name, 5, "claim") for name in names]))
    ready = [asyncio.Event(), asyncio.Event()]

    async def worker(number):
        async with store.batch() as batch:
            await batch.due(100, 1)
            ready[number].set()
            await ready[1 - number].wait()
            own, other = names[number], names[1 - number]
            await batch.write(
                Changes(states=[StateRow(own, 2, b"")], wakes=[(own, None, "claim"), (other, 9, "claim")])
            )

    async with asyncio.timeout(10):
        first = asyncio.create_task(worker(0))
        await ready[0].wait()
        await asyncio.gather(first, worker(1))
    assert await store.wakes(10) == [Review("C-1", 9, "claim"), Review("C-2", 9, "claim")]


async def test_workers_that_share_everything_never_deadlock(store):
    """Every kind of row that two batches may touch, in any order, with the port's order of calls."""
    names = [f"C-{number}" for number in range(12)]
    keys = [("erp-eu", f"purchase.line:{number}") for number in range(12)]
    await commit(store, Changes(states=[StateRow(name, 0, b"") for name in names]))
    chance = random.Random(20_260_301)

    def some(of):
        return chance.sample(of, 5)

    async def worker():
        for _ in range(15):
            async with store.batch() as batch:
                await batch.lock_keys(some(keys), some(keys)[:2])
                await batch.load(some(names))
                due = await batch.due(100, 3)
                await batch.parked_under(some(keys))
                parked = [ParkedRow("erp-eu", f"s{n}", (keys[n],), b"f", 1, "o", "unknown", 1) for n in some(range(12))]
                done = [(review.contract, None, review.cause) for review in due]
                changes = Changes(
                    parked=parked,
                    unparked=[("erp-eu", "s1")],
                    wakes=[*done, *((name, chance.randrange(200), "claim") for name in some(names))],
                    counts=dict.fromkeys(some(["a", "b", "c", "d", "e", "f"]), 1),
                )
                await batch.write(changes)

    async with asyncio.timeout(60):
        await asyncio.gather(*(worker() for _ in range(8)))
    assert sum(sum(totals.values()) for totals in (await store.counts(date(2000, 1, 1))).values()) == 8 * 15 * 5


async def test_workers_that_park_under_one_key_do_not_wait_for_each_other(store):
    async with store.batch() as first, store.batch() as second:
        await first.lock_keys([LINE], [])
        await second.lock_keys([LINE], [])


async def test_claiming_a_key_waits_for_whoever_parks_under_it(store):
    parked = asyncio.Event()

    async def claims_it():
        async with store.batch() as batch:
            await batch.lock_keys([], [LINE])
            assert parked.is_set()

    async with store.batch() as batch:
        await batch.lock_keys([LINE], [])
        claiming = asyncio.create_task(claims_it())
        await asyncio.wait([claiming], timeout=0.1)
        parked.set()
    await claiming


async def test_a_statement_that_waits_too_long_is_done_again_later(dsn, store):
    await commit(store, Changes(states=[StateRow("C-1", 1, b"")]))
    async with PostgresStore(PostgresSettings(dsn=dsn, statement_s=0.2)) as impatient, store.batch() as holder:
        await holder.load(["C-1"])
        with pytest.raises(TransientError, match="in time"):
            await commit(impatient, Changes(states=[StateRow("C-1", 2, b"")]))
    assert await store.contracts("", 10) == [("C-1", 1)]


async def test_a_deadlock_is_done_again_later(store):
    states = [StateRow("C-1", 1, b""), StateRow("C-2", 1, b"")]
    await commit(store, Changes(states=states))
    both = asyncio.Barrier(2)

    async def out_of_order(first, second):
        async with store.batch() as batch:
            await batch.load([first])
            await both.wait()
            await batch.load([second])

    ends = await asyncio.gather(out_of_order("C-1", "C-2"), out_of_order("C-2", "C-1"), return_exceptions=True)
    assert sorted(type(end).__name__ for end in ends) == ["NoneType", "TransientError"]


async def test_a_batch_whose_statement_failed_is_not_taken_for_committed(store):
    async def swallows():
        async with store.batch() as batch:
            await batch.write(Changes(states=[StateRow("C-1", 1, b"")]))
            with pytest.raises(asyncpg.NotNullViolationError):
                await batch.write(Changes(states=[StateRow(None, 1, b"")]))

    with pytest.raises(TransientError, match="rolled"):
        await swallows()
    assert await store.state("C-1") is None


async def test_a_stopped_worker_does_not_hold_contracts_for_ever(dsn, store):
    await commit(store, Changes(states=[StateRow("C-1", 1, b"old")]))

    async def stops(stopped):
        async with stopped.batch() as batch:
            await batch.load(["C-1"])
            await commit(store, Changes(states=[StateRow("C-1", 2, b"new")]))
            await batch.write(Changes(states=[StateRow("C-1", 2, b"zombie")]))

    async with PostgresStore(PostgresSettings(dsn=dsn, idle_s=0.2)) as stopped:
        with pytest.raises(TransientError):
            await stops(stopped)
    assert await store.state("C-1") == b"new"


async def test_a_worker_that_stopped_between_two_messages_of_a_statement_does_not_either(dsn, store):
    await commit(store, Changes(states=[StateRow("C-1", 1, b"old")]))

    async def stops(stopped):
        async with stopped.batch() as batch:
            await batch.load(["C-1"])
            await batch._connection.prepare("select 7")  # parsed, not bound: the server waits for the rest of it
            assert await sql(dsn, "select state from pg_stat_activity where query = 'select 7'") == [("active",)]
            while not await watchful.end_stalled():
                await asyncio.sleep(0)
            await commit(store, Changes(states=[StateRow("C-1", 2, b"new")]))
            await batch.write(Changes(states=[StateRow("C-1", 2, b"zombie")]))

    zombie, other = (PostgresSettings(dsn=dsn, name="milepost worker", idle_s=idle_s) for idle_s in (60, 0.2))
    async with PostgresStore(zombie) as stopped, PostgresStore(other) as watchful:
        with pytest.raises(TransientError):
            await stops(stopped)
    assert await store.state("C-1") == b"new"


# Crashes


async def test_kill_9_between_batches_loses_nothing_committed(store, postgres_server):
    await store.take("w1", CLUSTER, [P0])
    for number in range(1, 6):
        async with store.batch() as batch:
            await batch.fence("w1", [OffsetRange(CLUSTER, P0, number - 1, number, number)])
            await batch.load(["C-1"])
            state, entry = StateRow("C-1", number, b"%d" % number), LogRow("C-1", number, b"e", b"", b"h")
            await batch.write(Changes(states=[state], log=[entry], outbox=[(Lane.COMMANDS, b"%d" % number)]))
        postgres_server.kill()
        postgres_server.start()
        await answers_again(store)
    assert (await store.take("w1", CLUSTER, [P0]))[P0].next == 5
    assert await store.state("C-1") == b"5"
    assert len(await store.log("C-1")) == 5
    assert [row.body for row in await store.outbox(Lane.COMMANDS, 10)] == [b"1", b"2", b"3", b"4", b"5"]


async def test_kill_9_within_a_batch_leaves_nothing_and_the_batch_can_be_done_again(store, postgres_server):
    await store.take("w1", CLUSTER, [P0])

    async def batch_of(body, *, killed=False):
        async with store.batch() as batch:
            await batch.fence("w1", [OffsetRange(CLUSTER, P0, 0, 5, 0)])
            await batch.write(Changes(outbox=[(Lane.COMMANDS, body)]))
            if killed:
                child = await batch._connection.fetchval("select pg_backend_pid()")
                postgres_server.kill()
                await asyncio.to_thread(await_condition, lambda: not Path(f"/proc/{child}").exists(), "it ends", 10)

    with pytest.raises(TransientError):
        await batch_of(b"lost", killed=True)
    postgres_server.start()
    await answers_again(store)
    await batch_of(b"again")
    assert [row.body for row in await store.outbox(Lane.COMMANDS, 10)] == [b"again"]
    with pytest.raises(FenceLost):
        await batch_of(b"twice")


async def test_a_server_that_is_down_is_waited_for(postgres_dsn, postgres_server):
    postgres_server.stop()
    with pytest.raises(TransientError):
        await PostgresStore(PostgresSettings(dsn=postgres_dsn)).open()


async def test_an_orderly_restart_is_survived(store, postgres_server):
    await commit(store, Changes(states=[StateRow("C-1", 1, b"s")]))
    postgres_server.stop()
    postgres_server.start()
    await answers_again(store)
    assert await store.state("C-1") == b"s"


# Cost


@pytest.mark.parametrize("statement_cache", [200, 0])
async def test_a_batch_costs_seven_round_trips(dsn, statement_cache):
    """From the second batch of a connection on; in the first the driver asks for the types of arrays."""
    settings = PostgresSettings(dsn=dsn, statement_cache=statement_cache, connections=1)
    async with PostgresStore(settings) as store:
        await store.take("w1", CLUSTER, [P0])
        await batch_of_500(store, 1, [])
        statements = []
        await batch_of_500(store, 2, statements)
    assert len(statements) + 1 == 7  # with the BEGIN, which came before we listened


async def batch_of_500(store, revision, statements):
    async with store.batch() as batch:
        batch._connection.add_query_logger(lambda query: statements.append(query.query))
        await batch.fence("w1", [OffsetRange(CLUSTER, P0, 500 * revision, 500 * revision + 500, 0)])
        await batch.lock_keys([LINE], [("", "C-1")])
        await batch.claims([LINE])
        await batch.load([f"C-{n}" for n in range(220)])
        changes = Changes(
            states=[StateRow(f"C-{n}", revision, b"s") for n in range(220)],
            log=[LogRow(f"C-{n}", revision, b"e", b"", b"h") for n in range(220)],
            outbox=[(Lane.COMMANDS, b"x"), (Lane.DECISIONS, b"y")],
            counts={"applied": 500},
        )
        await batch.write(changes)
