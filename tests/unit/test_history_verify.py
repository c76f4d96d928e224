"""Verify: what is whole proves, and whatever is changed in a log, a rulebook or a state is found by name."""

import json
import re

import pytest
from builders import Story, a_contract, a_milestone, invoice, met, paid, registered, signed
from looking_back import books, forged, prove, rechained
from msgspec.structs import replace

from contracts_schema.money import Money
from contracts_schema.rows import Rulebook
from services.history.verify import verify
from services.reconciliation.policy import Rules, make_rules


@pytest.fixture
def story():
    plan = a_contract(a_milestone("M1", "100.00", requires=["met", "invoiced"]), a_milestone("M2", requires=["met"]))
    return Story().tell(registered(plan), invoice("60.00"), met("M1"), met("M2"), signed(), paid("60.00"))


def changed(row, number, **changes):
    """The entry's decision for one milestone with other words."""
    decisions = tuple(replace(d, **changes) if n == number else d for n, d in enumerate(row.decisions))
    return replace(row, decisions=decisions)


def found(faults):
    return {(fault.revision, fault.what) for fault in faults}


def test_what_nobody_touched_proves(story):
    assert prove(story) == []


def test_a_log_decided_under_several_rulebooks_proves(story):
    first = story.rules
    story.rerule(people={"jane": ["erp:17"]}).tell(invoice("40.00", "I-2"))
    kept = books(story) | {first.rulebook.hash: first.rulebook}
    assert prove(story, kept=kept) == []
    missing = prove(story, kept=books(story))
    assert found(missing) == {(1, "rulebook")}
    assert first.rulebook.hash in missing[0].sentence


def test_a_rulebook_with_other_content_is_not_the_one_that_was_named(story):
    kept = {name: Rulebook(name, b"{}") for name in books(story)}
    assert found(prove(story, kept=kept)) == {(1, "rulebook")}


def test_a_changed_fact_breaks_the_chain_and_leads_to_other_decisions(story):
    def smaller(entry):
        body = replace(entry.facts[0].body, net=Money(5000, "EUR"))
        return replace(entry, facts=(replace(entry.facts[0], body=body),))

    assert (3, "chain") in found(prove(story, forged(story.log(), 2, smaller)))
    whole_new_chain = rechained(forged(story.log(), 2, smaller))
    assert {what for _, what in found(prove(story, whole_new_chain))} == {"decision", "state"}


def test_a_changed_decision_is_named_with_both_words(story):
    rows = rechained(forged(story.log(), 3, lambda entry: changed(entry, 0, released=9000)))
    sentences = [f.sentence for f in prove(story, rows) if f.what == "decision"]
    assert "M1.released: logged 9000, worked out again 6000" in sentences


def test_of_reasons_that_read_otherwise_those_alone_are_told(story):
    def reworded(entry):
        first, *others = entry.decisions[0].reasons
        assert others
        return changed(entry, 0, reasons=(replace(first, detail="because"), *others))

    [sentence] = [f.sentence for f in prove(story, rechained(forged(story.log(), 1, reworded))) if f.what == "decision"]
    logged, again = re.fullmatch("M1.reasons: logged (.*), worked out again (.*)", sentence).groups()
    assert [reason[0] for reason in json.loads(logged)] == [reason[0] for reason in json.loads(again)] != []
    assert [reason[3] for reason in json.loads(logged)] == ["because"]


def test_a_changed_command_is_not_the_one_its_id_stands_for(story):
    def reworded(entry):
        return changed(entry, 0, said=replace(entry.decisions[0].said, action="hold"))

    faults = prove(story, rechained(forged(story.log(), 3, reworded)))
    assert (3, "command") in found(faults)
    assert "M1, sequence 4: its content is not the one its id stands for" in [f.sentence for f in faults]


def test_a_command_that_was_taken_out_leaves_a_gap_in_the_sequence(story):
    faults = prove(story, rechained(forged(story.log(), 3, lambda entry: changed(entry, 0, said=None))))
    assert {(3, "decision"), (4, "command")} <= found(faults)


