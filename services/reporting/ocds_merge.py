"""How releases of OCDS follow from pictures, and how a record is compiled from releases.

A release says what has changed. Lists of objects with an `id` merge by it, other lists are replaced whole, and null
takes a field away (https://standard.open-contracting.org/1.1/en/schema/merging/).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.reporting.ocds_picture import Json

WHOLE = frozenset({"additionalIdentifiers", "roles", "tag"})  # lists that are replaced whole, by the schema
ALWAYS = ("id", "awardID")  # what every release of an object must say
NOT_MERGED = frozenset({"id", "date", "tag"})  # of a release itself


def change(before: Json, after: Json) -> Json:
    """What must be said so that `before` becomes `after`; empty where they are the same."""
    said: Json = {}
    for name in _names(after, before):
        was, now = before.get(name), after.get(name)
        if was == now:
            continue
        if _is_list_of_objects(name, was, now):
            said[name] = _changed_objects(was or [], now or [])
        elif isinstance(was, dict) and isinstance(now, dict):
            said[name] = change(was, now)
        else:
            said[name] = _instead(name, was, now)
    return {name: after[name] for name in ALWAYS if name in after} | said if said else said


def _names(first: Json, then: Json) -> list[str]:
    return [*first, *(name for name in then if name not in first)]


def _is_list_of_objects(name: str, *values: Any) -> bool:
    return name not in WHOLE and any(isinstance(v, list) for v in values)


def _changed_objects(before: Sequence[Json], after: Sequence[Json]) -> list[Json]:
    """Objects that are new or have changed, and those that are gone, emptied. One that has an implementation says what
    has changed in it; every other is said whole."""
    known, kept = {item["id"]: item for item in before}, {item["id"] for item in after}
    changed = [item for item in after if known.get(item["id"]) != item]
    said = [change if "implementation" in item and item["id"] in known else _whole for item in changed]
    gone = [_emptied(item) for item in before if item["id"] not in kept]
    return [say(known.get(item["id"], {}), item) for say, item in zip(said, changed, strict=True)] + gone


def _whole(before: Json, after: Json) -> Json:
    """All of an object, and null for what it had before and has no more."""
    return {name: _instead(name, before.get(name), after.get(name)) for name in _names(after, before)}


def _instead(name: str, was: Any, now: Any) -> Any:
    """What to say so that one value takes the place of another."""
    if isinstance(was, dict) or isinstance(now, dict):
        return _whole(was or {}, now or {})
    if _is_list_of_objects(name, was, now):
        known, kept = {item["id"]: item for item in was or ()}, {item["id"] for item in now or ()}
        gone = [_emptied(item) for item in was or () if item["id"] not in kept]
        return [_whole(known.get(item["id"], {}), item) for item in now or ()] + gone
    return [] if now is None and isinstance(was, list) else now


def _emptied(item: Json) -> Json:
    """An object of a list without anything but its id: that is as far as merging can take it away."""
    return _whole(item, {"id": item["id"]})


def compiled(releases: Sequence[Json]) -> Json:
    """The compiled release of releases that are in order of their dates."""
    whole: Json = {}
    for release in releases:
        _merge(whole, {name: value for name, value in release.items() if name not in NOT_MERGED})
    last = releases[-1]
    return {
        "ocid": last["ocid"],
        "id": f"{last['ocid']}-{last['date']}",
        "date": last["date"],
        "tag": ["compiled"],
    } | whole


def _merge(whole: Json, said: Json) -> None:
    for name, value in said.items():
        if value is None:
            whole.pop(name, None)
        elif isinstance(value, dict):
            _merge(whole.setdefault(name, {}), value)  # one of which everything is taken away stays, empty
        elif isinstance(value, list) and name not in WHOLE and all(isinstance(item, dict) for item in value):
            _merge_list(whole, name, value)
        else:
            whole[name] = value


def _merge_list(whole: Json, name: str, said: Sequence[Json]) -> None:
    if not said:
        return
    known = whole.setdefault(name, [])
    for item in said:
        inner = next((one for one in known if one["id"] == item["id"]), None)
        if inner is None:
            known.append(inner := {"id": item["id"]})
        _merge(inner, item)
