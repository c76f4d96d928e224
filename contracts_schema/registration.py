"""The registration document that people write (YAML or JSON), checked whole: every fault is listed at once.

`read_registration` turns it into a `Plan`. Rules B1 to B8 are checked here as far as one document can show them; what
needs the version before (`replaces`, a changed opening) is checked where that version is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, ValidationError, WithJsonSchema

from contracts_schema import plan as p
from contracts_schema.errors import Refused
from contracts_schema.money import decimals, format_amount, parse_amount
from contracts_schema.records import IDENTIFIER, is_identifier

CONFLICT_FIELDS = ("completion", "due", "forecast", "baseline", "value", "received", "invoice")
DEFAULT_REQUIRES = ("met", "signed_off", "invoiced")
_REQUIREMENT = re.compile(r"met|received|signed_off|invoiced|evidence:.+|on_time:.+|measure:[^<>=]+(<=|>=|<|>|=).+")
_MEASURE = re.compile(r"measure:[^<>=]+(?:<=|>=|<|>|=)-?[0-9]{1,15}(\.[0-9]{1,9})?")


def _plain_date(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return date.fromisoformat(value)
    if isinstance(value, date):
        return value
    raise ValueError("is not a date of the form 2026-12-31")


def _percent(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,6})?", value) or Fraction(value) > 100:
        raise ValueError('is not a percentage from 0 to 100 such as "33.34"')
    return value


def _figure(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", value):
        raise ValueError('is not a decimal string such as "0.92"')
    return value


def _identifier(value: object) -> object:
    if not is_identifier(value):
        raise ValueError("is not a text of 1 to 300 visible characters")
    return value


# What the validators ask for, as the published schema says it.
_PERCENT_SCHEMA = {
    "anyOf": [
        {"type": "string", "pattern": r"^[0-9]{1,3}(\.[0-9]{1,6})?$"},
        {"type": "integer", "minimum": 0, "maximum": 100},
    ]
}
_FIGURE_SCHEMA = {"type": "string", "pattern": r"^[0-9]{1,12}(\.[0-9]{1,9})?$"}

Id = Annotated[str, BeforeValidator(_identifier), WithJsonSchema({"type": "string", "pattern": IDENTIFIER})]
Text = Annotated[str, Field(max_length=4000)]
Day = Annotated[date, BeforeValidator(_plain_date)]
Percent = Annotated[str, BeforeValidator(_percent), WithJsonSchema(_PERCENT_SCHEMA)]
Figure = Annotated[str, BeforeValidator(_figure), WithJsonSchema(_FIGURE_SCHEMA)]
Amount = Annotated[str, Field(pattern=r"^-?[0-9]{1,15}(\.[0-9]{1,4})?$")]
Refs = dict[Id, list[Id]]


class Document(BaseModel):
    """Base of the document's parts: fields that do not exist are refused, nothing is coerced."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Party(Document):
    """Buyer or supplier: our id for them, a name, and every other identifier they are known by (rule B7)."""

    id: Id
    name: Text | None = None
    identifiers: list[Id] = []


class LateDamages(Document):
    percent_per_day: Percent
    cap_percent: Percent


class Opening(Document):
    released: Amount
    as_of: Day
    reference: Text
    approved_by: Id


class Deliverable(Document):
    name: Text
    acceptance: Text = ""


class MilestoneDocument(Document):
    """One milestone of the document; DEFAULT_REQUIRES stands where `requires` is left out (rule B1)."""

    id: Id
    title: Text
    kind: Literal["project", "deliverable", "payment"]
    value: Amount | None = None
    percent: Percent | None = None
    due: Day | None = None
    quantity: Figure | None = None
    unit: Id | None = None
    tolerance_days: Annotated[StrictInt, Field(ge=0, le=3650)] = 0
    owner: Id | None = None
    after: list[Id] = []
    requires: list[Id] | None = None
    deliverables: list[Deliverable] = []
    refs: Refs = {}
    contingency_for: Id | None = None
    late_damages: LateDamages | None = None
    replaces: list[Id] = []
    opening: Opening | None = None

    @property
    def payable(self) -> bool:
        return self.value is not None or self.percent is not None


class RetentionStep(Document):
    rate_percent: Percent
    until_percent: Percent | None = None
    returns_percent: Percent | None = None


class Retention(Document):
    steps: Annotated[list[RetentionStep], Field(min_length=1)]
    cap: Amount | None = None
    release_on: Id | None = None
    defects_days: Annotated[StrictInt, Field(ge=0, le=36500)] = 0


