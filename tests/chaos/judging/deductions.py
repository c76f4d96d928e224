"""The judge's own model, part four: what is kept back of what a milestone has earned (rules C4 to C7).

Everything is exact until the end; then what is earned has been rounded down, and each deduction is rounded up.
"""

from fractions import Fraction
from math import ceil, floor

from judging.dates import day
from judging.reasons import assessed, status_of


def allowed(at, bases):
    """What may be paid of the milestone, where `bases` are what each milestone of the plan has earned, in its order."""
    own = bases[at.milestone["id"]]
    left = floor(own)
    for part in (_retained(at, bases), _recouped(at, bases), own * _damages(at)):
        left -= min(left, ceil(part))
    return left


def is_known(at):
    """Whether all of it can be worked out: not once retention may have ended, nor without the day of being met."""
    terms, milestone = at.plan["retention"], at.milestone
    ends = terms and terms["release_on"]
    unclear = milestone["late_damages"] and not all(s.body.get("met_on") for s in assessed(at))
    return not unclear and not (ends and status_of(at.at(ends)) == "met")


def _retained(at, bases):
    """Brackets over the progress of all milestones, laid end to end; within the cap, and less what a later step gives
    back."""
    terms = at.plan["retention"]
    if not terms:
        return Fraction(0)
    whole, total = sum(m["value"] or 0 for m in at.plan["milestones"]), sum(bases.values())
    kept, start = dict.fromkeys(bases, Fraction(0)), Fraction(0)
    for step in terms["steps"]:
        if step.get("returns_percent") and total > 0 and start <= total:
            kept = {name: part * (1 - Fraction(step["returns_percent"]) / 100) for name, part in kept.items()}
        end = whole * Fraction(step["until_percent"]) / 100 if step.get("until_percent") else None
        room, passed = terms["cap"], Fraction(0)
        room = None if room is None else room - sum(kept.values())
        for name, base in bases.items():
            here = max(0, min(passed + base, passed + base if end is None else end) - max(passed, start))
            part = here * Fraction(step["rate_percent"]) / 100
            part = part if room is None else max(0, min(part, room))
            room = None if room is None else room - part
            kept[name], passed = kept[name] + part, passed + base
        if end is None:
            break
        start = end
    return kept[at.milestone["id"]]


def _recouped(at, bases):
    """The advance, back from each payment in the order of the plan until it is back."""
    terms = at.plan["advance"]
    left = Fraction(terms["amount"]) if terms else Fraction(0)
    for name, base in bases.items() if terms else ():
        part = min(left, base * Fraction(terms["recoup_percent"]) / 100)
        if name == at.milestone["id"]:
            return part
        left -= part
    return Fraction(0)


def _damages(at):
    """The share that lateness takes."""
    terms, due = at.milestone["late_damages"], day(at.milestone["due"])
    met = [day(s.body["met_on"]) for s in assessed(at) if s.body.get("met_on")]
    if not (terms and due and met and status_of(at) == "met"):
        return Fraction(0)
    late = max(0, (max(met) - due).days - at.milestone["tolerance_days"])
    return min(Fraction(terms["percent_per_day"]) * late, Fraction(terms["cap_percent"])) / 100
