"""A worker keeps records with their batch, loses them with it, and deletes them when they are old enough."""

import asyncio
import contextlib
import signal

import pytest
from worker_process import carried
from workload import events, registrations

from connectors.postgres import PostgresSettings, PostgresStore
from services.runtime.keeping import kept_records
from services.settings import load
from services.wiring.failpoints import VARIABLE
from services.wiring.shadows import replay

CONTRACTS = 5
RECORDS = [*registrations(CONTRACTS), *events(300, CONTRACTS)]
KEEP = {"batch": 50, "batch_behind": 50, "session_s": 3, "lease_s": 2, "drain_s": 1}


@contextlib.asynccontextmanager
async def opened(site):
    async with PostgresStore(PostgresSettings(dsn=site.dsn)) as store:
        yield store


async def kept(store):
    """All kept rows, read a few at a time."""
    rows, after = [], ("", "", 0, -1)
    while page := await store.kept(after, 3):
        rows += page
        after = page[-1].place
    return rows


async def test_a_worker_keeps_what_it_has_used_and_replay_finds_that_it_says_the_same(site, worker):
    await site.prepare(worker=KEEP | {"keep_records_days": 36_500})
    await site.send([*RECORDS, RECORDS[-1]._replace(value=b"\xff")])
    await asyncio.to_thread(worker.start)
    await carried(site, len(RECORDS) + 1)
    async with opened(site) as store:
        records = [record for row in await kept(store) for record, _ in kept_records(row)]
    assert sorted(r.value for r in records) == sorted(e.value for e in RECORDS)
    assert {(r.headers, r.key is None) for r in records} == {(RECORDS[0].headers, False)}
    found = await replay(load(site.config), (), lambda *_: None)
    assert (found.contracts, found.kept.records, found.differing) == (CONTRACTS, len(RECORDS), [])
    await asyncio.to_thread(worker.stop)
    site.config.write_text(site.config.read_text().replace("keep_records_days: 36500", "keep_records_days: 0"))
    await asyncio.to_thread(worker.start)
    async with opened(site) as store, asyncio.timeout(30):
        while await kept(store):
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("point", ["batch.written", "batch.committed"])
async def test_a_worker_that_dies_keeps_the_records_of_committed_batches_alone(site, worker, monkeypatch, point):
    await site.prepare(worker=KEEP | {"keep_records_days": 36_500})
    await site.send(RECORDS)
    monkeypatch.setenv(VARIABLE, f"{point}=kill:3")
    doomed = site.worker(2)
    doomed.launch()
    try:
        assert await asyncio.to_thread(doomed.wait, 60) == -signal.SIGKILL
    finally:
        await asyncio.to_thread(doomed.discard)
    async with opened(site) as store:
        moved = {(s.partition, s.next) for s in await store.partitions() if s.next}
        ends = {(row.partition, row.next) for row in await kept(store)}
        offsets = [(row.partition, r.offset) for row in await kept(store) for r, _ in kept_records(row)]
    assert moved
    assert moved <= ends
    assert sorted(offsets) == [(place, n) for place, following in sorted(moved) for n in range(following)]
    await asyncio.to_thread(worker.start)
    await carried(site, len(RECORDS))
    async with opened(site) as store:
        again = [(row.partition, r.offset) for row in await kept(store) for r, _ in kept_records(row)]
    assert len(again) == len(set(again)) == len(RECORDS)
