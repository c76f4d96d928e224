"""Wires `milepost report`, `drift` and the exports: contracts are read one after the other, and nothing is written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from datetime import date

from msgspec import DecodeError, Struct
from msgspec.msgpack import Decoder

from contracts_schema.drift import DriftKind
from contracts_schema.errors import MilepostError
from contracts_schema.facts import Fact, InvoiceReceived
from contracts_schema.money import format_amount
from contracts_schema.payables import Finding
from services.gate.memory import invoice_memory
from services.ports import Store
from services.reconciliation.calendar import show_moment
from services.reconciliation.log import read_entry
from services.reconciliation.policy import Rules
from services.reporting.control import control_totals
from services.reporting.dossier import Dossier, Period, dossier
from services.reporting.drift import Drift, from_gate, from_log, from_refusal, from_text, joined
from services.reporting.sections import SECTIONS
from services.reporting.sheet import Cell, Sheet, days
from services.settings import Settings
from services.wiring import doors
from services.wiring.history import named_or_all, read_history
from services.wiring.places import read_place

PARKED = 1000
Progress = Callable[[int, str], None]
_facts = Decoder(Fact)


class Report(Struct, frozen=True):
    """A report: of which moment, how many contracts it counted, and its sections. `faults` says what is not in it."""

    at: str
    since: str | None
    until: str | None
    contracts: int
    sections: tuple[Sheet, ...]
    faults: tuple[str, ...]


class Unread(Struct, frozen=True):
    """A contract that could not be read, and why."""

    contract: str
    sentence: str


async def dossiers(
    store: Store, contracts: Sequence[str], rules: Rules, *, wanted: bool = True
) -> AsyncIterator[Dossier | Unread]:  # fmt: skip
    """These contracts, or all, one at a time, so that one is in memory. One without a plan in force is passed over.

    Raises:
        Refused: a contract that is named is nowhere.
    """
    async for contract in named_or_all(store, contracts):
        if not wanted:
            return
        try:
            history = await read_history(store, contract)
            entries = [read_entry(row) for row in history.rows]
            made = dossier(history.state, entries, rules) if history.state else None
        except DecodeError as error:
            yield Unread(contract, f"what the store has of it cannot be read: {error}; see `milepost verify`")
        except MilepostError:
            raise
        except Exception as defect:  # noqa: BLE001 -- contained: one contract must not hide all others; it is named
            yield Unread(contract, f"{type(defect).__name__}: {defect}")
        else:
            if made is not None:
                yield made


async def report(
    settings: Settings, contracts: Sequence[str], period: Period, names: Sequence[str], progress: Progress
) -> Report:  # fmt: skip
    """The sections that are named, over these contracts or all.

    Raises:
        Refused: a contract that is named is nowhere.
        TransientError: the database does not answer.
    """
    async with doors.open_store(settings) as store:
        now = await store.now()
        sections = {name: SECTIONS[name](period, now) for name in names if name in SECTIONS}
        faults: list[str] = []
        done = 0
        async for one in dossiers(store, contracts, settings.rules(), wanted=bool(sections)):
            if isinstance(one, Unread):
                faults.append(f"{one.contract}: {one.sentence}")
                continue
            for section in sections.values():
                section.add(one)
            done += 1
            progress(done, one.contract)
        sheets = {name: section.sheet() for name, section in sections.items()}
        if "control" in names:
            sheets["control"] = await _control(store, period)
        if "unclaimed" in names:
            sheets["unclaimed"] = await _unclaimed(settings, store, now)
    since, until = (None if day is None else day.isoformat() for day in period)
    return Report(show_moment(now), since, until, done, tuple(sheets[name] for name in names), tuple(faults))


async def _control(store: Store, period: Period) -> Sheet:
    found = await store.counts(period.since or date.min)
    return control_totals({day: counts for day, counts in found.items() if period.holds(day)})


async def _unclaimed(settings: Settings, store: Store, now: int) -> Sheet:
    """What the gate saw that nobody claims, and invoices that fit several places."""
    rows: list[tuple[Cell, ...]] = []
    for found in await drift_of_gates(settings, now):
        if found.kind is DriftKind.UNCLAIMED:
            money = (None, None) if found.amount is None else (found.amount.currency, found.amount.amount)
            rows.append((found.finance, found.invoice, *money, found.since, found.age_days, found.detail))
    for row in await store.stranded(PARKED):
        fact = _facts.decode(row.fact)
        if isinstance(fact.body, InvoiceReceived):
            net, age = fact.body.net, days(max(0, now - row.since))
            why = f"{row.reason} at {row.origin}"
            rows.append(
                (row.source, fact.body.number, net.currency, format_amount(*net), show_moment(row.since), age, why)
            )
    columns = ("system", "invoice", "currency", "amount", "since", "age_days", "why")
    return Sheet("unclaimed", "Unclaimed invoices", columns, tuple(sorted(rows, key=str)))


# -- drift -----------------------------------------------------------------------------------------------------------


class DriftFound(Struct, frozen=True):
    """Everything in which finance differs from what was commanded. `faults` says what could not be looked at."""

    at: str
    findings: tuple[Drift, ...]
    faults: tuple[str, ...]


async def drift(settings: Settings, contracts: Sequence[str], patience_s: int, progress: Progress) -> DriftFound:
    """Commanded against actual, over these contracts or all.

    Raises:
        Refused: a contract that is named is nowhere.
        TransientError: the database does not answer.
    """
    found: list[Drift] = []
    faults: list[str] = []
    async with doors.open_store(settings) as store:
        now, done = await store.now(), 0
        async for one in dossiers(store, contracts, settings.rules()):
            done += 1
            if isinstance(one, Unread):
                faults.append(f"{one.contract}: {one.sentence}")
            else:
                found += from_log(one, now, patience_s * 1_000_000)
                progress(done, one.contract)
    gates = [d for d in await drift_of_gates(settings, now) if not contracts or _concerns(d, contracts)]
    return DriftFound(show_moment(now), tuple(joined(found, gates)), tuple(faults))


def _concerns(found: Drift, contracts: Collection[str]) -> bool:
    return any(read_place(place).contract in contracts for place in found.milestones)


async def drift_of_gates(settings: Settings, now: int) -> list[Drift]:
    """What the gates of all finance systems know, and the newest commands that they did not believe."""
    if not settings.finance:
        return []
    from services.wiring.gate import found

    findings, refusals = await found(settings)
    return [*(d for finding in findings for d in _read(finding, now)), *(from_refusal(r, now) for r in refusals)]


def _read(finding: Finding, now: int) -> list[Drift]:
    differences = invoice_memory(finding.memory).differences
    return list(from_gate(finding.finance, differences, now)) or [from_text(finding, now)]
