"""A live Tryton 8.2, freshly seeded, that a test drives as a company's people would.

People at their desk: `create_purchase`, `receive`, `post_invoice`, `create_payment`, `click`. Everything else, and
whatever the gate and the collector do, goes over Tryton's own REST with somebody's key: `rest(..., who="gate")`.
"""

import base64
import contextlib
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from servers.postgres import Postgres
from servers.process import ServerProcess, free_port
from servers.tryton_build import CONFIG, restore_dump, restore_files, seeded_dump, seeded_files, tryton_python

DESK = Path(__file__).with_name("tryton_desk.py")


class Tryton(ServerProcess):
    """One server. `keys` by person: admin, clerk, gate, collector; `users` their ids; `ids` what was seeded."""

    def __init__(self, folder: Path, port: int, postgres: Postgres | None = None) -> None:
        self._python = tryton_python()
        self._where = folder
        self._port = port
        self._postgres = postgres
        self._seeded = seeded_dump(self._python, postgres) if postgres else seeded_files(self._python)
        self._desk: subprocess.Popen[str] | None = None
        self.origin = f"Tryton 8.2 on {'Postgres' if postgres else 'SQLite'}"
        seed = json.loads((self._seeded / "seed.json").read_text())
        self.ids: dict[str, Any] = seed["ids"]
        self.keys: dict[str, str] = {who: person["key"] for who, person in seed["people"].items()}
        self.users: dict[str, int] = {who: person["user"] for who, person in seed["people"].items()}
        self.database = self._restore()
        script = str(self._python.with_name("trytond"))
        command = [str(self._python), script, "-c", str(folder / "trytond.conf"), "-d", self.database]
        super().__init__("Tryton", command, folder / "trytond.log")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/{self.database}"

    def ready(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return self.rest("GET", "model/party.party", who="admin")[0] == 200
        return False

    def rest(self, method: str, path: str, body: object = None, who: str = "clerk") -> tuple[int, Any]:
        """One REST call with that person's key; the status and the decoded answer (text where it is no JSON)."""
        company = {"company": self.ids["company"], "companies": [self.ids["company"]]}
        headers = {
            "Authorization": f"bearer {self.keys[who]}",
            "X-Tryton-Context": base64.urlsafe_b64encode(json.dumps(company).encode()).decode(),
        }
        with httpx.Client(timeout=30) as client:
            answer = client.request(method, f"{self.url}/rest/{path}", json=body, headers=headers)
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        return answer.status_code, answer.json() if is_json else answer.text

    def create_purchase(self, lines: Sequence[Mapping[str, Any]], reference: str = "",
                        invoice_method: str = "fulfillment") -> dict[str, Any]:  # fmt: skip
        """An order in process with the seeded supplier; answers id, number and the ids of its lines.

        A line: product (`ids["rotor"]` is goods, `ids["service"]` a service), quantity, unit_price, delivery_date.
        It is billed as goods come, or at once with `invoice_method` "order".
        """
        who = {"party": self.ids["party"], "payment_term": self.ids["payment_term"]}
        how = {"reference": reference, "invoice_method": invoice_method}
        return self._at_desk("create_purchase", lines=[dict(line) for line in lines], **how, **who)

    def receive(self, order: int, quantities: Mapping[int, float], reference: str = "DN") -> dict[str, Any]:
        """Deliver these quantities by purchase line; answers id and number of the shipment and its moves."""
        by_line = {str(line): quantity for line, quantity in quantities.items()}
        return self._at_desk("receive", order=order, quantities=by_line, reference=reference)

    def post_invoice(self, order: int, reference: str, invoice_date: str, line: int | None = None,
                     unit_price: str | None = None) -> dict[str, Any]:  # fmt: skip
        """Post the oldest draft invoice (of that purchase line); answers id, number, total and lines_to_pay."""
        return self._at_desk("post_invoice", order=order, reference=reference, invoice_date=invoice_date, line=line,
                             unit_price=unit_price)  # fmt: skip

    def create_payment(self, line: int, date: str) -> dict[str, Any]:
        """A draft payment of what the payable line still owes; answers id, state and amount."""
        return self._at_desk("create_payment", line=line, date=date, journal=self.ids["payment_journal"])

    def click(self, model: str, record: int, button: str) -> dict[str, Any]:
        """Press a button, e.g. ("account.payment", id, "submit") and then "approve"; answers id and state."""
        return self._at_desk("click", model=model, id=record, button=button)

    def reset(self) -> None:
        """A fresh ERP, as it was after the seed."""
        self._leave_desk()
        super().stop()
        self.database = self._restore()
        self._command[-1] = self.database
        self.start()

    def stop(self) -> None:
        self._leave_desk()
        super().stop()

    def _restore(self) -> str:
        if self._postgres is None:
            restore_files(self._seeded, self._where)
            uri, database = "sqlite://", "erp"
        else:
            dsn = restore_dump(self._seeded, self._postgres)
            database = dsn.rpartition("/")[2]
            uri = dsn.removesuffix(database)
        (self._where / "trytond.conf").write_text(CONFIG.format(uri=uri, folder=self._where, port=self._port))
        return database

    def _at_desk(self, verb: str, **task: Any) -> dict[str, Any]:
        """Hand one task to the clerk's script, which stays open between tasks. Raises RuntimeError with its refusal."""
        if self._desk is None or self._desk.poll() is not None:
            self._desk = self._open_desk()
        assert self._desk.stdin is not None
        assert self._desk.stdout is not None
        self._desk.stdin.write(json.dumps({"do": verb, **task}) + "\n")
        self._desk.stdin.flush()
        answer = json.loads(self._desk.stdout.readline() or '{"failed": "the desk ended, see the log"}')
        if "failed" in answer:
            raise RuntimeError(f"{verb}: {answer['failed']}")
        done: dict[str, Any] = answer["done"]
        return done

    def _open_desk(self) -> subprocess.Popen[str]:
        password = {"TRYTON_PASSWORD": (self._seeded / "password").read_text()}
        command = [str(self._python), str(DESK), self.url]
        with self.log.open("ab") as log:
            return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                                    env={**self._environment, **password})  # fmt: skip

    def _leave_desk(self) -> None:
        """The script ends by itself when its input does."""
        if self._desk is not None:
            self._desk.communicate(timeout=self.stop_deadline_s)
            self._desk = None


def start_tryton(folder: Path, port: int | None = None, postgres: Postgres | None = None) -> Tryton:
    """A running, freshly seeded Tryton, on SQLite or on a database of `postgres` (needed where calls race).

    Raises UnavailableError where it cannot be installed. The first start on a machine takes about a minute.
    """
    server = Tryton(folder, port or free_port(), postgres)
    server.start()
    return server
