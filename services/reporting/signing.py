"""How long sign-offs take: from the decision that saw the milestone met until no signature is missing (FIGURES.md)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from contracts_schema.facts import SignOffGiven
from contracts_schema.reasons import HoldReason
from services.reconciliation.log import Decided
from services.reporting.dossier import Dossier, Period
from services.reporting.sheet import Sheet
from services.reporting.spread import COLUMNS, Spread


class Wait(NamedTuple):
    """One wait for signatures (µs); `end` is None while it lasts. `signed`: a signature, not a waiver, ended it."""

    begin: int
    end: int | None
    signed: bool


def signing_revisions(dossier: Dossier) -> set[int]:
    """Revisions in which somebody signed something."""
    return {e.revision for e in dossier.entries if any(isinstance(f.body, SignOffGiven) for f in e.facts)}


def waits(dossier: Dossier, milestone: str, signing: Collection[int]) -> Iterator[Wait]:
    """Every wait of a milestone: it begins when the milestone is met, and again after each re-opening. `signing`:
    revisions in which somebody signed."""
    begin: int | None = None
    was_met = False
    for line in dossier.lines.get(milestone, ()):
        met, missing = line.decided.status == "met", is_unsigned(line.decided)
        if met and not was_met:
            begin = line.moment
        if begin is not None and met and not missing:
            yield Wait(begin, line.moment, line.moment == begin or line.revision in signing)
            begin = None
        elif not met:
            begin = None
        elif begin is None and missing:  # signed before, and signatures were withdrawn
            begin = line.moment
        was_met = met
    if begin is not None and milestone in dossier.cases:
        yield Wait(begin, None, signed=False)


def is_unsigned(decided: Decided) -> bool:
    """Whether signatures are missing."""
    return any(reason.code == HoldReason.SIGN_OFF_MISSING for reason in decided.reasons)


class SignOffTime:
    """Days from met to signed, of waits that ended in the period; open waits as they stand now."""

    def __init__(self, period: Period, now: int) -> None:
        self.period, self.now = period, now
        self.signed, self.waiting = Spread(), Spread()
        self.otherwise = 0

    def add(self, dossier: Dossier) -> None:
        """Count one contract."""
        signing = signing_revisions(dossier)
        for milestone, case in dossier.counted:
            if case.requires("signed_off"):
                for wait in waits(dossier, milestone.id, signing):
                    self._count(dossier, wait)

    def _count(self, dossier: Dossier, wait: Wait) -> None:
        end = self.now if wait.end is None else wait.end
        lasted = (dossier.day(end) - dossier.day(wait.begin)).days
        if wait.end is None:
            self.waiting.add(lasted)
        elif self.period.holds(dossier.day(end)):
            if wait.signed:
                self.signed.add(lasted)
            else:
                self.otherwise += 1

    def sheet(self) -> Sheet:
        """A row for what was signed, and one for what still waits."""
        rows = (("signed", *self.signed.cells()), ("waiting", *self.waiting.cells()))
        notes = (f"{self.otherwise} waits ended without a signature: waived, or no longer required",)
        columns = ("sign_off", *COLUMNS)
        return Sheet("sign-off", "Sign-off time", columns, rows, notes if self.otherwise else ())