class Advance(Document):
    amount: Amount
    recoup_percent: Percent


class Authority(Document):
    person: Id
    role: Id
    up_to: Amount | None = None
    from_: Annotated[Day | None, Field(alias="from")] = None
    until: Day | None = None


class SignOff(Document):
    quorum: Annotated[StrictInt, Field(ge=1, le=20)] = 1
    roles: list[Id] = []
    due_working_days: Annotated[StrictInt, Field(ge=0, le=365)] | None = None
    authority: list[Authority] = []


class Rate(Document):
    from_: Annotated[Id, Field(alias="from")]
    rate: Figure
    valid_from: Day


class Amendment(Document):
    id: Id
    state: Literal["proposed", "approved", "rejected"]
    rationale: Text
    requested_by: Id
    approved_by: Id | None = None
    effective_from: Day | None = None


class Registration(Document):
    """The document of one version of a contract (§3.1)."""

    contract: Id
    version: Annotated[StrictInt, Field(ge=1, le=1_000_000)]
    title: Text
    buyer: Party
    supplier: Party
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    timezone: Id = "UTC"
    calendar: Id | None = None
    status: Literal["draft", "active", "suspended", "terminated", "closed"] = "active"
    finance: Id | None = None
    value_cap: Amount | None = None
    rounding_band: Amount | None = None
    refs: Refs = {}
    retention: Retention | None = None
    advance: Advance | None = None
    sign_off: SignOff = SignOff()
    compliance: list[Id] = []
    hold_on_conflict: list[Literal["completion", "due", "forecast", "baseline", "value", "received", "invoice"]] = [
        "completion"
    ]
    authority: dict[Literal["completion", "due", "forecast", "baseline", "value", "received", "invoice"], list[Id]] = {}
    rates: list[Rate] = []
    amendment: Amendment | None = None
    milestones: Annotated[list[MilestoneDocument], Field(min_length=1, max_length=10_000)]


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
    faults = [*_plan_faults(registration)]
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


def _plan_faults(r: Registration) -> Iterator[str]:
    """Everything that can be wrong with the plan beside amounts."""
    yield from _header_faults(r)
    names = [m.id for m in r.milestones]
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield f"milestones: two are called {name!r}"
    for m in r.milestones:
        yield from _milestone_faults(m, set(names))
    if r.retention:
        yield from _retention_faults(r.retention, set(names))
    for field, edges in (
        ("after", {m.id: m.after for m in r.milestones}),
        ("contingency_for", {m.id: [m.contingency_for] for m in r.milestones if m.contingency_for}),
    ):
        circle = _circle(edges)
        if circle:
            yield f"{field}: {' after '.join(circle)} wait for each other in a circle (rule B4)"


def _header_faults(r: Registration) -> Iterator[str]:
    try:
        decimals(r.currency)
    except ValueError as error:
        yield f"currency: {error}"
    try:
        ZoneInfo(r.timezone)
    except (ValueError, OSError):
        yield f"timezone: {r.timezone!r} is no IANA time zone such as Europe/Berlin"
    a = r.amendment
    if a and a.state == "approved" and not a.approved_by:
        yield "amendment.approved_by is missing although its state is approved (rule B3)"
    if a and a.approved_by and a.approved_by == a.requested_by:
        yield f"amendment: {a.requested_by!r} cannot approve their own change"


def _milestone_faults(m: MilestoneDocument, names: set[str]) -> Iterator[str]:
    at = f"milestones.{m.id}"
    if m.value is not None and m.percent is not None:
        yield f"{at}: value and percent exclude each other"
    if m.kind == "payment" and not m.payable:
        yield f"{at}: a payment milestone needs a value or a percent (rule B1)"
    if m.payable and m.requires == []:
        yield f"{at}.requires: an empty list would pay on the day of registration (rule B1)"
    for required in m.requires or ():
        if not _REQUIREMENT.fullmatch(required):
            yield f"{at}.requires: {required!r} is no proof (met, received, signed_off, invoiced, evidence:NAME, ...)"
        elif required.startswith("measure:") and not _MEASURE.fullmatch(required):
            yield f"{at}.requires: {required!r} is not of the form measure:NAME<=0.02"
        elif required.startswith("on_time:") and required[8:] not in names:
            yield f"{at}.requires: {required[8:]!r} is no milestone of the plan"
    for field, named in (("after", m.after), ("contingency_for", [m.contingency_for] if m.contingency_for else [])):
        for name in named:
            if name not in names:
                yield f"{at}.{field}: {name!r} is no milestone of the plan (rule B4)"
            elif name == m.id:
                yield f"{at}.{field}: a milestone cannot name itself (rule B4)"
    for name in m.replaces:
        if name in names:
            yield f"{at}.replaces: {name!r} is still a milestone of the plan (rule B4)"
    if m.opening and not m.payable:
        yield f"{at}.opening: nothing is payable here"
    for source, keys in m.refs.items():
        if not is_identifier(source) or len(set(keys)) < len(keys):
            yield f"{at}.refs.{source}: a key stands twice"


