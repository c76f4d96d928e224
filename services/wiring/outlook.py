"""Wires `milepost cascade` and `milepost cash-plan`: the outlook on what the store holds, at the store's own day."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import date

from msgspec import Struct

from contracts_schema.commands import Amount
from contracts_schema.errors import Refused
from services.outlook.cascade import Cascade, Shift, cascade, check_open, delayed
from services.outlook.cash import CashLine, cash_lines
from services.outlook.periods import By, period_of, sums
from services.outlook.picture import Picture, picture
from services.ports import Store
from services.reconciliation.calendar import day_of
from services.reconciliation.crosswalk import index_of
from services.reconciliation.policy import Rules
from services.reconciliation.state import State, decode_state
from services.reconciliation.wire import amount
from services.settings import Settings
from services.wiring import doors
from services.wiring.looking import known
from services.wiring.sending import load


class ShiftLine(Struct, frozen=True):
    """One milestone before and after; `days` as the contract counts, `late` in plain days beyond the tolerance."""

    milestone: str
    title: str
    due: str | None
    before: str | None
    after: str | None
    days: int
    pushed_by: str | None
    late_before: int
    late_after: int
    slack_before: int | None
    slack_after: int | None
    critical: bool


class PaymentLine(Struct, frozen=True):
    """Money that is expected on another day."""

    milestone: str
    what: str
    amount: Amount
    before: str | None
    after: str | None


class DamagesLine(Struct, frozen=True):
    """Late damages of a milestone before and after."""

    milestone: str
    before: Amount
    after: Amount


class StandInLine(Struct, frozen=True):
    """What a contingency milestone would do if it took over now."""

    milestone: str
    instead_of: str
    value: Amount | None
    expected: str | None
    end: str | None
    gained: int
    recovered: tuple[str, ...]
    helps: bool


class CascadeView(Struct, frozen=True):
    """A cascade as it is shown. `unit` says what days are counted in."""

    contract: str
    today: str
    unit: str
    said: dict[str, str]
    end_before: str | None
    end_after: str | None
    milestones: tuple[ShiftLine, ...]
    newly_critical: tuple[str, ...]
    payments: tuple[PaymentLine, ...]
    damages: tuple[DamagesLine, ...]
    contingency: tuple[StandInLine, ...]
    without_day: tuple[str, ...]

    def sentences(self) -> Iterator[str]:
        """What follows, for people."""
        moved = [m for m in self.milestones if m.before != m.after]
        if self.said and not moved:
            yield "Nothing moves."
        for m in moved:
            why = f", pushed by {m.pushed_by}" if m.pushed_by else ""
            late = f"; {m.late_after} days late after its tolerance" if m.late_after else ""
            yield f"{m.milestone} moves from {m.before} to {m.after} ({m.days:+d} {self.unit}{why}){late}."
        if self.end_before != self.end_after:
            yield f"The last milestone moves from {self.end_before} to {self.end_after}."
        if self.newly_critical:
            yield f"Critical now: {', '.join(self.newly_critical)} (no slack to the last milestone is left)."
        for p in self.payments:
            yield f"{_money(p.amount)} of {p.milestone} ({p.what}) moves from {p.before} to {p.after}."
        for d in self.damages:
            yield f"Late damages of {d.milestone}: {_money(d.after)} instead of {_money(d.before)}."
        yield from self._contingencies()
        if self.without_day:
            yield f"Nothing says when {', '.join(self.without_day)} may be expected; nothing is seen through them."

    def _contingencies(self) -> Iterator[str]:
        for s in self.contingency:
            saved = f"the last milestone would come {s.gained} {self.unit} sooner" if s.gained else "the end stays"
            kept = f", {', '.join(s.recovered)} no later than before" if s.recovered else ""
            verdict = "helps" if s.helps else "would not help"
            yield f"{s.milestone} instead of {s.instead_of} {verdict}: expected {s.expected}; {saved}{kept}."


def _money(a: Amount) -> str:
    return f"{a.currency} {a.amount}"


async def cascade_of(
    settings: Settings, contract: str, delay: tuple[str, int] | None, forecasts: Mapping[str, date]
) -> CascadeView:
    """What follows from a delay, or from days that are said instead. Raises Refused where it makes no sense."""
    async with doors.open_store(settings) as store:
        state, now = await known(store, contract), await store.now()
    return ahead_of(state, settings.rules(), now, delay, forecasts)


def ahead_of(
    state: State, rules: Rules, now: int, delay: tuple[str, int] | None, forecasts: Mapping[str, date]
) -> CascadeView:
    """The same for a contract in hand, on the day of `now` (µs) in its own zone."""
    contract, seen = state.contract, _seen(state, rules, now)
    if seen is None:
        raise Refused(f"contract {contract!r} cannot be looked ahead: no version is in force, or it is frozen")
    try:
        for name in forecasts:
            check_open(seen, name)
        said = dict(forecasts) | (delayed(seen, *delay) if delay else {})
    except ValueError as error:
        raise Refused(str(error)) from None
    return _view(contract, seen, said, cascade(seen, said))


def _seen(state: State, rules: Rules, now: int) -> Picture | None:
    """The contract on the day that it is in its own zone."""
    if state.in_force == 0:
        return None
    zone = index_of(state.plans[state.in_force].plan).plan.timezone
    return picture(state, rules, day_of(max(now, state.moment), zone))


def _view(contract: str, seen: Picture, said: Mapping[str, date], found: Cascade) -> CascadeView:
    coin = seen.plan.currency
    return CascadeView(
        contract=contract, today=seen.today.isoformat(), unit=seen.days.unit,
        said={name: day.isoformat() for name, day in said.items()}, end_before=_iso(found.end_before),
        end_after=_iso(found.end_after), milestones=tuple(_shift(seen, s) for s in found.shifts),
        newly_critical=found.newly_critical,
        payments=tuple(
            PaymentLine(p.milestone, p.category, amount(p.amount, coin), _iso(p.before), _iso(p.after))
            for p in found.payments
        ),
        damages=tuple(
            DamagesLine(d.milestone, amount(d.before, coin), amount(d.after, coin)) for d in found.damages
        ),
        contingency=tuple(
            StandInLine(
                s.milestone, s.instead_of, None if (v := seen.plan_of(s.milestone).value) is None else amount(v, coin),
                _iso(s.expected), _iso(s.end), s.gained, s.recovered, s.helps,
            )
            for s in found.stand_ins
        ),
        without_day=found.without_day,
    )  # fmt: skip


def _shift(seen: Picture, s: Shift) -> ShiftLine:
    m = seen.plan_of(s.milestone)
    return ShiftLine(
        s.milestone, m.title, _iso(m.due), _iso(s.before), _iso(s.after), s.days, s.driver, s.late_before, s.late_after,
        s.slack_before, s.slack_after, s.slack_after == 0,
    )  # fmt: skip


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


class PlanLine(Struct, frozen=True):
    """Money of one milestone in the cash plan."""

    contract: str
    milestone: str
    category: str
    day: str | None
    period: str
    amount: Amount
    reasons: tuple[str, ...]


class SumLine(Struct, frozen=True):
    """The sum of one currency, period and category."""

    currency: str
    period: str
    category: str
    amount: Amount


class CashPlan(Struct, frozen=True):
    """Sums by period, the lines behind them, and contracts that could not be looked ahead."""

    by: str
    sums: tuple[SumLine, ...]
    lines: tuple[PlanLine, ...]
    left_out: tuple[str, ...]


async def cash_plan(settings: Settings, contracts: Sequence[str], by: By) -> CashPlan:
    """The cash plan of these contracts, or of all. Raises Refused for one that is not registered."""
    rules, found, left_out = settings.rules(), list[tuple[str, str, CashLine]](), list[str]()
    async with doors.open_store(settings) as store:
        now = await store.now()
        async for state in _states(store, contracts):
            seen = _seen(state, rules, now)
            if seen is None:
                left_out.append(state.contract)
            else:
                lines = cash_lines(seen, seen.network.expected())
                found += [(state.contract, seen.plan.currency, line) for line in lines]
    cells = sums(((currency, line) for _, currency, line in found), by)
    return CashPlan(
        by, tuple(SumLine(s.currency, s.period, s.category, amount(s.amount, s.currency)) for s in cells),
        tuple(_line(contract, currency, line, by) for contract, currency, line in found), tuple(left_out),
    )  # fmt: skip


async def _states(store: Store, contracts: Sequence[str]) -> AsyncIterator[State]:
    if not contracts:
        async for _, raw in await store.states():
            yield decode_state(raw)
    for name in contracts:
        state = await load(store, name)
        if state is None or not state.plans:
            raise Refused(f"no contract {name!r} is registered")
        yield state


def _line(contract: str, currency: str, line: CashLine, by: By) -> PlanLine:
    return PlanLine(
        contract, line.milestone, line.category, _iso(line.day), period_of(line.day, by),
        amount(line.amount, currency), line.reasons,
    )  # fmt: skip
