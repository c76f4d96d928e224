"""From a plan back to the registration document that describes it: what people read, compare and write anew.

Percentages have become values by then, and what was left out shows only where it differs from its default.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from msgspec import structs

from contracts_schema.money import format_amount
from contracts_schema.plan import Amendment, Authority, Milestone, Plan, Rate, Refs, SignOff

Content = dict[str, Any]


def document_of(plan: Plan) -> Content:
    """The whole registration document of a plan."""
    money = _Money(plan.currency)
    band = plan.rounding_band
    supplier = {"id": plan.supplier, "name": plan.supplier_name, "identifiers": [*plan.supplier_identifiers]}
    content: Content = {
        "contract": plan.contract, "version": plan.version, "title": plan.title,
        "buyer": _filled({"id": plan.buyer, "name": plan.buyer_name}), "supplier": _filled(supplier),
        "currency": plan.currency, "timezone": plan.timezone, "calendar": plan.calendar, "status": plan.status,
        "finance": plan.finance, "value_cap": money(plan.value_cap),
        "rounding_band": None if band == len(plan.milestones) else money(band),
        "refs": _refs(plan.refs), "retention": _retention(plan, money), "advance": _advance(plan, money),
        "sign_off": _sign_off(plan.sign_off, money), "compliance": [*plan.compliance],
        "authority": {field: [*names] for field, names in plan.authority.items()},
        "rates": [_rate(rate) for rate in plan.rates], "amendment": _amendment(plan.amendment),
    }  # fmt: skip
    milestones = [_milestone(m, money) for m in plan.milestones]
    return _filled(content) | {"hold_on_conflict": [*plan.hold_on_conflict], "milestones": milestones}


class _Money:
    def __init__(self, currency: str) -> None:
        self.currency = currency

    def __call__(self, minor: int | None) -> str | None:
        return None if minor is None else format_amount(minor, self.currency)


def _filled(content: Content) -> Content:
    """Without what says nothing: None, and empty lists and mappings."""
    return {name: _plain(value) for name, value in content.items() if value not in (None, [], {}, ())}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else [*value] if isinstance(value, tuple) else value


def _refs(refs: Refs) -> Content:
    return {source: [*keys] for source, keys in refs.items()}


def _retention(plan: Plan, money: _Money) -> Content | None:
    terms = plan.retention
    if terms is None:
        return None
    steps = [_filled(structs.asdict(step)) for step in terms.steps]
    more = {"cap": money(terms.cap), "release_on": terms.release_on, "defects_days": terms.defects_days or None}
    return {"steps": steps} | _filled(more)


def _advance(plan: Plan, money: _Money) -> Content | None:
    advance = plan.advance
    return {"amount": money(advance.amount), "recoup_percent": advance.recoup_percent} if advance else None


def _sign_off(s: SignOff, money: _Money) -> Content:
    authority = [_authority(a, money) for a in s.authority]
    more = {"roles": [*s.roles], "due_working_days": s.due_working_days, "authority": authority}
    return {"quorum": s.quorum} | _filled(more)


def _authority(a: Authority, money: _Money) -> Content:
    return _filled({"person": a.person, "role": a.role, "up_to": money(a.up_to), "from": a.from_, "until": a.until})


def _rate(rate: Rate) -> Content:
    return {"from": rate.from_, "rate": rate.rate, "valid_from": rate.valid_from.isoformat()}


def _amendment(amendment: Amendment | None) -> Content | None:
    return _filled(structs.asdict(amendment)) | {"rationale": amendment.rationale} if amendment else None


def _milestone(m: Milestone, money: _Money) -> Content:
    damages = m.late_damages and structs.asdict(m.late_damages)
    opening = m.opening and structs.asdict(m.opening) | {
        "released": money(m.opening.released), "as_of": m.opening.as_of.isoformat(),
    }  # fmt: skip
    content = {
        "id": m.id, "title": m.title, "kind": m.kind, "value": money(m.value), "due": m.due,
        "tolerance_days": m.tolerance_days or None, "quantity": m.quantity, "unit": m.unit, "owner": m.owner,
        "after": m.after, "requires": m.requires, "deliverables": [_deliverable(d) for d in m.deliverables],
        "refs": _refs(m.refs), "contingency_for": m.contingency_for, "late_damages": damages, "replaces": m.replaces,
        "opening": opening,
    }  # fmt: skip
    return _filled(content) | {"title": m.title}


def _deliverable(part: dict[str, str]) -> Content:
    return {name: text for name, text in part.items() if text or name == "name"}
