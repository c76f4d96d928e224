"""Words for tests: contracts, what sources say of them, and a `Story` that carries it through the hallway in memory.

    story = Story()
    story.tell(registered(a_contract(a_milestone("M1", "100.00", requires=["met"]))))
    story.tell(met("M1"))
    assert story.released("M1") == 10_000

Every source speaks our own language. A plain string for an amount means that much in the contract's currency (EUR).
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from connectors.memory import MemoryStore
from contracts_schema.facts import MONEY_FIELDS, Fact
from contracts_schema.records import Record, Source
from contracts_schema.rows import OffsetRange, Partition
from services.reconciliation.calendar import moment_of
from services.reconciliation.log import read_entry
from services.reconciliation.policy import Policy, make_rules
from services.reconciliation.pseudonyms import Pseudonyms
from services.reconciliation.state import decode_state
from services.reconciliation.view import standings
from services.runtime.hallway import Hallway
from services.runtime.outgoing import Topics
from services.runtime.reading import Reader, Reading

ROLES = {
    "register": "register", "erp": "erp", "pm": "project", "portal": "supplier_portal", "ap": "finance",
    "office": "operator",
}  # fmt: skip
MORE_ROLES = {"erp-us": "erp", "legal": "operator"}  # a second source of a role, for those stories that need one
SOURCES = {name: Source(name, "milepost", role, f"{name}.events") for name, role in (ROLES | MORE_ROLES).items()}
START = datetime(2026, 3, 1, 8, tzinfo=UTC)
OWNER = "story"
ORDER = "k:0"  # the key of the order, of which `Lines` reads lines
FAT = "a" * 64
NOTHING_SPECIAL = Policy()


@dataclass(frozen=True)
class Event:
    """What one source says: a canonical event. Without `time` it is said at the moment at which it is told."""

    source: str
    kind: str
    data: dict[str, Any]
    id: str | None = None
    time: datetime | None = None


# -- contracts -------------------------------------------------------------------------------------------------------


def a_contract(*milestones: dict[str, Any], **terms: Any) -> dict[str, Any]:
    """A registration document; what is left out has a plain default, and one milestone of 100.00."""
    return {
        "contract": "C-1", "version": 1, "title": "Turbine hall", "buyer": {"id": "BUY-1"}, "supplier": {"id": "SUP-1"},
        "currency": "EUR", "milestones": list(milestones) or [a_milestone()],
    } | terms  # fmt: skip


def a_milestone(name: str = "M1", value: str | None = "100.00", **terms: Any) -> dict[str, Any]:
    """A payment milestone of a registration document; `requires` is left to the default unless given."""
    payable = {} if value is None or "percent" in terms else {"value": value}
    return {"id": name, "title": name, "kind": "payment" if value else "project"} | payable | terms


def an_amendment(**terms: Any) -> dict[str, Any]:
    """An approved amendment, in force at once."""
    return {
        "id": "A-1",
        "state": "approved",
        "rationale": "agreed",
        "requested_by": "rita",
        "approved_by": "anna",
    } | terms


def registered(contract: dict[str, Any], by: str = "register", **event: Any) -> Event:
    """The register's word: a version of the plan."""
    return Event(by, "contract.registered", contract, **event)


# -- facts -----------------------------------------------------------------------------------------------------------


def said(source: str, kind: str, milestone: str | None = "M1", *, event: str | None = None,
         time: datetime | None = None, contract: str = "C-1", key: str | None = None,
         **data: Any) -> Event:  # fmt: skip
    """Any fact. With `key` it is addressed in the source's own words."""
    place: dict[str, Any] = {"contract": contract} if key is None else {"ref": {"source": source, "key": key}}
    if milestone is not None and key is None:
        place["milestone"] = milestone
    currency = data.pop("currency", "EUR")
    for name in MONEY_FIELDS.get(kind, ()):
        if isinstance(data.get(name), str):
            data[name] = {"amount": data[name], "currency": currency}
    return Event(source, kind, place | data, event, time)


def met(milestone: str = "M1", by: str = "pm", **more: Any) -> Event:
    """The project tool says that a milestone is met."""
    return said(by, "milestone.assessed", milestone, **{"status": "met"} | more)


def received(accepted: str, ordered: str | None = "100", milestone: str = "M1", by: str = "erp", **more: Any) -> Event:
    """The ERP's cumulative receipt."""
    data = {
        "received": accepted,
        "accepted": accepted,
        "rejected": "0",
        "unit": "u",
        "received_on": "2026-03-01",
    } | more
    return said(by, "goods.received", milestone, **data | ({} if ordered is None else {"ordered": ordered}))


