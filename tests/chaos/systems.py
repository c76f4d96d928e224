"""The systems around in a campaign: finance, which misbehaves, and a project tool, which is asked and calls."""

import copy
import hashlib
import hmac
import json
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from msgspec.json import encode
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.finance.http import Invoice
from connectors.finance.simulator import Fault, Ledger, Reply

FAULTS: tuple[Fault, ...] = ("silent_before", "silent_after", "error_before", "error_after")
SECRET = b"a secret between the tool and us"
HEADER = "X-Signature"
WEBHOOK = json.loads((Path(__file__).parents[1] / "golden/redmine/webhook_under_way.json").read_text())["value"]
STATUSES = ("open", "open", "locked", "closed")


class Moods:
    """What is the matter with finance at the next call: mostly nothing."""

    def __init__(self, rng: random.Random, share: float) -> None:
        self.share, self.last = share, None
        self.count: dict[str, int] = dict.fromkeys(FAULTS, 0)
        self._rng = rng

    def __bool__(self) -> bool:
        self.last = None
        return self._rng.random() < self.share

    def popleft(self) -> Fault:
        self.last = self._rng.choice(FAULTS)
        self.count[self.last] += 1
        return self.last


class WrittenLedger(Ledger):
    """Finance's own ledger; what happens to it is written down as it happens, one JSON object a line."""

    def __init__(self, file: Path, rng: random.Random, misbehaves: float = 0.15) -> None:
        super().__init__(refuses_repeats=True)
        self.faults = self.moods = Moods(rng, misbehaves)
        self.silence_s = 3.0  # longer than the gate waits
        self._file = file.open("ab", buffering=0)

    def post(self, invoice: Invoice) -> None:
        super().post(invoice)
        self._write("posted", invoice=invoice)

    def asked(self, invoice: str, line: str, *, held: bool) -> Reply:
        before = self.line(invoice, line).held if invoice in self.invoices else None
        status, said = super().asked(invoice, line, held=held)
        self._write("call", invoice=invoice, line=line, held=held, before=before, status=status, fault=self.moods.last)
        return status, said

    def close(self) -> None:
        """Write down how everything stands at the end, once."""
        if self._file.closed:
            return
        for invoice in self.invoices.values():
            self._write("final", invoice=invoice)
        self._file.close()

    def _write(self, kind: str, **what: object) -> None:
        self._file.write(encode({"kind": kind, "at": time.time_ns() // 1000, **what}) + b"\n")


class Tool:
    """A project tool: some versions that change, and the pages of Redmine's API that show them."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._now = datetime(2026, 3, 1, 8, tzinfo=UTC)
        self.versions = [self._version(number) for number in range(1, 6)]

    def change(self) -> None:
        """A version is moved, closed or opened again."""
        self._now += timedelta(seconds=1)
        one = self._rng.choice(self.versions)
        one["status"] = self._rng.choice(STATUSES)
        one["due_date"] = (self._now + timedelta(days=self._rng.randrange(90))).date().isoformat()
        one["updated_on"] = self._now.strftime("%Y-%m-%dT%H:%M:%SZ")

    def delivery(self) -> bytes:
        """What it says by itself of an issue."""
        self._now += timedelta(seconds=1)
        body = copy.deepcopy(WEBHOOK)
        issue = body["payload"]["issue"]
        issue["id"], issue["done_ratio"] = self._rng.randrange(1, 6), self._rng.randrange(0, 101, 10)
        issue["updated_on"] = self._now.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        return json.dumps(body).encode()

    def pages(self) -> Starlette:
        answers: dict[str, Callable[[], Any]] = {
            "/users/current.json": lambda: {"user": {"id": 1}},
            "/projects/hall.json": lambda: {"project": {"id": 1, "identifier": "hall"}},
            "/projects/1/versions.json": lambda: {"versions": self.versions},
            "/issues.json": lambda: {"issues": []},
        }

        def answering(answer: Callable[[], Any]) -> Callable[[Request], Response]:
            return lambda _request: JSONResponse(answer())

        return Starlette(routes=[Route(path, answering(answer)) for path, answer in answers.items()])

    def _version(self, number: int) -> dict[str, Any]:
        at = self._now.strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "id": number, "project": {"id": 1, "name": "hall"}, "name": f"M{number}", "description": "",
            "status": "open", "due_date": "2026-04-01", "sharing": "none", "created_on": at, "updated_on": at,
        }  # fmt: skip


async def deliver(client: httpx.AsyncClient, address: str, body: bytes) -> bool:
    """Call with one delivery; whether it was accepted. Where not, whoever called has to call again."""
    signed = {HEADER: "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()}
    try:
        answer = await client.post(f"{address}/hooks/tool", content=body, headers=signed)
    except httpx.HTTPError:
        return False
    return answer.status_code == 202
