"""What systems say a milestone is worth (rules A9, D3)."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import floor
from typing import NamedTuple

from contracts_schema.plan import Plan
from services.reconciliation.calendar import day_of
from services.reconciliation.invoices import Exact, worth
from services.reconciliation.policy import Rules
from services.reconciliation.standing import Standing, of
from services.reconciliation.state import Slot
from services.reconciliation.words import Conflict, Word, believed

_HALF = Fraction(1, 2)


class Agreed(NamedTuple):
    """The word of every source as it was said (minor units by currency), and the one that counts. `worth` is what each
    comes to, by source: an amount in another currency at the rate of its day, where there is one (rule D3)."""

    words: tuple[Word, ...]
    chosen: Word | None
    worth: Mapping[str, Mapping[str, int]]

    def conflict(self, value: int, currency: str) -> Conflict | None:
        """The registered value is a word of its own: who differs from it is in conflict (rule A9)."""
        others = sorted(word for word in self.words if self.worth[word.source] != {currency: value})
        return Conflict("value", (Word("register", ((currency, value),), 0, ()), *others)) if others else None


NOTHING_AGREED = Agreed((), None, {})


def agreed(standing: Standing, plan: Plan, rules: Rules) -> Agreed:
    """What stands at one milestone; the lines of one source add up."""
    slots = of(standing, "value.agreed")
    if not slots:
        return NOTHING_AGREED
    by_source: dict[str, list[Slot]] = {}
    for slot in slots:
        by_source.setdefault(slot.source, []).append(slot)
    words = [_word(source, group) for source, group in by_source.items()]
    comes_to = {source: _worth(group, plan) for source, group in by_source.items()}
    return Agreed(tuple(words), believed(words, rules, plan, "value"), comes_to)


def _word(source: str, slots: list[Slot]) -> Word:
    sums: dict[str, int] = {}
    for slot in slots:
        minor, currency = slot.body.value
        sums[currency] = sums.get(currency, 0) + minor
    return Word(source, tuple(sorted(sums.items())), max(s.order[1] for s in slots), tuple(s.fact for s in slots))


def _worth(slots: list[Slot], plan: Plan) -> dict[str, int]:
    sums: dict[str, Exact] = {}
    for slot in slots:
        minor, currency = slot.body.value
        known = (
            None if currency == plan.currency else worth(minor, currency, day_of(slot.order[1], plan.timezone), plan)
        )
        minor, currency = (minor, currency) if known is None else (known, plan.currency)
        sums[currency] = sums.get(currency, 0) + minor
    return {currency: minor if isinstance(minor, int) else floor(minor + _HALF) for currency, minor in sums.items()}