def test_a_revision_that_is_missing_is_named(story):
    rows = story.log()
    faults = prove(story, [*rows[:2], *rows[3:]])
    assert (4, "revision") in found(faults)
    assert (4, "chain") in found(faults)


def test_the_last_revision_is_missed_by_the_state(story):
    faults = prove(story, story.log()[:-1])
    assert {what for _, what in found(faults)} == {"state"}
    assert any(f.sentence.startswith("revision is 6") for f in faults)


def test_revisions_that_changed_places_are_found(story):
    one, two, three, *rest = story.log()
    faults = prove(story, [one, three, two, *rest])
    assert {(3, "revision"), (3, "chain"), (2, "chain")} <= found(faults)


def test_an_entry_that_is_no_entry_is_named_and_the_chain_is_still_looked_at(story):
    rows = story.log()
    faults = prove(story, [*rows[:2], replace(rows[2], entry=b"\xc1"), *rows[3:]])
    assert {(3, "entry"), (3, "chain")} <= found(faults)


def test_a_row_of_another_contract_is_found(story):
    rows = story.log()
    faults = prove(story, forged(rows, 1, lambda entry: replace(entry, contract="C-2")))
    assert (1, "entry") in found(faults)


def test_a_state_that_says_otherwise_is_named_by_milestone_and_field(story):
    state = story.state()
    state.milestones["M1"].released = 10_000
    state.sequence = 99
    del state.slots[next(subject for subject in state.slots if "invoice" in subject)]
    sentences = [f.sentence for f in prove(story, state=state)]
    assert "milestones: M1: released is 10000, the log says 6000" in sentences
    assert any(s.startswith("sequence is 99") for s in sentences)
    assert any(s.startswith("slots: portal invoice.received C-1 M1") for s in sentences)


def test_a_contract_with_a_log_and_no_state_is_found(story):
    (fault,) = verify("C-1", story.log(), None, books(story)).faults
    assert (fault.what, fault.revision) == ("state", 0)


def test_what_older_rules_decided_is_taken_as_logged_and_the_rest_is_proven(story):
    """The chain and the ids of what an earlier version decided are proven; what follows is decided again."""
    older = Rules(dict(story.rules.roles), finance="ap", version=0)
    rows = rechained([
        row for n in range(1, 5)
        for row in [forged(story.log(), n, lambda entry: replace(entry, rulebook=older.rulebook.hash))[n - 1]]
    ] + story.log()[4:])  # fmt: skip
    state = story.state()
    state.head = rows[-1].head
    proof = verify("C-1", rows, state, books(story, older))
    assert proof.not_redecided == 4
    assert proof.faults == []


def test_the_rules_of_a_rulebook_keep_its_hash_though_this_version_would_write_more_fields():
    from services.history.rulebooks import rules_of

    rules = make_rules({"pm": "project"}, {}, Story().policy)
    older = Rulebook("sha256:older", rules.rulebook.content)
    assert rules_of(older).rulebook.hash == "sha256:older"


def test_a_revision_that_the_rules_cannot_bear_is_named_and_the_chain_is_looked_at_to_its_end(story, monkeypatch):
    def defect(*_args):
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("services.history.fold.replay", defect)
    proof = verify("C-1", story.log(), story.state(), books(story))
    assert [f.sentence for f in proof.faults] == ["it cannot be decided again: ZeroDivisionError: a defect"]
    assert (proof.revisions, proof.commands) == (6, 5)


def test_a_revision_from_which_nothing_follows_is_named(story):
    rows = story.log()
    (fault, *_) = prove(story, rechained(forged(rows, 2, lambda entry: replace(entry, facts=(), decisions=()))))
    assert (fault.revision, fault.sentence) == (2, "nothing follows from these facts any more")


def test_decisions_in_another_order_are_found(story):
    rows = rechained(forged(story.log(), 1, lambda entry: replace(entry, decisions=entry.decisions[::-1])))
    assert "the decisions stand in another order" in [f.sentence for f in prove(story, rows)]
