"""CloudEvents 1.0 as Kafka carries them: structured (one JSON object) or binary mode (`ce_` headers, data as value).

What an event is about is told in `canonical.py`. Kafka's binding knows no batches; of the formats only JSON is read.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from contracts_schema.records import Record, is_identifier
from mappers.strict_json import parse
from mappers.values import micros, shown

_STRUCTURED = "application/cloudevents+json"
_ANY_FORMAT = "application/cloudevents"
_ATTRIBUTES = tuple((name, f"ce_{name}") for name in ("specversion", "id", "source", "type", "time"))

Envelope = Mapping[str, Any]
Told = tuple[Envelope, object]  # the attributes of an event, and its data
_Headers = Mapping[str, bytes | None]


class Event(NamedTuple):
    """One CloudEvent: `time` in microseconds, `data` as it was decoded."""

    id: str
    type: str
    time: int
    data: dict[str, Any]


class Batch(ValueError):
    """Several events in one record. `told` are those that could be read."""

    def __init__(self, events: list[Any]) -> None:
        super().__init__(f"it is a batch of {len(events)}; each event must be a record of its own")
        self.told: list[Told] = [(event, event.get("data")) for event in events if isinstance(event, dict)]


def is_event(record: Record) -> bool:
    """Whether the record says of itself that it is a CloudEvent."""
    headers = _headers(record)
    return "ce_type" in headers or "ce_specversion" in headers or _format(headers).startswith(_ANY_FORMAT)


def read(record: Record) -> Told:
    """The attributes and the data of the event in a record, not yet checked.

    Raises:
        Batch: there are several.
        ValueError: it can be read in neither mode.
    """
    headers = _headers(record)
    stated = _format(headers)
    return _binary(record, headers) if _is_binary(headers, stated) else _structured(record, stated)


def checked(told: Told, record: Record) -> Event:
    """The event, with what it must have.

    Raises:
        ValueError: an attribute or the data is missing, or cannot be understood.
    """
    envelope, data = told
    if envelope.get("specversion") != "1.0":
        raise ValueError(f"specversion {shown(envelope.get('specversion'))} is not 1.0")
    for name in ("id", "source", "type"):
        if not is_identifier(envelope.get(name)):
            raise ValueError(f"{name} {shown(envelope.get(name))} is not a text of 1 to 300 visible characters")
    if "data" in envelope and "data_base64" in envelope:
        raise ValueError("it states both data and data_base64")
    if not isinstance(data, dict):
        raise ValueError("data is not a JSON object")  # noqa: TRY004 -- one family for callers
    return Event(envelope["id"], envelope["type"], time_of(envelope, record), data)


def time_of(envelope: Envelope, record: Record) -> int:
    """The event's own time in microseconds; that of the record where it states none.

    Raises:
        ValueError: it is not RFC 3339.
    """
    time = envelope.get("time")
    if time is not None and not isinstance(time, str):
        raise ValueError(f"time {shown(time)} is not an RFC 3339 text")
    return record.timestamp * 1000 if time is None else _moment(time)


def _moment(text: str) -> int:
    """Microseconds of an RFC 3339 text, which always bears its zone."""
    try:
        moment = datetime.fromisoformat(text.upper()) if len(text) >= 20 and text[10] in "Tt " else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(f"time {text[:80]!r} is not RFC 3339, as in 2026-03-01T08:00:00Z")
    return micros(moment)


def _headers(record: Record) -> _Headers:
    """By name in lower case: bridges from HTTP write them in any."""
    return {name.lower(): value for name, value in record.headers}


def _format(headers: _Headers) -> str:
    return _media_type(headers.get("content-type") or b"")


@lru_cache(maxsize=64)
def _media_type(content_type: bytes) -> str:
    """In lower case and without parameters."""
    return content_type[:200].decode("utf-8", "replace").partition(";")[0].strip().lower()


def _is_binary(headers: _Headers, stated: str) -> bool:
    if "ce_id" in headers:
        return True
    return not stated.startswith(_ANY_FORMAT) and ("ce_type" in headers or "ce_specversion" in headers)


def _binary(record: Record, headers: _Headers) -> Told:
    envelope = {name: text for name, header in _ATTRIBUTES if (text := _text(headers.get(header))) is not None}
    return envelope, parse(record.value or b"")


def _text(raw: bytes | None) -> str | None:
    try:
        return None if raw is None else raw.decode()
    except UnicodeDecodeError:
        return None


def _structured(record: Record, stated: str) -> Told:
    if stated.startswith(_ANY_FORMAT) and not stated.endswith("+json"):
        raise ValueError(f"content-type {shown(stated)} is not read; {_STRUCTURED} is")
    envelope = parse(record.value or b"")
    if isinstance(envelope, list):
        raise Batch(envelope)
    if not isinstance(envelope, dict):
        raise ValueError(f"it is not a JSON object but {type(envelope).__name__}")  # noqa: TRY004 -- one family
    if "data" not in envelope and isinstance(envelope.get("data_base64"), str):
        return envelope, parse(_from_base64(envelope["data_base64"]))
    return envelope, envelope.get("data")


def _from_base64(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise ValueError("data_base64 is no base64") from None
