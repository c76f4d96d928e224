"""A registration from a template: the template's document with what the house writes over it.

    field of both, mapping over mapping     merged, field by field
    field of both, anything else            the document's word counts: lists are replaced whole
    null                                    takes the template's field away
    milestones                              merged by id; null takes one away; new ones follow the template's

Milestones may be written as a list, each with its `id`, or as a mapping from id to what differs. What comes of it is a
whole registration: it alone is sent, so that the log never depends on a template.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from contracts_schema.faults import Fault, fault

NAMES_TEMPLATE = "template"
_OF_ITS_OWN = ("title", "kind")  # what a milestone needs that the template does not have
_MILESTONES = "milestones"

Content = dict[str, Any]


def expand(template: Mapping[str, Any], document: Mapping[str, Any]) -> tuple[Content, list[Fault]]:
    """The whole registration, and what is wrong with what was written over the template."""
    name = document[NAMES_TEMPLATE]
    own = {k: v for k, v in document.items() if k not in (NAMES_TEMPLATE, _MILESTONES)}
    rest = {k: v for k, v in template.items() if k != _MILESTONES}
    whole = merged(rest, own)
    milestones = [*template.get(_MILESTONES, ())]
    over = document.get(_MILESTONES)
    if over is None:
        return whole | {_MILESTONES: milestones}, []
    if not isinstance(over, list | dict):
        return whole | {_MILESTONES: over}, []  # the check of the registration says what is wrong
    faults = [*_faults(name, [m["id"] for m in milestones], over)]
    return whole | {_MILESTONES: _milestones(milestones, _by_id(over))}, faults


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> Content:
    """One mapping written over another."""
    found = dict(under)
    for field, value in over.items():
        before = found.get(field)
        if value is None:
            found.pop(field, None)
        elif isinstance(before, dict) and isinstance(value, dict):
            found[field] = merged(before, value)
        else:
            found[field] = value
    return found


def nearest(name: str, known: Iterable[str]) -> str:
    """What a name was probably meant to be, as the end of a sentence."""
    names = sorted(known)
    near = get_close_matches(name, names, 3) or names
    return f"near it are {', '.join(near)}" if near else "there is none"


def _by_id(over: list[Any] | dict[str, Any]) -> list[tuple[object, Any]]:
    if isinstance(over, dict):
        return [(name, part if part is None else {"id": name} | _mapping(part)) for name, part in over.items()]
    return [(part.get("id") if isinstance(part, dict) else None, part) for part in over]


def _mapping(part: object) -> Content:
    return dict(part) if isinstance(part, dict) else {"title": part}  # the check of the registration refuses it


def _milestones(template: list[Any], over: list[tuple[object, Any]]) -> list[Any]:
    found: dict[object, Any] = {m["id"]: m for m in template}
    for n, (name, part) in enumerate(over):
        if part is None:
            found.pop(name, None)
        elif name in found and isinstance(part, dict):
            found[name] = merged(found[name], part)
        else:
            found[n if name is None else name] = part
    return [*found.values()]


def _faults(template: str, known: list[str], over: list[Any] | dict[str, Any]) -> Iterator[Fault]:
    """Names that the template does not have, unless the document says all that a milestone of its own needs."""
    listed = [name for name, _ in _by_id(over)]
    for name, part in _by_id(over):
        if not isinstance(name, str):
            continue
        if listed.count(name) > 1:
            yield Fault((_MILESTONES, name), f"milestones: {name!r} is written over twice")
        if name not in known and (part is None or not all(field in part for field in _OF_ITS_OWN)):
            text = f"template {template} has no milestone {name!r}; {nearest(name, known)}"
            yield fault((_MILESTONES, name), f"{text} (one of its own needs a title and a kind)")
