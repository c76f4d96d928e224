"""Who is believed: one field, the words of all systems that have spoken, and which of them counts (rules A8, A9)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import date
from fractions import Fraction
from typing import Any, NamedTuple

from contracts_schema import facts as f
from contracts_schema.plan import Milestone, Plan
from services.reconciliation.calendar import day_of
from services.reconciliation.policy import Rules
from services.reconciliation.standing import Standing, of
from services.reconciliation.state import Order, Slot


class Word(NamedTuple):
    """What one source says about one field: the value as it is compared and shown, when, and the facts behind it."""

    source: str
    value: Any
    time: int
    facts: tuple[str, ...]


class Conflict(NamedTuple):
    """Systems that differ on a field. The first word is the one that counts; the others are kept and shown."""

    field: str
    words: tuple[Word, ...]
    detail: str = ""


def believed(words: Iterable[Word], rules: Rules, plan: Plan, field: str) -> Word | None:
    """The word of the highest authority that has spoken; of equals the newest. None: nobody who counts has spoken."""
    best: tuple[int, int, str] | None = None
    chosen = None
    for word in words:
        rank = rules.rank(plan, field, word.source)
        if rank is None:
            continue
        key = (rank, -word.time, word.source)
        if best is None or key < best:
            best, chosen = key, word
    return chosen


def conflict(
    field: str, chosen: Word | None, words: Sequence[Word], same: Callable[[Any, Any], bool] | None = None
) -> Conflict | None:
    """An open conflict, where another system's word differs from the one that counts."""
    if chosen is None or (len(words) == 1 and words[0] is chosen):
        return None
    agree = same or (lambda a, b: bool(a == b))
    others = [w for w in words if w.source != chosen.source and not agree(chosen.value, w.value)]
    return Conflict(field, (chosen, *sorted(others))) if others else None


class Completion(NamedTuple):
    """How far the milestone is in the words of the source that counts, and when it last went back from met (µs)."""

    status: f.Status
    percent: str | None
    met_on: date | None
    went_back: int | None
    facts: tuple[str, ...]
    conflict: Conflict | None


NOT_ASSESSED = Completion("scheduled", None, None, None, (), None)
_RANK = {status: rank for rank, status in enumerate(f.STATUSES)}


def completion(standing: Standing, milestone: Milestone, plan: Plan, rules: Rules) -> Completion:
    """The milestone's completion: of several assessed objects the least is shown, all must be met (rule D12)."""
    slots = of(standing, "milestone.assessed")
    if not slots:
        return NOT_ASSESSED
    by_source: dict[str, list[Slot]] = {}
    for slot in slots:
        by_source.setdefault(slot.source, []).append(slot)
    words = [w for source, group in by_source.items() if (w := _completion_word(source, group, milestone)) is not None]
    chosen = believed(words, rules, plan, "completion")
    if chosen is None:
        return NOT_ASSESSED
    group = by_source[chosen.source]
    status, percent = chosen.value
    return Completion(
        status, percent, _met_on(group, plan) if status == "met" else None, _went_back(group, milestone), chosen.facts,
        conflict("completion", chosen, words, _same_completion),
    )  # fmt: skip


def _completion_word(source: str, slots: list[Slot], milestone: Milestone) -> Word | None:
    spoken = [s for s in slots if s.body.status is not None]
    if not spoken:
        return None
    statuses = [s.body.status for s in spoken]
    if _silent_objects(spoken, milestone):
        statuses.append("scheduled")
    percents = {s.body.percent for s in spoken if isinstance(s.body.percent, str)}
    least = min(statuses, key=_RANK.__getitem__)
    percent = percents.pop() if len(percents) == 1 and len(spoken) == 1 else None
    return Word(source, (least, percent), max(s.order[1] for s in spoken), tuple(s.fact for s in spoken))


