"""Ways in which a healthy run can be falsified, each with the invariant that the judge must find broken.

Each changes a copy of the evidence. What rewrites the log makes its chain anew, so that the chain alone says nothing.
"""

import json
from hashlib import sha256

from judging.commands import id_of
from judging.evidence import entry_of
from msgspec.msgpack import decode, encode

MOMENT, ENTRY_FACTS, ENTRY_DECISIONS, DAY_US = 2, 6, 7, 86_400_000_000
VALUE, RELEASED, HELD, REASONS, SAID = 3, 4, 5, 8, 12


def longest(e):
    """The contract of which most is known."""
    return max(e.log, key=lambda contract: (len(e.log[contract]), contract))


def rewrite(e, change):
    """Change the entries of a contract's log, each as a list, and chain them anew; `change` answers how many it did."""
    contract, rows, head, changed = longest(e), [], bytes(32), 0
    for row in e.log[contract]:
        entry = decode(row.raw)
        changed += change(entry, changed) or 0
        raw = encode(entry)
        following = sha256(head + raw).digest()
        rows.append(row._replace(raw=raw, previous=head, head=following, entry=entry_of(raw)))
        head = following
    assert changed
    e.log[contract] = rows


def once(e, topic, fits=lambda record: True):
    """Take one record out of a topic; it and its place."""
    place, record = next((n, r) for n, r in reversed(list(enumerate(e.topics[topic]))) if fits(r))
    e.topics[topic] = [r for n, r in enumerate(e.topics[topic]) if n != place]
    return place, record


# -- the log -----------------------------------------------------------------------------------------------------------


def a_byte_of_the_log_is_changed(e):
    rows = e.log[longest(e)]
    raw = bytearray(rows[3].raw)
    raw[-1] ^= 1
    e.log[longest(e)] = [*rows[:3], rows[3]._replace(raw=bytes(raw)), *rows[4:]]


def a_revision_is_cut_out(e):
    rows = e.log[longest(e)]
    e.log[longest(e)] = [*rows[:3], *rows[4:]]


def the_end_of_the_log_is_cut_off(e):
    e.log[longest(e)] = e.log[longest(e)][:-1]


def the_chain_is_made_anew(e):
    def another_moment(entry, changed):
        entry[2] += not changed
        return not changed

    rewrite(e, another_moment)


def a_fact_counts_twice(e):
    def told_again(entry, changed):
        entry[ENTRY_FACTS] += entry[ENTRY_FACTS][:1]
        return not changed and bool(entry[ENTRY_FACTS])

    rewrite(e, told_again)


def a_fact_is_lost(e):
    def without(entry, changed):
        if changed or entry[1] == 1 or not entry[ENTRY_FACTS]:
            return 0
        entry[ENTRY_FACTS] = []
        return 1

    rewrite(e, without)


def a_fact_says_something_else(e):
    def altered(entry, changed):
        bodies = [fact[4] for fact in entry[ENTRY_FACTS] if fact[4]["kind"] == "milestone.assessed"]
        for body in bodies:
            body["status"] = "met" if body["status"] != "met" else "notMet"
        return len(bodies)

    rewrite(e, altered)


def all_is_released_at_once(e):
    def released(entry, changed):
        held = [decision for decision in entry[ENTRY_DECISIONS] if decision[HELD] > 0]
        for decision in held:
            decision[RELEASED], decision[HELD], decision[REASONS] = decision[VALUE], 0, []
        return len(held)

    rewrite(e, released)


def a_reason_is_kept_back(e):
    def silent(entry, changed):
        if entry[1] == 1:
            return 0
        for decision in entry[ENTRY_DECISIONS]:
            decision[REASONS] = decision[REASONS][1:]
        return len(entry[ENTRY_DECISIONS])

    rewrite(e, silent)


def a_sequence_is_left_out(e):
    def later(entry, changed):
        said = [decision[SAID] for decision in entry[ENTRY_DECISIONS] if decision[SAID] and entry[1] > 1]
        for one in said:
            one[1] += 1
        return len(said)

    rewrite(e, later)


def a_moment_lies_ahead(e):
    def later(entry, changed):
        entry[MOMENT] += (e.now - entry[MOMENT]) + 2 * DAY_US
        return 1

    rewrite(e, later)


def a_milestone_is_worth_more(e):
    def dearer(entry, changed):
        for decision in entry[ENTRY_DECISIONS]:
            decision[VALUE], decision[HELD] = decision[VALUE] + 100, decision[HELD] + 100
        return len(entry[ENTRY_DECISIONS])

    rewrite(e, dearer)


# -- the topics --------------------------------------------------------------------------------------------------------


