"""The finance system's own ledger against the commands: nothing freed early, nothing done twice, and at the end each
invoice as the last commands want it (rules E2, E4), each of them answered.

Of an invoice that one contract names, every call is laid against the states that its commands wanted, in their order.
Of one that several contracts name, calls are only held below the most that all of them ever wanted together. Of an
invoice of several lines no more may be free than fits; which lines those are is not judged.
"""

import json
from collections import defaultdict, namedtuple
from math import floor

from judging.commands import minor_of
from judging.evidence import Finding
from judging.known import number_of

ANSWERS = {"applied", "already_applied", "waiting", "rejected", "superseded"}
# What one command wants of one invoice: how many minor units of its net may be paid; None where it no longer names it.
Wish = namedtuple("Wish", "contract milestone payable")


def check_finance(evidence):
    """Everything about the ledger; nothing where there is none."""
    if not evidence.ledger:
        return
    bills, commands = {}, list(_commands(evidence))
    for event in evidence.ledger:
        if event["kind"] in ("posted", "final"):
            bills[event["invoice"]["id"]] = _in_minor_units(event["invoice"])
    for name, bill in sorted(bills.items()):
        ours = _wishes(commands, bill)
        events = [e for e in evidence.ledger if (e["invoice"] if e["kind"] == "call" else e["invoice"]["id"]) == name]
        yield from _check_bill(bill, ours, events)
    yield from _check_answers(evidence)


def _in_minor_units(invoice):
    currency = invoice["currency"]
    lines = [line | {"gross": minor_of(line["gross"], currency)} for line in invoice["lines"]]
    return invoice | {name: minor_of(invoice[name], currency) for name in ("net", "gross")} | {"lines": lines}


def _commands(evidence):
    """Contract, milestone and targets of each command of the log, by contract in the order of their sequence."""
    for contract, rows in sorted(evidence.log.items()):
        for row in rows:
            yield from ((contract, d.milestone, d.said.targets) for d in row.entry.decisions if d.said)


def _wishes(commands, bill):
    """What the commands want of this invoice, from the first that names it on."""
    wishes, named = [], set()
    for contract, milestone, targets in commands:
        payable = next((target.payable[0] for target in targets if _is_meant(target, bill)), None)
        if payable is not None or (contract, milestone) in named:
            wishes.append(Wish(contract, milestone, payable))
            named.add((contract, milestone))
    return wishes


def _is_meant(target, bill):
    same = number_of(target.invoice) == number_of(bill["number"] or "") and target.payable[1] == bill["currency"]
    return same and not {target.supplier, *target.identifiers}.isdisjoint(bill["suppliers"])


def _states(wishes):
    """How much may be paid of the net after each command of one contract that speaks of the invoice, in order."""
    newest, states = {}, []
    for wish in wishes:
        newest[wish.milestone] = wish.payable or 0
        states.append(sum(newest.values()))
    return states


def _may_be_free(bill, payable):
    """How much of the gross may be free (rule E4)."""
    return floor(bill["gross"] * payable / bill["net"]) if bill["net"] > 0 else 0


def _check_bill(bill, wishes, events):
    contracts = sorted({wish.contract for wish in wishes})
    states = _states(wishes) if len(contracts) == 1 else [_most_ever(wishes)]
    free, at, who = {}, 0, f"invoice {bill['id']} of {', '.join(contracts) or 'no contract'}"
    for event in events:
        if event["kind"] != "call":
            lines = _in_minor_units(event["invoice"])["lines"]
            free = {line["id"]: line["gross"] for line in lines if not line["held"]}
        elif event["status"] == 200:
            if event["before"] == event["held"]:
                yield Finding("doubled", who, f"a call changes line {event['line']}", "it was so already")
            if event["held"]:
                free.pop(event["line"], None)
            else:
                free[event["line"]] = next(x["gross"] for x in bill["lines"] if x["id"] == event["line"])
                at = _first_fitting(bill, states, at, sum(free.values()))
                if at is None:
                    yield Finding("early", who, "a call frees what a command lets go by then", f"{event}")
                    return
            at = _after_hold(bill, states, at, sum(free.values())) if event["held"] else at
    yield from _check_end(bill, who, wishes, free)


def _most_ever(wishes):
    most = defaultdict(int)
    for wish in wishes:
        place = (wish.contract, wish.milestone)
        most[place] = max(most[place], wish.payable or 0)
    return sum(most.values())


def _first_fitting(bill, states, at, free):
    """The first wanted state, from the one reached on, under which so much may be free; None where there is none."""
    return next((n for n in range(at, len(states)) if _may_be_free(bill, states[n]) >= free), None)


def _after_hold(bill, states, at, free):
    """A block is a sign that a state was reached that allows no more; without one, doubt may always hold."""
    gross = bill["gross"]
    return next((n for n in range(at, len(states)) if free <= _may_be_free(bill, states[n]) < gross), at)


def _check_end(bill, who, wishes, free):
    """At rest the invoice is as the newest commands want it; one that none of them names any more is left as it is."""
    newest = {(wish.contract, wish.milestone): wish.payable for wish in wishes}
    wanted = [payable for payable in newest.values() if payable is not None]
    allowed = _may_be_free(bill, sum(wanted))
    open_lines = [line for line in bill["lines"] if line["state"] == "open"]
    if not wanted or bill["state"] != "open" or not open_lines:
        return
    owed = sum(gross for line, gross in free.items() if line in {x["id"] for x in open_lines})
    if owed > allowed:
        yield Finding("early", who, f"at rest at most {allowed} is free", f"{owed}")
    whole = len(bill["lines"]) == 1 and 0 < bill["gross"] <= allowed
    if whole and owed == 0 and open_lines[0].get("held_by") == "milepost":
        yield Finding("withheld", who, f"at rest it is free: {allowed} may be paid", "our block stands")


def _check_answers(evidence):
    """The newest command of every milestone was answered, and not left unknown."""
    answers = {}
    for topic, records in evidence.topics.items():
        for record in records if topic.endswith("finance.events") else ():
            if record.headers.get("ce_type") == b"milepost.command.acknowledged.v1":
                told = json.loads(record.value)
                answers[told["command_id"]] = told["state"]
    newest = {}
    for contract, rows in evidence.log.items():
        for row in rows:
            for decision in row.entry.decisions:
                if decision.said is not None:
                    newest[contract, decision.milestone] = decision.said
    for (contract, milestone), said in sorted(newest.items()):
        state = answers.get(said.command_id)
        if state not in ANSWERS:
            expected = f"{milestone}, sequence {said.sequence}: an answer of finance"
            yield Finding("unanswered", contract, expected, str(state))
