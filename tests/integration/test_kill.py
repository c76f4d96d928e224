"""kill -9 of workers and of the broker while 60,000 events are under way: nothing lost, nothing doubled.

The faults are seeded and fire at points of the work, not of time. A run in which one did not fire has failed.
"""

import asyncio
import random
from collections import Counter

import asyncpg
from log_checks import check_released, check_said, rebuilt, slots_of
from memory_house import House
from worker_process import Site
from workload import events, registrations

from connectors.migrations import upgrade
from connectors.postgres import PostgresSettings, PostgresStore
from contracts_schema.rows import Partition
from services.reconciliation.state import decode_state
from services.reconciliation.view import standings
from services.settings import check

CONTRACTS, EVENTS, SEED = 2000, 60_000, 20260301
WORKERS, WORKER_KILLS, BROKER_KILLS = 2, 5, 2
DEADLINE_S = 600  # only so that it ends: how long it takes is the machine's affair


class Progress:
    """How far the store has come, asked past the program."""

    def __init__(self, connection):
        self.connection = connection

    async def carried(self):
        return await self.connection.fetchval("select coalesce(sum(next_offset), 0)::bigint from kafka_offset")

    async def rests(self, total):
        waiting = await self.connection.fetchval(
            "select (select count(*) from outbox) + (select count(*) from wake where moment = 0)"
        )
        return waiting == 0 and await self.carried() >= total


async def test_nothing_is_lost_or_doubled_when_workers_and_broker_are_killed(own_kafka, postgres_dsn, tmp_path):
    await upgrade(postgres_dsn)
    site = Site(tmp_path, own_kafka.bootstrap, postgres_dsn, f"kill-{tmp_path.name}")
    await site.prepare(worker={"session_s": 3, "lease_s": 2, "drain_s": 2})
    records = [*registrations(CONTRACTS), *events(EVENTS, CONTRACTS, seed=SEED)]
    workers = [site.worker(n) for n in range(WORKERS)]
    connection = await asyncpg.connect(postgres_dsn)
    for worker in workers:
        worker.launch()
    sending = asyncio.create_task(site.send(records))
    try:
        async with asyncio.timeout(DEADLINE_S):
            fired = await wreck(workers, own_kafka, Progress(connection), len(records))
            await sending
            await at_rest(workers, Progress(connection), len(records))
    finally:
        await connection.close()
        sending.cancel()
    for worker in workers:
        await asyncio.to_thread(worker.stop)
        assert worker.wait() == 0, worker.log_end()
    assert fired == Counter(worker=WORKER_KILLS, broker=BROKER_KILLS)
    async with PostgresStore(PostgresSettings(dsn=postgres_dsn)) as store:
        await check_everything(site, store, records)


async def wreck(workers, broker, progress, total):
    """Let every planned fault fire at its point of the work."""
    rng, fired = random.Random(SEED), Counter()
    faults = ["worker"] * WORKER_KILLS + ["broker"] * BROKER_KILLS
    rng.shuffle(faults)
    points = sorted(rng.uniform(0.05, 0.85) * total for _ in faults)
    for point, fault in zip(points, faults, strict=True):
        while await progress.carried() < point:
            revive(workers)
            await asyncio.sleep(0.02)
        if fault == "worker":
            victim = rng.choice(workers)
            await asyncio.to_thread(victim.kill)
            victim.launch()
        else:
            await asyncio.to_thread(broker.kill)
            await asyncio.to_thread(broker.start)
        fired[fault] += 1
    return fired


def revive(workers):
    """A worker may not end by itself; the broker's fall is no reason."""
    for worker in workers:
        assert worker.running, worker.log_end()


async def at_rest(workers, progress, total):
    while not await progress.rests(total):
        revive(workers)
        await asyncio.sleep(0.05)


async def check_everything(site, store, records):
    rules = check(site.settings()).rules()
    on_topic = await site.commands()
    expected = await undisturbed(records)
    seen = 0
    async for name, raw in await store.states():
        rows = await store.log(name)
        state, logged = rebuilt(rows, rules)
        check_said(logged, on_topic.pop(name))
        check_released(rows)
        stored = decode_state(raw)
        assert (state.head, state.sequence, slots_of(state)) == (stored.head, stored.sequence, slots_of(stored))
        facts, allowed = expected[name]
        assert slots_of(stored) == facts
        assert {s.position.milestone: s.position.allowed for s in standings(stored, rules)} == allowed
        seen += 1
    assert seen == CONTRACTS
    assert not on_topic


async def undisturbed(records):
    """Facts and allowed amounts of every contract after the same records in memory, many at a time."""
    house = House()
    house.batch = 20_000
    process, rules = house.process(), house.settings.rules()
    house.send(records)
    await process.feed.assign([Partition(p.topic, p.number) for p in house.inputs])
    process.tasks = [asyncio.create_task(process.worker.run())]
    await house.until(lambda: house.carried() == len(records), 120)
    await house.until(lambda: not house.roused())
    return {
        name: (slots_of(state), {s.position.milestone: s.position.allowed for s in standings(state, rules)})
        async for name, state in decoded(house.store)
    }


async def decoded(store):
    async for name, raw in await store.states():
        yield name, decode_state(raw)
