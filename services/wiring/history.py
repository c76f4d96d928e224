"""Wires what auditors ask: contracts proven, explained as they were, replayed, and packed. Nothing here writes to the
store or to a topic."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import date, datetime, timedelta

from msgspec import DecodeError, Struct

from contracts_schema.commands import Command
from contracts_schema.errors import ConfigurationError, MessageError, Refused
from contracts_schema.records import Record
from contracts_schema.rows import LogRow
from services.gate.fence import read_command
from services.history import business
from services.history.business import zone_of
from services.history.fold import folded
from services.history.published import published_faults
from services.history.rulebooks import Books, Shelf
from services.history.verify import Fault, Proof, verify
from services.ports import Store
from services.reconciliation.adoption import adopted
from services.reconciliation.calendar import midnight, moment_of, show_moment
from services.reconciliation.log import LogEntry, read_entry
from services.reconciliation.state import State, decode_state
from services.runtime import past
from services.runtime.past import Explained
from services.settings import Settings
from services.wiring import doors
from services.wiring.looking import known
from services.wiring.places import Place

PAGE = 500
READS = 5  # how often a contract is read anew that a worker changes meanwhile
Progress = Callable[[int, str], None]


class Verified(Struct):
    """What was proven, in sum, and what was not. `heads` names the end of each chain: compare it with one that left
    the house; `published` counts the commands in the topic that were compared with the log."""

    contracts: int = 0
    revisions: int = 0
    decisions: int = 0
    commands: int = 0
    not_redecided: int = 0
    heads: dict[str, str] = {}
    published: int = 0
    faults: list[Fault] = []


class History(Struct):
    """One contract's log and state, read at one moment, with the rulebooks that its revisions name."""

    rows: Sequence[LogRow]
    state: State | None
    books: Books


async def verify_contracts(settings: Settings, contracts: Sequence[str], progress: Progress) -> Verified:
    """Prove these contracts, or all, one after the other. Raises Refused for one that is nowhere."""
    found = Verified()
    async with doors.open_store(settings) as store:
        async for contract in named_or_all(store, contracts):
            proof = await _verify(store, contract)
            _add(found, proof)
            progress(found.contracts, contract)
    return found


async def verify_published(settings: Settings, contracts: Sequence[str]) -> tuple[int, list[Fault]]:
    """Compare every command that lies in the topic with the log: how many there are, and what does not fit."""
    number, faults, adopted_to = 0, list[Fault](), dict[str, int]()
    async with doors.open_store(settings) as store:
        async for records in doors.scan_topic(settings, settings.topics.commands):
            commands = [c for c in whole_commands(records) if not contracts or c.contract in contracts]
            for contract in {c.contract for c in commands} - adopted_to.keys():
                adopted_to[contract] = await _adopted_to(store, contract)
            wanted = {(c.contract, c.revision) for c in commands if 0 < c.revision < 2**62}
            rows = {(row.contract, row.revision): row for row in (await store.revisions(wanted) if wanted else ())}
            number += len(commands)
            faults += published_faults(commands, rows, adopted_to)
    return number, faults


async def _adopted_to(store: Store, contract: str) -> int:
    raw = await store.state(contract)
    known = adopted(decode_state(raw)) if raw else None
    return known.sequence if known is not None else 0


def whole_commands(records: Sequence[Record]) -> list[Command]:
    """The commands among these records that are whole; what is none was never one of ours."""
    found = []
    for record in records:
        try:
            found.append(read_command(record))
        except MessageError:
            continue
    return found


def _add(found: Verified, proof: Proof) -> None:
    found.contracts += 1
    found.revisions += proof.revisions
    found.decisions += proof.decisions
    found.commands += proof.commands
    found.not_redecided += proof.not_redecided
    found.heads[proof.contract] = proof.head
    found.faults += proof.faults


async def _verify(store: Store, contract: str) -> Proof:
    """A stored state that cannot be read is a fault of its own, beside what the log proves."""
    try:
        history = await read_history(store, contract)
    except DecodeError as error:
        rows = await store.log(contract)
        proof = verify(contract, rows, None, await _books(store, rows))
        proof.faults = [f for f in proof.faults if f.what != "state"]
        proof.faults.append(Fault(contract, 0, "state", f"the stored state cannot be read: {error}"))
        return proof
    return verify(contract, history.rows, history.state, history.books)


