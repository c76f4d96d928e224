"""Law 12: the log is the truth. And what is decided in part is what would have been decided as a whole."""

from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from builders import START, Story, a_contract, a_milestone, an_amendment, attached, met, registered
from hypothesis import given, note
from hypothesis import strategies as st
from laws.histories import PEOPLE, batches, histories, summary
from laws.profiles import tried
from msgspec.structs import replace

from services.reconciliation.issue import is_due
from services.reconciliation.log import is_chained, read_entry
from services.reconciliation.react import replay
from services.reconciliation.state import State, decode_state, encode_state, packed
from services.runtime.outgoing import commands_of


@tried(72)
@given(st.data())
def test_rebuilding_from_the_log_gives_the_same_rows_commands_and_state(data):
    records = data.draw(histories(replaces=True, openings=True))
    note(summary(records))
    story = Story(people=PEOPLE)
    for batch in data.draw(batches(records)):
        story.carry(batch)
        if data.draw(st.booleans()):
            story.clock(story.now + timedelta(days=data.draw(st.integers(0, 9))))
    story.clock(START + timedelta(days=60))
    commands = []
    for contract in story.contracts():
        rebuilt, head = State(contract), bytes(32)
        for row in story.log(contract):
            entry = read_entry(row)
            assert is_chained(row, head)
            head = row.head
            revision = replay(rebuilt, entry, story.rules)
            assert revision.row == row
            commands += [command.command_id for command in commands_of(row, revision.entry)]
            rebuilt = decode_state(encode_state(rebuilt))
        assert comparable(rebuilt) == comparable(story.state(contract))
    assert sorted(commands) == sorted(command["command_id"] for command in story.commands)


def comparable(state):
    """All that the log determines. When nothing changed was last looked at, and where records lay, is not written."""
    state.moment, state.review, state.notices_due, state.decided_on = 0, None, None, (0, 0)
    for slot in state.slots.values():
        slot.waiting = None
    for milestone in state.milestones.values():
        milestone.review = milestone.notices_due = None
    return encode_state(state)


def assert_each_log_gives_its_state(story):
    """Every contract's log, replayed, gives the same rows and the same state."""
    for contract in story.contracts():
        rebuilt = State(contract)
        for row in story.log(contract):
            assert replay(rebuilt, read_entry(row), story.rules).row == row
            rebuilt = decode_state(encode_state(rebuilt))
        assert comparable(rebuilt) == comparable(story.state(contract))


@tried(72)
@given(st.data())
def test_what_was_decided_in_part_is_what_is_decided_as_a_whole(data):
    records = data.draw(histories(replaces=True, openings=True))
    note(summary(records))
    story = Story(people=PEOPLE)
    for record in records:
        story.carry([record])
        for contract in story.contracts():
            state = story.state(contract)
            for standing in story.standings(contract).values():
                if standing.case is not None:
                    known = state.milestones[standing.position.milestone]
                    whole = packed((*standing.position[:-1], standing.status))
                    assert known.decided == blake2b(whole, digest_size=16).digest(), standing.position
                    assert standing.case.milestone.value is None or not is_due(standing.position, known.last)


def test_a_log_that_was_tampered_with_does_not_chain():
    story = Story().tell(registered(a_contract()), met())
    first, second = story.log()
    assert is_chained(second, first.head)
    assert not is_chained(second, bytes(32))
    assert not is_chained(replace(second, entry=second.entry + b"x"), first.head)


def test_a_fact_let_in_without_changing_a_decision_is_in_the_log():
    plan = a_contract(a_milestone(requires=["met", "evidence:fat"]))
    story = Story().tell_together(attached(), registered(plan)).tell(met())
    rebuilt = State("C-1")
    for row in story.log():
        assert replay(rebuilt, read_entry(row), story.rules).row == row
    assert story.released() == rebuilt.milestones["M1"].released == 10_000


def test_a_version_that_came_into_force_without_a_word_is_in_force_for_what_is_merged_next():
    keyed = a_milestone(requires=["met"], refs={"pm": ["issue:1"]})
    story = Story().tell(registered(a_contract(a_milestone(requires=["met"]))))
    story.tell(registered(a_contract(keyed, version=2, amendment=an_amendment(effective_from="2026-03-05"))))
    story.clock(datetime(2026, 3, 6, tzinfo=UTC)).tell(met(None, key="issue:1"))
    rebuilt = State("C-1")
    for row in story.log():
        assert replay(rebuilt, read_entry(row), story.rules).row == row
    assert story.released() == rebuilt.milestones["M1"].released == 10_000
