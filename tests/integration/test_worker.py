"""`milepost run` on a real broker and a real database, as a process of its own."""

import asyncio
import signal
import subprocess
import sys

import asyncpg
import yaml
from log_checks import check_said
from msgspec.json import decode
from worker_process import IN_PROJECT, carried
from workload import events, registrations

CONTRACTS = 20
RECORDS = [*registrations(CONTRACTS), *events(1000, CONTRACTS)]


async def refused(site, **changes):
    """What a start says when it is refused, and its exit code."""
    site.config.write_text(yaml.safe_dump(site.settings(**changes)))
    command = [sys.executable, "-m", "services.cli", "run", "--config", str(site.config)]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=IN_PROJECT, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, [line for line in done.stderr.splitlines() if line.startswith("milepost: ")]


async def test_registrations_and_proof_in_commands_out_and_a_repeat_of_everything_says_nothing(site, worker):
    await site.send(RECORDS)
    await asyncio.to_thread(worker.start)
    await carried(site, len(RECORDS))
    before = await site.commands()
    assert len(before) == CONTRACTS
    for found in before.values():
        check_said(found, found)
    assert {c["action"] for found in before.values() for c in found} == {"hold", "release"}
    snapshots = await site.read("milestone.snapshots")
    assert len({record.key for record in snapshots}) == 3 * CONTRACTS
    await site.send(RECORDS)
    await carried(site, 2 * len(RECORDS))
    assert await site.commands() == before
    assert len(await site.read("milestone.decisions")) == len(
        {
            (d["contract"], d["milestone"], d["revision"])
            for d in (decode(r.value) for r in await site.read("milestone.decisions"))
        }
    )


async def test_it_stops_on_sigterm_with_what_it_had_to_say_said(site, worker):
    await asyncio.to_thread(worker.start)
    await site.send(RECORDS)
    await carried(site, 1)
    worker._child.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(worker.wait) == 0
    connection = await asyncpg.connect(site.dsn)
    assert await connection.fetchval("select count(*) from outbox where lane = 0") == 0
    assert await connection.fetchval("select count(*) from lease where expires_at > now()") == 0
    await connection.close()
    assert "stopping" in worker.log_end()


async def test_its_pages_tell_how_it_is(site, worker):
    await site.send([*RECORDS, RECORDS[-1]._replace(value=b"\xff")])
    await asyncio.to_thread(worker.start)
    await carried(site, len(RECORDS) + 1)
    assert await asyncio.to_thread(worker.page, "/healthz") == (200, "ok")
    assert await asyncio.to_thread(worker.page, "/readyz") == (200, "ok")
    _, told = await asyncio.to_thread(worker.page, "/metrics")
    for expected in (
        f"milepost_records_total {len(RECORDS) + 1}.0", "milepost_records_quarantined_total 1.0",
        'milepost_commands_total{action="release"}', "milepost_batch_seconds_bucket", "process_resident_memory_bytes",
        'milepost_published_total{lane="quarantine"} 1.0', "milepost_build_info",
    ):  # fmt: skip
        assert expected in told, expected
    assert (await asyncio.to_thread(worker.page, "/elsewhere"))[0] == 404


async def test_a_start_that_would_not_be_safe_is_refused_with_every_fault(site):
    code, faults = await refused(site, kafka={"bootstrap_servers": site.bootstrap, "replication": 3})
    assert code == 2
    assert len(faults) >= 8
    assert any("copies, not 3" in fault for fault in faults)
    connection = await asyncpg.connect(site.dsn)
    await connection.execute(
        "update alembic_version set version_num = '9999'; update schema_floor set revision = '9999'"
    )
    await connection.close()
    missing = site.settings()["topics"] | {"commands": "nowhere.commands"}
    code, faults = await refused(site, topics=missing)
    assert code == 2
    assert any("newer than this program" in fault for fault in faults)
    assert any("nowhere.commands does not exist" in fault for fault in faults)


async def test_the_embedded_servers_are_not_for_this_command(site):
    code, faults = await refused(site, postgres={"embedded": True})
    assert (code, len(faults)) == (2, 1)
    assert "milepost demo" in faults[0]


async def test_a_topic_made_anew_is_refused(site, worker):
    await site.send(RECORDS)
    await asyncio.to_thread(worker.start)
    await carried(site, len(RECORDS))
    await asyncio.to_thread(worker.stop)
    connection = await asyncpg.connect(site.dsn)
    await connection.execute("update kafka_offset set next_offset = next_offset + 1000 where partition = 0")
    await connection.close()
    worker.launch()
    assert await asyncio.to_thread(worker.wait) == 2
    assert "but the store has read to" in worker.log_end()
