"""The difference that an amendment would have made, had it been known on the day from which it counts.

Decisions already taken are never rewritten (rule B3). What they would have been is told beside them: the history is
done again with the amendment registered on its day, and each revision since is compared with what was released then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from contracts_schema.commands import Amount
from contracts_schema.facts import ContractRegistered, Fact
from contracts_schema.plan import decode_plan
from services.history.rulebooks import Shelf
from services.history.shadow import Shadow
from services.reconciliation.calendar import midnight, show_moment
from services.reconciliation.crosswalk import index_of
from services.reconciliation.log import Decided, LogEntry
from services.reconciliation.policy import Rules
from services.reconciliation.state import State
from services.reconciliation.wire import amount


class Would(Struct, frozen=True):
    """One milestone at one revision: what had been released then, and what would have been. `more` is the difference,
    negative where less would have been released. `reasons` are those that would have held the rest."""

    milestone: str
    revision: int
    at: str
    value_then: Amount
    value_with: Amount
    released_then: Amount
    allowed_with: Amount
    released_with: Amount
    more: Amount
    reasons: tuple[str, ...]


def counts_from(fact: Fact) -> int | None:
    """The moment (µs) from which an amendment counts; None where it names no day, or is no approved amendment."""
    body = fact.body
    if not isinstance(body, ContractRegistered):
        return None
    plan = decode_plan(body.plan)
    amendment = plan.amendment
    if amendment is None or amendment.state != "approved" or amendment.effective_from is None:
        return None
    return midnight(amendment.effective_from, plan.timezone)


def registration(entries: Sequence[LogEntry], version: int) -> Fact | None:
    """The newest registration of a version in a history."""
    found = [
        x for e in entries for x in e.facts if isinstance(x.body, ContractRegistered) and x.body.version == version
    ]
    return max(found, key=lambda fact: (fact.version or -1, fact.time, fact.id), default=None)


def retrospect(
    contract: str, entries: Sequence[LogEntry], fact: Fact, since: int, shelf: Shelf, otherwise: Rules
) -> list[Would]:  # fmt: skip
    """What would have been released at each revision since the moment `since`, where that differs from what was."""
    both = _Both(Shadow(State(contract), otherwise))
    found: list[Would] = []
    for entry in entries:
        both.shadow.rules = shelf.present(entry.rulebook) or otherwise
        if not both.is_known and both.shadow.state.plans and entry.moment >= since:
            both.shadow.tell([fact], since)
            both.is_known = True
        both.follow(entry)
        if both.is_known:
            found += both.compared(entry)
    return found


class _Both:
    """What was decided then, and what is decided in shadow, milestone by milestone."""

    def __init__(self, shadow: Shadow) -> None:
        self.shadow = shadow
        self.is_known = False
        self._then: dict[str, Decided] = {}
        self._with: dict[str, Decided] = {}
        self._told: dict[str, tuple[object, object]] = {}
        self._seen = 0

    def follow(self, entry: LogEntry) -> None:
        self.shadow.follow(entry)
        self._then |= {decided.milestone: decided for decided in entry.decisions}
        for one in self.shadow.entries[self._seen :]:
            self._with |= {decided.milestone: decided for decided in one.decisions}
        self._seen = len(self.shadow.entries)

    def compared(self, entry: LogEntry) -> Iterator[Would]:
        """The milestones that differ, and that differ otherwise than when they were last told."""
        state = self.shadow.state
        index = index_of(state.plans[state.in_force].plan)
        for name in dict.fromkeys((*self._then, *self._with)):
            was, would = self._then.get(name), self._with.get(name)
            would = would if name in index.milestones else None
            here = (was.value, was.released) if was else None
            there = (would.value, would.released) if would else None
            state_now = here, (there, would.allowed if would else None)
            if self._told.get(name) != state_now and (here != there or name in self._told):
                self._told[name] = state_now
                yield _would(entry, name, was, would)


def _would(entry: LogEntry, milestone: str, was: Decided | None, would: Decided | None) -> Would:
    one = was or would
    assert one is not None  # noqa: S101 -- it stands on one of the sides
    currency = one.currency
    value, released = (was.value, was.released) if was else (0, 0)
    value_with, allowed, released_with = (would.value, would.allowed, would.released) if would else (0, 0, 0)
    return Would(
        milestone, entry.revision, show_moment(entry.moment), amount(value, currency), amount(value_with, currency),
        amount(released, currency), amount(allowed, currency), amount(released_with, currency),
        amount(released_with - released, currency), tuple(r.code for r in would.reasons) if would else (),
    )  # fmt: skip
