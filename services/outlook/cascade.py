"""The cascade of a delay: which milestones move, which payments with them, what it costs, and what would help."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from services.outlook.cash import CashLine, cash_lines
from services.outlook.network import Expected, Network
from services.outlook.picture import Picture


class Shift(NamedTuple):
    """A milestone before and after. `days` are counted as the contract counts; `driver` is what pushes it now.

    `late` are plain days beyond due date and tolerance. `slack` is None for one that is met or has no day.
    """

    milestone: str
    before: date | None
    after: date | None
    days: int
    driver: str | None
    late_before: int
    late_after: int
    slack_before: int | None
    slack_after: int | None


class PaymentShift(NamedTuple):
    """Money that is expected on another day than before, in minor units."""

    milestone: str
    category: str
    amount: int
    before: date | None
    after: date | None


class Damages(NamedTuple):
    """What being late costs the supplier of a milestone, in minor units, before and after."""

    milestone: str
    before: int
    after: int


class StandIn(NamedTuple):
    """A contingency milestone, and what it would do if it took over.

    `end` is when the last milestone would be expected, `gained` the days won against the delay, `recovered` the
    milestones that would no longer be later than before.
    """

    milestone: str
    instead_of: str
    expected: date | None
    end: date | None
    gained: int
    recovered: tuple[str, ...]

    @property
    def helps(self) -> bool:
        """Whether anything would come sooner."""
        return self.gained > 0 or bool(self.recovered)


class Cascade(NamedTuple):
    """Everything that follows from a change of days. `told` are milestones that cannot be looked through for want of a
    day."""

    shifts: tuple[Shift, ...]
    payments: tuple[PaymentShift, ...]
    damages: tuple[Damages, ...]
    stand_ins: tuple[StandIn, ...]
    end_before: date | None
    end_after: date | None
    without_day: tuple[str, ...]

    @property
    def moved(self) -> tuple[Shift, ...]:
        """The milestones that move."""
        return tuple(s for s in self.shifts if s.before != s.after)

    @property
    def newly_critical(self) -> tuple[str, ...]:
        """Milestones that had slack and have none any more."""
        return tuple(s.milestone for s in self.shifts if s.slack_after == 0 and (s.slack_before or 0) > 0)


def delayed(picture: Picture, milestone: str, days: int) -> dict[str, date]:
    """The change of days that a delay is: so many days later than the milestone is expected now.

    Raises:
        ValueError: it is met, does not count, or has no day from which a delay could be counted.
    """
    check_open(picture, milestone)
    day = picture.network.expected()[milestone].day
    if day is None:
        raise ValueError(f"nothing says when {milestone} is expected: say a day with --forecast {milestone}=DATE")
    return {milestone: picture.days.after(day, days)}


def check_open(picture: Picture, milestone: str) -> None:
    """Whether a milestone can move at all.

    Raises:
        ValueError: it is no milestone, does not count, or is met.
    """
    node = picture.network.nodes.get(milestone)
    if node is None and milestone in picture.contract.index.milestones:
        raise ValueError(f"{milestone} does not count: it is a contingency milestone, or one has taken over from it")
    if node is None:
        raise ValueError(f"{milestone!r} is no milestone; there are {', '.join(sorted(picture.network.nodes))}")
    if node.met is not None:
        raise ValueError(f"{milestone} was met on {node.met}; it cannot move any more")


def cascade(picture: Picture, said: Mapping[str, date]) -> Cascade:
    """What follows where these days are said instead of what the milestones say of themselves."""
    network = picture.network
    before, after = network.expected(), network.expected(said)
    shifts = _shifts(network, before, after)
    lines = cash_lines(picture, before), cash_lines(picture, after)
    moved = {s.milestone for s in shifts if s.before != s.after}
    return Cascade(
        shifts, _payments(*lines), _damages(*lines), _stand_ins(picture, said, before, after, moved), _end(before),
        _end(after), tuple(name for name, e in after.items() if e.day is None),
    )  # fmt: skip


def _shifts(network: Network, before: Mapping[str, Expected], after: Mapping[str, Expected]) -> tuple[Shift, ...]:
    slack, left = network.slack(before), network.slack(after)
    return tuple(
        Shift(
            name, before[name].day, after[name].day, _apart(network, before[name].day, after[name].day),
            after[name].driver, _late(network, name, before[name].day), _late(network, name, after[name].day),
            slack[name], left[name],
        )
        for name in network.nodes
    )  # fmt: skip


def _apart(network: Network, before: date | None, after: date | None) -> int:
    return 0 if before is None or after is None else network.days.between(before, after)


def _late(network: Network, name: str, day: date | None) -> int:
    """Plain days beyond due date and tolerance, as damages count them (rule C6)."""
    node = network.nodes[name]
    return 0 if node.due is None or day is None else max(0, (day - node.due).days - node.tolerance_days)


def _end(expected: Mapping[str, Expected]) -> date | None:
    return max((e.day for e in expected.values() if e.day is not None), default=None)


def _payments(before: list[CashLine], after: list[CashLine]) -> tuple[PaymentShift, ...]:
    """Lines whose day is another one. What turns into damages is told as such."""
    days = {(line.milestone, line.category): line for line in before if line.day is not None}
    found = []
    for line in after:
        was = days.get((line.milestone, line.category))
        if was is not None and was.day != line.day:
            found.append(PaymentShift(line.milestone, line.category, line.amount, was.day, line.day))
    return tuple(found)


def _damages(before: list[CashLine], after: list[CashLine]) -> tuple[Damages, ...]:
    was = {line.milestone: line.amount for line in before if line.category == "damages"}
    now = {line.milestone: line.amount for line in after if line.category == "damages"}
    names = dict.fromkeys([*was, *now])
    found = (Damages(name, was.get(name, 0), now.get(name, 0)) for name in names)
    return tuple(one for one in found if one.before != one.after)


def _stand_ins(
    picture: Picture, said: Mapping[str, date], before: Mapping[str, Expected], after: Mapping[str, Expected],
    moved: set[str],
) -> tuple[StandIn, ...]:  # fmt: skip
    """Contingency milestones of what moves, the one that gains most first."""
    found = []
    for name in picture.waiting_stand_ins():
        original = picture.plan_of(name).contingency_for or ""
        if original in moved:
            found.append(_stand_in(picture, name, original, said, before, after, moved))
    return tuple(sorted(found, key=lambda one: (-one.gained, -len(one.recovered))))


def _stand_in(
    picture: Picture, name: str, original: str, said: Mapping[str, date], before: Mapping[str, Expected],
    after: Mapping[str, Expected], moved: set[str],
) -> StandIn:  # fmt: skip
    with_it = picture.with_stand_in(name).expected(said)
    end, late_end = _end(with_it), _end(after)
    gained = 0 if end is None or late_end is None else max(0, picture.days.between(end, late_end))
    recovered = tuple(m for m in moved if m in with_it and _not_later(with_it[m].day, before[m].day))
    return StandIn(name, original, with_it[name].day, end, gained, tuple(sorted(recovered)))


def _not_later(day: date | None, other: date | None) -> bool:
    return day is not None and other is not None and day <= other
