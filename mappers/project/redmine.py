"""Dialect `redmine`: versions and issues, as REST gives them and as webhooks send them, to facts.

Three shapes of webhook are read: the plugin's (`payload.issue`, milliseconds, no flag that tells whether a status is
closed), the newer core's (`type`, `timestamp`, `data`), and what the collector writes of an object that is gone
(`deleted`). Facts are not numbered: they are ordered by `updated_on`, and as REST gives that in whole seconds, what was
seen later within such a second counts as later (rule F8).

An assessment and a schedule stand under their own object's key only (rule D12): closing an issue does not meet the
version that contains it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from msgspec import UNSET, UnsetType

from contracts_schema.errors import Unreadable
from contracts_schema.facts import Assessed, Scheduled, Status
from mappers import statements, strict_json, values
from mappers.statements import Origin, Part

if TYPE_CHECKING:
    from datetime import date

    from contracts_schema.facts import Doubt, Fact
    from contracts_schema.records import Record, Source

REVISION = 1

Thing = dict[str, Any]
Named = tuple[str, Thing]  # "version" or "issue", and the object

_SECOND = 1_000_000
_KINDS = ("version", "issue")
_GONE = (Assessed(status=None, percent=None, met_on=None), Scheduled(due=None, forecast=None))
_event_name = re.compile(r"[a-z_]{1,60}\.[a-z_]{1,60}")
_named_object = re.compile(rb'"(version|issue)"\s*:\s*\{\s*"id"\s*:\s*([0-9]{1,18})\b')


def translate(record: Record, source: Source) -> tuple[Fact, ...]:
    """The facts of one record; none where it is about neither a version nor an issue.

    Raises:
        Unreadable: with a doubt for every version and issue that could still be read in the record.
    """
    raw = record.value or b""
    try:
        things, event_time = _things(strict_json.parse(raw), record)
    except ValueError as error:
        raise Unreadable(f"Redmine: {error}", _salvaged(record, source)) from None
    try:
        return tuple(fact for named in things for fact in _facts(named, event_time, record, source))
    except ValueError as error:
        doubts = [doubt for named in things for doubt in _doubts(named, event_time, record, source)]
        raise Unreadable(f"Redmine: {error}", doubts) from None


def normalise_key(key: str) -> str:
    """A key of the crosswalk as this dialect writes it.

    Raises:
        ValueError: it is no key of this dialect.
    """
    kind, _, component = key.partition(":")
    if kind in _KINDS:
        return values.number_key(kind, component.strip())
    if kind == "project":
        return values.key(kind, values.decode_component(component))
    raise ValueError(f"{values.shown(key)} is none of issue:<id>, version:<id>, project:<identifier>")


def _things(value: Any, record: Record) -> tuple[list[Named], str | None]:
    """The versions and issues in a record, and the time that its envelope bears."""
    if isinstance(value, list):
        return [_bare(entry, record) for entry in value], None
    if isinstance(value, dict) and isinstance(value.get("type"), str) and isinstance(value.get("data"), dict):
        return _of_event(value), value.get("timestamp")
    if isinstance(value, dict) and "payload" in value:
        value = value["payload"]
    wrapped = _wrapped(value)
    return [_bare(value, record)] if wrapped is None else wrapped, None


def _wrapped(value: object) -> list[Named] | None:
    """What stands under `version`, `issue`, `versions` or `issues`; None where none of them is there."""
    if not isinstance(value, dict) or "id" in value:
        return None
    for kind in _KINDS:
        if isinstance(value.get(kind), dict):
            return [(kind, value[kind])]
        entries = value.get(f"{kind}s")
        if isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries):
            return [(kind, entry) for entry in entries]
    return None


def _of_event(event: Thing) -> list[Named]:
    """The object of a core webhook; an event about anything else has none."""
    kind, _, verb = event["type"].partition(".")
    if kind not in _KINDS:
        if _event_name.fullmatch(event["type"]):
            return []
        raise ValueError(f"{values.shown(event['type'])} is no type of event")
    thing = event["data"].get(kind)
    if not isinstance(thing, dict):
        raise ValueError(f"an event {event['type']} has no {kind}")  # noqa: TRY004 -- one family for callers
    return [(kind, {**thing, "deleted": True} if verb in {"deleted", "destroyed"} else thing)]


def _bare(thing: object, record: Record) -> Named:
    """An object without a wrapper: the header says what it is, or else its status does."""
    if not isinstance(thing, dict) or "id" not in thing:
        raise ValueError("it holds neither a version nor an issue")
    kind = record.header("milepost-kind")
    if kind is None and isinstance(thing.get("status"), str | dict):
        kind = "version" if isinstance(thing["status"], str) else "issue"
    if kind not in _KINDS:
        raise ValueError("it holds neither a version nor an issue")
    return kind, thing


def _facts(named: Named, event_time: str | None, record: Record, source: Source) -> tuple[Fact, ...]:
    kind, thing = named
    try:
        origin = _origin(named, event_time, record, source)
        bodies = _bodies(kind, thing, source)
    except ValueError as error:
        raise ValueError(f"{kind} {values.shown(thing.get('id'))}: {error}") from None
    return statements.facts(origin, [Part((origin.thing,), body) for body in bodies])


def _bodies(kind: str, thing: Thing, source: Source) -> tuple[Assessed, Scheduled]:
    if _flag(thing, "deleted"):
        return _GONE
    due = _due(thing, source)
    assessed = _version_assessed(thing) if kind == "version" else _issue_assessed(thing, source)
    return assessed, Scheduled(due=due, forecast=due)


def _due(thing: Thing, source: Source) -> date | UnsetType | None:
    """Redmine's one date: what was promised, moved whenever the plan slips, and so what is expected as well.

    A snapshot without a date writes null, which clears it; a webhook that may not show the field says nothing.
    """
    if "due_date" not in thing:
        return UNSET
    written = thing["due_date"]
    try:
        return None if written in (None, "") else values.vendor_date(written, source.timezone)
    except ValueError as error:
        raise ValueError(f"due_date: {error}") from None


def _version_assessed(thing: Thing) -> Assessed:
    """A closed version is met; Redmine keeps no day of closing, so it is the day of the assessment's own time."""
    status = thing.get("status")
    if status not in ("open", "locked", "closed"):
        raise ValueError(f"the status {values.shown(status)} of a version is not known")
    return Assessed(status="met" if status == "closed" else "scheduled", percent=None, met_on=None)


