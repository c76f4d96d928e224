"""From the registration document to the plan, or to one refusal that lists every fault (rules B1 to B8).

What needs the version before (`replaces`, a changed opening) is checked where that version is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from fractions import Fraction

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from contracts_schema import plan as p
from contracts_schema import registration_document as d
from contracts_schema.errors import Refused
from contracts_schema.faults import Fault, Path, fault, refusal, shown
from contracts_schema.money import DECIMALS, format_amount, parse_amount
from contracts_schema.registration_document import Registration, registration_schema
from contracts_schema.registration_faults import plan_faults
from contracts_schema.registration_repair import readable

DEFAULT_REQUIRES = ("met", "signed_off", "invoiced")

# Faults of shape by their kind, in words that say what would do; in braces what the document's shape asks for.
_IN_WORDS = {
    "string_type": "is no text; put it in quotes",
    "int_type": "is no whole number",
    "greater_than_equal": "is less than {ge}",
    "literal_error": "is none of {expected}",
    "list_type": "is no list",
    "model_type": "has no fields of its own",
    "dict_type": "has no fields of its own",
    "too_short": "is empty",
}
_BY_PATTERN = {d.AMOUNT: 'is no amount such as "100.00"', d.CURRENCY: "is no currency such as EUR"}

__all__ = ["Registration", "read_registration", "registration_schema"]


def read_registration(document: object) -> p.Plan:
    """The plan that a registration document describes.

    Raises:
        Refused: the sentence lists every fault with its field, its value and the rule.
    """
    plan = check_registration(document)
    if isinstance(plan, list):
        raise Refused(refusal("registration", plan))
    return plan


def check_registration(document: object) -> p.Plan | list[Fault]:
    """The plan that a registration document describes, or every fault that is in it."""
    try:
        registration = Registration.model_validate(document)
    except ValidationError as error:
        return [*_shape_faults(document, error), *_faults_of_the_rest(document, error)]
    faults = [*plan_faults(registration, {m.id for m in registration.milestones})]
    if registration.currency not in DECIMALS:
        return faults
    plan, more = _plan(registration)
    return faults + more or plan


def _shape_faults(document: object, error: ValidationError) -> Iterator[Fault]:
    for one in error.errors(include_url=False):
        path = tuple(_named(document, one["loc"]))
        field = shown(path) or "the document"
        if one["type"] == "extra_forbidden":
            yield Fault(path, f"{field} is no field of a registration{_nearest(path)}")
        elif one["type"] == "missing":
            yield Fault(path[:-1], f"{field} is missing")
        else:
            yield Fault(path, f"{field}: {_value(one['input'])} {_in_words(one)}")


def _in_words(one: ErrorDetails) -> str:
    asked = one.get("ctx", {})
    words = _BY_PATTERN.get(asked.get("pattern", ""), _IN_WORDS.get(one["type"], ""))
    return words.format(**asked) if words else one["msg"].removeprefix("Value error, ")


def _named(document: object, path: Sequence[int | str]) -> Iterator[int | str]:
    """The path with milestones by their ids, as people know them."""
    for n, step in enumerate(path):
        if n == 1 and path[0] == "milestones" and isinstance(step, int) and isinstance(document, dict):
            milestone = document["milestones"][step]
            name = milestone.get("id") if isinstance(milestone, dict) else None
            yield name if isinstance(name, str) else step
        elif step != "[key]" or n == 0:  # so pydantic marks a faulty key of a mapping; first, it is a field's own name
            yield step


def _nearest(path: Path) -> str:
    """What an unknown field was probably meant to be."""
    fields = d.MilestoneDocument if path[0] == "milestones" and len(path) == 3 else Registration
    near = get_close_matches(str(path[-1]), fields.model_fields, 1)
    return f"; did you mean {near[0]}?" if near and len(path) in (1, 3) else ""


def _value(value: object) -> str:
    text = "null" if value is None else repr(value)
    text = f"<{type(value).__name__}>" if isinstance(value, dict | list) else text
    return text if len(text) <= 80 else text[:77] + "..."


def _faults_of_the_rest(document: object, error: ValidationError) -> list[Fault]:
    """What else is wrong, beside faults of shape; sums are not looked at, since parts of them are missing."""
    registration = readable(document, error)
    if registration is None or not isinstance(document, dict):
        return []
    names = {str(m["id"]) for m in document["milestones"] if isinstance(m, dict) and "id" in m}
    faults = [*plan_faults(registration, names)]
    currency = document.get("currency")
    if not isinstance(currency, str) or currency not in DECIMALS:
        return faults
    return faults + _plan(registration, whole=False)[1]


class _Amounts:
    """Reads amounts of one registration, collecting the faults."""

    def __init__(self, currency: str) -> None:
        self.currency = currency
        self.faults: list[Fault] = []

    def minor(self, path: Path, text: str | None) -> int | None:
        if text is None:
            return None
        try:
            minor = parse_amount(text, self.currency)
        except ValueError as error:
            self.wrong(path, str(error))
            return 0
        if minor < 0:
            self.wrong(path, f"{text} is negative")
        return minor

    def wrong(self, path: Path, text: str) -> None:
        self.faults.append(fault(path, text))

    def show(self, minor: int) -> str:
        return format_amount(minor, self.currency)


def _plan(r: d.Registration, *, whole: bool = True) -> tuple[p.Plan, list[Fault]]:
    """The plan and what is wrong with its amounts; sums only where the registration is `whole`."""
    read = _Amounts(r.currency)
    cap = read.minor(("value_cap",), r.value_cap)
    if cap == 0 and not read.faults:
        read.wrong(("value_cap",), "above zero nothing could ever be released; leave it out (rule C7)")
    band = read.minor(("rounding_band",), r.rounding_band)
    band = len(r.milestones) if band is None else band
    values, unallocated = _values(r, cap, band, read, whole)
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


def _values(r: d.Registration, cap: int | None, band: int, read: _Amounts, whole: bool) -> tuple[dict[str, int], int]:
    """Each payable milestone's value; percentages are of the cap, rounded down, the rest goes to the last (rule B2)."""
    values: dict[str, int] = {}
    for m in r.milestones:
        if m.value is not None:
            path = ("milestones", m.id, "value")
            values[m.id] = read.minor(path, m.value) or 0
            if m.value.strip("0.") == "":
                read.wrong(path, f"{m.value} is not above zero (rule B1)")
    parts = [m for m in r.milestones if m.percent is not None]
    if not parts:
        return values, 0
    if cap is None:
        read.wrong(("milestones", parts[0].id, "percent"), "a percentage needs a value_cap (rule B2)")
    if cap is None or not whole:
        return values, 0
    for m in parts:
        values[m.id] = int(cap * Fraction(m.percent or "0") / 100)
    regular = [m.id for m in parts if not m.contingency_for]
    planned = sum(values.get(m.id, 0) for m in r.milestones if not m.contingency_for)
    rest = _rest(cap - planned, cap - sum(values[name] for name in regular), band)
    if rest < -band:
        text = f"the percentages add up to {read.show(-rest)} more than value_cap, beyond the rounding band (rule B2)"
        read.wrong(("milestones",), text)
    elif abs(rest) <= band and regular:
        values[regular[-1]] += rest
        planned += rest
    for m in parts:
        if values[m.id] <= 0:
            read.wrong(("milestones", m.id, "percent"), f"{m.percent} percent of value_cap is nothing")
    return values, max(0, cap - planned)


