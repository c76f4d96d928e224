"""What one version of a plan changes in another, field by field: for people in plain words, for programs as values."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from msgspec import Struct

from contracts_schema.money import format_amount, parse_amount
from contracts_schema.plan import Plan
from contracts_schema.plan_document import document_of

_SAID_APART = ("version", "amendment", "milestones")  # told with the version itself, or milestone by milestone
_MONEY = ("value", "value_cap", "rounding_band", "amount", "cap", "up_to")
_WORDS = {
    "due": "the due date", "value": "the value", "requires": "the proof required", "after": "what comes first",
    "refs": "the keys", "owner": "the owner", "title": "the title", "value_cap": "the value cap",
    "tolerance_days": "the tolerance in days", "deliverables": "the deliverables", "status": "the status",
    "late_damages": "late damages", "sign_off": "the sign-off", "defects_days": "the defects period in days",
    "kind": "the kind", "quantity": "the quantity", "unit": "the unit", "contingency_for": "what it stands in for",
    "replaces": "what it replaces", "opening": "what was paid before", "timezone": "the time zone",
    "recoup_percent": "the percent recouped", "amount": "the amount", "release_on": "what ends it",
}  # fmt: skip


class Change(Struct, frozen=True, omit_defaults=True):
    """One changed field: where (`milestones.M1.value`), the values before and after, and a sentence."""

    field: str
    sentence: str
    before: Any = None
    after: Any = None
    milestone: str | None = None


def changes(old: Plan, new: Plan) -> list[Change]:
    """Everything that `new` changes in `old`, contract first, then milestones in the order of the new plan."""
    before, after = document_of(old), document_of(new)
    found = [*_terms(before, after, new.currency)]
    known = {m["id"]: m for m in before["milestones"]}
    there = {m["id"]: m for m in after["milestones"]}
    for name, milestone in there.items():
        if name in known:
            found += _fields(known[name], milestone, f"milestones.{name}", name, new.currency)
        else:
            found.append(_came(name, milestone, new.currency))
    found += [_left(name, m, after["milestones"], new.currency) for name, m in known.items() if name not in there]
    kept = [name for name in known if name in there]
    if kept != [name for name in there if name in known]:
        found.append(Change("milestones", "the order of the milestones is another one", kept, [*there]))
    return found


def _terms(before: dict[str, Any], after: dict[str, Any], currency: str) -> Iterator[Change]:
    for name in dict.fromkeys([*before, *after]):
        if name not in _SAID_APART and before.get(name) != after.get(name):
            was, now = before.get(name), after.get(name)
            if isinstance(was, dict) and isinstance(now, dict):
                yield from _fields(was, now, name, None, currency)
            else:
                yield _change(name, was, now, None, currency)


def _fields(
    was: dict[str, Any], now: dict[str, Any], at: str, milestone: str | None, currency: str
) -> Iterator[Change]:
    for name in dict.fromkeys([*was, *now]):
        if was.get(name) != now.get(name):
            yield _change(f"{at}.{name}", was.get(name), now.get(name), milestone, currency)


def _change(field: str, was: Any, now: Any, milestone: str | None, currency: str) -> Change:
    name = field.rpartition(".")[2]
    words = _WORDS.get(name, name.replace("_", " "))
    place = f"{milestone}: " if milestone else f"{field.partition('.')[0].replace('_', ' ')}: " if "." in field else ""
    if was is None:
        told = f"{words} is new: {_shown(now)}"
    elif now is None:
        told = f"{words} is gone; it was {_shown(was)}"
    else:
        told = f"{words} was {_shown(was)} and is {_shown(now)}{_difference(name, was, now, currency)}"
    return Change(field, place + told, was, now, milestone)


def _came(name: str, milestone: dict[str, Any], currency: str) -> Change:
    worth = f", worth {currency} {milestone['value']}" if "value" in milestone else ""
    instead = f", in place of {', '.join(milestone['replaces'])}" if milestone.get("replaces") else ""
    text = f"{name}: new in the plan, {milestone['title']!r}{worth}{instead}"
    return Change(f"milestones.{name}", text, None, milestone, name)


def _left(name: str, milestone: dict[str, Any], after: list[dict[str, Any]], currency: str) -> Change:
    heirs = [m["id"] for m in after if name in m.get("replaces", ())]
    worth = f", worth {currency} {milestone['value']}" if "value" in milestone else ""
    to = (
        f"; {', '.join(heirs)} take{'' if heirs[1:] else 's'} its place, and what it had released"
        if heirs
        else "; nothing takes its place"
    )
    return Change(f"milestones.{name}", f"{name}: leaves the plan{worth}{to}", milestone, None, name)


def _difference(name: str, was: Any, now: Any, currency: str) -> str:
    """How far two amounts or two days are apart."""
    if name in _MONEY and isinstance(was, str) and isinstance(now, str):
        minor = parse_amount(now, currency) - parse_amount(was, currency)
        return f" ({'+' if minor > 0 else ''}{format_amount(minor, currency)})"
    if name == "due":
        days = (date.fromisoformat(now) - date.fromisoformat(was)).days
        return f" ({abs(days)} days {'later' if days > 0 else 'earlier'})"
    return ""


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {_shown(part)}" for name, part in value.items())
    if isinstance(value, list):
        return "; ".join(map(_shown, value)) if any(isinstance(v, dict) for v in value) else ", ".join(map(str, value))
    return str(value)
