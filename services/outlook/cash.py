"""The cash plan of a contract: every minor unit that is not released yet, with the day on which it is expected.

The value of each milestone is laid out as the money rules will take it apart once all proof is there, from what goes
out first to what never does; what is released so far is taken off from the front. So the lines add up to the value less
what is released, to the last minor unit.

    expected    goes out when the milestone is proven          retention   goes out when its terms are met
    held        would, but people must act first               recouped    never: it was paid in advance
    returned    retention that a step gives back on the way    damages     never: they are kept for being late
                                                               beyond_cap  never, unless an amendment raises the cap
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from fractions import Fraction
from math import ceil
from typing import Literal, NamedTuple

from msgspec import structs

from contracts_schema.plan import Retention
from contracts_schema.reasons import HoldReason as R
from services.outlook.network import Expected
from services.outlook.picture import Picture
from services.reconciliation.case import Case
from services.reconciliation.disputes import disputed
from services.reconciliation.exceptions import paid_to_date
from services.reconciliation.invoices import Exact
from services.reconciliation.money import damages_of, recouped
from services.reconciliation.retention import is_over, kept_of, over_from

Category = Literal["released", "expected", "held", "returned", "retention", "recouped", "damages", "beyond_cap"]

# What clears by itself as the work goes on; every other blocking reason waits for people.
COURSE = frozenset(
    {R.NOT_MET, R.PRECURSOR_OPEN, R.NOT_RECEIVED, R.EVIDENCE_MISSING, R.SIGN_OFF_MISSING, R.NOT_INVOICED}
)


class CashLine(NamedTuple):
    """Money of one milestone, in minor units: on which day it is expected (None: nobody can tell, or never), and the
    open reasons that it waits for."""

    milestone: str
    category: Category
    day: date | None
    amount: int
    reasons: tuple[str, ...] = ()


class Terms(NamedTuple):
    """What the contract's rules will take of each milestone once everything is proven, exact minor units.

    `returns` are the parts of the retention that each returning step gives back, with its day; `kept` is what stays
    until `kept_until`.
    """

    kept: Mapping[str, Exact]
    kept_until: date | None
    returns: tuple[tuple[date | None, Mapping[str, Exact]], ...]
    recouped: Mapping[str, Exact]


def cash_lines(picture: Picture, expected: Mapping[str, Expected]) -> list[CashLine]:
    """The cash plan of a contract, milestone by milestone in plan order, where milestones are expected on these days.

    What is released and not reported as paid comes beside: it is no part of what is still to be released.
    """
    payable = [case for case in picture.counting if case.milestone.value]
    days = {case.milestone.id: _pay_day(picture, case, expected) for case in payable}
    terms = _terms(picture, payable, days, expected)
    lines = [line for case in payable for line in _lines_of(picture, case, terms, days[case.milestone.id])]
    return [*_unpaid(picture), *_within_cap(picture, lines)]


def _pay_day(picture: Picture, case: Case, expected: Mapping[str, Expected]) -> date | None:
    """The day on which its money is due to go: when it is expected, and, where it is met, when what comes first is."""
    name = case.milestone.id
    own = expected[name].day
    if own is None:
        return None
    first = [expected[b].day for b in picture.network.nodes[name].after if not picture.network.nodes[b].is_met]
    if None in first:
        return None
    return max([own, picture.today, *(day for day in first if day is not None)])


def _unpaid(picture: Picture) -> Iterator[CashLine]:
    """What is released and finance has not reported as paid, today."""
    for name, case in picture.contract.cases.items():
        known = picture.contract.state.milestones[name]
        carried = known.carried.out if known.carried else 0
        left = known.released - carried - paid_to_date(case)
        if left > 0:
            yield CashLine(name, "released", picture.today, left)


def _terms(
    picture: Picture, payable: list[Case], days: Mapping[str, date | None], expected: Mapping[str, Expected]
) -> Terms:
    progress: list[tuple[Case, Exact]] = [(case, Fraction(case.value)) for case in payable]
    back = recouped(picture.plan.advance, progress)
    terms = picture.plan.retention
    if terms is None or is_over(picture.contract, terms):
        return Terms({}, None, (), back)
    whole = Fraction(sum(case.value for case in payable))
    before = kept_of(_without_returns(terms, 0), whole, progress)
    returns = []
    for n, step in enumerate(terms.steps):
        if step.returns_percent:
            after = kept_of(_without_returns(terms, n + 1), whole, progress)
            part = {name: before.get(name, Fraction(0)) - after.get(name, Fraction(0)) for name in before}
            returns.append((_reached(payable, days, whole, terms, n), part))
            before = after
    return Terms(before, _end_of_retention(terms, expected), tuple(returns), back)


def _without_returns(terms: Retention, first: int) -> Retention:
    """The same terms, of which only the first steps return anything."""
    steps = tuple(s if n < first else structs.replace(s, returns_percent=None) for n, s in enumerate(terms.steps))
    return structs.replace(terms, steps=steps)


def _reached(
    payable: list[Case], days: Mapping[str, date | None], whole: Fraction, terms: Retention, step: int
) -> date | None:
    """The day on which progress reaches the beginning of a step."""
    begins = whole * Fraction(terms.steps[step - 1].until_percent or "100") / 100
    done = 0
    for case in sorted(payable, key=lambda c: days[c.milestone.id] or date.max):
        done += case.value
        if done >= begins:
            return days[case.milestone.id]
    return None


def _end_of_retention(terms: Retention, expected: Mapping[str, Expected]) -> date | None:
    """The first day after the defects period, which begins when the milestone that ends it is met (rule C4)."""
    last = expected.get(terms.release_on or "")
    return over_from(terms, last.day) if last is not None and last.day is not None else None


def _lines_of(picture: Picture, case: Case, terms: Terms, day: date | None) -> Iterator[CashLine]:
    """A milestone's value, taken apart; what is released already is taken off from the front."""
    released = picture.contract.state.milestones[case.milestone.id].released
    for line in _apart(picture, case, terms, day):
        out = min(released, line.amount)
        released -= out
        if line.amount > out:
            yield line._replace(amount=line.amount - out)


