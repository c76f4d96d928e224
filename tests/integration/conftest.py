"""What several files share: a store, topics with their readers, a worker as a process with a place of its own."""

import asyncio
import time

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from reading import KafkaHall
from worker_process import Site

from connectors.migrations import upgrade
from connectors.postgres import PostgresSettings, PostgresStore


@pytest.fixture
async def dsn(postgres_dsn):
    """Address of a database with the whole schema."""
    await upgrade(postgres_dsn)
    return postgres_dsn


@pytest.fixture
async def store(dsn):
    async with PostgresStore(PostgresSettings(dsn=dsn)) as opened:
        yield opened


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


@pytest.fixture
async def hall(kafka):
    hall = KafkaHall(kafka)
    await hall.start()
    yield hall
    kafka.start()  # the test may have ended it
    await hall.close()


@pytest.fixture
async def admin(kafka):
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    yield admin
    await admin.close()
