"""Wires `milepost console`: the desk behind its pages and its API, which asks what the commands ask, and who may."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from connectors.http_server import serving
from connectors.postgres import PostgresStore
from connectors.telemetry import Telemetry
from contracts_schema.commands import Amount, ConflictLine, ReasonLine
from contracts_schema.errors import ConfigurationError
from contracts_schema.rows import LogRow
from services import settings as s
from services.console.application import application
from services.console.desk import Act, Part
from services.console.logins import Door, Login, token_faults
from services.console.openapi import document
from services.history.grounds import Ground
from services.reconciliation.calendar import show_moment
from services.reconciliation.log import read_entry
from services.reconciliation.state import State, decode_state
from services.runtime.explain import Account, accounts
from services.runtime.health import Health, pages
from services.runtime.past import LeftOut, Told, as_json
from services.wiring import RELEASE, acts, doors, history, looking, persons, reporting
from services.wiring import quarantine as set_aside
from services.wiring.places import Place
from services.wiring.sending import Verdict, source_of
from services.wiring.serving import address, patiently, told_to_stop
from services.wiring.status import Status
from services.wiring.status import status as ask_status

AT_ONCE = 4  # questions, and connections to the database
VERDICT_S = 30.0
PATIENCE_S = 3600  # after which a command without an answer counts as drift
READY = "store"


class HeldLine(Struct, frozen=True):
    """A milestone of which something is held, and why."""

    contract: str
    milestone: str
    title: str
    value: Amount
    released_to_date: Amount
    held: Amount
    reasons: tuple[ReasonLine, ...]
    exceptions: tuple[str, ...]


class RevisionLine(Struct, frozen=True):
    """One revision. `head` is the SHA-256 over the bytes of `previous` (hexadecimal) and `raw` (base64), as in the
    evidence pack's `log.jsonl`; `facts` and `decided` say what is in `raw`."""

    revision: int
    at: str
    cause: str
    rulebook: str
    facts: tuple[str, ...]
    decided: tuple[str, ...]
    previous: str
    head: str
    raw: str


class Explanation(Account, frozen=True, kw_only=True):
    """An account with what it rests on."""

    grounds: tuple[Ground, ...]
    told: Told | UnsetType = UNSET
    left_out: tuple[LeftOut, ...] | UnsetType = UNSET


ANSWERS: Mapping[str, Any] = {
    "status": Status,
    "contracts": list[looking.ContractLine],
    "contract": looking.ContractView,
    "explanation": list[Explanation],
    "milestone_explanation": list[Explanation],
    "log": list[RevisionLine],
    "holds": list[HeldLine],
    "conflicts": list[looking.ConflictView],
    "parked": list[looking.ParkedView],
    "drift": reporting.DriftFound,
    "quarantine": list[set_aside.Line],
    "quarantined": set_aside.View,
}


def openapi() -> dict[str, Any]:
    """The OpenAPI document."""
    return document(ANSWERS, Verdict, RELEASE)


async def run(config: Path) -> None:
    """Serve until told to stop. The log says at which address.

    Raises:
        ConfigurationError: the set-up is not fit; every fault is named.
        TransientError: the database did not answer within a minute.
    """
    settings = s.load(config)
    if settings.kafka.embedded or settings.postgres.embedded:
        raise ConfigurationError(["embedded: true is for `milepost demo` alone; name a broker and a database"])
    logins = logins_of(settings)
    if faults := token_faults(logins):
        raise ConfigurationError(faults)
    telemetry, health = Telemetry(release=RELEASE, name="console"), Health((READY,))
    telemetry.libraries_too()
    door, desk = Door(logins, telemetry), ConsoleDesk(settings)
    app = application(desk, door, telemetry, openapi(), pages(health, telemetry.metrics))
    async with AsyncExitStack() as stack:
        store = PostgresStore(doors.postgres(settings, "milepost console", connections=AT_ONCE))
        await patiently(lambda: stack.enter_async_context(store))
        if unfit := await patiently(store.check):
            raise ConfigurationError(unfit)
        stack.enter_context(doors.sharing(store))
        wanted = settings.console
        port = await stack.enter_async_context(serving(app, wanted.host, wanted.port))
        health.fine(READY)
        telemetry.event("info", "ready", http=address(wanted.host, port), pid=os.getpid())
        await told_to_stop().wait()


def logins_of(settings: s.Settings) -> list[Login]:
    """Who may log in."""
    return [Login(name, one.token_file, frozenset(one.may)) for name, one in settings.console.logins.items()]


