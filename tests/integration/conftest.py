"""A worker as a process, with a database and topics of its own."""

import asyncio
import time

import pytest
from worker_process import Site

from connectors.migrations import upgrade


@pytest.fixture
async def site(kafka, postgres_dsn, tmp_path):
    await upgrade(postgres_dsn)
    site = Site(tmp_path, kafka.bootstrap, postgres_dsn, f"run-{time.time_ns()}", partitions=2)
    await site.prepare()
    return site


@pytest.fixture
async def worker(site):
    worker = site.worker()
    yield worker
    await asyncio.to_thread(worker.discard)
