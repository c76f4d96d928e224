"""A seeded workload: contracts are registered, then systems and people speak about their milestones.

Canonical events of about 300 bytes; some come twice, some come late. The order inside a subject lies in the events, so
any order of arrival ends in the same facts. The bench and the kill test use the same.
"""

import random
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from msgspec.json import encode

TOPICS = ("contract.events", "project.events", "erp.events", "operator.events")
SOURCES = {
    "register": {"dialect": "milepost", "role": "register", "topic": "contract.events"},
    "pm": {"dialect": "milepost", "role": "project", "topic": "project.events"},
    "erp-eu": {"dialect": "milepost", "role": "erp", "topic": "erp.events"},
    "office": {"dialect": "milepost", "role": "operator", "topic": "operator.events"},
}
START = datetime(2026, 3, 2, 8, tzinfo=UTC)  # the bench sets it to yesterday: then no months pass when all is read
STEP = timedelta(seconds=1)  # from one event to the next; the bench makes all fit into one day
LATE_BY = 200  # a late event comes this many events after its turn
HEADERS = (("content-type", b"application/cloudevents+json"),)


class Event(NamedTuple):
    """One record to send."""

    topic: str
    key: bytes
    value: bytes
    timestamp: int  # milliseconds

    headers = HEADERS


def registrations(contracts: int, milestones: int = 3) -> list[Event]:
    """One a contract; every milestone requires to be met, signed off and invoiced."""
    return [_registration(n, milestones) for n in range(contracts)]


def events(count: int, contracts: int, milestones: int = 3, seed: int = 1, doubled: float = 0.05,
           late: float = 0.05) -> list[Event]:  # fmt: skip
    """`count` events as they come: a share of them `doubled`, a share `late`."""
    rng = random.Random(seed)
    came: list[Event] = []
    held_back: list[tuple[int, Event]] = []
    n = 0
    while len(came) < count:
        while held_back and held_back[0][0] <= n:
            came.append(held_back.pop(0)[1])
        event = _event(rng, n, contracts, milestones)
        n += 1
        if rng.random() < late:
            held_back.append((n + LATE_BY, event))
            continue
        came.append(event)
        if rng.random() < doubled:
            came.append(event)
    return came[:count]


def keyed_by_source(events: list[Event]) -> list[Event]:
    """The same records under keys of the systems' own, as vendors key them: what is said of one contract then lies in
    different partitions, and several workers meet at the same contracts. People's records keep the contract's key."""
    return [e if e.topic == "operator.events" else e._replace(key=e.topic.encode() + b"/" + e.key) for e in events]


def _registration(n: int, milestones: int) -> Event:
    plan = {
        "contract": name(n), "version": 1, "title": f"Hall {n}", "currency": "EUR", "timezone": "Europe/Berlin",
        "status": "active", "buyer": {"id": "BUY-1", "name": "Works"},
        "supplier": {"id": f"SUP-{n % 50}", "name": "Siemag Turbines GmbH"},
        "milestones": [
            {"id": f"M{m}", "title": f"Section {m}", "kind": "payment", "value": f"{1000 * (m + 1)}.00",
             "due": _day(287), "requires": ["met", "signed_off", "invoiced"]}
            for m in range(milestones)
        ],
    }  # fmt: skip
    return _as_event("contract.events", n, f"reg-{n}", "contract.registered", START, plan)


def _day(after: int) -> str:
    return (START + timedelta(days=after)).date().isoformat()


def name(contract: int) -> str:
    """The contract's id."""
    return f"C-{contract:05d}"


def _event(rng: random.Random, n: int, contracts: int, milestones: int) -> Event:
    contract, milestone = rng.randrange(contracts), rng.randrange(milestones)
    time = START + timedelta(seconds=60) + n * STEP
    kind = rng.choices(("scheduled", "assessed", "signed", "invoiced", "agreed"), (20, 35, 20, 20, 5))[0]
    body = {"contract": name(contract), "milestone": f"M{milestone}"}
    if kind == "scheduled":
        day = (time + timedelta(days=rng.randrange(30, 200))).date().isoformat()
        return _as_event("project.events", contract, f"e-{n}", "milestone.scheduled", time,
                         body | {"version": n, "forecast": day})  # fmt: skip
    if kind == "assessed":
        status = rng.choices(("scheduled", "partiallyMet", "met"), (20, 30, 50))[0]
        met = {"met_on": time.date().isoformat()} if status == "met" else {}
        return _as_event("project.events", contract, f"e-{n}", "milestone.assessed", time,
                         body | {"version": n, "status": status, **met})  # fmt: skip
    if kind == "signed":
        signature = {"by": rng.choice(("jane", "amir", "li")), "role": "site-manager", "evidence": {}}
        return _as_event("operator.events", contract, f"e-{n}", "sign_off.given", time,
                         body | signature | {"signed_at": time.isoformat()})  # fmt: skip
    net = {"amount": f"{1000 * (milestone + 1)}.00", "currency": "EUR"}
    if kind == "agreed":
        return _as_event("erp.events", contract, f"e-{n}", "value.agreed", time, body | {"version": n, "value": net})
    invoice = {"number": f"INV-{contract}-{milestone}", "supplier": f"SUP-{contract % 50}", "net": net,
               "issued_on": _day(0), "state": rng.choice(("open", "open", "open", "cancelled"))}  # fmt: skip
    return _as_event("erp.events", contract, f"e-{n}", "invoice.received", time, body | invoice | {"version": n})


def _as_event(topic: str, contract: int, number: str, kind: str, time: datetime, data: dict) -> Event:
    envelope = {
        "specversion": "1.0", "id": number, "source": "workload", "type": f"milepost.{kind}.v1",
        "time": time.isoformat(), "data": data,
    }  # fmt: skip
    return Event(topic, name(contract).encode(), encode(envelope), int(time.timestamp() * 1000))


def proofs(contract: int) -> list[Event]:
    """The contract's first milestone is met and signed off: with its invoice it is released."""
    body = {"contract": name(contract), "milestone": "M0"}
    met = body | {"version": 1, "status": "met", "met_on": _day(0)}
    signed = body | {"by": "jane", "role": "site-manager", "evidence": {}, "signed_at": START.isoformat()}
    return [
        _as_event("project.events", contract, f"met-{contract}", "milestone.assessed", START, met),
        _as_event("operator.events", contract, f"signed-{contract}", "sign_off.given", START, signed),
    ]


def invoice_event(contract: int) -> Event:
    """The one invoice for the contract's first milestone: what it may be paid changes, and so its command."""
    invoice = {"number": f"INV-{contract}", "supplier": f"SUP-{contract % 50}", "issued_on": _day(0), "state": "open",
               "net": {"amount": "1000.00", "currency": "EUR"}, "version": 1}  # fmt: skip
    body = {"contract": name(contract), "milestone": "M0"} | invoice
    return _as_event("erp.events", contract, f"inv-{contract}", "invoice.received", START, body)
