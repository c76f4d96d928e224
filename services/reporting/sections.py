"""The sections of a report, by name, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final, Protocol

from services.reporting.acceptance import FirstTime
from services.reporting.ageing import Ageing
from services.reporting.answers import Unanswered
from services.reporting.dossier import Dossier, Period
from services.reporting.hold_time import HoldTime, bottlenecks, shares, shares_of_owners
from services.reporting.payable import PayableToday
from services.reporting.punctuality import Lag, OnTime
from services.reporting.rights import ReleaseRights
from services.reporting.sheet import Sheet
from services.reporting.signing import SignOffTime
from services.reporting.trend import Trend


class Section(Protocol):
    """Counts contracts one by one, and says what came of it."""

    def add(self, dossier: Dossier) -> None:
        """Count one contract; nothing of it is kept but what is counted."""

    def sheet(self) -> Sheet:
        """What was counted."""


class HoldsByReason(HoldTime):
    """Hold time by reason."""

    def __init__(self, period: Period, now: int) -> None:
        super().__init__(period, now, shares)

    def sheet(self) -> Sheet:
        """A row for each reason and currency."""
        return self.table("holds-by-reason", "Hold time by reason", "reason")


class HoldsByOwner(HoldTime):
    """Hold time by whose turn it was."""

    def __init__(self, period: Period, now: int) -> None:
        super().__init__(period, now, shares_of_owners)

    def sheet(self) -> Sheet:
        """A row for each owner and currency."""
        return self.table("holds-by-turn", "Hold time by whose turn it was", "turn_of")


class Bottlenecks:
    """The ranking of those whose turn it was."""

    def __init__(self, period: Period, now: int) -> None:
        self._owners, self._reasons = HoldsByOwner(period, now), HoldsByReason(period, now)

    def add(self, dossier: Dossier) -> None:
        """Count one contract."""
        self._owners.add(dossier)
        self._reasons.add(dossier)

    def sheet(self) -> Sheet:
        """A row for each rank and currency."""
        return bottlenecks(self._owners, self._reasons)


# What each section is made of, given the period and the moment (µs) of the report. These count contract by contract;
# `unclaimed` and `control` do not, since only the store and the gate know them.
SECTIONS: Final[Mapping[str, Callable[[Period, int], Section]]] = {
    "on-time": OnTime,
    "lag": lambda period, _: Lag(period),
    "sign-off": SignOffTime,
    "holds-by-reason": HoldsByReason,
    "holds-by-turn": HoldsByOwner,
    "acceptance": lambda period, _: FirstTime(period),
    "trend": Trend,
    "bottlenecks": Bottlenecks,
    "payable": lambda _period, _now: PayableToday(),
    "ageing": lambda _, now: Ageing(now),
    "unanswered": lambda _, now: Unanswered(now),
    "rights": lambda period, _: ReleaseRights(period),
}
FIGURES: Final = (
    "on-time",
    "lag",
    "sign-off",
    "holds-by-reason",
    "holds-by-turn",
    "acceptance",
    "trend",
    "bottlenecks",
)
FINANCE: Final = ("payable", "unclaimed", "ageing", "unanswered")
AUDIT: Final = ("control", "rights")
NAMES: Final = (*FIGURES, *FINANCE, *AUDIT)
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {"figures": FIGURES, "finance": FINANCE, "audit": AUDIT, "all": NAMES}


def named(wanted: Collection[str]) -> tuple[list[str], list[str]]:
    """The sections that these names (or groups) stand for, in order, and the names that stand for nothing."""
    chosen = {name for one in wanted or ("all",) for name in GROUPS.get(one, (one,))}
    return [name for name in NAMES if name in chosen], sorted(chosen - set(NAMES))