def invoice(net: str, number: str = "I-1", milestone: str = "M1", source: str = "portal", **more: Any) -> Event:
    """An invoice as the portal passes it on."""
    data = {"number": number, "supplier": "SUP-1", "net": net, "issued_on": "2026-03-01", "state": "open"} | more
    return said(source, "invoice.received", milestone, **data)


def signed(by: str = "jane", milestone: str = "M1", source: str = "office", **more: Any) -> Event:
    """A person signs off."""
    data = {"by": by, "role": "site-manager", "signed_at": "2026-03-01T08:00:00Z", "evidence": {}} | more
    return said(source, "sign_off.given", milestone, **data)


def attached(name: str = "fat", sha256: str = FAT, milestone: str = "M1", source: str = "office", **more: Any) -> Event:
    """A document is attached."""
    return said(source, "evidence.attached", milestone, name=name, sha256=sha256, **more)


def held_by(by: str = "olga", hold: str = "H-1", milestone: str | None = "M1", **more: Any) -> Event:
    """A person places a hold."""
    return said("office", "hold.placed", milestone, hold=hold, by=by, reason="under review", **more)


def lifted_by(by: str = "otto", hold: str = "H-1", milestone: str | None = "M1", **more: Any) -> Event:
    """A person lifts a hold."""
    return said("office", "hold.lifted", milestone, hold=hold, by=by, reason="review done", **more)


def waived(code: str, milestone: str | None = "M1", **more: Any) -> Event:
    """Two persons waive a reason."""
    data = {"code": code, "by": "walt", "approved_by": "anna", "ticket": "T-1"} | more
    return said("office", "reason.waived", milestone, **data)


def disputed(amount: str | None = None, milestone: str = "M1", source: str = "office", **more: Any) -> Event:
    """Somebody disputes an amount, or all of it."""
    data = {"dispute": "D-1", "by": "olga", "reason": "INCORRECT_QUANTITY"} | more
    return said(source, "dispute.opened", milestone, **data | ({} if amount is None else {"amount": amount}))


def resolved(milestone: str = "M1", source: str = "office", **more: Any) -> Event:
    """A dispute is over."""
    return said(source, "dispute.resolved", milestone, **{"dispute": "D-1", "by": "olga", "reason": "SETTLED"} | more)


def paid(amount: str, payment: str = "P-1", milestone: str = "M1", **more: Any) -> Event:
    """Finance says that money left."""
    return said("ap", "payment.made", milestone, payment=payment, amount=amount, **{"paid_on": "2026-03-01"} | more)


# -- a story -----------------------------------------------------------------------------------------------------------


