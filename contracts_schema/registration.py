"""From the registration document to the plan, or to one refusal that lists every fault (rules B1 to B8).

What needs the version before (`replaces`, a changed opening) is checked where that version is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from pydantic import ValidationError

from contracts_schema import plan as p
from contracts_schema import registration_document as d
from contracts_schema.errors import Refused
from contracts_schema.money import format_amount, parse_amount
from contracts_schema.registration_document import Registration, registration_schema
from contracts_schema.registration_faults import plan_faults

DEFAULT_REQUIRES = ("met", "signed_off", "invoiced")

__all__ = ["Registration", "read_registration", "registration_schema"]


def read_registration(document: object) -> p.Plan:
    """The plan that a registration document describes.

    Raises:
        Refused: the sentence lists every fault with its field, its value and the rule.
    """
    plan = check_registration(document)
    if isinstance(plan, list):
        raise Refused("registration refused: " + "; ".join(plan))
    return plan


def check_registration(document: object) -> p.Plan | list[str]:
    """The plan that a registration document describes, or every fault that is in it."""
    try:
        registration = Registration.model_validate(document)
    except ValidationError as error:
        return [*_faults(error)]
    faults = [*plan_faults(registration)]
    if faults:
        return faults
    plan, faults = _plan(registration)
    return faults or plan


def _faults(error: ValidationError) -> Iterator[str]:
    for fault in error.errors(include_url=False):
        field = ".".join(str(part) for part in fault["loc"]) or "the document"
        if fault["type"] == "extra_forbidden":
            yield f"{field} is no field of a registration"
        elif fault["type"] == "missing":
            yield f"{field} is missing"
        else:
            yield f"{field}: {_shown(fault['input'])} {fault['msg'].removeprefix('Value error, ')}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


class _Amounts:
    """Reads amounts of one registration, collecting the faults."""

    def __init__(self, currency: str) -> None:
        self.currency = currency
        self.faults: list[str] = []

    def minor(self, field: str, text: str | None) -> int | None:
        if text is None:
            return None
        try:
            minor = parse_amount(text, self.currency)
        except ValueError as error:
            self.faults.append(f"{field}: {error}")
            return 0
        if minor < 0:
            self.faults.append(f"{field}: {text} is negative")
        return minor


def _plan(r: d.Registration) -> tuple[p.Plan, list[str]]:
    read = _Amounts(r.currency)
    cap = read.minor("value_cap", r.value_cap)
    band = read.minor("rounding_band", r.rounding_band)
    band = len(r.milestones) if band is None else band
    values, unallocated = _values(r, cap, band, read)
    milestones = tuple(_milestone(m, values.get(m.id), read) for m in r.milestones)
    plan = p.Plan(
        contract=r.contract, version=r.version, title=r.title, buyer=r.buyer.id, buyer_name=r.buyer.name,
        supplier=r.supplier.id, supplier_name=r.supplier.name, supplier_identifiers=tuple(r.supplier.identifiers),
        currency=r.currency, timezone=r.timezone, calendar=r.calendar, status=r.status, finance=r.finance,
        value_cap=cap, rounding_band=band, unallocated=unallocated, refs=_refs(r.refs),
        retention=_retention(r.retention, read), advance=_advance(r.advance, read),
        sign_off=_sign_off(r.sign_off, read), compliance=tuple(r.compliance),
        hold_on_conflict=tuple(r.hold_on_conflict),
        authority={field: tuple(names) for field, names in r.authority.items()},
        rates=tuple(p.Rate(x.from_, x.rate, x.valid_from) for x in r.rates),
        amendment=p.Amendment(**r.amendment.model_dump()) if r.amendment else None, milestones=milestones,
    )  # fmt: skip
    return plan, read.faults


def _values(r: d.Registration, cap: int | None, band: int, read: _Amounts) -> tuple[dict[str, int], int]:
    """Each payable milestone's value; percentages are of the cap, rounded down, the rest goes to the last (rule B2)."""
    values: dict[str, int] = {}
    for m in r.milestones:
        if m.value is not None:
            values[m.id] = read.minor(f"milestones.{m.id}.value", m.value) or 0
            if values[m.id] <= 0:
                read.faults.append(f"milestones.{m.id}.value: {m.value} is not above zero (rule B1)")
    parts = [m for m in r.milestones if m.percent is not None]
    if not parts:
        return values, 0
    if cap is None:
        read.faults.append(f"milestones.{parts[0].id}.percent: a percentage needs a value_cap (rule B2)")
        return values, 0
    for m in parts:
        values[m.id] = int(cap * Fraction(m.percent or "0") / 100)
    planned = sum(values.get(m.id, 0) for m in r.milestones if not m.contingency_for)
    rest = cap - planned
    regular = [m for m in parts if not m.contingency_for]
    if rest < -band:
        over = format_amount(-rest, r.currency)
        read.faults.append(
            f"milestones: the percentages add up to {over} more than value_cap, beyond the rounding band (rule B2)"
        )
    elif abs(rest) <= band and regular:
        values[regular[-1].id] += rest
        rest = 0
    read.faults += [
        f"milestones.{m.id}.percent: {m.percent} percent of value_cap is nothing" for m in parts if values[m.id] <= 0
    ]
    return values, max(0, rest)


def _milestone(m: d.MilestoneDocument, value: int | None, read: _Amounts) -> p.Milestone:
    requires = tuple(m.requires) if m.requires is not None else DEFAULT_REQUIRES if m.payable else ()
    opening = None
    if m.opening:
        released = read.minor(f"milestones.{m.id}.opening.released", m.opening.released) or 0
        if released > (value or 0):
            read.faults.append(
                f"milestones.{m.id}.opening.released: {m.opening.released} is more than the value (rule B8)"
            )
        opening = p.Opening(released, m.opening.as_of, m.opening.reference, m.opening.approved_by)
    return p.Milestone(
        id=m.id, title=m.title, kind=m.kind, value=value, due=m.due, tolerance_days=m.tolerance_days,
        quantity=m.quantity, unit=m.unit, owner=m.owner, after=tuple(m.after), requires=requires,
        deliverables=tuple(part.model_dump() for part in m.deliverables), refs=_refs(m.refs),
        contingency_for=m.contingency_for, replaces=tuple(m.replaces), opening=opening,
        late_damages=p.LateDamages(**m.late_damages.model_dump()) if m.late_damages else None,
    )  # fmt: skip


def _refs(refs: dict[str, list[str]]) -> p.Refs:
    return {source: tuple(keys) for source, keys in refs.items()}


def _retention(r: d.Retention | None, read: _Amounts) -> p.Retention | None:
    if r is None:
        return None
    steps = tuple(p.RetentionStep(s.rate_percent, s.until_percent, s.returns_percent) for s in r.steps)
    return p.Retention(steps, read.minor("retention.cap", r.cap), r.release_on, r.defects_days)


def _advance(a: d.Advance | None, read: _Amounts) -> p.Advance | None:
    return p.Advance(read.minor("advance.amount", a.amount) or 0, a.recoup_percent) if a else None


def _sign_off(s: d.SignOff, read: _Amounts) -> p.SignOff:
    authority = tuple(
        p.Authority(a.person, a.role, read.minor("sign_off.authority.up_to", a.up_to), a.from_, a.until)
        for a in s.authority
    )
    return p.SignOff(s.quorum, tuple(s.roles), s.due_working_days, authority)
