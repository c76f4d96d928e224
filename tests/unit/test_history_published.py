"""Commands that left the house show a chain that was made anew, though it proves by itself."""

import json

from builders import Story, a_contract, a_milestone, met, registered
from looking_back import forged, prove, rechained
from msgspec import convert
from msgspec.structs import replace

from contracts_schema.commands import Command
from services.history.published import published_faults


def told():
    story = Story().tell(registered(a_contract(a_milestone(requires=["met"]))), met())
    commands = [convert(json.loads(json.dumps(c)), Command) for c in story.commands]
    return story, commands


def faults(commands, rows, adopted=()):
    found = published_faults(commands, {(r.contract, r.revision): r for r in rows}, dict(adopted))
    return [fault.sentence for fault in found]


def test_what_was_published_stands_in_the_log():
    story, commands = told()
    assert faults(commands, story.log()) == []


def test_a_log_that_was_written_anew_proves_by_itself_and_not_against_what_was_published():
    """Somebody drops the fact that led to a release, and makes log, chain and state anew."""
    commands = told()[1]
    other = Story().tell(registered(a_contract(a_milestone(requires=["met"]))), met(status="notMet"))
    assert prove(other) == []
    (sentence,) = faults(commands, other.log())
    assert sentence == "M1, sequence 2, was published and does not stand in the log"


def test_a_chain_that_was_made_anew_bears_another_head():
    story, commands = told()
    rows = rechained(forged(story.log(), 1, lambda entry: replace(entry, unparked=("x",))))
    first, second = faults(commands, rows)
    assert "so it was made anew since" in first
    assert commands[1].chain.head in second


def test_commands_that_were_taken_over_are_in_no_log():
    commands = told()[1]
    assert faults(commands, [], {"C-1": 2}) == []
    assert len(faults(commands, [], {"C-1": 1})) == 1
