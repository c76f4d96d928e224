"""An invoice that several contracts claim for more than its total is held in all of them (rule D8)."""

import json
from collections import defaultdict, namedtuple

from judging.amounts import parts_at
from judging.evidence import Finding
from judging.known import Known
from judging.situation import Situation

CODE = "INVOICE_CLAIMED_TWICE"
Claim = namedtuple("Claim", "contract milestone identifiers net currency totals")


def check_claims(evidence):
    """At rest, every milestone with a part of such an invoice says so; where units or currencies differ, nothing is
    judged."""
    books = {name: json.loads(content) for name, content in evidence.books.items()}
    claims, last = defaultdict(list), {}
    for contract, rows in sorted(evidence.log.items()):
        for number, unit, claim in _claims_of(contract, rows, books, last):
            claims[number, unit].append(claim)
    for (number, _), parts in sorted(claims.items(), key=lambda one: one[0][0]):
        for group in _of_one_supplier(parts):
            if _is_too_much(group):
                for claim in group:
                    reasons = {reason[0] for reason in last[claim.contract, claim.milestone].reasons}
                    if CODE not in reasons:
                        expected = f"{claim.milestone} is held by {CODE}: {number} is also claimed elsewhere"
                        yield Finding("claimed twice", claim.contract, expected, f"by {sorted(reasons)}")


def _claims_of(contract, rows, books, last):
    """Number, business unit and claim of every part that stands at the end; notes each milestone's last decision."""
    known = Known()
    for row in rows:
        if row.entry.cause == "unparked":
            known.let_in(row.entry.moment)
        for fact in row.entry.facts:
            known.take(fact, row.entry.moment)
        last |= {(contract, decision.milestone): decision for decision in row.entry.decisions}
    moment, book = rows[-1].entry.moment, books[rows[-1].entry.rulebook]
    plan = known.plan(moment)
    standing = known.standing(plan) if plan else {}
    for milestone in plan["milestones"] if plan else ():
        at = Situation(plan, milestone, standing, moment, book)
        if at.requires("invoiced") and (contract, milestone["id"]) in last:
            for number, unit, identifiers, words in parts_at(at):
                net = sum(s.body["net"][0] for s in words)
                currency = {s.body["net"][1] for s in words} | {
                    s.body["total"][1] for s in words if s.body.get("total")
                }
                totals = [s.body["total"][0] for s in words if s.body.get("total")]
                yield number, unit, Claim(contract, milestone["id"], identifiers, net, currency, totals)


def _of_one_supplier(parts):
    """Parts that share an identifier of the supplier, directly or through others."""
    groups = []
    for part in parts:
        near = [g for g in groups if any(part.identifiers & other.identifiers for other in g)]
        groups = [g for g in groups if g not in near] + [[part, *(other for g in near for other in g)]]
    return groups


def _is_too_much(group):
    if len({claim.contract for claim in group}) < 2 or len(set().union(*(c.currency for c in group))) > 1:
        return False
    stated = [abs(total) for claim in group for total in claim.totals]
    return abs(sum(c.net for c in group)) > max(stated or [abs(c.net) for c in group])
