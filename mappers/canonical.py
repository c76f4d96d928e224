"""Dialect `milepost`: our own CloudEvents (`cloudevents.py`) to facts.

Any system can speak it directly. `type` is `milepost.<kind>.v1`; `data` bears the address and the fields of the fact
(`contracts_schema.facts`). A version of a type that is not known is unreadable, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any, get_args, get_type_hints

import msgspec

from contracts_schema import facts as f
from contracts_schema.errors import Refused, Unreadable
from contracts_schema.fact_fields import Body
from contracts_schema.faults import Fault, Path, fault, refusal
from contracts_schema.money import from_wire
from contracts_schema.persons import PERSONS
from contracts_schema.records import Record, Source, is_identifier
from mappers import cloudevents
from mappers.cloudevents import Envelope, Event, Told
from mappers.values import shown

_TYPE = re.compile(r"milepost\.([a-z_]+\.[a-z_]+)\.v([0-9]{1,6})")
_ADDRESS = ("contract", "milestone", "ref", "version")
_BODIES: dict[str, type[Body]] = {
    str(body.__struct_config__.tag): body
    for body in Body.__subclasses__()
    if body not in (f.ContractRegistered, *f.BY_MILEPOST)
}
_FIELDS = {kind: frozenset((*_ADDRESS, *body.__struct_fields__)) for kind, body in _BODIES.items()}
_STRICT_ROLES = ("operator", "register")  # whose misspelt fields are refused, never passed over (rule A11)

# How the decoder's words begin, and what to write instead.
_REMEDIES = (
    ("Expected `array`, got `null`", 'is no amount, as {"amount": "1.00", "currency": "EUR"}'),
    ("Expected `str` matching regex '^[^", "is not a text of 1 to 300 visible characters"),
    ("Expected `str` matching", 'is not a decimal text within its bounds, as "2.5"'),
    ("Expected `str`, got `", "is no text in quotes"),
    ("Expected `str | null`, got `", "is no text in quotes"),
    ("Expected `datetime`", "is no moment with a zone, as 2026-12-31T08:00:00Z"),
    ("Invalid RFC3339 encoded datetime", "is no moment with a zone, as 2026-12-31T08:00:00Z"),
    ("Expected `date", "is no date of the form 2026-12-31"),
    ("Invalid RFC3339 encoded date", "is no date of the form 2026-12-31"),
    ("Invalid enum", "is none of "),
)

KeyReader = Callable[[str, str], str]  # (source, key) to the key as that source's mapper normalises it (rule B5)


def translate(record: Record, source: Source, read_key: KeyReader) -> tuple[f.Fact, ...]:
    """The one fact of a canonical event.

    Raises:
        Unreadable: it cannot be understood; its doubt names the milestone where the address can be read.
        Refused: it is understood and not allowed.
    """
    event = _event(record, source, read_key)
    kind, known = _kind_of(event.type)
    if known and kind == "contract.registered":
        return (_registration(event, source, read_key),)
    try:
        return (_fact(event, kind, known, source, read_key),)
    except ValueError as error:
        doubts = _doubts(event, kind, record, source, read_key)
        raise Unreadable(f"event {event.id!r} ({event.type}): {error}", doubts) from None


@lru_cache(maxsize=256)
def _kind_of(name: str) -> tuple[str, bool]:
    """The kind that a type names, and whether it is of the version that is read here."""
    match = _TYPE.fullmatch(name)
    return (match[1], match[2] == "1") if match else (name.removeprefix("milepost."), False)


def _event(record: Record, source: Source, read_key: KeyReader) -> Event:
    told: list[Told] = []
    try:
        told = [cloudevents.read(record)]
        return cloudevents.checked(told[0], record)
    except ValueError as error:
        told = error.told if isinstance(error, cloudevents.Batch) else told
        doubts = [doubt for one in told for doubt in _doubts_of_envelope(*one, record, source, read_key)]
        raise Unreadable(f"no CloudEvent: {error}", doubts) from None


def _fact(event: Event, kind: str, known: bool, source: Source, read_key: KeyReader) -> f.Fact:
    if not known or kind not in _BODIES:
        raise ValueError(f"type {event.type!r} is not known; this version reads milepost.<kind>.v1")
    address = _address(event.data, read_key)
    body = _body(kind, event.data, source)
    version = event.data.get("version")
    if version is not None and (type(version) is not int or not 0 <= version < 2**53):
        raise ValueError(f"version {shown(version)} is not a whole number from 0 on")
    return f.Fact(source.name, event.id, address, event.time, body, version)


def _address(data: Mapping[str, Any], read_key: KeyReader) -> f.Address:
    contract, milestone, ref = data.get("contract"), data.get("milestone"), data.get("ref")
    if type(contract) is str and (milestone is None or type(milestone) is str):
        return _own_address(contract, milestone)
    if contract is not None:
        name, value = ("milestone", milestone) if type(contract) is str else ("contract", contract)
        raise ValueError(f"{name} {shown(value)} is not a text of 1 to 300 visible characters")
    if isinstance(ref, dict) and is_identifier(ref.get("source")) and is_identifier(ref.get("key")):
        return f.Address(None, None, ref["source"], (read_key(ref["source"], ref["key"]),))
    raise ValueError("it has no address: neither contract and milestone nor ref {source, key}")


@lru_cache(maxsize=16_384)
def _own_address(contract: str, milestone: str | None) -> f.Address:
    """By our own ids. Much is said of one milestone: one object serves all of it."""
    for name, value in (("contract", contract), ("milestone", milestone)):
        if value is not None and not is_identifier(value):
            raise ValueError(f"{name} {shown(value)} is not a text of 1 to 300 visible characters")
    return f.Address(contract, milestone)


def _body(kind: str, data: Mapping[str, Any], source: Source) -> f.AnyBody:
    known = _BODIES[kind]
    if source.role in _STRICT_ROLES:
        unknown = sorted(data.keys() - _FIELDS[kind])
        if unknown:
            raise Refused(f"{kind} has no field {', '.join(map(repr, unknown))}; nothing of it was used (rule A11)")
    fields = {**data, "kind": kind}
    for name in f.MONEY_FIELDS.get(kind, ()):
        if fields.get(name) is not None:
            fields[name] = _money(name, fields[name])
    try:
        return msgspec.convert(fields, known)  # type: ignore[return-value]  # one of AnyBody
    except msgspec.ValidationError as error:
        raise ValueError(_sentence(str(error), fields, known)) from None


def _money(name: str, value: object) -> tuple[int, str]:
    try:
        return from_wire(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _sentence(fault: str, fields: Mapping[str, Any], known: type[Body]) -> str:
    """The fault with the field's value, which the decoder leaves out, and what would do."""
    reason, _, path = fault.partition(" - at `$.")
    name = re.split(r"[.\[`]", path)[0] if path else ""
    if name not in fields:
        missing = re.fullmatch("Object missing required field `(.+)`", reason)
        return f"{missing[1]} is missing" if missing else reason
    remedy = next((text for start, text in _REMEDIES if reason.startswith(start)), reason)
    value = "" if name in PERSONS.get(known, ()) else f" {shown(fields[name])}"  # the sentence comes into the log
    inside = "something in it " if path not in (name, f"{name}`") else ""
    return f"{name}{value}: {inside}{remedy}{_words_of(known, name) if reason.startswith('Invalid enum') else ''}"