class ConsoleDesk:
    """Answers what the console asks (port `Desk`), a few questions at a time."""

    def __init__(self, settings: s.Settings) -> None:
        self._settings = settings
        self._turn, self._turn_to_act = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(AT_ONCE)

    async def status(self) -> Status:
        """Without looking for frozen contracts, for which all would have to be read."""
        async with self._turn:
            return await ask_status(self._settings, quick=True)

    async def contracts(self, after: str, limit: int) -> Part:
        """Contracts behind `after`, by id."""
        async with self._turn:
            found = await looking.list_contracts(self._settings, after, limit)
        return Part(found, found[-1].contract if len(found) == limit else None)

    async def contract(self, contract: str) -> looking.ContractView:
        """One contract."""
        async with self._turn:
            return await looking.show_contract(self._settings, contract)

    async def explanation(self, contract: str, milestone: str | None) -> list[Explanation]:
        """One milestone's account, or all."""
        async with self._turn:
            found = await history.explain(self._settings, Place(contract, milestone))
        return [Explanation(**as_json(one)) for one in found]

    async def holds(self, after: str, limit: int) -> Part:
        """What is held in so many contracts, the largest amount of each currency first."""
        rules = self._settings.rules()
        states, following = await self._states(after, limit)
        found = [
            _held(account)
            for state in states
            for account in (accounts(state, rules) if state.in_force else ())
            if account.reasons or account.exceptions
        ]
        return Part(sorted(found, key=_worst_first), following)

    async def conflicts(self, after: str, limit: int) -> Part:
        """Open conflicts of so many contracts."""
        rules = self._settings.rules()
        states, following = await self._states(after, limit)
        return Part([c for state in states for c in looking.conflicts_of(state, rules)], following)

    async def _states(self, after: str, limit: int) -> tuple[list[State], str | None]:
        async with self._turn, doors.open_store(self._settings) as store:
            names = [name for name, _ in await store.contracts(after, limit)]
            raw = await store.states_of(names)
        states = []
        for name in names:
            states.append(decode_state(raw[name]))
            await asyncio.sleep(0)  # who else asks, is answered meanwhile
        return states, names[-1] if len(names) == limit else None

    async def parked(self, limit: int) -> list[looking.ParkedView]:
        """What waits under keys; what waits inside a contract, its explanation tells."""
        async with self._turn:
            return await looking.parked(self._settings, limit, inside=False)

    async def drift(self, contract: str | None) -> reporting.DriftFound:
        """Of one contract all; without, what the gates know, since for the rest every log would have to be read."""
        async with self._turn:
            if contract is not None:
                return await reporting.drift(self._settings, [contract], PATIENCE_S, lambda _done, _name: None)
            async with doors.open_store(self._settings) as store:
                now = await store.now()
            found = await reporting.drift_of_gates(self._settings, now)
            return reporting.DriftFound(show_moment(now), tuple(found), ())

    async def quarantine(self, limit: int) -> list[set_aside.Line]:
        """Open records, newest first."""
        async with self._turn:
            return await set_aside.listed(self._settings, limit)

    async def quarantined(self, record: str) -> set_aside.View:
        """One record, as the command shows it where its value is not asked for."""
        async with self._turn:
            view, _ = await set_aside.shown(self._settings, record)
        return replace(view, value=None, value_base64=None)

    async def log(self, contract: str, after: int, limit: int) -> Part:
        """Revisions behind `after`."""
        async with self._turn, doors.open_store(self._settings) as store:
            await looking.known(store, contract)
            rows = await store.revisions({(contract, after + n) for n in range(1, limit + 1)})
        return Part([_revision(row) for row in rows], str(rows[-1].revision) if len(rows) == limit else None)

    async def act(self, act: Act) -> Verdict:
        """As the console's source; it waits for the verdict."""
        async with self._turn_to_act:
            named = source_of(self._settings, "operator", self._settings.console.source).name
            said = acts.Act(act.kind, Place(act.contract, act.milestone), act.fields, act.moments, act.amount)
            return await acts.perform(self._settings, said, named, act.event, VERDICT_S, "console")

    def words(self, conflict: ConflictLine) -> str:
        """As the command says it."""
        return looking.conflict_sentence(conflict)

    async def names(self, text: str) -> Mapping[str, str]:
        """Who is meant by pseudonyms, where the store still knows."""
        async with self._turn:
            return await persons.names_in(self._settings, [text])


def _held(a: Account) -> HeldLine:
    return HeldLine(a.contract, a.milestone, a.title, a.value, a.released_to_date, a.held, a.reasons, a.exceptions)


def _worst_first(line: HeldLine) -> tuple[str, Decimal, str, str, str]:
    since = min((reason.since for reason in line.reasons), default="")
    return line.held.currency, -Decimal(line.held.amount), since, line.contract, line.milestone


def _revision(row: LogRow) -> RevisionLine:
    entry = read_entry(row)
    decided = tuple(
        f"{d.milestone}: {f'{d.said.action} {d.said.sequence}' if d.said else 'no command'}" for d in entry.decisions
    )
    facts = tuple(f"{fact.kind} ({fact.source}/{fact.id})" for fact in entry.facts)
    return RevisionLine(
        row.revision, show_moment(entry.moment), entry.cause, entry.rulebook, facts, decided, row.previous.hex(),
        row.head.hex(), base64.b64encode(row.entry).decode(),
    )  # fmt: skip
