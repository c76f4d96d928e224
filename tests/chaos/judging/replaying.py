"""The log replayed against the model: no release under a hold, no amount above what the rules allow, none withheld."""

import json
from math import floor

from judging.amounts import accepted_share, base_of, heirs_in, invoices_at, is_exact
from judging.deductions import allowed, is_known
from judging.doubts import at_releases
from judging.evidence import Finding
from judging.known import Known
from judging.reasons import JUDGED, PARTIAL, blocking
from judging.situation import Situation


def check_decisions_again(evidence):
    """Every decision of every contract, from the facts of its log alone."""
    books = {name: json.loads(content) for name, content in evidence.books.items()}
    for contract, rows in sorted(evidence.log.items()):
        yield from _replayed(contract, rows, books)


def _replayed(contract, rows, books):
    known, last, released = Known(), {}, {}
    adopted = False  # then finance has had commands that this log does not have
    newest, carried = 0, False
    for row in rows:
        entry = row.entry
        if entry.cause == "unparked":
            known.let_in(entry.moment)
        for fact in entry.facts:
            known.take(fact, entry.moment)
            if fact.body["kind"] == "commands.adopted":
                adopted = True
                released |= {m: max(n, released.get(m, 0)) for m, n in fact.body["released"].items()}
        plan = known.plan(entry.moment)
        standing = known.standing(plan) if plan and entry.decisions else {}
        milestones = {m["id"]: m for m in plan["milestones"]} if plan else {}
        before, grown = dict(released), False
        newest = max(newest, plan["version"]) if plan else newest
        carried = carried or any(decision.carried for decision in entry.decisions)
        heirs = heirs_in(p for version, (_, p) in known.plans.items() if version <= newest) if carried else frozenset()
        for decision in entry.decisions:
            yield from _sums(contract, row, decision, released.get(decision.milestone, 0), last.get(decision.milestone))
            if not adopted and decision.milestone not in last:
                yield from _first(contract, row, decision)
            if decision.milestone in milestones:
                milestone, book = milestones[decision.milestone], books[entry.rulebook]
                at = Situation(plan, milestone, standing, entry.moment, book, heirs)
                yield from _judged(contract, row, decision, at, released, is_first=decision.milestone not in last)
            grown = grown or decision.released > before.get(decision.milestone, decision.carried or 0)
            released[decision.milestone] = decision.released
            if decision.said:
                last[decision.milestone] = decision
        total = sum(released.get(name, 0) for name in milestones)
        if grown and plan and plan["value_cap"] is not None and total > plan["value_cap"]:
            yield Finding("cap", contract, f"at most {plan['value_cap']} released", f"{total}")


def _sums(contract, row, decision, before, last):
    """What needs no model: held, released and the commands' own rules (rule E1, law 6)."""
    where = f"{decision.milestone}, revision {row.revision}"
    codes = {reason[0] for reason in decision.reasons}
    if decision.released < before and last is not None:
        yield Finding("falling", contract, f"{where}: released stays at least {before}", f"{decision.released}")
    if decision.held != max(0, decision.value - decision.released):
        yield Finding("sum", contract, f"{where}: held is value less released", f"{decision.held}")
    over = "OVER_RELEASED" in codes or "WITHDRAWN" in decision.exceptions
    if decision.released > max(decision.value, decision.carried or 0) and not over:
        yield Finding("value", contract, f"{where}: released is within {decision.value}", f"{decision.released}")
    if decision.held > 0 and not codes:
        yield Finding("reason", contract, f"{where}: what is held has a reason", "it has none")
    if decision.said is None:
        return
    more = last is not None and decision.released > last.released
    action = "hold" if decision.held > 0 and not more else "release"
    if decision.said.action != action:
        yield Finding("action", contract, f"{where}: {action}", decision.said.action)
    if last is not None and _told(decision) == _told(last):
        yield Finding("doubled", contract, f"{where}: its command says something new", "it repeats the last one")


def _first(contract, row, decision):
    """The first command of a milestone is a hold, unless something was carried over (rule E1)."""
    said = decision.said if decision.value > 0 and not decision.carried else None
    if said is not None and (said.action, decision.released) != ("hold", 0):
        expected = f"{decision.milestone}, revision {row.revision}: the first command holds all of it"
        yield Finding("action", contract, expected, f"{said.action}, {decision.released} released")


def _told(decision):
    return decision.value, decision.released, decision.held, decision.said.targets


def _judged(contract, row, decision, at, released, *, is_first):
    """One decision against the model. A first command is a hold whatever is known (rule E1)."""
    where = f"{decision.milestone}, revision {row.revision}"
    moved = decision.released if decision.carried is not None else 0  # what a split or an opening brought
    before = released.get(decision.milestone, moved)
    codes = {reason[0] for reason in decision.reasons}
    invoices, share = invoices_at(at), accepted_share(at)
    expected = blocking(at, invoices, share) if at.milestone["value"] is not None else {}
    limit, exact = _limit(at, decision.carried or 0)
    if invoices.other_currency:  # what they come to is not judged
        limit, expected = decision.value, {c: v for c, v in expected.items() if c != "NOT_INVOICED"}
    if decision.value != at.value:
        yield Finding(
            "value", contract, f"{where}: it is worth {at.value}, as in the plan in force", f"{decision.value}"
        )
    if decision.released > before:
        holding = sorted((codes - PARTIAL) | expected.keys() | at_releases(at, invoices).keys())
        if holding:
            yield Finding("early", contract, f"{where}: nothing is released under {', '.join(holding)}", "a release")
        if decision.released > limit:
            yield Finding("early", contract, f"{where}: at most {limit} released", f"{decision.released}")
    if not is_first and exact:
        yield from _compared(contract, where, decision, codes, expected, limit, before)


def _limit(at, carried):
    """What may be paid of the milestone to date, at most; and whether it is exactly that."""
    looked_at = at.all_standing if at.plan["retention"] or at.plan["advance"] else [at.milestone["id"]]
    seen, exact = {}, is_exact(at, carried) and is_known(at)
    for other in (at.at(name) for name in looked_at):
        invoices, share = invoices_at(other), accepted_share(other)
        here = carried if other.milestone["id"] == at.milestone["id"] else 0
        seen[other.milestone["id"]] = base_of(other, invoices, share, blocking(other, invoices, share), here)
        exact = exact and not invoices.other_currency
    return (allowed(at, seen) if exact else floor(seen[at.milestone["id"]])), exact


def _compared(contract, where, decision, codes, expected, limit, before):
    """Where the model knows every rule: the very reasons and the very amount."""
    missing, groundless = expected.keys() - codes, (codes & JUDGED) - expected.keys()
    if missing:
        yield Finding("hold lost", contract, f"{where}: held by {', '.join(sorted(missing))}", "it is not named")
    if groundless:
        yield Finding("withheld", contract, f"{where}: no reason for {', '.join(sorted(groundless))}", "it holds")
    if decision.allowed != limit:
        yield Finding("amount", contract, f"{where}: {limit} may be paid", f"{decision.allowed}")
    if not codes - PARTIAL and "CAP_REACHED" not in codes and decision.released < max(before, limit):
        yield Finding("withheld", contract, f"{where}: {limit} is released", f"{decision.released}")
