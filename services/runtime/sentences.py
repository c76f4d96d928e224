"""A milestone's account in plain sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from contracts_schema import commands as c
from contracts_schema.reasons import HoldReason, clearing
from services.runtime.explain import Account, CommandSaid


def sentences(a: Account) -> list[str]:
    """The account as a person reads it."""
    lines = [f"{a.contract}/{a.milestone}{f': {a.title}' if a.title else ''} ({a.kind})", f"  {_standing(a)}"]
    lines += [f"  {note}" for note in a.notes]
    if a.replaced_by:
        lines.append(f"  Replaced by {', '.join(a.replaced_by)}, which what was released has moved to.")
    lines += [*_why(a), *_what_releases(a), *_differences(a.conflicts), *_invoices(a.targets)]
    if a.waived:
        lines.append(f"  Waived: {', '.join(a.waived)}.")
    if a.exceptions:
        lines.append(f"  For people to look at: {', '.join(a.exceptions)}.")
    lines.append(f"  {_last(a.last_command)}")
    return lines


def money(value: c.Amount) -> str:
    """`EUR 71100.00`."""
    return f"{value.currency} {value.amount}"


def _standing(a: Account) -> str:
    days = {"met on": a.dates.met_on, "due": a.dates.due, "forecast": a.dates.forecast, "baseline": a.dates.baseline}
    known = ", ".join(f"{name} {day}" for name, day in days.items() if day)
    status = {"met": "Met", "notMet": "Not met", "partiallyMet": "Partially met", "scheduled": "Scheduled"}[a.status]
    amounts = f"Of {money(a.value)}, {money(a.released_to_date)} is released and {money(a.held)} is held."
    carried = f" {money(a.carried)} of it was released elsewhere before." if a.carried else ""
    return f"{status}{f' ({known})' if known else ''}. {amounts}{carried}"


def _why(a: Account) -> Iterator[str]:
    if a.reasons:
        yield "  Held because:" if a.held.amount.strip("0.") else "  Nothing is held, and yet this is open:"
    for n, r in enumerate(a.reasons, 1):
        facts = f" Facts: {_listed(r.facts)}." if r.facts else ""
        takes = "is about" if r.code == HoldReason.OVER_RELEASED else "holds"
        yield f"    {n}. {r.code} {takes} {money(r.amount)} since {r.since}: {r.detail}."
        yield f"       It {clearing(r.clears_when)}. Who: {r.owner}.{facts}"


def _what_releases(a: Account) -> Iterator[str]:
    if a.outlook:
        yield "  What would release it:"
    for part in a.outlook:
        yield f"    {money(part.releases)} once {' and '.join(part.when)} cleared."


def _differences(conflicts: Sequence[c.ConflictLine]) -> Iterator[str]:
    if conflicts:
        yield "  Systems differ:"
    for conflict in conflicts:
        words = "; ".join(
            f"{w.source} says {word(conflict.field, w.value)}{f' ({w.time})' if w.time else ''}"
            for w in conflict.values
        )
        yield f"    {conflict.field}: {words}. The first one counts; {conflict.resolve} must settle it."


def _invoices(targets: Sequence[c.TargetLine]) -> Iterator[str]:
    if targets:
        yield "  Invoices:"
    for t in targets:
        unit = f", business unit {t.business_unit}" if t.business_unit else ""
        part = f"{money(t.payable_to_date)} of {money(t.net)} may be paid ({t.state})"
        yield f"    {t.invoice} of {t.supplier}{unit}: {part}."


def _last(last: CommandSaid | None) -> str:
    if last is None:
        return "No command has gone out."
    answer = f"finance answered {last.answer}{f' ({last.answer_detail})' if last.answer_detail else ''}"
    return (
        f"Last command: {last.action}, sequence {last.sequence}, of revision {last.revision}, id {last.command_id}; "
        f"{answer if last.answer else 'finance has not answered yet'}."
    )


def word(field: str, value: Any) -> str:
    """What a system says of a field, as people read it; of what was received, by unit."""
    if field == "received":
        parts = (f"{came} {unit} received, {good} accepted, {bad} rejected" for unit, came, good, bad in value)
        return ", ".join(parts)
    return show(value)


def show(value: Any) -> str:
    """A single value, as people read it."""
    if isinstance(value, dict) and value.keys() == {"amount", "currency"}:
        return f"{value['currency']} {value['amount']}"
    if isinstance(value, list | tuple):
        return ", ".join(show(v) for v in value if v is not None)
    return str(value)


def _listed(facts: Sequence[str], most: int = 5) -> str:
    more = f" and {len(facts) - most} more" if len(facts) > most else ""
    return ", ".join(facts[:most]) + more
