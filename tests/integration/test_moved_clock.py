"""A Postgres whose clock is moved while a process stands still in the middle of a transaction."""

import asyncio
import tempfile
from pathlib import Path

import asyncpg
import pytest
from chaos.clock import Clock
from chaos.processes import until
from servers.postgres import Postgres, find_binaries
from servers.process import free_port

from connectors.postgres import PostgresSettings, PostgresStore


@pytest.fixture
def server():
    home = Path(tempfile.mkdtemp(prefix="milepost-pg-"))
    home.chmod(0o755)
    made = Postgres(home, free_port(), find_binaries())
    made.clock = Clock.before(made, home)
    if made.clock is None:
        pytest.skip("left out: libfaketime cannot be had")
    made.start()
    yield made
    made.discard()


@pytest.mark.postgres
@pytest.mark.parametrize("seconds", [-3600, 3600])
async def test_processes_that_stood_still_before_the_clock_was_moved_keep_no_locks(server, seconds):
    dsn = await asyncio.to_thread(server.create_database)
    stopped = [await asyncpg.connect(dsn, server_settings={"application_name": "milepost worker"}) for _ in range(2)]
    for session in stopped:
        await session.execute("begin")
    await stopped[0].prepare("select 7")  # between two messages of a statement: parsed, not bound
    async with PostgresStore(PostgresSettings(dsn=dsn, name="milepost worker", idle_s=600)) as watchful:
        assert await watchful.end_stalled() == 0
        server.clock.move(seconds)
        await until(watchful.end_stalled, "they are found")
    await until(lambda: all(session.is_closed() for session in stopped), "they are ended")


@pytest.mark.postgres
async def test_a_gate_may_wait_for_finance_longer_than_a_worker_may_stand_still(server):
    dsn = await asyncio.to_thread(server.create_database)
    worker, gate = [
        await asyncpg.connect(dsn, server_settings={"application_name": name})
        for name in ("milepost worker", "milepost gate")
    ]
    for session in (worker, gate):
        await session.execute("begin")
    async with PostgresStore(PostgresSettings(dsn=dsn, name="milepost worker", idle_s=600)) as watchful:
        server.clock.move(3600)
        await until(watchful.end_stalled, "the worker is found")
    await until(worker.is_closed, "the worker is ended")
    assert await gate.fetchval("select 1") == 1
    await gate.close()
