"""Checks of the proofs that a release needs."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator
from datetime import date
from fractions import Fraction

from services.reconciliation.calendar import later
from services.reconciliation.case import Case, Finding

_MEASURE = re.compile(r"measure:([^<>=]+)(<=|>=|<|>|=)(.+)")
_COMPARE = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt, "=": operator.eq}


def met(case: Case) -> Iterator[Finding]:
    """The system of record says met; incentives have an objective proof instead (rule C6)."""
    for required in case.milestone.requires:
        if required == "met" and not case.met:
            yield Finding("met", f"its status is {case.completion.status}", case.completion.facts)
        elif required.startswith("on_time:"):
            yield from _on_time(case, required)
        elif required.startswith("measure:"):
            yield from _measured(case, required)


def _on_time(case: Case, required: str) -> Iterator[Finding]:
    other = case.contract.cases[required.removeprefix("on_time:")]
    last = later(other.milestone.due, other.milestone.tolerance_days) if other.milestone.due else None
    met_on = other.completion.met_on
    if not (other.met and met_on is not None and last is not None and met_on <= last):
        yield Finding(required, _not_on_time(other, last), other.completion.facts)


def _not_on_time(other: Case, last: date | None) -> str:
    """Too late, or not yet: who reads it must be able to tell."""
    name, by = other.milestone.id, last or "a due date"
    if other.met and other.completion.met_on is not None:
        return f"{name} was met on {other.completion.met_on}, and had to be by {by}"
    return f"{name} is not met, and has to be by {by}"


def _measured(case: Case, required: str) -> Iterator[Finding]:
    match = _MEASURE.fullmatch(required)
    assert match is not None  # noqa: S101 -- the registration was refused otherwise
    name, sign, limit = match.groups()
    reported = [s for s in case.of("measure.reported", "measure") if s.body.name == name]
    if not reported:
        yield Finding(required, f"{name} was never reported")
        return
    newest = max(reported, key=lambda s: (-_rank(case, s.source), s.body.period, s.order))
    if not _COMPARE[sign](Fraction(newest.body.value), Fraction(limit)):
        detail = f"{name} is {newest.body.value} in {newest.body.period}, not {sign} {limit}"
        yield Finding(required, detail, (newest.fact,))


def _rank(case: Case, source: str) -> int:
    rank = case.rules.rank(case.plan, "measure", source)
    return 99 if rank is None else rank


def precursors_met(case: Case) -> Iterator[Finding]:
    """Every milestone that this one comes after is met (rule D2)."""
    for name in case.milestone.after:
        if not case.contract.is_met(name):
            yield Finding(name, f"{name} comes first and is not met")


def something_accepted(case: Case) -> Iterator[Finding]:
    """Where a receipt is required, some of what was ordered is accepted (rule C2)."""
    if case.requires("received") and not case.receipt.share:
        yield Finding("received", case.receipt.detail, case.receipt.facts)


def evidence_attached(case: Case) -> Iterator[Finding]:
    """Each required document is attached."""
    required = [r.removeprefix("evidence:") for r in case.milestone.requires if r.startswith("evidence:")]
    attached = attached_evidence(case) if required else {}
    for name in required:
        if name not in attached:
            yield Finding(name, f"{name} is not attached")


def attached_evidence(case: Case) -> dict[str, str]:
    """Name to SHA-256 of every document attached now; of several systems' the newest word."""
    attached: dict[str, str] = {}
    for slot in sorted(case.of("evidence.attached", "evidence"), key=lambda s: (s.order[1], s.source)):
        if slot.kind == "evidence.attached":
            attached[slot.body.name] = slot.body.sha256
    return attached
