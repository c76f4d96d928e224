"""The network of a contract's milestones: what comes after what, and on which day each is expected.

    time that a milestone takes   from the latest due date among what comes first to its own due date, by the plan
    expected                      the latest of: its own forecast, today, and what comes first plus the time it takes
    latest                        the latest day that moves nothing that is expected last
    slack                         from expected to latest; without slack a milestone is critical

A milestone that is met stays on the day on which it was met. Milestones that do not count (a contingency milestone that
nobody activated, one that another has taken over from, one that was replaced) are seen through.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import NamedTuple

from services.outlook.days import Days


class Node(NamedTuple):
    """One milestone that counts. `own` is the day that is said of it: the forecast, or without one the due date; `met`
    the day on which it was met. `after` names nodes."""

    name: str
    own: date | None
    met: date | None
    due: date | None
    tolerance_days: int
    after: tuple[str, ...]

    @property
    def is_met(self) -> bool:
        """Whether it cannot move any more."""
        return self.met is not None


class Expected(NamedTuple):
    """When a milestone is expected, by its own word or by what comes first (`driver`); None: nobody can tell."""

    day: date | None
    driver: str | None


class Network:
    """The nodes in an order in which what comes first stands first; each knows the time that it takes."""

    def __init__(self, nodes: Iterable[Node], days: Days, today: date) -> None:
        self.days = days
        self.today = today
        self.nodes: dict[str, Node] = _ordered({node.name: node for node in nodes})
        self.takes: dict[str, int] = {name: self._takes(node) for name, node in self.nodes.items()}

    def _takes(self, node: Node) -> int:
        """Days from the latest due date among what comes first to its own; none where the plan does not say."""
        first = [self.nodes[n].due for n in node.after if n in self.nodes]
        latest = max((due for due in first if due is not None), default=None)
        return 0 if latest is None or node.due is None else max(0, self.days.between(latest, node.due))

    def expected(self, said: Mapping[str, date] | None = None) -> dict[str, Expected]:
        """When each milestone is expected, where these days are said instead of its own."""
        found: dict[str, Expected] = {}
        for name, node in self.nodes.items():
            own = (said or {}).get(name, node.own)
            found[name] = Expected(node.met, None) if node.is_met else self._open(node, own, found)
        return found

    def _open(self, node: Node, own: date | None, found: Mapping[str, Expected]) -> Expected:
        day, driver = None if own is None else max(own, self.today), None
        for before in node.after:
            first = found[before].day if before in found else None
            if first is not None:
                earliest = self.days.after(first, self.takes[node.name])
                if day is None or earliest > day:
                    day, driver = earliest, before
        return Expected(None if day is None else max(day, self.today), driver)

    def latest(self, expected: Mapping[str, Expected]) -> dict[str, date]:
        """The latest day of each milestone that moves nothing that is expected last."""
        known = [e.day for e in expected.values() if e.day is not None]
        if not known:
            return {}
        end = max(known)
        latest = dict.fromkeys(self.nodes, end)
        for name in reversed(self.nodes):
            if self.nodes[name].is_met:  # it waits for nothing any more
                continue
            start = self.days.after(latest[name], -self.takes[name])
            for before in self.nodes[name].after:
                if before in latest:
                    latest[before] = min(latest[before], start)
        return latest

    def slack(self, expected: Mapping[str, Expected]) -> dict[str, int | None]:
        """Days that each open milestone may move before the last one does; None where it is met or has no day."""
        latest = self.latest(expected)
        return {
            name: None if e.day is None or self.nodes[name].is_met else max(0, self.days.between(e.day, latest[name]))
            for name, e in expected.items()
        }


def _ordered(nodes: dict[str, Node]) -> dict[str, Node]:
    """What comes first stands first, else as in the plan. What waits for each other in a circle, as it may once a
    contingency milestone takes over, keeps the order of the plan, and does not wait."""
    waits = {name: {b for b in node.after if b in nodes and b != name} for name, node in nodes.items()}
    follow: dict[str, list[str]] = {}
    for name, before in waits.items():
        for one in before:
            follow.setdefault(one, []).append(name)
    ready = [name for name, before in waits.items() if not before]
    found: dict[str, Node] = {}
    for name in ready:  # grows while it is read
        found[name] = nodes[name]
        for other in follow.get(name, ()):
            waits[other].discard(name)
            if not waits[other]:
                ready.append(other)
    for name, node in nodes.items():
        if name not in found:
            found[name] = node._replace(after=tuple(b for b in node.after if b in found))
    return found
