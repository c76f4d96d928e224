"""A finance system in one process: a ledger of invoices behind the `http` contract, with switchable misbehaviour.

For the demo, and for every failure of a finance system that tests must be able to ask for. It speaks for nobody else:
`Ledger` is what people do at their desk, `simulator` is what the gate sees.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any, Literal
from urllib.parse import parse_qs, unquote

import uvicorn
from msgspec.json import encode
from msgspec.structs import replace

from connectors.finance.http import Invoice, Line

GATE = "milepost"
Fault = Literal["silent_before", "silent_after", "error_before", "error_after"]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Reply = tuple[int, object]


class Ledger:
    """The invoices. `toggles`: a call reverses the hold whatever it asks. `refuses_repeats`: 400 where nothing changes.

    `faults` are taken one for each changing call: no answer or an error 500, before or after it took effect. `down`
    makes every call fail. `calls` lists what was asked, `money_out` what has been paid, in order.
    """

    def __init__(self, *, toggles: bool = False, refuses_repeats: bool = False) -> None:
        self.toggles = toggles
        self.refuses_repeats = refuses_repeats
        self.down = False
        self.faults: deque[Fault] = deque()
        self.calls: list[tuple[str, str, bool]] = []
        self.money_out: list[tuple[str, str]] = []
        self.invoices: dict[str, Invoice] = {}
        self.silence_s = 3600.0

    def post(self, invoice: Invoice) -> None:
        """Enter an invoice, or enter it anew."""
        self.invoices[invoice.id] = invoice

    def line(self, invoice: str, line: str) -> Line:
        """One payable line."""
        return next(entry for entry in self.invoices[invoice].lines if entry.id == line)

    def hold(self, invoice: str, line: str, who: str, *, held: bool) -> None:
        """Block or free a line, as that user."""
        names: dict[str, Any] = {"held_by": who, "freed_by": None} if held else {"freed_by": who}
        drafts = 0 if held else self.line(invoice, line).drafts
        self.change(invoice, line, held=held, drafts=drafts, **names)

    def change(self, invoice: str, line: str, **fields: Any) -> None:
        """Change fields of a line, for example `state="in_payment", payment="payment 7 is approved"`."""
        old = self.invoices[invoice]
        lines = tuple(replace(entry, **fields) if entry.id == line else entry for entry in old.lines)
        self.invoices[invoice] = replace(old, lines=lines)

    def pay_run(self) -> list[tuple[str, str]]:
        """Pay every open line that is not blocked; what was paid, as (invoice, line)."""
        paid = [
            (invoice.id, line.id)
            for invoice in self.invoices.values()
            for line in invoice.lines
            if invoice.state == "open" and line.state == "open" and not line.held
        ]
        for invoice_id, line_id in paid:
            self.change(invoice_id, line_id, state="paid", payment="a pay run")
            if all(line.state == "paid" for line in self.invoices[invoice_id].lines):
                self.invoices[invoice_id] = replace(self.invoices[invoice_id], state="paid")
        self.money_out += paid
        return paid

    def asked(self, invoice: str, line: str, *, held: bool) -> Reply:
        """What a call of the gate does, as this system does it."""
        self.calls.append((invoice, line, held))
        if invoice not in self.invoices or line not in {entry.id for entry in self.invoices[invoice].lines}:
            return 404, {"message": "no such line"}
        now = self.line(invoice, line)
        if now.state == "paid":
            return 409, {"message": "the line is paid"}
        if now.held == held and self.refuses_repeats:
            return 400, {"message": "the line is so already"}
        self.hold(invoice, line, GATE, held=not now.held if self.toggles else held)
        return 200, self.line(invoice, line)


def simulator(ledger: Ledger) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The ASGI application in front of a ledger."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = await _body(receive)
        status, said = 503, {"message": "down"}
        if not ledger.down:
            status, said = await _answer(ledger, scope, body)
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": encode(said)})

    return application


async def _answer(ledger: Ledger, scope: Scope, body: bytes) -> tuple[int, Any]:
    path = [unquote(part) for part in scope["raw_path"].decode().split("?")[0].strip("/").split("/")]
    if scope["method"] == "PUT" and len(path) == 5:
        return await _changed(ledger, path[1], path[3], held=bool(json.loads(body)["held"]))
    if path == ["whoami"]:
        return 200, {"user": GATE}
    if path == ["invoices"]:
        asked = {name: found[0] for name, found in parse_qs(scope["query_string"].decode()).items()}
        return 200, _page(ledger, asked)
    found = ledger.invoices.get(path[1]) if len(path) == 2 else None
    return (200, found) if found else (404, {"message": "there is none"})


async def _changed(ledger: Ledger, invoice: str, line: str, *, held: bool) -> Reply:
    fault = ledger.faults.popleft() if ledger.faults else None
    reply: Reply = (500, {"message": "an error"})
    if fault not in ("silent_before", "error_before"):
        reply = ledger.asked(invoice, line, held=held)
    if fault in ("silent_before", "silent_after"):
        await asyncio.sleep(ledger.silence_s)
    return (500, {"message": "an error"}) if fault == "error_after" else reply


def _page(ledger: Ledger, asked: dict[str, str]) -> dict[str, Any]:
    after, limit = asked.get("after", ""), int(asked.get("limit", "200"))
    found = [invoice for name, invoice in sorted(ledger.invoices.items()) if name > after]
    if "number" in asked:
        found = [invoice for invoice in found if (invoice.number or "").strip() == asked["number"]]
    if "state" in asked:
        found = [invoice for invoice in found if invoice.state == asked["state"]]
    return {"invoices": found[:limit], "next": found[limit - 1].id if len(found) > limit else None}


@asynccontextmanager
async def serving(ledger: Ledger, port: int = 0) -> AsyncIterator[str]:
    """Serve a ledger on loopback for the block; its address."""
    listening = socket.create_server(("127.0.0.1", port))
    settings = uvicorn.Config(simulator(ledger), log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
    server = _Embedded(settings)
    task = asyncio.create_task(server.serve([listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        await task


class _Embedded(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the process's own."""
        yield


async def _body(receive: Receive) -> bytes:
    raw = bytearray()
    while True:
        message = await receive()
        raw += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(raw)
