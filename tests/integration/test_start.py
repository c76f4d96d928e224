"""Each of the long-running processes is started while its database is away, and comes up with it."""

import asyncio
from urllib.parse import urlsplit

import pytest
import yaml
from chaos.processes import COMMANDS, Member, until
from chaos.proxy import Proxy
from gate_process import Site
from servers.process import free_port

HOOK = {"path": "/hooks/erp", "header": "X-Signature"}


@pytest.fixture
async def site(kafka, postgres_dsn, tmp_path):
    made = Site(kafka, postgres_dsn, tmp_path, "http://127.0.0.1:1")
    (tmp_path / "secret").write_bytes(b"a secret")
    made.settings["sources"]["erp-eu"]["webhook"] = HOOK | {"secret_file": str(tmp_path / "secret")}
    await made.prepare()
    yield made
    await made.publisher.stop()


@pytest.fixture
async def way(postgres_dsn):
    proxy = Proxy(free_port(), urlsplit(postgres_dsn).port)
    await proxy.start()
    yield proxy
    await proxy.stop()


@pytest.mark.parametrize("kind", COMMANDS)
async def test_a_process_that_is_started_while_its_database_is_away_waits_for_it(kind, site, way):
    settings = site.settings | {"postgres": {"dsn": site.dsn.replace(f":{urlsplit(site.dsn).port}/", f":{way.port}/")}}
    site.config.write_text(yaml.safe_dump(settings))
    process = Member(kind, 1, site.folder, {})
    try:
        async with way.faulty("cut"):
            process.launch()
            await until(lambda: way.touched > 5 or not process.running, "it asks for the database again and again")
        await until(lambda: asyncio.to_thread(process.ready), "it is ready", 60)
    finally:
        await asyncio.to_thread(process.discard)