def a_command_is_lost(e):
    _, lost = once(e, "finance.commands")
    same = json.loads(lost.value)["command_id"]
    e.topics["finance.commands"] = [
        r for r in e.topics["finance.commands"] if json.loads(r.value)["command_id"] != same
    ]


def a_command_is_altered(e):
    place, record = once(e, "finance.commands")
    command = json.loads(record.value)
    command["released_to_date"]["amount"] = "999.00"
    e.topics["finance.commands"].insert(place, record._replace(value=json.dumps(command).encode()))


def a_command_is_forged(e):
    _, record = once(e, "finance.commands")
    command = json.loads(record.value)
    command["sequence"] += 1
    command["command_id"] = id_of(command)
    e.topics["finance.commands"] += [record, record._replace(value=json.dumps(command).encode())]


def commands_change_places(e):
    e.topics["finance.commands"] = e.topics["finance.commands"][::-1]


def a_command_stands_twice(e):
    e.topics["finance.commands"] = e.topics["finance.commands"] + e.topics["finance.commands"][-1:]


def a_decision_is_not_told(e):
    _, lost = once(e, "milestone.decisions")
    e.topics["milestone.decisions"] = [r for r in e.topics["milestone.decisions"] if r.value != lost.value]


def an_answer_is_lost(e):
    topic = next(name for name in e.topics if name.endswith("finance.events"))
    last = [row.entry.decisions for row in e.log[longest(e)] if any(d.said for d in row.entry.decisions)][-1]
    told = {d.said.command_id for d in last if d.said}
    e.topics[topic] = [r for r in e.topics[topic] if json.loads(r.value).get("command_id") not in told]


# -- what came in ------------------------------------------------------------------------------------------------------


def a_record_is_never_read(e):
    e.ends = e.ends | {next(iter(e.offsets)): next(iter(e.offsets.values())) + 1}


def an_outcome_is_missing(e):
    e.totals = e.totals | {"record.applied": e.totals["record.applied"] - 1}


def a_parked_fact_is_dropped(e):
    e.parked = []


def a_fact_waits_for_a_contract_that_is_there(e):
    fact = next(f for row in e.log[longest(e)] for f in row.entry.facts if f.body["kind"] == "milestone.assessed")
    e.parked = [*e.parked, ("project.events/0/0", fact, "unknown")]


def what_was_set_aside_loses_bytes(e):
    e.quarantine = [dict(row) | {"value": row["value"][:-1]} for row in e.quarantine]


# -- finance -----------------------------------------------------------------------------------------------------------


def calls(e, held):
    """Places of the calls that took effect."""
    return [n for n, line in enumerate(e.ledger) if line["kind"] == "call" and line["held"] == held]


def an_invoice_is_freed_early(e):
    said = [d.said for rows in e.log.values() for row in rows for d in row.entry.decisions if d.said]
    payable = {f"inv:{target.invoice}" for one in said for target in one.targets if target.payable[0] > 0}
    place = next(n for n in calls(e, held=True) if e.ledger[n]["invoice"] not in payable)
    freed = e.ledger[place] | {"held": False, "before": True}
    e.ledger = [*e.ledger[: place + 1], freed, *e.ledger[place + 1 :]]


def a_call_is_made_twice(e):
    place = calls(e, held=True)[0]
    again = e.ledger[place] | {"before": True}
    e.ledger = [*e.ledger[: place + 1], again, *e.ledger[place + 1 :]]


FALSIFICATIONS = (
    (a_byte_of_the_log_is_changed, "chain"), (a_revision_is_cut_out, "chain"), (the_end_of_the_log_is_cut_off, "chain"),
    (the_chain_is_made_anew, "topic"), (a_fact_counts_twice, "doubled"), (a_fact_is_lost, "lost input"),
    (a_fact_says_something_else, "invented"), (all_is_released_at_once, "early"), (a_reason_is_kept_back, "hold lost"),
    (a_sequence_is_left_out, "sequence"), (a_command_is_lost, "lost command"), (a_command_is_altered, "id"),
    (a_command_is_forged, "forged command"), (commands_change_places, "order"),
    (a_decision_is_not_told, "lost decision"), (an_answer_is_lost, "unanswered"),
    (a_record_is_never_read, "input"), (an_outcome_is_missing, "input"),
    (a_parked_fact_is_dropped, "lost input"), (what_was_set_aside_loses_bytes, "quarantine"),
    (a_moment_lies_ahead, "clock"), (a_milestone_is_worth_more, "value"), (a_command_stands_twice, "doubled"),
    (a_fact_waits_for_a_contract_that_is_there, "lost input"),
    (an_invoice_is_freed_early, "early"), (a_call_is_made_twice, "doubled"),
)  # fmt: skip
