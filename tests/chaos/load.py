"""What the systems say in a campaign, without end: every kind of fact about many contracts, rightly or not.

Drawn from a seed by the same hands as the histories of the laws (`laws.happenings`). Some comes twice, some late, some
cannot be read, some is forged, some belongs to nobody. Each contract's keys and invoice numbers are its own at first,
but two neighbours share their invoice numbers, so that claims across contracts meet, and of those that are amended some
claim a key of another, or give up theirs: what stood under it moves (rule A7).
"""

import json
import random
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

from builders import START, Event, micros, record_of
from laws import happenings as h

from connectors.finance.http import Invoice, Line

ROLES = {
    "register": "register", "erp": "erp", "pm": "project", "portal": "supplier_portal", "ap": "finance",
    "office": "operator", "legal": "operator",
}  # fmt: skip
KINDS = [kind for kind in h.SAYS if kind != "command.acknowledged"]  # finance's own answers come from the gate
GARBAGE = (
    b"", b"\x00\xff\x00", b"{", b'{"a": 1, "a": 2}', b'{"specversion": "1.0", "data": NaN}', b"[" * 5000,
    b'{"id": "\\ud800"}', b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', "żółć".encode("utf-16"),
)  # fmt: skip
LATE_BY = 60
NEW, TALKED_OF = 0.015, 60  # how often a contract is new, and how many are mostly talked of


class Sent(NamedTuple):
    """One record to send."""

    topic: str
    key: bytes
    value: bytes
    timestamp: int
    headers: tuple[tuple[str, bytes], ...] = ()


class Told:
    """One contract, as those see it who tell of it."""

    def __init__(self, number: int, rng: random.Random) -> None:
        self.number, self.name, self.rng, self.world = number, f"C-{number:04d}", rng, h.World()
        self.steady = True  # law 1 speaks of it: any order of arrival gives the same facts and allowed amounts
        self.documents: set[bytes] = set()

    def own(self, text: str) -> str:
        """Keys that no other contract has, but for those of others that it has claimed, and numbers of invoices
        that only a neighbour has."""
        text = re.sub(r'"(line|issue|version|order|project|nowhere):(?!\d+-)', rf'"\g<1>:{self.number}-', text)
        return re.sub(r'"( ?)([INUC])-(?=[0-9M])', rf'"\g<1>{self.number // 2}-\g<2>-', text)


