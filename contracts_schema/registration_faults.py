"""What can be wrong with a registration as a whole: names, circles, proofs, dates (rules B1, B3, B4).

What the terms of money can show is checked in `registration_terms.py`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from zoneinfo import ZoneInfo

from contracts_schema.calendars import calendar_fault
from contracts_schema.faults import Fault, Path, fault, twice
from contracts_schema.money import decimals
from contracts_schema.registration_document import MilestoneDocument, Registration
from contracts_schema.registration_terms import terms_faults

_REQUIREMENT = re.compile(r"met|received|signed_off|invoiced|evidence:.+|on_time:.+|measure:[^<>=]+(<=|>=|<|>|=).+")
_MEASURE = re.compile(r"measure:[^<>=]+(?:<=|>=|<|>|=)-?[0-9]{1,15}(\.[0-9]{1,9})?")


def plan_faults(r: Registration, names: Collection[str]) -> Iterator[Fault]:
    """Everything that can be wrong with the plan beside amounts. `names` are the ids of all milestones as written,
    those included that are left out of `r` because of faults of their own."""
    yield from _header_faults(r)
    times = Counter(m.id for m in r.milestones)
    for name in sorted(n for n in times if times[n] > 1):
        yield Fault(("milestones", name), f"milestones: two are called {name!r}")
    before = {*names, *(name for m in r.milestones for name in m.replaces)}
    known = {m.id: m for m in r.milestones}
    for m in r.milestones:
        yield from _milestone_faults(m)
        yield from _proof_faults(m, known, names)
        yield from _name_faults(m, names, before)
        if r.version == 1 and m.replaces:
            yield fault(("milestones", m.id, "replaces"), "version 1 has nothing to replace (rule B4)")
    yield from terms_faults(r, names)
    yield from _contingency_faults(known)
    circle = _circle({m.id: m.after for m in r.milestones})
    if circle:
        path = ("milestones", circle[0], "after")
        yield Fault(path, f"after: {' after '.join(circle)} wait for each other in a circle (rule B4)")


def _header_faults(r: Registration) -> Iterator[Fault]:
    try:
        decimals(r.currency)
    except ValueError as error:
        yield fault(("currency",), str(error))
    try:
        ZoneInfo(r.timezone)
    except (KeyError, ValueError, OSError):  # a zone that is not found is a KeyError
        yield fault(("timezone",), f"{r.timezone!r} is no IANA time zone such as Europe/Berlin")
    unknown = calendar_fault(r.calendar) if r.calendar is not None else None
    if unknown is not None:
        yield fault(("calendar",), unknown)
    yield from _amendment_faults(r)
    yield from twice(("compliance",), r.compliance, "document")
    yield from twice(("hold_on_conflict",), r.hold_on_conflict, "field")
    for field, names in r.authority.items():
        yield from twice(("authority", field), names, "source")
        if not names:
            yield fault(("authority", field), "an empty list would let nobody be believed; leave it out")
    for source, keys in r.refs.items():
        yield from _key_faults(("refs", source), keys)


def _amendment_faults(r: Registration) -> Iterator[Fault]:
    a = r.amendment
    if a is None:
        return
    if r.version == 1:
        yield fault(("amendment",), "version 1 amends nothing; an amendment belongs to version 2 and later (rule B3)")
    if a.state == "approved" and not a.approved_by:
        yield Fault(("amendment", "state"), "amendment.approved_by is missing although its state is approved (rule B3)")
    if a.approved_by and a.approved_by == a.requested_by:
        yield fault(("amendment", "approved_by"), f"{a.requested_by!r} cannot approve their own change (rule B3)")


def _key_faults(path: Path, keys: list[str]) -> Iterator[Fault]:
    if len(set(keys)) < len(keys):
        yield fault(path, "a key stands twice")


def _milestone_faults(m: MilestoneDocument) -> Iterator[Fault]:
    at: Path = ("milestones", m.id)
    if m.value is not None and m.percent is not None:
        yield fault(at, "value and percent exclude each other")
    if m.kind == "payment" and not m.payable:
        yield fault(at, "a payment milestone needs a value or a percent (rule B1)")
    if m.payable and m.requires == []:
        yield fault((*at, "requires"), "an empty list would pay on the day of registration (rule B1)")
    if m.opening and not m.payable:
        yield fault((*at, "opening"), "nothing is payable here")
    if m.late_damages and not m.payable:
        yield fault((*at, "late_damages"), "nothing is payable here")
    if m.late_damages and m.due is None:
        yield fault((*at, "late_damages"), "without a due date nothing is ever late (rule C6)")
    if m.unit is not None and m.quantity is None:
        yield fault((*at, "unit"), "a unit without a quantity says nothing (rule C2)")
    if m.quantity is not None and not m.quantity.strip("0."):
        yield fault((*at, "quantity"), f"{m.quantity} is not above zero (rule C2)")
    for source, keys in m.refs.items():
        yield from _key_faults((*at, "refs", source), keys)
    yield from twice((*at, "deliverables"), (d.name for d in m.deliverables), "deliverable")


def _proof_faults(m: MilestoneDocument, known: dict[str, MilestoneDocument], names: Collection[str]) -> Iterator[Fault]:
    at: Path = ("milestones", m.id, "requires")
    yield from twice(at, m.requires or (), "proof")
    for n, required in enumerate(m.requires or ()):
        if not _REQUIREMENT.fullmatch(required):
            text = f"{required!r} is no proof (met, received, signed_off, invoiced, evidence:NAME, ...)"
            yield Fault((*at, n), f"milestones.{m.id}.requires: {text}")
        elif required.startswith("measure:") and not _MEASURE.fullmatch(required):
            yield Fault((*at, n), f"milestones.{m.id}.requires: {required!r} is not of the form measure:NAME<=0.02")
        elif required.startswith("on_time:"):
            wrong = _on_time_fault(required[8:], known, names)
            if wrong:
                yield Fault((*at, n), f"milestones.{m.id}.requires: {wrong}")


def _on_time_fault(name: str, known: dict[str, MilestoneDocument], names: Collection[str]) -> str | None:
    if name not in names:
        return f"{name!r} is no milestone of the plan (rule C6)"
    if name in known and known[name].due is None:
        return f"{name!r} has no due date, so it can never be on time (rule C6)"
    return None


def _name_faults(m: MilestoneDocument, names: Collection[str], before: set[str]) -> Iterator[Fault]:
    """Milestones that are named exist. A precursor may also be one that this version replaces (rule D2): `before` are
    these as well."""
    at: Path = ("milestones", m.id)
    stood_in = [m.contingency_for] if m.contingency_for else []
    for field, named, known in (("after", m.after, before), ("contingency_for", stood_in, names)):
        yield from twice((*at, field), named, "milestone")
        for name in named:
            if name not in known:
                yield fault((*at, field), f"{name!r} is no milestone of the plan (rule B4)")
            elif name == m.id:
                yield fault((*at, field), "a milestone cannot name itself (rule B4)")
    yield from twice((*at, "replaces"), m.replaces, "milestone")
    for name in m.replaces:
        if name in names:
            yield fault((*at, "replaces"), f"{name!r} is still a milestone of the plan (rule B4)")


def _contingency_faults(known: dict[str, MilestoneDocument]) -> Iterator[Fault]:
    """A stand-in of a stand-in would leave two milestones in force for one (rule D1)."""
    for name, m in known.items():
        other = known.get(m.contingency_for or "")
        if other is not None and other.contingency_for and other.id != name:
            text = f"{other.id!r} is a contingency milestone itself; name {other.contingency_for!r} (rule D1)"
            yield fault(("milestones", name, "contingency_for"), text)


def _circle(edges: dict[str, list[str]]) -> list[str]:
    """One circle among the edges, or nothing. Iterative: plans may be long chains."""
    done: set[str] = set()
    for start in edges:
        path: list[str] = []
        on_path: set[str] = set()
        stack: list[tuple[str, int]] = [(start, 0)]
        while stack:
            node, at = stack.pop()
            if at == 0:
                if node in on_path:
                    return [*path[path.index(node) :], node]
                if node in done:
                    continue
                path.append(node)
                on_path.add(node)
            following = edges.get(node, [])
            if at < len(following):
                stack += [(node, at + 1), (following[at], 0)]
            else:
                done.add(node)
                on_path.discard(path.pop())
    return []