def _rest(of_all: int, of_percentages: int, band: int) -> int:
    """What is left of the cap. Where fixed values beside the percentages lie above it, they are no fault of those: the
    cap limits what is paid (rules B2, C7)."""
    return of_all if of_all >= -band else of_percentages


def _milestone(m: d.MilestoneDocument, value: int | None, read: _Amounts) -> p.Milestone:
    requires = tuple(m.requires) if m.requires is not None else DEFAULT_REQUIRES if m.payable else ()
    opening = None
    if m.opening:
        path = ("milestones", m.id, "opening", "released")
        released = read.minor(path, m.opening.released) or 0
        if value is not None and released > value:
            read.wrong(path, f"{m.opening.released} is more than the value (rule B8)")
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
    return p.Retention(steps, read.minor(("retention", "cap"), r.cap), r.release_on, r.defects_days)


def _advance(a: d.Advance | None, read: _Amounts) -> p.Advance | None:
    return p.Advance(read.minor(("advance", "amount"), a.amount) or 0, a.recoup_percent) if a else None


def _sign_off(s: d.SignOff, read: _Amounts) -> p.SignOff:
    authority = tuple(
        p.Authority(a.person, a.role, read.minor(("sign_off", "authority", n, "up_to"), a.up_to), a.from_, a.until)
        for n, a in enumerate(s.authority)
    )
    return p.SignOff(s.quorum, tuple(s.roles), s.due_working_days, authority)
