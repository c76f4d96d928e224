"""Who could release, and who did what lets money go: entitlements, signatures, waivers, lifted holds, by person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from contracts_schema import facts as f
from contracts_schema.fact_fields import Body
from contracts_schema.money import format_amount
from services.reconciliation.calendar import show_moment
from services.reporting.dossier import Dossier, Period
from services.reporting.sheet import Cell, Sheet


class Right(NamedTuple):
    """One entitlement or one act. `when` is the moment of the revision, or empty for an entitlement."""

    person: str
    what: str
    where: str
    when: str
    detail: str


def entitlements(dossier: Dossier) -> Iterator[Right]:
    """Who may sign in the plan in force; everybody of a role where no authority is listed."""
    asked, where = dossier.plan.sign_off, dossier.contract
    quorum = f"{asked.quorum} must sign"
    if not asked.authority:
        for role in asked.roles or ("any role",):
            yield Right("(anybody)", "may sign", where, "", f"{role}; {quorum}")
    for a in asked.authority:
        limit = (
            f"up to {format_amount(a.up_to, dossier.plan.currency)} {dossier.plan.currency}"
            if a.up_to is not None
            else "no limit"
        )
        term = f"from {a.from_ or 'ever'} until {a.until or 'further notice'}"
        yield Right(
            dossier.rules.person("register", a.person), "may sign", where, "", f"{a.role}; {limit}; {term}; {quorum}"
        )


def acts(dossier: Dossier, period: Period) -> Iterator[Right]:
    """Acts in the log that let money go, in the order in which they were decided on."""
    for entry in dossier.entries:
        if not period.holds(dossier.day(entry.moment)):
            continue
        for fact in entry.facts:
            place = f"{entry.contract}/{fact.address.milestone}" if fact.address.milestone else entry.contract
            for identity, what, detail in _done(fact.body):
                yield Right(dossier.rules.person(fact.source, identity), what, place, show_moment(entry.moment), detail)


def _done(body: Body) -> Iterator[tuple[str, str, str]]:
    """Who did what with one fact."""
    match body:
        case f.SignOffGiven():
            yield body.by, "signed", body.role
        case f.ReasonWaived():
            cause = f" for {body.cause}" if body.cause else ""
            detail = f"{body.code}{cause}; ticket {body.ticket}; until {body.until or 'further notice'}"
            yield body.by, "asked for a waiver", detail
            yield body.approved_by, "approved a waiver", detail
        case f.HoldLifted():
            yield body.by, "lifted a hold", body.hold
        case f.DisputeResolved():
            yield body.by, "resolved a dispute", body.dispute
        case f.MilestoneActivated():
            yield body.by, "activated a contingency", ""
        case _:
            return


def approvals(dossier: Dossier) -> Iterator[Right]:
    """Who approved the amendments that came into force, and the opening balances."""
    for span in dossier.spans:
        amendment, when = span.plan.amendment, show_moment(span.moment)
        if amendment is not None and amendment.approved_by:
            yield Right(
                _named(dossier, amendment.approved_by), "approved an amendment", dossier.contract, when, amendment.id
            )
    for milestone in dossier.spans[0].plan.milestones if dossier.spans else ():
        if milestone.opening is not None:
            place, when = f"{dossier.contract}/{milestone.id}", show_moment(dossier.spans[0].moment)
            person = _named(dossier, milestone.opening.approved_by)
            yield Right(person, "approved an opening balance", place, when, milestone.opening.reference)


def _named(dossier: Dossier, identity: str) -> str:
    return dossier.rules.person("register", identity)


class ReleaseRights:
    """Rows by person."""

    def __init__(self, period: Period) -> None:
        self.period = period
        self.rows: list[tuple[Cell, ...]] = []

    def add(self, dossier: Dossier) -> None:
        """Count one contract."""
        self.rows += [*entitlements(dossier), *acts(dossier, self.period), *approvals(dossier)]

    def sheet(self) -> Sheet:
        """A row for each entitlement and act, by person."""
        rows = tuple(sorted(self.rows, key=str))
        return Sheet("rights", "Who could release", ("person", "what", "where", "when", "detail"), rows)