def _issue_assessed(thing: Thing, source: Source) -> Assessed:
    done = _done_ratio(thing)
    status = thing.get("status")
    if not isinstance(status, dict):
        raise ValueError("it has no status")  # noqa: TRY004 -- one family for callers
    met_on = None
    word: Status = "partiallyMet" if done else "scheduled"
    if _is_met(thing, status, source):
        word = "met"
        met_on = _closed_on(thing, status, source)
    return Assessed(status=word, percent=None if done is None else str(done), met_on=met_on)


def _is_met(thing: Thing, status: Thing, source: Source) -> bool:
    """The configuration says which statuses are met; one that closes an issue and is not listed is not understood.

    A webhook does not say whether a status is closed. Redmine keeps `closed_on` when an issue is opened again, so a
    status that is not listed can be told to be open only while the issue was never closed.
    """
    name = values.identifier(status.get("name"))
    if name in source.met:
        return True
    if name in source.open:
        return False
    closed = _flag(status, "is_closed") if "is_closed" in status else thing.get("closed_on") is not None
    if closed:
        raise ValueError(
            f"the closed status {name!r} is listed neither as met nor as open (statuses of this source, configuration)"
        )
    return False


def _closed_on(thing: Thing, status: Thing, source: Source) -> date | None:
    """The day of closing in the source's zone; what an issue bears from an earlier closing does not count."""
    if thing.get("closed_on") is None or status.get("is_closed") is False:
        return None
    return values.day(_moment(thing, "closed_on", source), source.timezone)


def _done_ratio(thing: Thing) -> int | None:
    done = thing.get("done_ratio")
    if done is None:
        return None
    if type(done) is not int or not 0 <= done <= 100:
        raise ValueError(f"a done_ratio of {values.shown(done)} is no percentage")
    return done


def _flag(thing: Thing, field: str) -> bool:
    value = thing.get(field)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise ValueError(f"{field} is {values.shown(value)}, not true or false")


def _origin(named: Named, event_time: str | None, record: Record, source: Source) -> Origin:
    """The object's own key and time; `document` binds the key to the object that was created then (reused ids)."""
    kind, thing = named
    own = values.number_key(kind, thing.get("id"))
    seen_at = _seen_at(event_time, record)
    if _flag(thing, "deleted"):
        time = record.timestamp * 1000 if seen_at is None else seen_at
    else:
        time = _changed_at(thing, seen_at, source)
    document = None if thing.get("created_on") is None else f"{own}@{_created_on(thing, source)}"
    return Origin(source.name, own, time, REVISION, document)


def _changed_at(thing: Thing, seen_at: int | None, source: Source) -> int:
    """`updated_on`; where it has whole seconds only, with the part of that second at which the object was seen.

    An object seen after its second had ended cannot change within it any more, so all later looks at it are one.
    """
    if thing.get("updated_on") is None:
        raise ValueError("it has no updated_on: when this was so is unknown")
    changed_at = _moment(thing, "updated_on", source)
    if changed_at % _SECOND or seen_at is None:
        return changed_at
    return changed_at + min(max(seen_at - changed_at, 0), _SECOND - 1)


def _seen_at(event_time: str | None, record: Record) -> int | None:
    """When the collector saw the object, or when the webhook was sent; None where neither is told."""
    observed = record.header("milepost-observed-at") or event_time
    return None if observed is None else values.vendor_moment(observed, "UTC")


def _moment(thing: Thing, field: str, source: Source) -> int:
    try:
        return values.vendor_moment(thing[field], source.timezone)
    except ValueError as error:
        raise ValueError(f"{field}: {error}, as in 2026-12-14T08:00:00Z") from None


def _created_on(thing: Thing, source: Source) -> str:
    """To the second: REST writes whole seconds and webhooks milliseconds for the same moment."""
    seconds = _moment(thing, "created_on", source) // _SECOND
    return values.moment(seconds * _SECOND).strftime("%Y-%m-%dT%H:%M:%SZ")


def _doubts(named: Named, event_time: str | None, record: Record, source: Source) -> tuple[Doubt, ...]:
    kind, thing = named
    try:
        own = values.number_key(kind, thing.get("id"))
    except ValueError:
        return ()
    try:
        time = _origin(named, event_time, record, source).time
    except ValueError:
        time = record.timestamp * 1000
    return statements.doubts(Origin(source.name, own, time, REVISION), [(own,)], record.value or b"")


def _salvaged(record: Record, source: Source) -> tuple[Doubt, ...]:
    """Doubts about the versions and issues that a broken text still names."""
    raw = record.value or b""
    found = _named_object.finditer(raw[: strict_json.BYTES_MAX])
    addresses = [(f"{match[1].decode()}:{int(match[2])}",) for match in found if int(match[2])]
    return statements.doubts(Origin(source.name, "broken", record.timestamp * 1000, REVISION), addresses, raw)
