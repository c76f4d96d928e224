"""JSON Schemas (draft 2020-12) of everything that goes over a wire, made from the types themselves.

`schemas/*.json` holds them as published; a test compares, and `breaks` says which change a reader or a writer would
feel. Money is a pair inside and `{"amount", "currency"}` on the wire, so its place is taken by the wire's form.
"""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc
from typing import Any

import msgspec

from contracts_schema import commands as c
from contracts_schema import facts as f
from contracts_schema.fact_fields import Body
from contracts_schema.notices import Notice
from contracts_schema.records import IDENTIFIER

VERSION = "1.0"  # raised by hand: the minor number for what readers may ignore, the major for what they may not
DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]

IDENTIFIER_SCHEMA: Schema = {
    "title": "Identifier",
    "description": "1 to 300 characters, none of them invisible.",
    "type": "string",
    "minLength": 1,
    "maxLength": 300,
    "pattern": IDENTIFIER,
}
MONEY_SCHEMA: Schema = {
    "title": "Money",
    "description": "A decimal string with exactly the number of decimals that ISO 4217 gives the currency.",
    "type": "object",
    "properties": {
        "amount": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{2,4})?$"},
        "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
    },
    "required": ["amount", "currency"],
    "additionalProperties": False,
}
_MONEY = ("Money", "Amount")  # what a fact holds inside, and its wire form
_OUTGOING: dict[str, type[msgspec.Struct]] = {
    "command": c.Command,
    "decision": c.DecisionRecord,
    "snapshot": c.Snapshot,
    "quarantine": c.QuarantineRecord,
    "notice": Notice,
}
_IDENTIFIER_REF = {"$ref": "#/$defs/Identifier"}
_MONEY_REF = {"$ref": "#/$defs/Money"}
ADDRESS: Schema = {
    "contract": _IDENTIFIER_REF,
    "milestone": _IDENTIFIER_REF,
    "ref": {
        "description": "A key of the system `source`, where our own ids are not known.",
        "type": "object",
        "properties": {"source": _IDENTIFIER_REF, "key": _IDENTIFIER_REF},
        "required": ["source", "key"],
    },
    "version": {
        "description": "Orders what one source says about one subject; without it `time`, then `id`, do.",
        "type": "integer",
        "minimum": 0,
        "maximum": 2**53 - 1,
    },
}


def fact_kinds() -> dict[str, type[Body]]:
    """The kinds of facts that others may send, by name; registrations have a document of their own."""
    kinds = {str(body.__struct_config__.tag): body for body in Body.__subclasses__()}
    return {kind: body for kind, body in sorted(kinds.items()) if kind not in _NOT_SENT}


_NOT_SENT = {"contract.registered", *(str(body.__struct_config__.tag) for body in f.BY_MILEPOST)}


def schemas() -> dict[str, Schema]:
    """Every schema by name: the registration, the data of each canonical event, and what Milepost writes."""
    from contracts_schema.registration import registration_schema  # pydantic is slow to load

    made = {"contract.registered": _published("contract.registered", _with_defs(_plain(registration_schema())))}
    made |= {kind: _published(kind, _fact_schema(kind, body)) for kind, body in fact_kinds().items()}
    return made | {name: _published(name, _struct_schema(struct)) for name, struct in _OUTGOING.items()}


def is_outgoing(name: str) -> bool:
    """Whether Milepost writes it; the others are read."""
    return name in _OUTGOING


def encode_schema(schema: Schema) -> bytes:
    """The bytes of a published schema, the same on every machine."""
    return msgspec.json.format(msgspec.json.encode(schema), indent=2) + b"\n"


def _published(name: str, schema: Schema) -> Schema:
    major = VERSION.partition(".")[0]
    head = {"$schema": DIALECT, "$id": f"urn:milepost:schema:{name}:v{major}", "version": VERSION}
    return head | schema


def _fact_schema(kind: str, body: type[Body]) -> Schema:
    schema = _struct_schema(body)
    properties = {name: part for name, part in schema["properties"].items() if name != "kind"}
    schema["title"] = f"data of milepost.{kind}.v1"
    schema["properties"] = ADDRESS | properties
    schema["required"] = [name for name in schema["required"] if name != "kind"]
    schema["anyOf"] = [{"required": ["contract"]}, {"required": ["ref"]}]
    return _with_defs(schema)


def _struct_schema(struct: type[msgspec.Struct]) -> Schema:
    _, components = msgspec.json.schema_components((struct,))
    parts = {name: _plain(part) for name, part in components.items() if name not in _MONEY}
    return _with_defs(parts.pop(struct.__name__) | {"$defs": parts})


