"""`milepost console` as a process beside a worker, on real Kafka and Postgres, with the rights of its role alone."""

import asyncio
import re
import subprocess
import sys

import asyncpg
import httpx
import pytest
import yaml
from console_desk import TOKENS, basic, bearer, fits
from desk import PLAN
from servers.process import ServerProcess
from worker_process import IN_PROJECT

from connectors.postgres_roles import apply
from services.console.api import QUESTIONS

ROLE = "milepost_console"
LOGIN = f"""do $$ begin create role test_{ROLE} login in role {ROLE};
exception when duplicate_object or unique_violation then null; end $$"""
HOLD = {"contract": "C-1", "milestone": "M1", "hold": "h-1", "reason": "audit"}
FORM = {"milestone": "M2", "hold": "h-2", "reason": "audit", "event": "e-1"}


class ConsoleProcess(ServerProcess):
    """One `milepost console`."""

    def __init__(self, folder, config):
        command = [sys.executable, "-m", "services.cli", "console", "--config", str(config)]
        super().__init__("console", command, folder / "console.log", folder=IN_PROJECT)

    @property
    def url(self):
        found = re.findall(r'"http": ?"(http://[^"]+)"', self.log.read_text() if self.log.exists() else "")
        return found[-1] if found else None

    def ready(self):
        return self.url is not None and httpx.get(self.url + "/readyz").status_code == 200


@pytest.fixture
async def rooms(site, worker, postgres_dsn, tmp_path):
    """A worker, and a console whose login to the database may only read."""
    assert await apply(postgres_dsn) == []
    owner = await asyncpg.connect(postgres_dsn)
    await owner.execute(LOGIN)
    await owner.close()
    for name, token in TOKENS.items():
        (tmp_path / name).write_text(token)
    logins = {name: {"token_file": str(tmp_path / name), "may": ["look"]} for name in TOKENS}
    logins["jane"]["may"] = ["look", "act"]
    reading = {"dsn": postgres_dsn.replace("postgres@", f"test_{ROLE}@")}
    assert reading["dsn"] != postgres_dsn
    finance = {"ap-eu": {"dialect": "http", "url": "http://127.0.0.1:1", "timeout_s": 2}}
    config = tmp_path / "console.yaml"
    config.write_text(
        yaml.safe_dump(site.settings(postgres=reading, console={"port": 0, "logins": logins}, finance=finance))
    )
    console = ConsoleProcess(tmp_path, config)
    await asyncio.to_thread(worker.start)
    await asyncio.to_thread(console.start)
    yield site, console
    await asyncio.to_thread(console.discard)


async def milepost(site, *words):
    """What the command prints, by the worker's configuration."""
    command = [sys.executable, "-m", "services.cli", *map(str, words), "--config", str(site.config)]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=IN_PROJECT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def test_a_console_shows_what_is_and_does_what_people_do_with_the_rights_to_read(rooms, tmp_path):
    site, console = rooms
    (tmp_path / "plan.yaml").write_text(PLAN.format(contract="C-1"))
    await milepost(site, "contract", "apply", tmp_path / "plan.yaml")
    async with httpx.AsyncClient(base_url=console.url, timeout=60) as client:
        placed = await client.post("/api/v1/hold/place", headers=bearer("jane"), json=HOLD)
        assert fits(placed, "/hold/place", "post")["outcome"] == "applied", placed.text
        form = basic("jane") | {"Origin": console.url}
        sent = await client.post("/contracts/C-1/hold/place", headers=form, data=FORM)
        assert (sent.status_code, "applied" in sent.text) == (200, True), sent.text
        told = await milepost(site, "explain", "C-1")
        assert told.count("MANUAL_HOLD") >= 2
        assert "jane" in told

        for question in QUESTIONS:
            if question.name == "quarantined":
                continue  # nothing lies in quarantine here
            template = question.path
            path = template.replace("{contract}", "C-1").replace("{milestone}", "M1")
            answer = await client.get(f"/api/v1{path}", headers=bearer("viewer"))
            assert answer.status_code == 200, (path, answer.text)
            fits(answer, template)
        status = (await client.get("/api/v1/status", headers=bearer("viewer"))).json()
        assert (status["contracts"], status["faults"]) == (1, [])
        assert any(part["behind"] == 0 for part in status["partitions"])

        for page in ("/", "/contracts", "/contracts/C-1", "/contracts/C-1/history", "/sync", "/drift", "/parked"):
            shown = await client.get(page, headers=basic("viewer"))
            assert shown.status_code == 200, (page, shown.text)
        assert "MANUAL_HOLD" in (await client.get("/", headers=basic("viewer"))).text
        assert (
            await client.get("/", headers=basic("viewer", "no-token-of-anybody-here-0123456789"))
        ).status_code == 401
        assert 'door="pages"} 1.0' in (await client.get("/metrics")).text
    await asyncio.to_thread(console.stop)
    log = console.log.read_text()
    assert '"ready"' in log
    assert not [secret for secret in (*TOKENS.values(), "no-token-of-anybody", "jane", "viewer") if secret in log]
    assert "permission denied" not in log
