"""Flags of sign-offs: signed or reported in a way that skips a step. They change no amount; people look at them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from fractions import Fraction
from typing import NamedTuple

from contracts_schema.reasons import HoldReason as R
from services.reconciliation.calendar import midnight_of, moment_of, show_moment
from services.reconciliation.case import Case
from services.reconciliation.checks.people import duties_separated
from services.reconciliation.notices.concern import Concern, Since
from services.reconciliation.position import Position

WHOLE = 100  # percent


class Flag(NamedTuple):
    """One thing that is odd about a sign-off: what it is about, a sentence, and the facts."""

    cause: str
    detail: str
    facts: tuple[str, ...]


def sign_off_flagged(case: Case, position: Position, _since: Since) -> Iterable[Concern]:
    """A signature, or the word "met", skipped a step."""
    if "sign_off.given" not in case.standing and case.completion.percent is None:
        return ()  # as it mostly is
    if case.plan.status in ("terminated", "closed"):
        return ()
    return [Concern(flag.cause, None, position.value, flag.detail, flag.facts) for flag in bypasses(case)]


def sign_off_flags(case: Case) -> list[str]:
    """A sentence for each thing that is odd about a milestone's sign-off, and for each signature that is superseded."""
    return [*(flag.detail for flag in bypasses(case)), *_superseded(case)]


def bypasses(case: Case) -> list[Flag]:
    """Every step that was skipped: signed before it was met, signed for oneself, met and not finished."""
    completion, found = case.completion, list[Flag]()
    if case.signatures and completion.met_on is not None and case.requires("met"):
        begins = midnight_of(completion.met_on, case.plan.timezone)
        if any(slot.body.signed_at < begins for _, slot in case.signatures):
            found += _too_early(case, begins)
    if case.waived and case.signatures:
        found += _for_oneself(case)
    if completion.percent is not None and case.met:
        found += _unfinished(case, completion.percent)
    return found


def _too_early(case: Case, begins: datetime) -> Iterator[Flag]:
    """Signed on a day before the one on which the milestone was met: what was accepted was not there yet."""
    for person, slot in case.signatures:
        if slot.body.signed_at < begins:
            detail = f"{person} signed before it was met on {case.completion.met_on}"
            yield Flag(f"early:{person}", detail, (slot.fact,))


def _for_oneself(case: Case) -> Iterator[Flag]:
    """Who signed also delivered, invoiced or lifted a hold, and a waiver lets the signature count (rules D5, D6)."""
    signers = {person for person, _ in case.signatures}
    for finding in duties_separated(case):
        if finding.cause in signers and case.is_waived(R.DUTIES_NOT_SEPARATED, finding):
            yield Flag(f"oneself:{finding.cause}", f"{finding.detail}; a waiver lets it count", finding.facts)


def _unfinished(case: Case, percent: str) -> Iterator[Flag]:
    """The system of record says met at less than all of it: its steps were skipped."""
    if Fraction(percent) < WHOLE:
        yield Flag("percent", f"it is reported as met at {percent} percent", case.completion.facts)


def _superseded(case: Case) -> Iterator[str]:
    """Signed before the milestone went back: the signature no longer counts (rule D4). That a new one is missing is a
    reason, with notices of its own."""
    back = case.completion.went_back if case.requires("signed_off") else None
    for slot in case.of("sign_off.given", "sign_off") if back is not None else ():
        if slot.kind == "sign_off.given" and moment_of(slot.body.signed_at) <= (back or 0):
            person, again = case.rules.person(slot.source, slot.body.by), show_moment(back or 0)
            yield f"the signature of {person} is superseded: the milestone was re-opened at {again}"