def _retention_faults(retention: Retention, names: set[str]) -> Iterator[str]:
    steps = retention.steps
    if retention.release_on and retention.release_on not in names:
        yield f"retention.release_on: {retention.release_on!r} is no milestone of the plan (rule B4)"
    for n, step in enumerate(steps, 1):
        if step.until_percent is None and n < len(steps):
            yield f"retention.steps.{n}: only the last step may leave out until_percent"
    for n, (a, b) in enumerate(zip(steps, steps[1:], strict=False), 2):
        if Fraction(b.rate_percent) > Fraction(a.rate_percent):
            yield f"retention.steps.{n}.rate_percent: {b.rate_percent} is more than {a.rate_percent}; rates may not rise (rule B4)"
        if a.until_percent and b.until_percent and Fraction(b.until_percent) <= Fraction(a.until_percent):
            yield f"retention.steps.{n}.until_percent: {b.until_percent} does not lie after {a.until_percent}"
    if steps[0].returns_percent:
        yield "retention.steps.1.returns_percent: nothing was kept before the first step"


def _circle(edges: dict[str, list[str]]) -> list[str]:
    """One circle among the edges, or nothing. Iterative: plans may be long chains."""
    done: set[str] = set()
    for start in edges:
        path: list[str] = []
        on_path: set[str] = set()
        stack: list[tuple[str, int]] = [(start, 0)]
        while stack:
            node, at = stack.pop()
            if at == 0:
                if node in on_path:
                    return [*path[path.index(node) :], node]
                if node in done:
                    continue
                path.append(node)
                on_path.add(node)
            following = edges.get(node, [])
            if at < len(following):
                stack += [(node, at + 1), (following[at], 0)]
            else:
                done.add(node)
                on_path.discard(path.pop())
    return []


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


def _plan(r: Registration) -> tuple[p.Plan, list[str]]:
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
        retention=_retention(r.retention, read), advance=_advance(r.advance, read), sign_off=_sign_off(r.sign_off, read),
        compliance=tuple(r.compliance), hold_on_conflict=tuple(r.hold_on_conflict),
        authority={field: tuple(names) for field, names in r.authority.items()},
        rates=tuple(p.Rate(x.from_, x.rate, x.valid_from) for x in r.rates),
        amendment=p.Amendment(**r.amendment.model_dump()) if r.amendment else None, milestones=milestones,
    )  # fmt: skip
    return plan, read.faults


def _values(r: Registration, cap: int | None, band: int, read: _Amounts) -> tuple[dict[str, int], int]:
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


def _milestone(m: MilestoneDocument, value: int | None, read: _Amounts) -> p.Milestone:
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
        deliverables=tuple(d.model_dump() for d in m.deliverables), refs=_refs(m.refs),
        contingency_for=m.contingency_for, replaces=tuple(m.replaces), opening=opening,
        late_damages=p.LateDamages(**m.late_damages.model_dump()) if m.late_damages else None,
    )  # fmt: skip


def _refs(refs: dict[str, list[str]]) -> p.Refs:
    return {source: tuple(keys) for source, keys in refs.items()}


def _retention(r: Retention | None, read: _Amounts) -> p.Retention | None:
    if r is None:
        return None
    steps = tuple(p.RetentionStep(s.rate_percent, s.until_percent, s.returns_percent) for s in r.steps)
    return p.Retention(steps, read.minor("retention.cap", r.cap), r.release_on, r.defects_days)


def _advance(a: Advance | None, read: _Amounts) -> p.Advance | None:
    return p.Advance(read.minor("advance.amount", a.amount) or 0, a.recoup_percent) if a else None


def _sign_off(s: SignOff, read: _Amounts) -> p.SignOff:
    authority = tuple(
        p.Authority(a.person, a.role, read.minor("sign_off.authority.up_to", a.up_to), a.from_, a.until)
        for a in s.authority
    )
    return p.SignOff(s.quorum, tuple(s.roles), s.due_working_days, authority)


def registration_schema() -> dict[str, Any]:
    """JSON Schema of the registration document."""
    return Registration.model_json_schema(by_alias=True)
