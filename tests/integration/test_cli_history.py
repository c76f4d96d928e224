"""What auditors ask, by the command line, on a contract that a running worker decided on real servers."""

import asyncio
import json
import subprocess
import sys
import zipfile

import asyncpg
import pytest
from desk import PLAN
from integration.test_cli import Site
from worker_process import Worker

from connectors.kafka.scan import scan
from services.settings import load
from services.wiring import doors

AMENDED = """version: 2
amendment: {id: A-1, state: approved, rationale: agreed, requested_by: rita, approved_by: anna,
            effective_from: 2020-01-01}"""


@pytest.fixture
def site(kafka, postgres_dsn, tmp_path):
    site = Site(tmp_path, kafka.bootstrap, postgres_dsn)
    site.dsn = postgres_dsn
    site("db", "upgrade")
    site("topics", "apply")
    return site


def decided(site):
    """M1 and M2 met, M1 signed off."""
    plan = site.folder / "plan.yaml"
    plan.write_text(PLAN.format(contract="C-1"))
    worker = Worker(site.folder, site.config, 1)
    worker.start()
    try:
        site("contract", "apply", plan)
        asyncio.run(site.met("M1"))
        asyncio.run(site.met("M2"))
        site.json("sign", "C-1/M1", "--by", "jane", "--role", "site-manager")
        site.until(lambda: site.reasons("M1") == [] == site.reasons("M2"))
    finally:
        worker.discard()
    return plan


def test_auditors_prove_explain_replay_suppose_and_take_away_what_a_worker_decided(site):
    plan = decided(site)
    found = site.json("verify", "--published")
    assert (found["contracts"], found["not_redecided"], found["faults"]) == (1, 0, [])
    assert found["commands"] == found["published"] == 4

    first = site.json("explain", "C-1/M1")[0]
    since = site.json("explain", "C-1/M1", "--known-at", first["as_of"])[0]
    assert since["released_to_date"] == first["released_to_date"] == {"amount": "118500.00", "currency": "EUR"}
    early = site.json("explain", "C-1/M1", "--as-of", "2026-01-01")[0]
    assert [r["code"] for r in early["reasons"]] == ["NOT_MET", "SIGN_OFF_MISSING"]

    assert site.json("replay", "--all")["differing"] == []
    plan.write_text(plan.read_text().replace("version: 1", AMENDED).replace('"1500.00"', '"1600.00"'))
    supposed = site.json("what-if", "--plan", plan)
    assert [p["why"] for p in supposed["positions"]] == [["value is 1600.00, not 1500.00"]]
    assert supposed["since"]["C-1"][-1]["more"]["amount"] == "100.00"
    assert site.json("contract", "show", "C-1")["sequence"] == 4

    packs = [site.folder / "one.zip", site.folder / "two.zip"]
    for out in packs:
        site("export", "evidence", "C-1", "--out", out)
    assert packs[0].read_bytes() == packs[1].read_bytes()
    with zipfile.ZipFile(packs[0]) as archive:
        archive.extractall(site.folder / "pack")
    proof = [sys.executable, "-I", site.folder / "pack/verify.py", f"{found['revisions']}:{found['heads']['C-1']}"]
    done = subprocess.run(proof, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_what_was_changed_in_the_database_is_found_by_name(site):
    decided(site)

    async def tamper():
        connection = await asyncpg.connect(site.dsn)
        await connection.execute("set session_replication_role = replica")  # no trigger fires
        await connection.execute("delete from revision where contract = 'C-1' and revision = 2")
        await connection.execute("update rulebook set content = '{}'")
        await connection.close()

    asyncio.run(tamper())
    faults = site.json("verify", code=1)["faults"]
    assert {(fault["revision"], fault["what"]) for fault in faults} >= {(3, "revision"), (3, "chain"), (1, "rulebook")}
    assert "does not prove" in site("export", "evidence", "C-1", "--out", site.folder / "pack.zip", code=1)


def test_a_database_built_anew_says_nothing_until_what_finance_has_seen_is_taken_over(site, postgres_server):
    decided(site)
    seen = site.json("contract", "show", "C-1")["sequence"]
    dsn = postgres_server.create_database()
    site.config.write_text(site.config.read_text().replace(site.dsn, dsn))
    try:
        site("db", "upgrade")
        assert "milepost db adopt takes them over" in site("run", code=2)
        (shown,) = site.json("db", "adopt", code=1)
        assert (shown["sequence_here"], shown["sequence_seen"], shown["unknown"]) == (0, seen, seen)
        assert shown["milestones"][0]["released_told"] == "118500.00"
        assert site.json("db", "adopt", "--yes")[0]["adopted"]
        assert "nothing lies behind" in site("db", "adopt")
        worker = Worker(site.folder, site.config, 2)
        worker.start()
        try:
            site.until(
                lambda: len(site.json("contract", "list")) == 1 and site.reasons("M1") == [] == site.reasons("M2")
            )
        finally:
            worker.discard()
        assert site.json("contract", "show", "C-1")["sequence"] > seen
        assert site.json("verify")["faults"] == []
        sequences = asyncio.run(sequences_in(site))
        assert sequences == sorted(set(sequences))
    finally:
        postgres_server.drop_database(dsn)


async def sequences_in(site):
    """The sequences of all commands of C-1 that were ever published, in order."""
    connection = doors.kafka(load(site.config, {}))
    return [json.loads(r.value)["sequence"] async for rows in scan(connection, f"{site.mark}.commands") for r in rows]
