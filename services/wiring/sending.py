"""A person's word, sent as a canonical event like everybody else's, and the verdict on it as the store tells it.

The event is read here first, by the worker's own reader: what the worker would refuse is never sent. The verdict
follows from where the record came to lie: once the store has read past it, it is in quarantine, parked, or counts.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct
from msgspec.json import encode

from contracts_schema.errors import ConfigurationError, Refused, TransientError
from contracts_schema.facts import ContractRegistered, Fact
from contracts_schema.persons import with_names
from contracts_schema.records import Record, Role, Source
from contracts_schema.rows import Partition
from services.ports import Store
from services.reconciliation.calendar import show_moment
from services.reconciliation.merge import Seen
from services.reconciliation.state import Slot, State, decode_state
from services.reconciliation.subject import FAMILY, content_of, identity_of, subject_of
from services.runtime.reading import SOURCE_HEADER
from services.settings import Settings
from services.wiring import doors
from services.wiring.doors import Teller

PAUSE_FIRST_S, PAUSE_MOST_S = 0.05, 1.0

Outcome = Literal[
    "applied", "duplicate", "stale", "parked", "deferred", "refused", "unreadable", "sent", "no verdict yet"
]
GOOD: tuple[Outcome, ...] = ("applied", "duplicate", "sent")


class Verdict(Struct, frozen=True, omit_defaults=True):
    """What became of one event, and where its record lies (`topic/partition/offset`)."""

    outcome: Outcome
    sentence: str
    contract: str = ""
    milestone: str | None = None
    event: str = ""
    record: str = ""
    revision: int = 0

    @property
    def good(self) -> bool:
        """Whether the store has it, or was not waited for."""
        return self.outcome in GOOD


class Draft(Struct, frozen=True):
    """An event as it will lie in its topic, and the fact that it states."""

    record: Record
    fact: Fact


class Sent(Struct, frozen=True):
    """An event that lies in its topic, and the fact that it states."""

    fact: Fact
    cluster: str
    partition: Partition
    offset: int

    @property
    def record(self) -> str:
        """Where it lies, as operators write it."""
        return f"{self.partition.topic}/{self.partition.number}/{self.offset}"


def source_of(settings: Settings, role: Role, named: str | None) -> Source:
    """The source as which a person speaks: the one that is named, or the only one of this role.

    Raises:
        ConfigurationError: there is none, or there are several and none is named.
    """
    known = {name: s for name, s in settings.source_table().items() if s.role == role}
    if named is not None:
        if named not in known:
            raise ConfigurationError([f"--source: {named!r} is no source of role {role}; there is {_list(known)}"])
        return known[named]
    if len(known) == 1:
        return next(iter(known.values()))
    if known:
        raise ConfigurationError([f"several sources have role {role}: say --source, one of {_list(known)}"])
    raise ConfigurationError(
        [f"sources: none has role {role}; add one, such as office: {{dialect: milepost, role: {role}, topic: ...}}"]
    )


def _list(names: Mapping[str, Source]) -> str:
    return ", ".join(sorted(names)) or "none"


class Desk:
    """Sends events as one source and reads their verdicts. `said_at` names the desk, in each event's `ce_source`."""

    def __init__(
        self, settings: Settings, store: Store, teller: Teller, source: Source, said_at: str = "command-line"
    ) -> None:
        self._said_at = said_at
        self._store = store
        self._teller = teller
        self._source = source
        self._reader = doors.reader(settings, settings.rules(), teller.cluster)

    async def draft(self, kind: str, contract: str, data: Mapping[str, Any], event: str | None = None) -> Draft:
        """An event about a contract, ready to be sent, at the database's time.

        Raises:
            MessageError: the worker would refuse it.
        """
        record = self._record(kind, contract, data, event or uuid.uuid4().hex, await self._store.now())
        reading = self._reader.read(record)
        if reading.set_aside is not None:
            raise Refused(with_names(reading.set_aside.sentence, reading.persons))
        return Draft(record, reading.facts[0])

    async def send(self, draft: Draft) -> Sent | Verdict:
        """Send it, or say that the contract has met it already.

        Raises:
            MessageError: the contract has met its id with something else; nothing was sent.
        """
        known = await self._known(draft.fact)
        if known is not None:
            return known
        record = draft.record
        partition, offset = await self._teller.tell(record.topic, record.key, record.headers, record.value)
        return Sent(draft.fact, self._teller.cluster, partition, offset)

    def _record(self, kind: str, contract: str, data: Mapping[str, Any], event: str, now: int) -> Record:
        headers = {
            "ce_specversion": "1.0", "ce_id": event, "ce_source": f"milepost/{self._said_at}",
            "ce_type": f"milepost.{kind}.v1", "ce_time": show_moment(now), "content-type": "application/json",
            SOURCE_HEADER: self._source.name,
        }  # fmt: skip
        encoded = tuple((name, text.encode()) for name, text in headers.items())
        return Record(self._source.topic, 0, 0, now // 1000 + 1, contract.encode(), encoded, encode(data))

    async def _known(self, fact: Fact) -> Verdict | None:
        """A verdict on an event that the contract has met already: it is not sent again."""
        state = await load(self._store, fact.address.contract or "")
        told = Seen(state.seen if state else b"").told(identity_of(fact))
        if not told:
            return None
        if content_of(fact) not in told:
            raise Refused(f"event id {fact.id!r} was used before for something else; leave --id out, or choose another")
        return _verdict("duplicate", "it was said before", fact, state)

    async def verdict(self, sent: Sent, timeout_s: float) -> Verdict:
        """Wait until the store has read past the record, then say what became of it."""
        if not await read_past(self._store, sent.cluster, sent.partition, sent.offset, timeout_s):
            sentence = f"no worker has read it within {timeout_s:g} s; it lies at {sent.record} and will be read"
            return _verdict("no verdict yet", sentence, sent.fact, None, sent.record)
        aside = await self._store.quarantined(f"{sent.cluster}/{sent.record}")
        if aside is not None:
            outcome: Outcome = "refused" if aside[0].fault == "refused" else "unreadable"
            return _verdict(outcome, aside[0].sentence, sent.fact, None, sent.record)
        state = await load(self._store, sent.fact.address.contract or "")
        return became(sent, state)


def became(sent: Sent, state: State | None) -> Verdict:
    """What became of an event that was read and not set aside."""
    fact = sent.fact
    if state is None:
        sentence = f"no contract {fact.address.contract!r} is registered; it counts once there is one"
        return _verdict("parked", sentence, fact, None, sent.record)
    if state.frozen is not None:
        return _verdict(
            "deferred", "the contract is frozen; it counts once it is decided again", fact, state, sent.record
        )
    if isinstance(fact.body, ContractRegistered):
        return _registered(sent, fact.body, state)
    slot = state.slots.get(subject_of(fact))
    if slot is None:
        return _verdict("parked", "no contract has taken it yet", fact, state, sent.record)
    if slot.parked:
        where = f"milestone {fact.address.milestone!r}" if fact.address.milestone else "the only milestone it fits"
        return _verdict("parked", f"{where} is {slot.parked} in the plan in force", fact, state, sent.record)
    if slot.order[3] != fact.id:
        return _verdict("stale", f"a newer word stands: {slot.fact}", fact, state, sent.record)
    sentence = f"it counts since revision {state.revision}{_never_begun(fact, slot)}"
    return _verdict("applied", sentence, fact, state, sent.record)


def _never_begun(fact: Fact, slot: Slot) -> str:
    """What people should know who end what nobody has begun there: most often its name is another."""
    begun = FAMILY.get(fact.kind)
    if begun is None or begun in (slot.said or ()):
        return ""
    return f", but {fact.source} has said no {begun} of this name at this place: `explain` shows what stands"


def _registered(sent: Sent, body: ContractRegistered, state: State) -> Verdict:
    known = state.plans.get(body.version)
    if known is None or known.plan != body.plan:
        return _verdict(
            "stale", f"another registration of version {body.version} stands", sent.fact, state, sent.record
        )
    return _verdict("applied", in_force(state, body.version), sent.fact, state, sent.record)


def in_force(state: State, version: int) -> str:
    """Whether a stored version is the one that counts, in a sentence."""
    if state.in_force == version:
        return f"version {version} is in force"
    if state.in_force > version:
        return f"version {version} is stored; version {state.in_force} is in force"
    return f"version {version} is stored and not in force: its amendment is not approved, or not yet effective"


def _verdict(outcome: Outcome, sentence: str, fact: Fact, state: State | None, record: str = "") -> Verdict:
    address = fact.address
    revision = state.revision if state else 0
    return Verdict(outcome, sentence, address.contract or "", address.milestone, fact.id, record, revision)


async def load(store: Store, contract: str) -> State | None:
    """A contract's state; None where it is not registered."""
    raw = await store.state(contract)
    return decode_state(raw) if raw else None


async def read_past(store: Store, cluster: str, partition: Partition, offset: int, timeout_s: float) -> bool:
    """Whether the store has read past a record before the time is over. A store that is away is asked again."""
    pause_s, waited_s = PAUSE_FIRST_S, 0.0
    while True:
        try:
            states = await store.partitions()
            if any((s.cluster, s.partition) == (cluster, partition) and (s.next or 0) > offset for s in states):
                return True
        except TransientError:
            if waited_s >= timeout_s:
                raise
        if waited_s >= timeout_s:
            return False
        await asyncio.sleep(pause_s)
        waited_s += pause_s
        pause_s = min(pause_s * 1.5, PAUSE_MOST_S)


async def outcome_of(desk: Desk, sent: Sent | Verdict, timeout_s: float | None) -> Verdict:
    """The verdict on what was sent; with None it is not waited for."""
    if isinstance(sent, Verdict):
        return sent
    if timeout_s is None:
        return _verdict("sent", "sent, and not waited for", sent.fact, None, sent.record)
    return await desk.verdict(sent, timeout_s)