@dataclass
class Story:
    """A small worker in memory: records go through the hallway one by one or together, and everything is kept.

    `now` is when the next event is told; it moves on by a second with each. `rerule` changes the rules in between. With
    `pseudonyms` no person is named in it.
    """

    people: dict[str, list[str]] = field(default_factory=dict)
    policy: Policy = NOTHING_SPECIAL
    now: datetime = START
    release: str = "1"
    pseudonyms: Pseudonyms | None = None

    def __post_init__(self) -> None:
        roles = {name: source.role for name, source in SOURCES.items()}
        people = self.people if self.pseudonyms is None else self.pseudonyms.people(self.people)
        self.store = MemoryStore(lambda: 0)
        self.rules = make_rules(roles, people, self.policy, "ap")
        reader = Reader(SOURCES, self.rules, OWNER, self.pseudonyms)
        self.hallway = Hallway(self.store, reader, self.rules, Topics(), self.release)
        self.offset = self.told = 0
        self.reports: list[Any] = []
        self.carried: list[Record] = []
        done(self.store.take(OWNER, OWNER, {Partition(source.topic, 0) for source in SOURCES.values()}))

    # -- telling -------------------------------------------------------------------------------------------------------

    def tell(self, *events: Event) -> "Story":
        """Tell each event in a transaction of its own."""
        for event in events:
            self.carry([self.record(event)])
        return self

    def tell_together(self, *events: Event) -> "Story":
        """Tell all events in one transaction."""
        self.carry([self.record(event) for event in events])
        return self

    def record(self, event: Event) -> Record:
        """The record of an event at this moment; each has a moment of its own."""
        self.now += timedelta(seconds=1)
        self.told += 1
        return record_of(event, self.now, f"e{self.told}")

    def carry(self, records: list[Record]) -> Any:
        """Carry records through one transaction, then the wakes that are due; they get offsets of their own."""
        placed = []
        for record in records:
            self.offset += 1
            placed.append(Record(record.topic, 0, self.offset, record.timestamp, None, record.headers, record.value))
        self.carried += placed
        latest = max(record.timestamp for record in records) * 1000
        moves = [OffsetRange(OWNER, Partition(r.topic, 0), r.offset, r.offset + 1, latest) for r in placed]
        report = done(self.hallway.carry(placed, OWNER, moves, latest))
        self.reports.append(report)
        self.wake(0, latest)
        return report

    def wake(self, frontier: int, now: int) -> None:
        """Look again at whatever is due."""
        while (report := done(self.hallway.wake(frontier, 1000, now))).woken:
            self.reports.append(report)

    def clock(self, moment: datetime) -> "Story":
        """Let the time pass until `moment`, and the reviews that fell due run."""
        self.now = max(self.now, moment)
        self.wake(micros(moment), micros(moment))
        return self

    def rerule(self, **changes: Any) -> "Story":
        """Go on under other rules, as after a change of the configuration: all contracts are woken."""
        self.rules = make_rules(
            {name: source.role for name, source in SOURCES.items()},
            changes.get("people", self.people),
            self.policy,
            "ap",
        )
        self.hallway = Hallway(self.store, Reader(SOURCES, self.rules, OWNER), self.rules, Topics(), self.release)
        done(self.store.wake_all(0, "rulebook"))
        self.wake(0, micros(self.now))
        return self

    # -- what came of it -----------------------------------------------------------------------------------------------

    @property
    def commands(self) -> list[dict[str, Any]]:
        """Every command that was published, in order."""
        return [json.loads(row.value) for report in self.reports for row in report.said.commands]

    @property
    def quarantined(self) -> list[str]:
        """The sentences of all records that were set aside."""
        return [sentence for report in self.reports for _, sentence in report.quarantined]

    @property
    def outcomes(self) -> list[str]:
        """What became of each fact, in order."""
        return [outcome.merged.value for report in self.reports for outcome in report.outcomes]

    @property
    def defects(self) -> list[tuple[str, str]]:
        """Contracts that could not be decided, and why."""
        return [defect for report in self.reports for defect in report.defects]

    def raw(self, contract: str = "C-1") -> bytes | None:
        """The encoded state of a contract."""
        return done(self.store.state(contract))

    def state(self, contract: str = "C-1") -> Any:
        """A decoded state of one's own."""
        return decode_state(self.raw(contract))

    def contracts(self) -> list[str]:
        """Every contract that is known."""
        return [name for name, _ in done(self.store.contracts("", 10_000))]

    def log(self, contract: str = "C-1") -> list[Any]:
        """The rows of a contract's log."""
        return list(done(self.store.log(contract)))

    def entries(self, contract: str = "C-1") -> list[Any]:
        """The log, decoded."""
        return [read_entry(row) for row in self.log(contract)]

    def standings(self, contract: str = "C-1") -> dict[str, Any]:
        """Every milestone of a contract as it stands now."""
        raw = self.raw(contract)
        return {} if raw is None else {s.position.milestone: s for s in standings(decode_state(raw), self.rules)}

    def position(self, milestone: str = "M1", contract: str = "C-1") -> Any:
        """One milestone's position."""
        return self.standings(contract)[milestone].position

    def reasons(self, milestone: str = "M1", contract: str = "C-1") -> list[str]:
        """The codes of the open hold reasons, in order of precedence."""
        return [str(reason.code) for reason in self.position(milestone, contract).reasons]

    def released(self, milestone: str = "M1", contract: str = "C-1") -> int:
        """What has been released to date, in minor units."""
        return int(self.position(milestone, contract).released)


class Lines(Reader):
    """Reads as if every system named the ORDER after its line: for stories in which both may be claimed."""

    def read(self, record: Record) -> Reading:
        """One record, with every key followed by the order's."""
        reading = super().read(record)
        return reading._replace(facts=tuple(_of_line(fact) for fact in reading.facts))


def _of_line(fact: Fact) -> Fact:
    keys = fact.address.keys
    return replace(fact, address=replace(fact.address, keys=(*keys, ORDER))) if keys else fact


def record_of(event: Event, now: datetime, name: str) -> Record:
    """A canonical event as a record, said at `now` unless it has a time of its own."""
    envelope = {
        "specversion": "1.0", "id": event.id or name, "source": event.source, "type": f"milepost.{event.kind}.v1",
        "time": (event.time or now).isoformat(), "data": event.data,
    }  # fmt: skip
    value = json.dumps(envelope).encode()
    return Record(f"{event.source}.events", 0, 0, micros(now) // 1000, None, (), value)


def micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    return moment_of(moment)


def done(coroutine: Any) -> Any:
    """The result of a coroutine that never has to wait, as nothing in memory does."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits for something")
