"""Pseudonyms change nothing: whatever happens, the same is decided of persons whom nobody can name."""

import json

from builders import Story
from hypothesis import given, note
from hypothesis import strategies as st
from laws.histories import PEOPLE, batches, histories, summary
from laws.profiles import tried
from laws.test_order import LATER

from contracts_schema.persons import PSEUDONYM, with_names
from services.reconciliation.pseudonyms import Pseudonyms

KEY = b"a key of the house, long enough."
BY_CONTENT = ("command_id", "rulebook", "chain", "basis")  # differ because what they are the hash of differs


def told(cut, pseudonyms):
    story = Story(people=PEOPLE, pseudonyms=pseudonyms)
    for batch in cut:
        story.carry(batch)
    return story.clock(LATER)


def names(story):
    """What the table of persons says, and whom the configuration names."""
    known = {row.pseudonym: row.name for row in story.store._tables.persons.values()}
    return known | {story.pseudonyms.of(person): person for person in story.people}


def told_of(command, known):
    """A command with names again, without what is a hash."""
    plain = json.loads(with_names(json.dumps({k: v for k, v in command.items() if k not in BY_CONTENT}), known))
    for reason in plain["reasons"]:
        reason["detail"] = sorted(reason["detail"].split("; "))  # several are in the order of who it is
        reason["facts"] = sorted(reason["facts"])
    return plain


@tried(84)
@given(st.data())
def test_any_history_is_decided_of_pseudonyms_as_of_names(data):
    records = data.draw(histories(openings=True))
    cut = data.draw(batches(records))
    note(summary(records))
    plain, hidden = told(cut, None), told(cut, Pseudonyms(KEY))
    assert hidden.outcomes == plain.outcomes
    assert not hidden.defects
    known = names(hidden)
    assert [told_of(c, known) for c in hidden.commands] == [told_of(c, {}) for c in plain.commands]
    for contract in plain.contracts():
        one, other = plain.standings(contract), hidden.standings(contract)
        assert {m: amounts(s) for m, s in other.items()} == {m: amounts(s) for m, s in one.items()}


def amounts(standing):
    p = standing.position
    reasons = [(r.code, r.amount) for r in p.reasons]
    return p.value, p.released, p.held, p.allowed, reasons, [c.field for c in p.conflicts], sorted(p.exceptions)


@tried(24)
@given(st.data())
def test_no_person_of_any_history_is_named_in_state_log_or_outbox(data):
    records = data.draw(histories(openings=True))
    story = told([[record] for record in records], Pseudonyms(KEY))
    tables = story.store._tables
    kept = [*(row.entry for row in tables.log.values()), *(row.state for row in tables.states.values())]
    kept += [*(row.fact for row in tables.parked.values()), story.rules.rulebook.content]
    kept += [row.value for report in story.reports for row in report.said.commands]
    for name in (b"jane", b"joe", b"walt", b"anna", b"olga", b"dora", b"rita"):
        assert not [raw for raw in kept if name in raw], name
    assert all(PSEUDONYM.fullmatch(pseudonym) for pseudonym in tables.persons)