def _silent_objects(spoken: list[Slot], milestone: Milestone) -> bool:
    """Whether a registered key has not spoken while another key of its kind has."""
    said = {(s.address.source or "", s.address.keys[0]) for s in spoken if s.address.keys}
    kinds = {(source, kind_of(key)) for source, key in said}
    return any(
        (source, kind_of(key)) in kinds and (source, key) not in said
        for source, keys in milestone.refs.items()
        for key in keys
    )


def kind_of(key: str) -> str:
    """The kind of thing a key names: `issue` of `issue:7`; keys without one are of one kind."""
    kind, colon, _ = key.partition(":")
    return kind if colon else ""


def _same_completion(a: tuple[str, str | None], b: tuple[str, str | None]) -> bool:
    same_percent = a[1] is None or b[1] is None or Fraction(a[1]) == Fraction(b[1])
    return a[0] == b[0] and same_percent


def _met_on(slots: list[Slot], plan: Plan) -> date | None:
    return max((_met_day(s, plan) for s in slots if s.body.status == "met"), default=None)


def _met_day(slot: Slot, plan: Plan) -> date:
    """The day said, if it was said in the present run of `met`; else the day on which that run began (rule A4)."""
    began = _run_began(slot)
    said = slot.body.met_on
    if isinstance(said, date):
        order = (slot.older or {}).get("met_on", slot.order)
        if began is None or order >= began:
            return said
    return day_of((began or slot.order)[1], plan.timezone)


def _run_began(slot: Slot) -> Order | None:
    began = None
    for order, status in reversed(slot.history or ()):
        if status != "met":
            break
        began = order
    return began


def _went_back(slots: list[Slot], milestone: Milestone) -> int | None:
    """When the milestone last went from met to something less (rule D4): one of its objects did, or a new one came that
    is not met."""
    if len(slots) == 1:
        return None if _silent_objects(slots, milestone) else _object_went_back(slots[0])
    events = sorted(event for n, slot in enumerate(slots) for event in _in_time(n, slot))
    current: dict[int, str] = {}
    was_met, back = False, None
    for at, n, _, status in events:
        current.pop(n, None)
        if status is not None:
            current[n] = status
        met = _all_met(current.values()) and not _silent_objects([slots[n] for n in current], milestone)
        if was_met and not met:
            back = at
        was_met = met
    return back


def _object_went_back(slot: Slot) -> int | None:
    """The same of the only object, as most milestones have one."""
    at, was_met, back = 0, False, None
    for order, status in slot.history or ():
        at, met = max(at, order[1]), status == "met"
        if was_met and not met:
            back = at
        was_met = met
    return back


def _all_met(statuses: Collection[str]) -> bool:
    return bool(statuses) and all(status == "met" for status in statuses)


def _in_time(n: int, slot: Slot) -> Iterator[tuple[int, int, int, str | None]]:
    """The assessments of one object in their order, each with a moment that does not run back: a numbered one may bear
    any time."""
    at = 0
    for place, (order, status) in enumerate(slot.history or ()):
        at = max(at, order[1])
        yield at, n, place, status


class Day(NamedTuple):
    """A date of a milestone with the conflict about it."""

    value: date | None
    conflict: Conflict | None


NO_DAY = Day(None, None)


def scheduled(standing: Standing, field: str, plan: Plan, rules: Rules) -> Day:
    """A milestone's due, forecast or baseline date; of several objects of one source the newest word."""
    slots = of(standing, "milestone.scheduled")
    if not slots:
        return NO_DAY
    newest: dict[str, Word] = {}
    for slot in slots:
        value = getattr(slot.body, field)
        if isinstance(value, date):
            time = (slot.older or {}).get(field, slot.order)[1]
            if slot.source not in newest or time > newest[slot.source].time:
                newest[slot.source] = Word(slot.source, value, time, (slot.fact,))
    words = list(newest.values())
    chosen = believed(words, rules, plan, field)
    return Day(chosen.value if chosen else None, conflict(field, chosen, words))
