"""What only a real Postgres can show: a log that refuses changes, crashes, reconnects, round trips."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from servers.process import await_condition
from store_rows import CLUSTER, LINE, P0, commit, sql

from connectors.postgres import PostgresSettings, PostgresStore
from connectors.postgres.batch import LOCK_DUE
from contracts_schema.errors import TransientError
from contracts_schema.rows import Changes, FenceLost, Lane, LogRow, OffsetRange, StateRow


async def answers_again(store):
    """Ask until the store answers; it reconnects by itself."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await store.now()
            except TransientError:
                await asyncio.sleep(0.02)


async def test_the_log_refuses_every_change(dsn, store):
    await commit(store, Changes(log=[LogRow("C-1", 1, b"entry", b"", b"head")]))
    for change in ("update revision set entry = 'x'", "delete from revision", "truncate revision"):
        with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
            await sql(dsn, change)
    assert [row.entry for row in await store.log("C-1")] == [b"entry"]


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


async def test_what_is_due_among_very_many_wakes_is_read_in_its_order_and_nothing_is_sorted(dsn, store):
    await sql(dsn, "insert into contract select 'C-' || n, 1, '' from generate_series(1, 5000) n")
    wakes = "insert into wake (contract, cause, moment, from_other) select id, 'unparked', 0, false from contract"
    await sql(dsn, wakes)
    for table in ("contract", "wake"):
        await sql(dsn, f"analyze {table}")
    query = LOCK_DUE.replace("$1", "1").replace("$2", "300")
    plan = [row[0] for row in await sql(dsn, f"explain {query}")]
    assert any("using wake_due" in line for line in plan)
    assert not any("Sort" in line for line in plan)


async def test_states_and_all_parts_of_the_log_are_compressed_in_one_way(dsn, store):
    stored = """
        select distinct attcompression from pg_attribute a join pg_class c on c.oid = a.attrelid
        where (relname = 'contract' and attname = 'state') or (relname like 'revision%' and attname = 'entry')
    """
    assert len(await sql(dsn, stored)) == 1
