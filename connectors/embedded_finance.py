"""A small finance system for `milepost demo`: the books of one company, asked and told as Tryton's REST is.

It knows supplier invoices with payable lines, each blocked or free, and writes down who pressed which button. As in the
real one, blocking what is blocked is refused, nothing else about a line may be changed, and the block has no reason.
Everything that the gate says to it goes over HTTP on loopback.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

Thing = dict[str, Any]
GATE_USER = 9
TOKEN = "demo"  # noqa: S105 -- no secret: the server lives for seconds, on loopback
_BUTTONS = {"payment_block": True, "payment_unblock": False}
_PLACE = re.compile(r"/erp/rest/model/(?P<model>[a-z._]+)(?:/(?P<number>[0-9]+)(?:/(?P<button>[a-z_]+))?)?")


class Instalment(NamedTuple):
    """A payable line: its number, when it matures, and what it owes."""

    number: int
    maturity: date
    gross: str


class LedgerLine(Struct, frozen=True):
    """A payable line as the books show it. `document` is the invoice's own key in the books."""

    document: str
    invoice: str
    supplier: str
    line: int
    maturity: str
    gross: str
    currency: str
    blocked: bool


class Ledger:
    """The books. Safe to be asked from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._models: dict[str, dict[int, Thing]] = {
            "account.invoice": {}, "account.move.line": {}, "account.payment": {}, "ir.model.log": {},
            "res.user.application": {1: {"id": 1, "__name__": "res.user.application", "user": {"id": GATE_USER}}},
        }  # fmt: skip
        self.calls = 0

    def post(self, document: Thing, instalments: Sequence[Instalment]) -> None:
        """Put an invoice into the books, with its payable lines, all of them free."""
        lines = [_payable(line, int(document["id"])) for line in instalments]
        with self._lock:
            self._models["account.invoice"][int(document["id"])] = {**document, "lines_to_pay": lines}
            self._models["account.move.line"].update({int(line["id"]): line for line in lines})

    def lines(self) -> list[LedgerLine]:
        """Every payable line, by its number."""
        with self._lock:
            found = [
                _shown(document, line)
                for document in self._models["account.invoice"].values()
                for line in document["lines_to_pay"]
            ]
        return sorted(found, key=lambda line: line.line)

    def answer(self, method: str, target: str) -> tuple[int, Any]:
        """Status and body of the answer to a request."""
        url = urlsplit(target)
        place = _PLACE.fullmatch(url.path)
        with self._lock:
            self.calls += 1
            model = self._models.get(place["model"]) if place else None
            if place is None or model is None:
                return HTTPStatus.NOT_FOUND, None
            if place["number"] is None:
                return (HTTPStatus.OK, _page(model, parse_qs(url.query))) if method == "GET" else (405, None)
            found = model.get(int(place["number"]))
            if found is None:
                return HTTPStatus.NOT_FOUND, None
            if place["button"] is None:
                return (HTTPStatus.OK, found) if method == "GET" else (HTTPStatus.BAD_REQUEST, None)
            return self._pressed(found, place["button"]) if method == "POST" else (405, None)

    def _pressed(self, line: Thing, button: str) -> tuple[int, Any]:
        if button not in _BUTTONS or line["__name__"] != "account.move.line":
            return HTTPStatus.FORBIDDEN, None
        if bool(line["payment_blocked"]) is _BUTTONS[button]:
            return HTTPStatus.BAD_REQUEST, [f'You can not call "{button}"']
        line["payment_blocked"] = int(_BUTTONS[button])
        log = self._models["ir.model.log"]
        log[len(log) + 1] = {
            "id": len(log) + 1, "__name__": "ir.model.log", "event": "button", "target": button,
            "resource": f"account.move.line,{line['id']}", "user": {"id": GATE_USER, "__name__": "res.user"},
        }  # fmt: skip
        return HTTPStatus.OK, None


@contextmanager
def serving(ledger: Ledger) -> Iterator[str]:
    """Serve the books for as long as the block runs; the address, as the gate is to be told it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the server's own signature
            """Quiet."""

        def _serve(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            if self.headers.get("authorization", "").lower() == f"bearer {TOKEN}":
                status, body = ledger.answer(self.command, self.path)
            else:
                status, body = HTTPStatus.UNAUTHORIZED, None
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/erp"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _payable(line: Instalment, invoice: int) -> Thing:
    day = {"__class__": "date", "year": line.maturity.year, "month": line.maturity.month, "day": line.maturity.day}
    return {
        "id": line.number, "__name__": "account.move.line", "move_origin": f"account.invoice,{invoice}",
        "maturity_date": day, "credit": {"__class__": "Decimal", "decimal": line.gross},
        "debit": {"__class__": "Decimal", "decimal": "0"}, "second_currency": None, "amount_second_currency": None,
        "payment_blocked": 0, "reconciliation": None, "payments": [], "create_date": None, "write_date": None,
    }  # fmt: skip


def _shown(document: Thing, line: Thing) -> LedgerLine:
    day = line["maturity_date"]
    maturity = date(day["year"], day["month"], day["day"]).isoformat()
    owed, currency = line["credit"]["decimal"], document["currency"]["code"]
    blocked = bool(line["payment_blocked"])
    names = (f"account.invoice:{document['id']}", document["reference"], document["party"]["code"])
    return LedgerLine(*names, line["id"], maturity, owed, currency, blocked)


def _page(model: Mapping[int, Thing], query: Mapping[str, list[str]]) -> list[Thing]:
    domain = json.loads(base64.urlsafe_b64decode(query["d"][0])) if "d" in query else []
    found = [thing for _, thing in sorted(model.items()) if _fits(domain, thing)]
    size = int(query.get("s", ["1000"])[0])
    first = int(query.get("p", ["0"])[0]) * size
    return found[first : first + size]


def _fits(domain: Sequence[Any], thing: Thing) -> bool:
    """Whether an object lies in a domain: clauses that all hold, or, behind `OR`, one of them."""
    if domain and isinstance(domain[0], str) and domain[0] not in ("AND", "OR"):
        field, operator, wanted = domain[:3]
        return any(_holds(value, operator, wanted) for value in _values(thing, field.split(".")))
    clauses = domain[1:] if domain and domain[0] in ("AND", "OR") else domain
    found = (_fits(clause, thing) for clause in clauses)
    return any(found) if domain and domain[0] == "OR" else all(found)


def _values(thing: Any, path: Sequence[str]) -> list[Any]:
    if not path:
        return [thing]
    if isinstance(thing, list):
        return [value for one in thing for value in _values(one, path)]
    return _values(thing.get(path[0]), path[1:]) if isinstance(thing, dict) else [None]


def _holds(value: Any, operator: str, wanted: Any) -> bool:
    match operator:
        case "=":
            return bool(value == wanted)
        case "!=":
            return bool(value != wanted)
        case "in":
            return value in wanted
        case ">":
            return value is not None and value > wanted
        case "ilike":
            return isinstance(value, str) and _pattern(wanted).fullmatch(value) is not None
    raise ValueError(f"the demo's finance system does not know the operator {operator!r}")


def _pattern(like: str) -> re.Pattern[str]:
    r"""SQL's LIKE as a regular expression: `%` any text, `_` one character, `\` before what is meant literally."""
    parts = re.findall(r"\\(.)|(%)|(_)|(.)", like, re.DOTALL)
    expression = "".join(".*" if any_ else "." if one else re.escape(a or b) for a, any_, one, b in parts)
    return re.compile(expression, re.IGNORECASE | re.DOTALL)
