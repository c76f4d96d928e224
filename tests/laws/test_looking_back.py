"""Looking back at any history: it proves, it is known as it was decided, and done again it is the same."""

from datetime import timedelta

from builders import START, Story
from hypothesis import given, note
from hypothesis import strategies as st
from laws.histories import PEOPLE, batches, histories, summary
from laws.profiles import tried
from looking_back import books, prove


def told(data):
    """A story of any history, with time passing and, sometimes, the rules changed on the way."""
    records = data.draw(histories(replaces=True, openings=True))
    note(summary(records))
    story = Story(people=PEOPLE)
    rulebooks = books(story)
    for batch in data.draw(batches(records)):
        story.carry(batch)
        if data.draw(st.booleans()):
            story.clock(story.now + timedelta(days=data.draw(st.integers(0, 9))))
        if data.draw(st.integers(0, 9)) == 0:
            story.rerule(people={})
            rulebooks |= books(story)
    story.clock(START + timedelta(days=60))
    return story, rulebooks


@tried(48)
@given(st.data())
def test_any_history_proves(data):
    story, kept = told(data)
    for contract in story.contracts():
        assert prove(story, kept=kept, contract=contract) == []