def _apart(picture: Picture, case: Case, terms: Terms, day: date | None) -> Iterator[CashLine]:
    name, left = case.milestone.id, case.value
    kept = _whole(terms.kept.get(name), left)
    left -= kept
    returned = []
    for when, part in terms.returns:
        amount = _whole(part.get(name), left)
        left -= amount
        returned.append((None if when is None or day is None else max(when, day), amount))
    back = _whole(terms.recouped.get(name), left)
    left -= back
    damages = _whole(damages_of(case.milestone, case.completion.met_on or day, Fraction(case.value))[0], left)
    left -= damages
    yield from _earned(picture, case, day, left)
    for when, amount in returned:
        yield CashLine(name, "returned", when, amount, (str(R.RETENTION),))
    yield CashLine(name, "retention", terms.kept_until, kept, (str(R.RETENTION),))
    yield CashLine(name, "damages", None, damages, (str(R.LATE_DAMAGES),))
    yield CashLine(name, "recouped", None, back, (str(R.ADVANCE_RECOUPED),))


def _whole(exact: Exact | None, left: int) -> int:
    """A deduction rounds up, and never takes more than there is."""
    return min(left, ceil(exact)) if exact else 0


def _earned(picture: Picture, case: Case, day: date | None, amount: int) -> Iterator[CashLine]:
    """What goes out when the milestone is proven: what people hold of it last, since what is released came before."""
    position = picture.contract.positions[case.milestone.id]
    reasons = tuple(str(r.code) for r in position.reasons)
    if any(r.code in _PEOPLE for r in position.reasons):
        yield CashLine(case.milestone.id, "held", day, amount, reasons)
        return
    in_dispute = disputed(case)[0]
    held = amount if in_dispute is None else min(in_dispute, amount)
    waits = tuple(code for code in reasons if R(code) in _WAITS)
    yield CashLine(case.milestone.id, "expected", day, amount - held, waits)
    yield CashLine(case.milestone.id, "held", day, held, (str(R.DISPUTED),))


_WAITS = COURSE | {R.PARTLY_ACCEPTED, R.PARTLY_INVOICED}
_LATER = {R.DISPUTED, R.RETENTION, R.ADVANCE_RECOUPED, R.LATE_DAMAGES, R.CAP_REACHED}  # have lines of their own
_PEOPLE = frozenset(R) - _WAITS - _LATER


def _within_cap(picture: Picture, lines: list[CashLine]) -> list[CashLine]:
    """What would lift the contract above its value cap is not payable: what is expected last goes first (rule C7)."""
    cap = picture.plan.value_cap
    if cap is None:
        return lines
    room = max(0, cap - sum(m.released for m in picture.contract.state.milestones.values()))
    order = sorted(range(len(lines)), key=lambda n: (lines[n].day or date.max, n))
    found: list[list[CashLine]] = [[] for _ in lines]
    for n in order:
        line = lines[n]
        part = min(room, line.amount) if line.category in _LIMITED else line.amount
        room -= part if line.category in _LIMITED else 0
        over = CashLine(line.milestone, "beyond_cap", None, line.amount - part, (str(R.CAP_REACHED),))
        found[n] = [one for one in (line._replace(amount=part), over) if one.amount > 0]
    return [line for parts in found for line in parts]


_LIMITED: tuple[Category, ...] = ("expected", "held", "returned", "retention")