class Load:
    """`next` gives what is said next. `plans` are the documents of all registrations, `invoices` those for finance."""

    def __init__(self, seed: int) -> None:
        self.plans: list[dict[str, object]] = []
        self.invoices: deque[Invoice] = deque()
        self.contracts: list[Told] = []
        self._rng = random.Random(seed)
        self._now = START
        self._count = 0
        self._sent: deque[Sent] = deque(maxlen=2000)
        self._late: deque[tuple[int, Sent]] = deque()

    def next(self) -> Iterator[Sent]:
        """One happening, as the records that come of it."""
        while self._late and self._late[0][0] <= self._count:
            yield self._late.popleft()[1]
        for sent in self._happening():
            if self._rng.random() < 0.04 and "contract" not in sent.topic:
                self._late.append((self._count + LATE_BY, sent))
                continue
            self._sent.append(sent)
            yield sent

    def registered(self, plan: dict[str, object]) -> Iterator[Sent]:
        """The registration of a contract of which nothing else is told here."""
        self.plans.append(plan)
        self._count += 1
        record = record_of(Event("register", "contract.registered", plan), self._now, f"e{self._count}")
        yield Sent(record.topic, str(plan["contract"]).encode(), record.value or b"", record.timestamp)

    def rest(self) -> Iterator[Sent]:
        """What is late still, at the end."""
        yield from (sent for _, sent in self._late)
        self._late.clear()

    def _happening(self) -> Iterator[Sent]:
        if len(self.contracts) < 20 or self._rng.random() < NEW:
            yield from self._a_new_contract()
            return
        told = self._rng.choice(self.contracts[-TALKED_OF:] if self._rng.random() < 0.9 else self.contracts)
        what = self._rng.choices(
            ("fact", "proofs", "twice", "document", "spoilt", "garbage", "forged", "amended"),
            (40, 25, 10, 4, 6, 4, 4, 2),
        )[0]
        if what == "twice":
            yield from self._rng.choices(self._sent, k=2)
        elif what == "garbage":
            yield Sent(f"{self._rng.choice(list(ROLES))}.events", b"x", self._rng.choice(GARBAGE), self._timestamp())
        else:
            yield from getattr(self, f"_{what}")(told)

    def _a_new_contract(self) -> Iterator[Sent]:
        told = Told(len(self.contracts), random.Random(self._rng.random()))
        registration = h.first_plan(told.rng, told.world)
        told.steady = not any(m.get("opening") for m in told.world.plan["milestones"])
        if told.number % 3 == 0:  # what comes before its contract is parked
            yield from self._said(told, *h.proofs_of(told.rng, told.world, told.rng.choice(told.world.names)))
        self.contracts.append(told)
        yield from self._said(told, registration)
        if told.number % 2 == 0:
            self.invoices += _invoices(told)

    def _fact(self, told: Told) -> Iterator[Sent]:
        event = h.a_fact(told.rng, told.world, KINDS)
        yield from self._said(told, event)
        if told.number % 4 == 1 and told.rng.random() < 0.05:  # of the same moment, another content
            other = h.a_fact(told.rng, told.world, [event.kind])
            told.steady = False
            yield from self._said(told, replace(other, source=event.source, time=self._now - timedelta(seconds=1)))

    def _proofs(self, told: Told) -> Iterator[Sent]:
        yield from self._said(told, *h.proofs_of(told.rng, told.world, told.rng.choice(told.world.names)))

    def _document(self, told: Told) -> Iterator[Sent]:
        value = h.a_document(told.rng, told.world).replace(b"PO-1", f"{told.number}-PO-1".encode())
        value = re.sub(rb">([UI])-1<", rb">%d-\g<1>-1<" % (told.number // 2), value)
        told.steady = told.steady and value not in told.documents  # a document has no time of its own
        told.documents.add(value)
        yield Sent("ubl.events", told.name.encode(), value, self._timestamp())

    def _spoilt(self, told: Told) -> Iterator[Sent]:
        event = h.a_fact(told.rng, told.world, KINDS)
        spoilt = h.unreadable(told.rng, told.world, event)
        if spoilt is event:
            spoilt = replace(event, time=self._now + timedelta(days=2))
        yield from self._said(told, spoilt)

    def _forged(self, told: Told) -> Iterator[Sent]:
        """Somebody says what is not theirs to say: a plan, a lifted hold, an answer of finance, another's name."""
        plan = told.world.plan | {"version": told.world.versions + 90}
        lifted = Event("pm", "hold.lifted", {"contract": "C-1", "hold": "H-1", "by": "mallory"})
        answer = {"contract": "C-1", "milestone": told.world.names[0], "command_id": "0" * 64, "state": "applied"}
        source = told.rng.choice(["erp", "pm"])
        event = told.rng.choice(
            [Event(source, "contract.registered", plan), lifted, Event(source, "command.acknowledged", answer)]
        )
        name = ((b"register", b"office", b"ap-eu"))[told.rng.randrange(3)]
        for sent in self._said(told, event):
            yield sent._replace(headers=(("milepost-source", name),) if told.rng.random() < 0.5 else ())

    def _amended(self, told: Told) -> Iterator[Sent]:
        if told.number % 4 == 0:
            told.steady = False
            amendment = h.amended_plan(told.rng, told.world)
            if told.number > 0 and told.rng.random() < 0.6:
                _claim_a_key(amendment.data, self.contracts[told.rng.randrange(0, told.number, 4)], told.rng)
            yield from self._said(told, amendment)

    def _said(self, told: Told, *events: Event) -> Iterator[Sent]:
        for event in events:
            self._now += timedelta(seconds=1)
            self._count += 1
            data = json.loads(told.own(json.dumps(event.data)))
            if "contract" in data:
                data["contract"] = told.name
            if event.kind == "contract.registered" and event.source == "register":
                self.plans.append(data)
            named = replace(event, data=data, time=event.time or self._now)
            record = record_of(named, self._now, f"e{self._count}")
            yield Sent(record.topic, told.name.encode(), record.value or b"", record.timestamp)

    def _timestamp(self) -> int:
        self._now += timedelta(seconds=1)
        self._count += 1
        return micros(self._now) // 1000


def _claim_a_key(plan: dict[str, object], rival: Told, rng: random.Random) -> None:
    """The plan's first milestone claims a key of another contract that is amended, too: both mean it from now on."""
    system, kind = rng.choice((("pm", "issue"), ("erp", "line")))
    key, first = f"{kind}:{rival.number}-{rng.choice(rival.world.names)}", plan["milestones"][0]
    if key not in json.dumps(plan):
        first["refs"] = first.get("refs", {}) | {system: [*first.get("refs", {}).get(system, ()), key]}


def _invoices(told: Told) -> Iterator[Invoice]:
    """Invoices of this contract and its neighbour, as finance has them: of one line or of two."""
    names = ["I-1", "I-2", "I-3", "U-1", *(f"N-{name}" for name in told.world.names)]
    for n, name in enumerate(names):
        number = f"{told.number // 2}-{name}"
        parts = ("100.00",) if n % 2 == 0 else ("60.00", "40.00")
        lines = tuple(Line(str(k), part, held=False) for k, part in enumerate(parts, 1))
        yield Invoice(f"bill:{number}", number, ("SUP-1", "DE1"), "EUR", "100.00", "100.00", "open", lines)
