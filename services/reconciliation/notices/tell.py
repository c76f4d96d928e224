"""What people are told: the causes that stand now against what was told before.

A notice is told when it opens, when its step or its severity rises, and when it clears; nothing else, so that nobody is
told twice. What was told is kept in the state, and stands in the log, from which it can be made again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from contracts_schema.notices import SEVERITIES, NoticeKind, Told
from contracts_schema.plan import Plan
from services.reconciliation.calendar import working_day
from services.reconciliation.contract_case import ContractCase
from services.reconciliation.log import ToldNotice
from services.reconciliation.notices import BECOMES, KINDS
from services.reconciliation.notices.concern import HAPPENED, Concern, Since
from services.reconciliation.notices.matrix import limits_of, severity
from services.reconciliation.policy import NoticePolicy
from services.reconciliation.position import Position
from services.reconciliation.state import OpenNotice

Open = Mapping[str, OpenNotice]
Found = Iterable[tuple[NoticeKind, Concern]]
BETWEEN = "/"  # kind and cause; no kind has one


class NoticeToday(NamedTuple):
    """A notice that stands today, as severe and as high as it is today; `next_step` is a day (ordinal)."""

    kind: NoticeKind
    concern: Concern
    since: date
    severity: int
    step: int
    next_step: int | None


class Telling(NamedTuple):
    """What is open now, what has to be told, and the next day (ordinal) on which time alone may bring more."""

    open: dict[str, OpenNotice]
    told: list[ToldNotice]
    due: int | None


class Teller:
    """Compares what stands with what was told, for one revision of one contract."""

    def __init__(self, plan: Plan, policy: NoticePolicy, today: date, revision: int) -> None:
        self.plan = plan
        self.policy = policy
        self.today = today
        self.revision = revision
        self._limits: tuple[int, int] | None = None

    @property
    def limits(self) -> tuple[int, int]:
        """From which amounts on it is medium, and large."""
        self._limits = self._limits or limits_of(self.policy, self.plan)
        return self._limits

    def tell(self, milestone: str | None, known: Open, found: Found) -> Telling:
        """What follows for one milestone, or (None) for the whole contract."""
        open_, told, due = dict[str, OpenNotice](), list[ToldNotice](), list[int]()
        for kind, concern in found:
            if concern.opens is not None and concern.opens > self.today:
                due.append(concern.opens.toordinal())
                continue
            key = kind + BETWEEN + concern.cause
            was = known.get(key)
            if key not in open_:
                now = self.standing(kind, concern, was)
                if now.next_step is not None:
                    due.append(now.next_step)
                if was is None or now.severity > was.severity or now.step > was.step:
                    state: Told = "opened" if was is None else "raised"
                    was = self._known_from_now_on(now, was)
                    told.append(self._said(milestone, concern, key, was, state))
                open_[key] = was
        for key in [key for key in known if key not in open_]:
            told.append(self._said(milestone, _end(key, open_), key, known[key], "cleared"))
        return Telling(open_, told, min(due) if due else None)

    def standing(self, kind: NoticeKind, concern: Concern, was: OpenNotice | None) -> NoticeToday:
        """A concern that is open, as it stands today."""
        since = concern.opens or (date.fromordinal(was.since) if was else self.today)
        after = self.policy.escalate_after
        step, next_step = _step(after.get(kind, after["default"]), since, self.today, self.plan.calendar)
        likely = concern.likelihood if concern.likelihood is not None else KINDS[kind].likelihood + step
        how_red = severity(self.policy, self.limits, min(HAPPENED, likely), concern.amount)
        return NoticeToday(kind, concern, since, how_red, step, next_step)

    def _known_from_now_on(self, now: NoticeToday, was: OpenNotice | None) -> OpenNotice:
        """What has become milder is not told: the highest severity and step stay."""
        since, owner = now.since.toordinal(), owner_of(now)
        if was is None:
            return OpenNotice(self.revision, since, now.severity, now.step, owner)
        return OpenNotice(was.revision, since, max(now.severity, was.severity), max(now.step, was.step), owner)

    def _said(self, milestone: str | None, concern: Concern, key: str, known: OpenNotice, state: Told) -> ToldNotice:
        kind, _, cause = key.partition(BETWEEN)
        return ToldNotice(
            kind=kind, milestone=milestone, cause=cause, state=state, opened=known.revision,
            severity=SEVERITIES[known.severity], step=known.step, owner=known.owner,
            told_to=told_to(self.policy, known.step, known.owner), amount=concern.amount, currency=self.plan.currency,
            since=known.since, detail=concern.detail, facts=concern.facts,
        )  # fmt: skip


@lru_cache(maxsize=16_384)
def _step(after: tuple[int, ...], since: date, today: date, calendar: str | None) -> tuple[int, int | None]:
    """How many steps a notice has gone up, each after so many working days, and the day (ordinal) of the next."""
    days = [working_day(since, count, calendar) for count in after]
    ahead = [day for day in days if day > today]
    return len(days) - len(ahead), ahead[0].toordinal() if ahead else None


def _end(key: str, still_open: Open) -> Concern:
    """What is said when a notice clears: what it has become, where time made another of it."""
    kind, _, cause = key.partition(BETWEEN)
    then = BECOMES.get(NoticeKind(kind))
    became = then is not None and f"{then}{BETWEEN}{cause}" in still_open
    return Concern(cause, None, 0, f"it has become {then}" if became else "it is cleared")


def owner_of(now: NoticeToday) -> str:
    """Who must act."""
    return now.concern.owner or KINDS[now.kind].owner


def told_to(policy: NoticePolicy, step: int, owner: str) -> str:
    """Whom a notice is told to: its owner first, then up the steps; the last one stays."""
    return owner if step == 0 or not policy.escalate_to else policy.escalate_to[min(step, len(policy.escalate_to)) - 1]


def since_when(position: Position, known: Since, moment: int) -> dict[str, int]:
    """Since when each reason, `~conflict` and `!exception` of a position stands: `moment` where it is new."""
    since: dict[str, int] = {r.code: known.get(r.code, moment) for r in position.reasons}
    if position.conflicts or position.exceptions:
        names = [*("~" + c.field for c in position.conflicts), *("!" + code for code in position.exceptions)]
        since |= {name: known.get(name, moment) for name in names}
    return since


def since_of(contract: ContractCase, milestone: str) -> Since:
    """Since when each reason, conflict and exception of a milestone stands; now, where it is new."""
    position, known = contract.positions[milestone], contract.state.milestones[milestone].since
    return since_when(position, known, contract.moment)
