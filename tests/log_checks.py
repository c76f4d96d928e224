"""What must hold between the log of revisions and the commands on the topic, whatever happened in between."""

from collections import defaultdict

from msgspec.json import decode, encode

from contracts_schema import facts as f
from contracts_schema.reasons import HoldReason
from services.reconciliation.log import is_chained, read_entry
from services.reconciliation.react import replay
from services.reconciliation.state import State
from services.runtime.outgoing import commands_of

PARTIAL = {
    HoldReason(code)
    for code in (
        "PARTLY_ACCEPTED", "DISPUTED", "PARTLY_INVOICED", "RETENTION", "ADVANCE_RECOUPED", "LATE_DAMAGES", "CAP_REACHED"
    )
}  # fmt: skip


def rebuilt(rows, rules):
    """The contract's commands, made again from its log alone. Every row must come out as it was written."""
    state, commands, head = State(rows[0].contract), [], bytes(32)
    for row in rows:
        assert is_chained(row, head)
        entry, head = read_entry(row), row.head
        again = replay(state, entry, rules)
        assert again.row == row, (row.contract, row.revision)
        commands += [decode(encode(command)) for command in commands_of(again.row, again.entry)]
    return state, commands


def check_said(logged, on_topic):
    """Sequences have no gap, and log and topic hold the same commands; on the topic one may stand several times."""
    assert [c["sequence"] for c in logged] == list(range(1, len(logged) + 1))
    by_id = {c["command_id"]: c for c in logged}
    assert len(by_id) == len(logged)
    for command in on_topic:
        assert command == by_id[command["command_id"]]
    assert {c["command_id"] for c in on_topic} == by_id.keys()
    firsts = list(dict.fromkeys(c["sequence"] for c in on_topic))
    assert firsts == sorted(firsts), "a sequence came first behind a later one"


def check_released(rows):
    """Nothing was released without proof: judged from the facts of the log alone, without the core."""
    newest = defaultdict(dict)
    released = defaultdict(int)
    for row in rows:
        entry = read_entry(row)
        for fact in entry.facts:
            known = newest[fact.address.milestone]
            order = (fact.version or 0, fact.time)
            if order >= known.get(fact.kind, (order,))[0]:
                known[fact.kind] = (order, fact.body)
        for decided in entry.decisions:
            if decided.released > released[decided.milestone]:
                assert not [r for r in decided.reasons if HoldReason(r.code) not in PARTIAL]
                assert decided.released <= min(decided.allowed, decided.value)
                proof = {kind: body for kind, (_, body) in newest[decided.milestone].items()}
                assert proof[f.Assessed.__struct_config__.tag].status == "met"
                assert proof[f.InvoiceReceived.__struct_config__.tag].state in ("open", "paid")
                assert f.SignOffGiven.__struct_config__.tag in proof
            released[decided.milestone] = decided.released


def slots_of(state):
    """The merged facts, without what tells of their arrival."""
    return {subject: (s.order, s.body, s.older, s.clash, s.history, s.parked) for subject, s in state.slots.items()}
