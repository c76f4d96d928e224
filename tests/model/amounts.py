"""What is earned and what is taken off, as exact fractions (rules C1 to C7)."""

from datetime import timedelta
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

from model.known import order

from contracts_schema import facts as f


class Amounts(NamedTuple):
    """Of one milestone: what is allowed, and what each money rule takes off, in minor units."""

    allowed: int
    taken: dict  # partial reason to amount, in the formula's order


def share(s, name):
    """C2: accepted of ordered, at most 1; of several units the smallest; 0 where nobody says what was ordered."""
    m, units = s.milestones[name], {}
    for line in s.received(name)[0]:
        accepted, ordered = units.setdefault(line.body.unit, [Fraction(0), []])
        units[line.body.unit] = [accepted + Fraction(line.body.accepted), [*ordered, ordered_of(line)]]
    shares = []
    for unit, (accepted, ordered) in units.items():
        total = sum(ordered) if None not in ordered else None
        if total is None and m.quantity is not None and m.unit in (None, unit):
            total = Fraction(m.quantity)
        shares.append(min(Fraction(1), accepted / total) if total else Fraction(0))
    return min(shares, default=Fraction(0))


def ordered_of(line):
    """C2: what was ordered; else what came and what is short; else unknown."""
    if line.field("ordered") is not None:
        return Fraction(line.field("ordered"))
    if line.field("short") is not None:
        return Fraction(line.body.received) + Fraction(line.field("short"))
    return None


def over_received(s, name):
    """C2: by unit, more was accepted than ordered."""
    m, units = s.milestones[name], {}
    for line in s.received(name)[0]:
        units.setdefault(line.body.unit, []).append(line)
    for unit, lines in units.items():
        ordered = [ordered_of(x) for x in lines]
        total = sum(ordered) if None not in ordered else None
        if total is None and m.quantity is not None and m.unit in (None, unit):
            total = Fraction(m.quantity)
        if total is not None and sum(Fraction(x.body.accepted) for x in lines) > total:
            return True
    return False


def disputed(s, name):
    """D7: what is in dispute: the sum of the amounts, or None for all of it."""
    words = s.believed("dispute.opened", name)
    total = 0
    for word in words:
        if isinstance(word.body, f.DisputeResolved) or ended(s, word, words):
            continue
        amount = word.body.amount
        if amount is None or amount.currency != s.plan.currency:
            return None
        total += amount.minor
    return total


def ended(s, word, words):
    """D7: the opener's side or the operator has resolved it later, here or (like it) for the whole contract."""
    return any(
        isinstance(other.body, f.DisputeResolved) and other.body.dispute == word.body.dispute
        and wide(other) == wide(word) and order(other.newest) != order(word.newest) and other.time > word.time
        and (s.roles[other.source] == "operator" or s.roles[other.source] == s.roles[word.source])
        for other in words
    )  # fmt: skip


def wide(word):
    """Whether something is said of the whole contract."""
    return word.address.contract is not None and word.address.milestone is None


def amounts(s, proven, carried):
    """C1 to C7 over the whole contract: milestone to Amounts. `proven`: no proof of C1 is missing; `carried`: what was
    released elsewhere."""
    payable = [m for m in s.plan.milestones if m.value is not None]
    steps = {m.id: up_to_base(s, m, proven[m.id], carried.get(m.id, NOTHING)) for m in payable}
    bases = {name: base for name, (*_, base) in steps.items()}
    paying = {name: base if s.in_force(s.milestones[name]) else Fraction(0) for name, base in bases.items()}
    kept, back = retention(s, paying), recouped(s, paying)
    return {m.id: worked_out(s, m, steps[m.id], kept[m.id], back[m.id], proven[m.id],
                             min(m.value, carried.get(m.id, NOTHING).amount)) for m in payable}  # fmt: skip


class Carried(NamedTuple):
    """What was released elsewhere, and which invoices it paid: those named, by who had paid them, and for an opening
    those until its day. `beyond` came over beyond the value of the last successor (E3): it is no more payable, and
    earns nothing. `opened` gives the openings. Of a milestone that was split any successor may have the invoices, so
    each knows all."""

    amount: int
    paid: dict
    until: object = None
    beyond: int = 0
    opened: frozenset = frozenset()  # of (milestone, amount)

    @property
    def out(self):
        return self.amount + self.beyond


NOTHING = Carried(0, {})


def up_to_base(s, m, proven, carried):
    """C1, C2, C3: (earned, undisputed, base)."""
    earned = Fraction(0)
    if proven:
        earned = m.value * (share(s, m.id) if "received" in m.requires else Fraction(1))
    earned = max(earned, Fraction(min(m.value, carried.amount)))  # C8: no more than it is worth
    off = disputed(s, m.id)
    undisputed = Fraction(0) if off is None else max(Fraction(0), earned - off)
    base = undisputed
    if "invoiced" in m.requires:
        covered = covers(s, m.id, carried)
        base = min(base, carried.out + sum(p.worth - covered.get(p.number, 0) for p in s.invoices.counting(m.id)))
    return earned, undisputed, max(Fraction(0), base)


