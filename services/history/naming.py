"""Entries of the log with the names of their fields, as people and other programs read them."""

from __future__ import annotations

from datetime import date, datetime
from enum import Enum
from typing import Any

from msgspec import UNSET, Struct
from msgspec.msgpack import decode, encode

from contracts_schema.facts import ContractRegistered


def named(value: Any) -> Any:
    """Plain JSON of a value of the log: structs and tuples with names become objects, bytes hexadecimal text.

    The encoded plan of a registration is said in words too.
    """
    if isinstance(value, Struct):
        return _struct(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: named(part) for name, part in zip(value._fields, value, strict=True)}
    if isinstance(value, list | tuple):
        return [named(part) for part in value]
    if isinstance(value, dict):
        return {str(name): named(part) for name, part in value.items()}
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Enum):
        return value.value
    return value.isoformat() if isinstance(value, date) else value


def _struct(value: Struct) -> dict[str, Any]:
    """In the log a struct is a list of its fields, or a map of those that it says something with."""
    fields = value.__struct_fields__
    config = value.__struct_config__
    if config.array_like:
        return {name: named(getattr(value, name)) for name in fields}
    written = decode(encode(value)).keys()
    tag = {config.tag_field: config.tag} if config.tag_field else {}
    if isinstance(value, ContractRegistered):
        return tag | {"version": value.version, "plan": plan_of(value)}
    return tag | {n: named(getattr(value, n)) for n in fields if n in written and getattr(value, n) is not UNSET}


def plan_of(body: ContractRegistered) -> Any:
    """A registered version of the plan in words, as it was encoded; amounts in minor units of its currency."""
    return named(decode(body.plan))
