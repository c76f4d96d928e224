"""The finance system's own ledger against the commands: nothing freed early, nothing done twice, and at the end each
invoice as the last commands want it (rules E2, E4), each of them answered.

Of an invoice that one contract names, every call is laid against the states that its commands wanted, in their order;
a command that has stood in the topic for a minute counts as known. Of an invoice that several contracts name, calls are
only held below the most that all of them ever wanted together. Of an invoice of several lines no more may be free than
fits; which lines those are is not judged. A command behind a gap, or for another finance system, lets nothing more go.
"""

import json
from collections import defaultdict, namedtuple
from math import floor

from judging.commands import adopted_upto, minor_of
from judging.evidence import Finding
from judging.gate import check_unclaimed, is_paid_here
from judging.known import number_of

LATE_US, GATE = 60_000_000, "milepost"
# What one command wants of one invoice: how many minor units of its net may be paid (None where it no longer names it),
# and when it came to stand in the topic (ms).
Wish = namedtuple("Wish", "contract milestone payable since")
Command = namedtuple("Command", "contract milestone targets pays since")


def check_finance(evidence):
    """Everything about the ledger; nothing where there is none."""
    bills, commands = {}, list(_commands(evidence))
    for event in evidence.ledger:
        if event["kind"] != "call":
            bills[event["invoice"]["id"]] = _in_minor_units(event["invoice"])
    now = dict(bills)  # as they stand at the end
    alike = defaultdict(list)
    for bill in bills.values():
        alike[number_of(bill["number"] or "")].append(bill)
    for name, bill in sorted(bills.items()):
        events = [e for e in evidence.ledger if (e["invoice"] if e["kind"] == "call" else e["invoice"]["id"]) == name]
        now[name] = _as_called(bill, events)
        others = [other for other in alike[number_of(bill["number"] or "")] if other is not bill]
        twins = [other for other in others if _is_twin(bill, other)]
        named = any(name in target.keys for command in commands for target in command.targets)
        yield from _check_bill(bill, _wishes(commands, bill), events, is_doubtful=bool(twins) and not named)
    yield from check_unclaimed(evidence, now)


def _in_minor_units(invoice):
    currency = invoice["currency"]
    lines = [line | {"gross": minor_of(line["gross"], currency)} for line in invoice["lines"]]
    return invoice | {name: minor_of(invoice[name], currency) for name in ("net", "gross")} | {"lines": lines}


def _as_called(bill, events):
    """The invoice after its last calls."""
    held = {}
    for event in events:
        if event["kind"] != "call":
            held = {line["id"]: line["held"] for line in event["invoice"]["lines"]}
        elif event["status"] == 200:
            held[event["line"]] = event["held"]
    return bill | {"lines": [line | {"held": held[line["id"]]} for line in bill["lines"]]}


def _is_twin(bill, other):
    """Whether two open invoices of one number are of one supplier: then which is meant is not to be guessed."""
    units = {one.get("business_unit") for one in (bill, other)}
    alike = bool(bill["number"]) and not set(bill["suppliers"]).isdisjoint(other["suppliers"])
    return alike and len(units) == 1 and bill["state"] == other["state"] == "open"


def _commands(evidence):
    """Each command of the log, by contract in the order of their sequence."""
    stands = defaultdict(dict)  # by contract, when each sequence came to stand in the topic
    for record in evidence.topics["finance.commands"]:
        if "milepost-forged" not in record.headers:
            told = json.loads(record.value)
            stands[told["contract"]].setdefault(told["sequence"], record.timestamp)
    for contract, rows in sorted(evidence.log.items()):
        upto = max(adopted_upto(rows), min(stands[contract], default=1) - 1)
        while upto + 1 in stands[contract]:
            upto += 1
        for row in rows:
            for d in (d for d in row.entry.decisions if d.said):
                pays = d.said.sequence <= upto and is_paid_here(evidence, row.entry)
                yield Command(contract, d.milestone, d.said.targets, pays, stands[contract].get(d.said.sequence))