def covers(s, name, carried):
    """C3, E3: what of each counting invoice was paid before. What was paid is counted once: in plan order by the parts
    of those who know of it, what is left by any other heir's. An opening has paid the invoices until its day, oldest
    first."""
    if carried is NOTHING:
        return {}
    heirs = [m.id for m in s.plan.milestones if m.id in s.carried]
    found, rests = {x: {} for x in heirs}, []
    for who, tally in {who: tally for x in heirs for who, tally in s.carried[x].paid.items()}.items():
        knowing = [x for x in heirs if who in s.carried[x].paid]
        rests += [(number, cover(s, found, knowing, number, paid)) for number, paid in tally.items()]
    for number, rest in rests:
        cover(s, found, heirs, number, rest)
    for opening in dict.fromkeys(o for x in heirs for o in sorted(s.carried[x].opened)):
        rest = opening[1]
        for x in [x for x in heirs if opening in s.carried[x].opened]:
            for part in s.invoices.counting(x):
                if part.issued_on <= s.carried[x].until:
                    rest -= take(found[x], part, rest)
    worth = {part.number: max(Fraction(0), part.worth) for part in s.invoices.counting(name)}
    return {number: min(paid, worth[number]) for number, paid in found[name].items()}


def cover(s, found, heirs, number, rest):
    """The parts of one invoice at these milestones take up what was paid of it; what is left of that."""
    for x in heirs:
        for part in s.invoices.counting(x):
            if part.number == number:
                rest -= take(found[x], part, rest)
    return rest


def take(found, part, rest):
    more = max(0, min(rest, ceil(part.worth) - found.get(part.number, 0)))
    found[part.number] = found.get(part.number, 0) + more
    return more


def retention(s, bases):
    """C4: steps as brackets over the sum of the values; each milestone bears its bracket in plan order."""
    kept = dict.fromkeys(bases, Fraction(0))
    terms = s.plan.retention
    if terms is None or over(s, terms):
        return kept
    whole = sum(s.milestones[name].value for name in bases if s.in_force(s.milestones[name]))
    progress, start = sum(bases.values()), Fraction(0)
    for n, step in enumerate(terms.steps):
        end = Fraction(step.until_percent or 100) / 100 * whole
        if step.until_percent is None and n == len(terms.steps) - 1:
            end = max(end, progress)
        if step.returns_percent and progress >= start:
            kept = {name: amount * (1 - Fraction(step.returns_percent) / 100) for name, amount in kept.items()}
        at = Fraction(0)
        for name, base in bases.items():
            inside = max(Fraction(0), min(at + base, end) - max(at, start))
            more = inside * Fraction(step.rate_percent) / 100
            if terms.cap is not None:
                more = min(more, max(Fraction(0), terms.cap - sum(kept.values())))
            kept[name] += more
            at += base
        start = end
    return kept


def over(s, terms):
    """C4: the named milestone is met and the defects days have passed since."""
    if terms.release_on is None:
        return False
    met_on = s.met_on(terms.release_on)
    if met_on is None:
        return False
    return s.today > met_on + timedelta(days=terms.defects_days) or (not terms.defects_days and s.today >= met_on)


def recouped(s, bases):
    """C5: a percent of each base, up to the advance in total, in plan order."""
    back, rest = dict.fromkeys(bases, Fraction(0)), Fraction(s.plan.advance.amount if s.plan.advance else 0)
    for name, base in bases.items():
        if s.plan.advance:
            back[name] = min(rest, base * Fraction(s.plan.advance.recoup_percent) / 100)
            rest -= back[name]
    return back


def damages(s, m, base):
    """C6: a percent of base for each day met after due and tolerance, up to the cap."""
    met_on = s.met_on(m.id)
    if m.late_damages is None or m.due is None or met_on is None:
        return Fraction(0)
    days = max(0, (met_on - m.due).days - m.tolerance_days)
    percent = min(days * Fraction(m.late_damages.percent_per_day), Fraction(m.late_damages.cap_percent))
    return base * percent / 100


def worked_out(s, m, steps, kept, back, proven, carried):
    """C, D9: what is earned rounds down, deductions round up, each takes no more than is left; of what was carried,
    which is out, none is held."""
    earned, undisputed, base = (floor(x) for x in steps)
    taken = {}
    if proven and ("received" not in m.requires or share(s, m.id) > 0):
        taken["PARTLY_ACCEPTED"] = m.value - earned
    taken["DISPUTED"] = earned - undisputed
    if steps[2] > 0 and sum(part.worth for part in s.invoices.counting(m.id)) > 0:
        taken["PARTLY_INVOICED"] = undisputed - base
    left = base
    exact = {"RETENTION": kept, "ADVANCE_RECOUPED": back, "LATE_DAMAGES": damages(s, m, steps[2])}
    for code, amount in exact.items():
        taken[code] = min(left, ceil(amount))
        left -= taken[code]
    room = max(0, m.value - carried)
    for code, amount in taken.items():
        taken[code] = min(room, max(0, amount))
        room -= taken[code]
    return Amounts(left, {code: amount for code, amount in taken.items() if amount > 0})
