"""The log of a closed contract leaves the database, still proves, and goes on when something is said of it."""

import asyncio
import gzip

import asyncpg
import pytest
import yaml
from integration.test_cli import Site
from integration.test_cli_history import AMENDED, decided
from worker_process import Worker


@pytest.fixture
def site(kafka, postgres_dsn, tmp_path):
    site = Site(tmp_path, kafka.bootstrap, postgres_dsn)
    site.dsn = postgres_dsn
    (tmp_path / "archive").mkdir()
    settings = yaml.safe_load(site.config.read_text())
    settings["postgres"]["archive"] = str(tmp_path / "archive")
    site.config.write_text(yaml.safe_dump(settings))
    site("db", "upgrade")
    site("topics", "apply")
    return site


async def revisions(dsn):
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval("select count(*) from revision")
    finally:
        await connection.close()


def proven(site):
    found = site.json("verify", "--published")
    assert found["faults"] == []
    return found["revisions"], found["commands"], found["published"], found["heads"]


def test_a_closed_contract_is_archived_proven_from_its_file_and_written_on(site):
    plan = decided(site)
    assert site.json("archive") == []
    assert site.json("archive", "C-1", code=1)[0]["hindered"] == "it is not closed"
    worker = Worker(site.folder, site.config, 2)
    worker.start()
    try:
        plan.write_text(plan.read_text().replace("version: 1", AMENDED + "\nstatus: closed"))
        site("contract", "apply", plan)
        assert site.json("archive") == []  # something was said about it lately
        before, told = proven(site), site.json("explain", "C-1/M1")
        assert [one["contract"] for one in site.json("archive", "--older-than-days", "0")] == ["C-1"]
        assert asyncio.run(revisions(site.dsn)) == before[0]
        (done,) = site.json("archive", "C-1", "--older-than-days", "0", "--yes")
        assert (done["revisions"], done["hindered"]) == (before[0], "")
        assert asyncio.run(revisions(site.dsn)) == 0
        assert (proven(site), site.json("explain", "C-1/M1")) == (before, told)
        worker.stop()
        worker.start()  # its newest commands stand in the archive, so it does not ask for `db adopt`
        plan.write_text(plan.read_text().replace("version: 2", "version: 3").replace("A-1", "A-2"))
        site("contract", "apply", plan)
        assert asyncio.run(revisions(site.dsn)) == proven(site)[0] - before[0] > 0
    finally:
        worker.discard()
    altered(site.folder / "archive" / "C-1.log.gz")
    assert {fault["what"] for fault in site.json("verify", code=1)["faults"]} >= {"chain"}


def altered(path):
    """One byte of one entry is another one."""
    lines = gzip.decompress(path.read_bytes()).splitlines()
    at = lines[1].index(b'"entry":"') + 60
    lines[1] = lines[1][:at] + (b"A" if lines[1][at : at + 1] != b"A" else b"B") + lines[1][at + 1 :]
    path.write_bytes(gzip.compress(b"\n".join(lines)))