def _wishes(commands, bill):
    """What the commands want of this invoice, from the first that names it on."""
    wishes, named = [], {}
    for command in commands:
        place = (command.contract, command.milestone)
        payable = next((target.payable[0] for target in command.targets if _is_meant(target, bill)), None)
        if payable is not None or place in named:
            if not command.pays:
                payable = min(payable or 0, named.get(place) or 0)
            wishes.append(Wish(*place, payable, command.since))
            named[place] = payable
    return wishes


def _is_meant(target, bill):
    same = number_of(target.invoice) == number_of(bill["number"] or "") and target.payable[1] == bill["currency"]
    return same and not {target.supplier, *target.identifiers}.isdisjoint(bill["suppliers"])


def _states(wishes):
    """How much may be paid of the net: nothing before any command speaks of the invoice (one that nobody names may be
    held), then after each of one contract that does, in order."""
    newest, states = {}, [0]
    for wish in wishes:
        newest[wish.milestone] = wish.payable or 0
        states.append(sum(newest.values()))
    return states


def _may_be_free(bill, payable):
    """How much of the gross may be free (rule E4)."""
    return floor(bill["gross"] * payable / bill["net"]) if bill["net"] > 0 else 0


def _check_bill(bill, wishes, events, *, is_doubtful):
    contracts = sorted({wish.contract for wish in wishes})
    states = _states(wishes) if len(contracts) == 1 else [_most_ever(wishes)]
    free, theirs, at, who = {}, set(), 0, f"invoice {bill['id']} of {', '.join(contracts) or 'no contract'}"
    for event in events:
        if event["kind"] != "call":
            lines = _in_minor_units(event["invoice"])["lines"]
            free = {line["id"]: line["gross"] for line in lines if not line["held"]}
            theirs = {line["id"] for line in lines if line["held"] and line.get("held_by") not in (None, GATE)}
        elif event["status"] == 200:
            if event["before"] == event["held"]:
                yield Finding("doubled", who, f"a call changes line {event['line']}", "it was so already")
            if event["held"]:
                free.pop(event["line"], None)
            else:
                if event["line"] in theirs:
                    yield Finding(
                        "not ours", who, f"somebody else's block of line {event['line']} stands", "it is lifted"
                    )
                free[event["line"]] = next(x["gross"] for x in bill["lines"] if x["id"] == event["line"])
                at = max(at, _known_by(wishes, event.get("at"))) if len(contracts) == 1 else at
                at = _first_fitting(bill, states, at, sum(free.values()))
                if at is None:
                    yield Finding("early", who, "a call frees what a command lets go by then", f"{event}")
                    return
            at = _after_hold(bill, states, at, sum(free.values())) if event["held"] else at
            theirs.discard(event["line"])
    yield from _check_end(bill, who, wishes, free, is_doubtful=is_doubtful)


def _known_by(wishes, moment):
    """The last of the wanted states that must be known by then: its command has stood in the topic for a minute."""
    known = [n for n, w in enumerate(wishes, 1) if moment and w.since and w.since * 1000 + LATE_US < moment]
    return max(known, default=0)


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


def _check_end(bill, who, wishes, free, *, is_doubtful):
    """At rest the invoice is as the newest commands want it; one that none of them names any more is left as it is."""
    newest = {(wish.contract, wish.milestone): wish.payable for wish in wishes}
    wanted = [payable for payable in newest.values() if payable is not None]
    allowed = 0 if is_doubtful else _may_be_free(bill, sum(wanted))
    open_lines = [line for line in bill["lines"] if line["state"] == "open"]
    if not wanted or bill["state"] != "open" or not open_lines:
        return
    owed = sum(gross for line, gross in free.items() if line in {x["id"] for x in open_lines})
    if owed > allowed:
        yield Finding("early", who, f"at rest at most {allowed} is free", f"{owed}")
    whole = len(bill["lines"]) == 1 and 0 < bill["gross"] <= allowed
    if whole and owed == 0 and open_lines[0].get("held_by") == GATE:
        yield Finding("withheld", who, f"at rest it is free: {allowed} may be paid", "our block stands")
