"""Laws 6 and 7: two commands in a row differ, sequences have no gap; and what commands say of themselves is true."""

from datetime import timedelta
from hashlib import sha256

from builders import START, Story
from hypothesis import given
from hypothesis import strategies as st
from laws.histories import PEOPLE, batches, histories
from laws.profiles import tried
from rfc8785 import dumps

SAID = ("value", "released_to_date", "held", "targets")
NAMED = ("contract", "milestone", "sequence", "action", *SAID, "carried")


@st.composite
def stories(draw):
    """A history told in batches, with the time passing at the end."""
    records = draw(histories(replaces=True, openings=True))
    story = Story(people=PEOPLE)
    for batch in draw(batches(records)):
        story.carry(batch)
    return story.clock(START + timedelta(days=60))


@tried(72)
@given(stories())
def test_two_commands_in_a_row_for_a_milestone_differ(story):
    last = {}
    for command in story.commands:
        before = last.get(command["milestone"])
        assert before is None or any(before[field] != command[field] for field in SAID)
        last[command["milestone"]] = command


@tried(36)
@given(stories())
def test_sequences_have_no_gap_and_never_go_back(story):
    for contract in story.contracts():
        numbers = [command["sequence"] for command in story.commands if command["contract"] == contract]
        assert numbers == list(range(1, len(numbers) + 1))
        revisions = [row.revision for row in story.log(contract)]
        assert revisions == list(range(1, len(revisions) + 1))


@tried(36)
@given(stories())
def test_the_action_sums_up_what_the_command_says(story):
    last = {}
    for command in story.commands:
        before = last.get(command["milestone"])
        more = before is not None and minor(command["released_to_date"]) > minor(before["released_to_date"])
        held = minor(command["held"]) > 0
        assert command["action"] == ("hold" if held and not more else "release")
        last[command["milestone"]] = command


@tried(36)
@given(stories())
def test_targets_share_out_what_was_released_and_no_more(story):
    for command in story.commands:
        payable = [minor(target["payable_to_date"]) for target in command["targets"]]
        open_to_pay = minor(command["released_to_date"]) - minor(command.get("carried", {"amount": "0"}))
        assert sum(payable) <= max(0, open_to_pay)
        for target, amount in zip(command["targets"], payable, strict=True):
            net = minor(target["net"])
            assert 0 <= amount <= max(0, net)
            assert target["state"] == ("hold" if amount <= 0 else "free" if amount == net else "part")


@tried(36)
@given(stories())
def test_a_command_id_is_the_hash_of_what_it_tells_finance_to_do(story):
    for command in story.commands:
        said = {name: command[name] for name in NAMED if name in command}
        assert command["command_id"] == sha256(dumps(said)).hexdigest()


def minor(amount):
    """Minor units of money on the wire."""
    return int(amount["amount"].replace(".", ""))
