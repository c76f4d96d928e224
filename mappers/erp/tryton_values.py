"""How Tryton writes values, and how its objects hang together.

Dates, decimals and moments are tagged objects, booleans are 0 or 1, a moment without a zone is UTC, a date is a day of
the company. A relation comes as an object where its fields were asked for, and as a bare number where they were not;
JSON-RPC puts the object beside the number, under the field's name with a point at its end. What was not asked for is
*not read*, which is not the same as empty.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mappers import values

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOMENT_PARTS = ("year", "month", "day", "hour", "minute", "second", "microsecond")

Thing = dict[str, Any]

_reference = re.compile(r"([a-z][a-z0-9_.-]{0,60}),([0-9]{1,18})")


def decimal(value: object) -> Decimal:
    """The number in a tagged Decimal or a plain JSON number.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, dict) and value.get("__class__") == "Decimal":
        value = value.get("decimal")
    return values.decimal(value)


def day(value: object) -> date | None:
    """The day in a tagged date; None where Tryton has none.

    Raises:
        ValueError: it is neither.
    """
    if value is None:
        return None
    if not isinstance(value, dict) or value.get("__class__") != "date":
        raise ValueError(f"{values.shown(value)} is no tagged date")
    year, month, day_ = _whole(value, *_MOMENT_PARTS[:3])
    return date(year, month, day_)


def moment(value: object) -> int | None:
    """The moment in a tagged datetime (UTC), in microseconds since 1970; None where Tryton has none.

    Raises:
        ValueError: it is neither.
    """
    if value is None:
        return None
    if not isinstance(value, dict) or value.get("__class__") != "datetime":
        raise ValueError(f"{values.shown(value)} is no tagged datetime")
    year, month, day_, hour, minute, second, microsecond = _whole(value, *_MOMENT_PARTS)
    return values.micros(datetime(year, month, day_, hour, minute, second, microsecond, tzinfo=UTC))


def _whole(value: Thing, *names: str) -> list[int]:
    numbers = [value.get(name) for name in names]
    if not all(type(number) is int and -1 < number < 10_000_000 for number in numbers):
        raise ValueError(f"{value.get('__class__')!r:.40} lacks one of its parts")
    return [int(number) for number in numbers if number is not None]


def flag(value: object) -> bool:
    """A boolean as Tryton writes it: 0 or 1, or true or false; nothing is false.

    Raises:
        ValueError: it is none of them.
    """
    if value in (None, 0, 1) and not isinstance(value, float):
        return bool(value)
    raise ValueError(f"{values.shown(value)} is no boolean")


def word(thing: Thing, field: str) -> str | None:
    """A word of Tryton's own, such as a state; None where there is none or it was not read.

    Raises:
        ValueError: it is no word.
    """
    value = thing.get(field)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"the {field} {values.shown(value)} is no word")
    return value


def text(thing: Thing, field: str) -> str | None:
    """An identifying text of `thing`; None where it is empty or was not read.

    Raises:
        ValueError: it is no text, or not fit for an identifier.
    """
    value = thing.get(field)
    if value is None or value == "":
        return None
    return values.identifier(value)


def one(thing: Thing, field: str) -> Thing | None:
    """The object that `thing` refers to; None where there is none or its fields were not read."""
    for value in (thing.get(f"{field}."), thing.get(field)):
        if isinstance(value, dict) and "__class__" not in value:
            return value
    return None


def many(thing: Thing, field: str) -> list[Thing] | None:
    """The objects that `thing` has under `field`; None where they, or their fields, were not read."""
    for value in (thing.get(f"{field}."), thing.get(field)):
        if isinstance(value, list) and all(isinstance(entry, dict) for entry in value):
            return value
    return None


def target(value: object) -> tuple[str, int] | None:
    """Model and number that a reference names: `purchase.line,1`, or the object itself; None where it names none."""
    if isinstance(value, dict):
        model, number = value.get("__name__"), value.get("id")
        return (model, number) if isinstance(model, str) and type(number) is int else None
    match = _reference.fullmatch(value) if isinstance(value, str) else None
    return (match[1], int(match[2])) if match else None


def own_time(thing: Thing) -> int | None:
    """The latest of an object's own write and create dates; `write_date` is null before the first change.

    Raises:
        ValueError: one of them is no moment.
    """
    written = [time for field in ("write_date", "create_date") if (time := moment(thing.get(field))) is not None]
    if not written and thing.get("_timestamp") is not None:
        written = [int(values.decimal(thing["_timestamp"]).scaleb(6))]
    return max(written, default=None)


def newest_time(thing: Thing) -> int | None:
    """The latest write or create date over all objects that were read (rule F8): a child does not move its parent's."""
    return max((time for part in _objects(thing) if (time := own_time(part)) is not None), default=None)


def _objects(value: Any) -> Iterator[Thing]:
    if isinstance(value, dict):
        yield value
        for field, child in value.items():
            if field != "milepost_log":
                yield from _objects(child)
    elif isinstance(value, list):
        for child in value:
            yield from _objects(child)