async def named_or_all(store: Store, contracts: Sequence[str]) -> AsyncIterator[str]:
    """The contracts that are named, or every one of the store, a page at a time."""
    for contract in contracts:
        yield contract
    after: str | None = None if contracts else ""
    while after is not None:
        page = await store.contracts(after, PAGE)
        for contract, _ in page:
            yield contract
        after = page[-1][0] if len(page) == PAGE else None


async def read_history(store: Store, contract: str) -> History:
    """One contract's log and state; both are of one moment, also while a worker goes on.

    Raises:
        Refused: the contract has neither.
        DecodeError: its state cannot be read.
    """
    for _ in range(READS):
        raw = await store.state(contract)
        rows = await store.log(contract)
        if raw == await store.state(contract):
            break
    if raw is None and not rows:
        raise Refused(f"no contract {contract!r} is registered")
    return History(rows, decode_state(raw) if raw else None, await _books(store, rows))


async def _books(store: Store, rows: Sequence[LogRow]) -> Books:
    """Every rulebook that a readable revision names, as far as the store has it."""
    names = set()
    for row in rows:
        try:
            names.add(read_entry(row).rulebook)
        except DecodeError:  # the proof names it
            continue
    asked = sorted(name for name in names if name.isascii() and name.isprintable())  # others an altered entry made up
    found = {name: await store.rulebook(name) for name in asked}
    return {name: book for name, book in found.items() if book is not None}


async def explain(
    settings: Settings, place: Place, known_at: str | None = None, as_of: str | None = None
) -> list[Explained]:
    """The account of a milestone, or of all of a contract: now, as it was known at a moment, or as it was on a day.

    Raises:
        Refused: there is none, or there was none then.
        ConfigurationError: the moment or the day is none.
    """
    async with doors.open_store(settings) as store:
        if known_at is None and as_of is None:
            state = await known(store, place.contract)
            return _some(past.explained(in_force(state), settings.rules(), place.milestone), place, state)
        history = await read_history(store, place.contract)
    log = entries_of(place.contract, history.rows)
    if as_of is not None:
        return _on_day(settings, place, history, log, as_of)
    moment = read_moment("--known-at", known_at or "", zone_of([entry for _, entry in log]))
    fold = folded(place.contract, log, Shelf(history.books), moment)
    if fold.state.revision == 0:
        raise Refused(f"nothing was known of {place.contract!r} at {show_moment(moment)}")
    state = in_force(fold.state)
    return _some(past.known_at(fold, fold.rules(settings.rules()), moment, place.milestone), place, state)


def _on_day(
    settings: Settings, place: Place, history: History, log: list[tuple[LogRow, LogEntry]], as_of: str
) -> list[Explained]:  # fmt: skip
    day = read_day("--as-of", as_of)
    entries = [entry for _, entry in log]
    found = business.as_of(place.contract, entries, settings.rules(), day)
    ended = midnight(day + timedelta(days=1), found.zone) - 1
    then = folded(place.contract, log, Shelf(history.books), ended)
    return _some(past.on_day(found, then, day, place.milestone), place, in_force(found.state))


def entries_of(contract: str, rows: Sequence[LogRow]) -> list[tuple[LogRow, LogEntry]]:
    """The log, decoded. Raises Refused where it cannot be read: `milepost verify` then says more."""
    try:
        return [(row, read_entry(row)) for row in rows]
    except DecodeError as error:
        raise Refused(f"the log of {contract!r} cannot be read: {error}; see milepost verify {contract}") from None


def in_force(state: State) -> State:
    """The state, where a version of the plan is in force. Raises Refused where none is."""
    if state.in_force == 0:
        raise Refused(f"no version of {state.contract!r} is in force: its amendment waits for approval or its day")
    return state


def _some(found: list[Explained], place: Place, state: State) -> list[Explained]:
    if not found:
        names = ", ".join(state.milestones)
        raise Refused(f"contract {place.contract!r} has no milestone {place.milestone!r}; it has {names}")
    return found


def read_moment(option: str, text: str, zone: str) -> int:
    """A moment (µs): ISO 8601 with its zone, or a day, which means its end in the contract's zone.

    Raises:
        ConfigurationError: it is neither.
    """
    try:
        if len(text) == len("2026-03-01"):
            return midnight(date.fromisoformat(text) + timedelta(days=1), zone) - 1
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ConfigurationError(
            [f"{option}: {text!r} is no moment: write 2026-03-01T12:00:00Z, or 2026-03-01 for the end of that day"]
        )
    return moment_of(moment)


def read_day(option: str, text: str) -> date:
    """A day. Raises ConfigurationError where it is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigurationError([f"{option}: {text!r} is no day: write it as 2026-03-01"]) from None