def _with_defs(schema: Schema) -> Schema:
    """The schema with the shared definitions that it mentions, in one order."""
    defs, whole = schema.pop("$defs", {}), str(schema)
    shared = {"Identifier": IDENTIFIER_SCHEMA, "Money": MONEY_SCHEMA}
    whole += str(defs)
    defs |= {name: part for name, part in shared.items() if f"#/$defs/{name}'" in whole}
    return schema | ({"$defs": dict(sorted(defs.items()))} if defs else {})


def _plain(part: Any) -> Any:
    """The schema with identifiers and money named, not spelt out each time, and without made-up titles of fields."""
    if isinstance(part, list):
        return [_plain(item) for item in part]
    if not isinstance(part, dict):
        return part
    if part.get("pattern") == IDENTIFIER:
        return _IDENTIFIER_REF
    if part.get("$ref") in [f"#/$defs/{name}" for name in _MONEY]:
        return _MONEY_REF
    kept = {key: value for key, value in part.items() if key != "title" or not _is_made_up(part)}
    if isinstance(kept.get("description"), str):
        kept["description"] = cleandoc(kept["description"])
    return {key: _plain(value) for key, value in kept.items()}


def _is_made_up(part: Schema) -> bool:
    """Whether the title is only the name of a field written anew; titles of whole objects are the type's name."""
    return isinstance(part.get("title"), str) and "properties" not in part


def breaks(old: Schema, new: Schema, *, outgoing: bool) -> list[str]:
    """What readers of the old schema (`outgoing`: of what we write) or its writers would stumble over.

    A field removed or of another type breaks both. What we write may not make a certain field optional or bring a new
    word into an enumeration's place; what we read may not ask for more, nor know fewer words.
    """
    return list(_breaks("", _open(old, old), _open(new, new), (old, new), outgoing))


def _breaks(at: str, old: Schema, new: Schema, roots: tuple[Schema, Schema], outgoing: bool) -> Iterator[str]:
    was, now = _types(old, roots[0]), _types(new, roots[1])
    lost = was - now if not outgoing else now - was
    if was and now and lost:
        yield f"{at or 'it'}: was {' or '.join(sorted(was))}, is {' or '.join(sorted(now))}"
        return
    yield from _enum_breaks(at, old, new, outgoing)
    for name, part in old.get("properties", {}).items():
        if name not in new.get("properties", {}):
            yield f"{at}{name}: removed"
            continue
        inside = _open(part, roots[0]), _open(new["properties"][name], roots[1])
        yield from _breaks(f"{at}{name}.", *inside, roots, outgoing)
    if isinstance(old.get("items"), dict) and isinstance(new.get("items"), dict):
        yield from _breaks(f"{at}[].", _open(old["items"], roots[0]), _open(new["items"], roots[1]), roots, outgoing)
    yield from _requirement_breaks(at, old, new, outgoing)


def _enum_breaks(at: str, old: Schema, new: Schema, outgoing: bool) -> Iterator[str]:
    known, present = set(old.get("enum", ())), set(new.get("enum", ()))
    gone = known - present if not outgoing else present - known
    if known and gone and (present or outgoing):
        yield f"{at}: {', '.join(sorted(map(str, gone)))} {'is new' if outgoing else 'is no longer read'}"


def _requirement_breaks(at: str, old: Schema, new: Schema, outgoing: bool) -> Iterator[str]:
    before, after = set(old.get("required", ())), set(new.get("required", ()))
    if outgoing:
        yield from (f"{at}{name}: may be missing now" for name in sorted(before - after))
    else:
        yield from (f"{at}{name}: is required now" for name in sorted(after - before))


def _open(part: Schema, root: Schema) -> Schema:
    """The schema behind a reference, or behind "this or null"."""
    if "$ref" in part:
        return _open(root["$defs"][part["$ref"].rpartition("/")[2]], root)
    choices = [p for p in part.get("anyOf", ()) if p.get("type") != "null"]
    return _open(choices[0], root) if len(choices) == 1 and "properties" not in part else part


def _types(part: Schema, root: Schema) -> set[str]:
    if "$ref" in part:
        return _types(_open(part, root), root)
    if "anyOf" in part and "type" not in part:
        return set().union(*(_types(p, root) for p in part["anyOf"]))
    kind = part.get("type")
    return {kind} if isinstance(kind, str) else set(kind or ())
