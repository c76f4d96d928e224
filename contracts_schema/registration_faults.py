"""What can be wrong with a registration as a whole: names, circles, proofs, steps (rules B1, B3, B4)."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from fractions import Fraction
from zoneinfo import ZoneInfo

from contracts_schema.money import decimals
from contracts_schema.registration_document import MilestoneDocument, Registration, Retention

_REQUIREMENT = re.compile(r"met|received|signed_off|invoiced|evidence:.+|on_time:.+|measure:[^<>=]+(<=|>=|<|>|=).+")
_MEASURE = re.compile(r"measure:[^<>=]+(?:<=|>=|<|>|=)-?[0-9]{1,15}(\.[0-9]{1,9})?")


def plan_faults(r: Registration) -> Iterator[str]:
    """Everything that can be wrong with the plan beside amounts."""
    yield from _header_faults(r)
    names = [m.id for m in r.milestones]
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield f"milestones: two are called {name!r}"
    replaced = {name for m in r.milestones for name in m.replaces}
    for m in r.milestones:
        yield from _milestone_faults(m, set(names), replaced)
    if r.retention:
        yield from _retention_faults(r.retention, set(names))
    for field, edges in (
        ("after", {m.id: m.after for m in r.milestones}),
        ("contingency_for", {m.id: [m.contingency_for] for m in r.milestones if m.contingency_for}),
    ):
        circle = _circle(edges)
        if circle:
            yield f"{field}: {' after '.join(circle)} wait for each other in a circle (rule B4)"


def _header_faults(r: Registration) -> Iterator[str]:
    try:
        decimals(r.currency)
    except ValueError as error:
        yield f"currency: {error}"
    try:
        ZoneInfo(r.timezone)
    except (KeyError, ValueError, OSError):  # a zone that is not found is a KeyError
        yield f"timezone: {r.timezone!r} is no IANA time zone such as Europe/Berlin"
    a = r.amendment
    if a and a.state == "approved" and not a.approved_by:
        yield "amendment.approved_by is missing although its state is approved (rule B3)"
    if a and a.approved_by and a.approved_by == a.requested_by:
        yield f"amendment: {a.requested_by!r} cannot approve their own change"


def _milestone_faults(m: MilestoneDocument, names: set[str], replaced: set[str]) -> Iterator[str]:
    at = f"milestones.{m.id}"
    if m.value is not None and m.percent is not None:
        yield f"{at}: value and percent exclude each other"
    if m.kind == "payment" and not m.payable:
        yield f"{at}: a payment milestone needs a value or a percent (rule B1)"
    if m.payable and m.requires == []:
        yield f"{at}.requires: an empty list would pay on the day of registration (rule B1)"
    if m.opening and not m.payable:
        yield f"{at}.opening: nothing is payable here"
    for source, keys in m.refs.items():
        if len(set(keys)) < len(keys):
            yield f"{at}.refs.{source}: a key stands twice"
    yield from _proof_faults(m, at, names)
    yield from _name_faults(m, at, names, replaced)


def _proof_faults(m: MilestoneDocument, at: str, names: set[str]) -> Iterator[str]:
    for required in m.requires or ():
        if not _REQUIREMENT.fullmatch(required):
            yield f"{at}.requires: {required!r} is no proof (met, received, signed_off, invoiced, evidence:NAME, ...)"
        elif required.startswith("measure:") and not _MEASURE.fullmatch(required):
            yield f"{at}.requires: {required!r} is not of the form measure:NAME<=0.02"
        elif required.startswith("on_time:") and required[8:] not in names:
            yield f"{at}.requires: {required[8:]!r} is no milestone of the plan"


def _name_faults(m: MilestoneDocument, at: str, names: set[str], replaced: set[str]) -> Iterator[str]:
    """Milestones that are named exist. A precursor may also be one that this version replaces (rule D2)."""
    stood_in = [m.contingency_for] if m.contingency_for else []
    for field, named, known in (("after", m.after, names | replaced), ("contingency_for", stood_in, names)):
        for name in named:
            if name not in known:
                yield f"{at}.{field}: {name!r} is no milestone of the plan (rule B4)"
            elif name == m.id:
                yield f"{at}.{field}: a milestone cannot name itself (rule B4)"
    for name in m.replaces:
        if name in names:
            yield f"{at}.replaces: {name!r} is still a milestone of the plan (rule B4)"


def _retention_faults(retention: Retention, names: set[str]) -> Iterator[str]:
    steps = retention.steps
    if retention.release_on and retention.release_on not in names:
        yield f"retention.release_on: {retention.release_on!r} is no milestone of the plan (rule B4)"
    for n, step in enumerate(steps, 1):
        if step.until_percent is None and n < len(steps):
            yield f"retention.steps.{n}: only the last step may leave out until_percent"
    for n, (a, b) in enumerate(itertools.pairwise(steps), 2):
        if Fraction(b.rate_percent) > Fraction(a.rate_percent):
            rates = f"{b.rate_percent} is more than {a.rate_percent}"
            yield f"retention.steps.{n}.rate_percent: {rates}; rates may not rise (rule B4)"
        if a.until_percent and b.until_percent and Fraction(b.until_percent) <= Fraction(a.until_percent):
            yield f"retention.steps.{n}.until_percent: {b.until_percent} does not lie after {a.until_percent}"
    if steps[0].returns_percent:
        yield "retention.steps.1.returns_percent: nothing was kept before the first step"


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
