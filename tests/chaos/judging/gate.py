"""What the gate says and refuses: forged commands, answers, and invoices that it must not have overlooked."""

import json
from collections import defaultdict

from judging.commands import TYPES, id_of
from judging.evidence import OUTPUTS, Finding
from judging.known import Known, number_of

ANSWERS = {"applied", "already_applied", "waiting", "rejected", "superseded"}
ANSWER = b"milepost.command.acknowledged.v1"


def check_refusals(evidence):
    """Whatever on the topic of commands is not the log's, or contradicts its envelope, was refused and stands so."""
    genuine = {
        d.said.command_id for rows in evidence.log.values() for row in rows for d in row.entry.decisions if d.said
    }
    for record in evidence.topics["finance.commands"] if evidence.ledger else ():
        command, origin = json.loads(record.value), f"{record.topic}/{record.partition}/{record.offset}"
        whole = id_of(command) == command["command_id"] and command["command_id"] in genuine
        if not (whole and _is_enveloped(record, command)) and origin not in evidence.refused:
            yield Finding(
                "not refused", command["contract"], f"{origin} is no command of ours, and refused", "it was not"
            )


def _is_enveloped(record, command):
    told = (record.headers.get("ce_id"), record.headers.get("ce_type"), record.key)
    return told == (command["command_id"].encode(), TYPES[command["action"]], command["contract"].encode())


def check_answers(evidence):
    """The newest command of every milestone was answered, and not left unknown; nobody is told twice that it was
    applied."""
    told, doubled = _answers(evidence)
    yield from doubled
    newest = {}
    for contract, rows in evidence.log.items() if evidence.ledger else ():
        for row in rows:
            for decision in row.entry.decisions:
                if decision.said is not None and is_paid_here(evidence, row.entry):
                    newest[contract, decision.milestone] = decision.said
    for (contract, milestone), said in sorted(newest.items()):
        state = told.get(said.command_id)
        if state not in ANSWERS:
            expected = f"{milestone}, sequence {said.sequence}: an answer of finance"
            yield Finding("unanswered", contract, expected, str(state))


def is_paid_here(evidence, entry):
    """Whether the contract of a revision is paid by the finance system whose ledger this is."""
    return evidence.ledger_of in (None, entry.finance) or entry.finance is None


def _answers(evidence):
    """The last answer to each command, and those that were given twice: as one event after the other."""
    told, doubled, seen = {}, [], set()
    for topic, records in evidence.topics.items():
        for record in records if topic not in OUTPUTS else ():
            if record.headers.get("ce_type") == ANSWER and record.headers["ce_id"] not in seen:
                answer = json.loads(record.value)
                if answer["state"] == "applied" == told.get(answer["command_id"]):
                    expected = f"{answer['command_id']} is told once to be applied"
                    doubled.append(Finding("doubled", answer["contract"], expected, "as two events"))
                told[answer["command_id"]] = answer["state"]
                seen.add(record.headers["ce_id"])
    return told, doubled


def check_paid_outside(evidence):
    """An invoice that left while it was held was not released: no command of it is told to be applied."""
    bills, outside = _left_while_held(evidence.ledger)
    told, _ = _answers(evidence)
    for name, gone in sorted(outside.items()):
        whole = len(gone) == len(bills[name]["lines"])
        for contract, decision in _decisions(evidence) if whole else ():
            state, targets = told.get(decision.said.command_id), decision.said.targets
            pays = [
                t for t in targets if number_of(t.invoice) == number_of(bills[name]["number"] or "") and t.payable[0]
            ]
            if pays and not decision.carried and state in ("applied", "already_applied"):
                yield Finding("false answer", contract, f"lines {gone} of {name} were paid outside control", state)


def _left_while_held(ledger):
    """Each invoice, and the lines of it that were paid while they were last seen held."""
    free, paid, bills, outside = defaultdict(set), defaultdict(set), {}, defaultdict(list)
    for event in ledger:
        if event["kind"] == "call":
            if event["status"] == 200:
                (free[event["invoice"]].discard if event["held"] else free[event["invoice"]].add)(event["line"])
            continue
        name = event["invoice"]["id"]
        gone = {line["id"] for line in event["invoice"]["lines"] if line["state"] == "paid"} - paid[name]
        if left := sorted(gone - free[name]):
            outside[name] += left
        bills[name] = event["invoice"]
        paid[name] |= gone
        free[name] = {line["id"] for line in event["invoice"]["lines"] if not line["held"]}
    return bills, outside


def _decisions(evidence):
    """Every decision of the log that led to a command, with its contract."""
    for contract, rows in sorted(evidence.log.items()):
        yield from ((contract, d) for row in rows for d in row.entry.decisions if d.said)


def check_unclaimed(evidence, bills):
    """An open invoice under a key of a contract that no command ever named is held: the gate does not fail open."""
    keys, named = _keys(evidence), _named(evidence)
    for name, bill in sorted(bills.items()):
        free = [line["id"] for line in bill["lines"] if not line["held"] and line["state"] == "open"]
        known = number_of(bill["number"] or "") in named
        if bill["state"] == "open" and bill["gross"] > 0 and free and not known and keys & set(bill.get("keys") or ()):
            yield Finding("early", f"invoice {name}", "no command names it, and it is held", f"free: {free}")


def _named(evidence):
    return {number_of(target.invoice) for _, decision in _decisions(evidence) for target in decision.said.targets}


def _keys(evidence):
    """Keys that plans in force claim in the words of the sources that finance shares its keys with."""
    found = defaultdict(set)
    for rows in evidence.log.values():
        known = Known()
        for row in rows:
            for fact in row.entry.facts:
                if fact.body["kind"] == "contract.registered":
                    known.take(fact, row.entry.moment)
        plan = known.plan(rows[-1].entry.moment)
        for refs in [plan["refs"], *(m["refs"] for m in plan["milestones"])] if plan else ():
            for source, keys in refs.items():
                found[source].update(keys)
    return set().union(*(found[source] for source in evidence.keys_of))
