"""How long and how much each reason, and each of those whose turn it was, has held (FIGURES.md: holds, bottlenecks)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

from msgspec import Struct

from contracts_schema.reasons import PARTIAL, REMEDIES, HoldReason
from services.reconciliation.log import Decided
from services.reporting.dossier import Dossier, Period, Stretch
from services.reporting.sheet import Cell, Sheet, add_to, days, money_days, written

Shares = Mapping[str, Fraction]


def shares(decided: Decided) -> dict[str, Fraction]:
    """Which part of what is held each reason accounts for, in minor units; together they are all that is held.

    A partial reason accounts for its own amount, in order of precedence, as far as something is left; the blocking ones
    share the rest evenly, because each of them alone would hold it.
    """
    left = Fraction(decided.held)
    found: dict[str, Fraction] = {}
    for reason in decided.reasons:
        if reason.code in PARTIAL:
            found[reason.code] = min(left, Fraction(reason.amount))
            left -= found[reason.code]
    blocking = [reason.code for reason in decided.reasons if reason.code not in PARTIAL]
    return found | {code: left / len(blocking) for code in blocking}


def owner_of(code: str) -> str:
    """Whose turn it is while a reason stands: who can clear it."""
    return REMEDIES[HoldReason(code)].owner


def shares_of_owners(decided: Decided) -> dict[str, Fraction]:
    """The same for those whose turn it is."""
    found: dict[str, Fraction] = {}
    for code, share in shares(decided).items():
        found[owner_of(code)] = found.get(owner_of(code), Fraction(0)) + share
    return found


class Held(Struct):
    """What one reason, or one owner, has held: how often, how long (µs), how much of it alone, and money times time.

    `spells` counts unbroken times at one milestone, `open` those that last; `longest` is the longest of them in the
    period. `money` is in minor units x µs, by currency.
    """

    spells: int = 0
    open: int = 0
    time: int = 0
    alone: int = 0
    longest: int = 0
    money: dict[str, Fraction] = {}


class HoldTime:
    """Hold time by whatever `split` says: by reason, or by owner."""

    def __init__(self, period: Period, now: int, split: Callable[[Decided], Shares]) -> None:
        self.period, self.now, self.split = period, now, split
        self.held: dict[str, Held] = {}
        self.money: dict[str, Fraction] = {}

    def add(self, dossier: Dossier) -> None:
        """Count one contract, also milestones that have left its plan."""
        in_plan = {milestone.id for milestone in dossier.plan.milestones}
        for milestone in dossier.lines:
            running: dict[str, int] = {}
            for stretch in dossier.stretches(milestone, self.now):
                running = self._take(dossier, stretch, running)
            for name in running if milestone in in_plan else ():
                self.held[name].open += 1

    def _take(self, dossier: Dossier, stretch: Stretch, running: Mapping[str, int]) -> dict[str, int]:
        """Count one stretch; how long each spell that stands at its end has lasted."""
        begin, end = self.period.clip(stretch.begin, stretch.end, dossier.plan.timezone)
        split, currency = self.split(stretch.decided), stretch.decided.currency
        standing = {}
        for name, share in split.items():
            held = self.held.setdefault(name, Held())
            fresh = name not in running or (running[name] == 0 and begin < end)
            held.spells += fresh and begin < end
            standing[name] = running.get(name, 0) + end - begin
            held.longest = max(held.longest, standing[name])
            held.time += end - begin
            held.alone += (end - begin) * (len(split) == 1)
            add_to(held.money, {currency: share * (end - begin)})
        add_to(self.money, {currency: Fraction(stretch.decided.held * (end - begin))} if split else {})
        return standing

    def table(self, name: str, title: str, first: str) -> Sheet:
        """A row for each reason (or owner) and currency, the most money times time first."""
        columns = (first, "currency", "spells", "open", "days", "days_alone", "longest_days", "money_days")
        rows = [_row(key, self.held[key], currency) for key, currency in self.ranked()]
        return Sheet(name, title, columns, tuple(rows))

    def ranked(self) -> list[tuple[str, str]]:
        """Names and currencies: by currency, the most money times time first, then the longest."""
        pairs = [(key, currency) for key, held in self.held.items() for currency in held.money]
        return sorted(pairs, key=lambda p: (p[1], -self.held[p[0]].money[p[1]], -self.held[p[0]].time, p[0]))


def _row(name: str, held: Held, currency: str) -> tuple[Cell, ...]:
    money = money_days(held.money[currency], currency)
    return (
        name, currency, held.spells, held.open, days(held.time), days(held.alone), days(held.longest), money,
    )  # fmt: skip


def bottlenecks(by_owner: HoldTime, by_reason: HoldTime, top: int = 10) -> Sheet:
    """Whose turn held the most money for the longest, in each currency, with the reason that weighs most in it."""
    rows: list[tuple[Cell, ...]] = []
    rank: dict[str, int] = {}
    for owner, currency in by_owner.ranked():
        rank[currency] = rank.get(currency, 0) + 1
        money = by_owner.held[owner].money[currency]
        if rank[currency] > top or not money:
            continue
        share, because = written(100 * money / by_owner.money[currency], 1), _heaviest(by_reason, owner, currency)
        rows.append((rank[currency], currency, owner, money_days(money, currency), share, because))
    columns = ("rank", "currency", "turn_of", "money_days", "share_percent", "mostly_because")
    return Sheet("bottlenecks", "Bottlenecks", columns, tuple(rows))


def _heaviest(by_reason: HoldTime, owner: str, currency: str) -> str | None:
    return next((code for code, c in by_reason.ranked() if c == currency and owner_of(code) == owner), None)