def _words_of(known: type[Body], name: str) -> str:
    hint = get_type_hints(known)[name]
    return ", ".join(word for part in (hint, *get_args(hint)) for word in get_args(part) if isinstance(word, str))


def _doubts(event: Event, kind: str | None, record: Record, source: Source, read_key: KeyReader) -> tuple[f.Doubt, ...]:
    if kind == "contract.registered" and source.role != "register":
        return ()  # whatever it says, it would be refused (rule A8)
    try:
        address = _address(event.data, read_key)
    except ValueError:
        return ()
    return (f.Doubt(source.name, event.id, address, event.time, sha256(record.value or b"").digest(), kind),)


def _doubts_of_envelope(
    envelope: Envelope, data: object, record: Record, source: Source, read_key: KeyReader
) -> tuple[f.Doubt, ...]:
    """The doubt of an event whose own attributes cannot be read, where its data still say what it is about."""
    if not isinstance(data, dict):
        return ()
    name = envelope.get("id") if is_identifier(envelope.get("id")) else sha256(record.value or b"").hexdigest()
    kind = _TYPE.fullmatch(str(envelope.get("type")))
    try:
        time = cloudevents.time_of(envelope, record)
    except ValueError:
        time = record.timestamp * 1000
    return _doubts(Event(str(name), "", time, data), kind[1] if kind else None, record, source, read_key)


def _registration(event: Event, source: Source, read_key: KeyReader) -> f.Fact:
    from contracts_schema.plan import encode_plan  # pydantic is loaded where it is used
    from contracts_schema.registration import read_registration

    if source.role != "register":
        raise Refused(f"registration refused: {source.name} is no register; only the register registers (rule A8)")
    plan, faults = _with_normal_keys(read_registration(event.data), read_key)
    if faults:
        raise Refused(refusal("registration", faults))
    body = f.ContractRegistered(plan.version, encode_plan(plan))
    return f.Fact(source.name, event.id, f.Address(plan.contract), event.time, body, plan.version)


def _with_normal_keys(plan: Any, read_key: KeyReader) -> tuple[Any, list[Fault]]:
    """The plan with every key as its source's mapper writes it, and the keys that none of theirs can be (rule B5)."""
    faults = []

    def read(path: Path, source: str, key: str) -> str:
        try:
            return read_key(source, key)
        except ValueError as error:
            faults.append(fault((*path, "refs", source), str(error)))
            return key

    def normal(path: Path, refs: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        return {source: tuple(dict.fromkeys(read(path, source, key) for key in keys)) for source, keys in refs.items()}

    milestones = tuple(msgspec.structs.replace(m, refs=normal(("milestones", m.id), m.refs)) for m in plan.milestones)
    return msgspec.structs.replace(plan, refs=normal((), plan.refs), milestones=milestones), faults
