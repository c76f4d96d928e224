"""A document with faults of shape, made readable, so that what else is wrong with it can be told at once.

What is faulty is left out, or a plain value stands in for it where leaving it out would raise faults that nobody made.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from pydantic import ValidationError

from contracts_schema.money import DECIMALS, format_amount
from contracts_schema.registration_document import Registration

TRIES = 4
_PARTY = {"id": "?"}
_HEADER: dict[str, Any] = {
    "contract": "?", "version": 2, "title": "?", "buyer": _PARTY, "supplier": _PARTY, "currency": "EUR",
}  # fmt: skip
_MILESTONE: dict[str, Any] = {
    "title": "?", "kind": "project", "percent": "0.000001", "due": "2000-01-01", "quantity": "1", "unit": "?",
}  # fmt: skip


def readable(document: object, error: ValidationError) -> Registration | None:
    """The registration without its faulty parts; None where nothing can be made of it."""
    if not isinstance(document, dict) or not isinstance(document.get("milestones"), list):
        return None
    rest = deepcopy(document)
    for _ in range(TRIES):
        for one in error.errors(include_url=False, include_input=False, include_context=False):
            _mend(rest, one["loc"], missing=one["type"] == "missing")
        rest["milestones"] = [m for m in rest["milestones"] if m is not None]
        if not rest["milestones"]:
            return None
        try:
            return Registration.model_validate(rest)
        except ValidationError as still:
            error = still
    return None


def _mend(rest: dict[str, Any], path: Sequence[int | str], *, missing: bool) -> None:
    if not path:
        return
    first = str(path[0])
    if first != "milestones":
        _replace(rest, first, _amount(rest) if first == "value_cap" and not missing else _HEADER.get(first))
    elif len(path) > 1 and isinstance(path[1], int):
        _mend_milestone(rest, path[1], str(path[2]) if len(path) > 2 else "")


def _mend_milestone(rest: dict[str, Any], position: int, field: str) -> None:
    milestone = rest["milestones"][position]
    if not isinstance(milestone, dict) or field in ("", "id"):
        rest["milestones"][position] = None
    else:
        _replace(milestone, field, _amount(rest) if field == "value" else _MILESTONE.get(field))


def _replace(part: dict[str, Any], field: str, stand_in: object) -> None:
    if stand_in is None:
        part.pop(field, None)
    else:
        part[field] = stand_in


def _amount(rest: dict[str, Any]) -> str:
    currency = rest.get("currency")
    return format_amount(1, currency if isinstance(currency, str) and currency in DECIMALS else "EUR")
