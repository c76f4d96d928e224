"""Laws 1 and 2: neither the order of arrival nor redelivery matters."""

from datetime import timedelta

from builders import START, Story
from hypothesis import given, note
from hypothesis import strategies as st
from laws.histories import PEOPLE, batches, histories, summary
from laws.profiles import tried

from services.reconciliation.crosswalk import index_of
from services.reconciliation.standing import place

LATER = START + timedelta(days=400)


def told(records, *, together=None):
    """A story of these records, one by one or in these batches, until long after the last day that matters."""
    story = Story(people=PEOPLE)
    for batch in together or [[record] for record in records]:
        story.carry(batch)
    return story.clock(LATER)


def known(story):
    """Every fact that counts by where it stands and what it is about, whatever order they came in."""
    found = {}
    for name in story.contracts():
        state = story.state(name)
        found[name, "beside"] = (set(state.verdicts), state.in_force)
        found |= {(name, version): plan for version, plan in state.plans.items()}
        found |= {(name, *place): slot for place, slot in standing(state).items()}
    return found


def standing(state):
    """The slots that count, by milestone and subject."""
    if not state.in_force:
        return {}
    subjects = {id(slot): subject for subject, slot in state.slots.items()}
    index = index_of(state.plans[state.in_force].plan)
    placed = {milestone: {} for milestone in index.milestones}
    place(state, index, placed)
    return {(m, subjects[id(s)]): s for m, kinds in placed.items() for slots in kinds.values() for s in slots}


def differences(one, other):
    """What is not the same in both, to be read in a report."""
    return [f"{key}: {one.get(key)}\n  not {other.get(key)}" for key in one | other if one.get(key) != other.get(key)]


def allowed(story):
    """What each milestone of the plan may be paid, before the contract's cap."""
    return {(c, m): s.position.allowed for c in story.contracts() for m, s in story.standings(c).items() if s.case}


@tried(84)
@given(st.data())
def test_any_order_of_arrival_gives_the_same_facts_and_allowed_amounts(data):
    records = data.draw(histories())
    shuffled = data.draw(st.permutations(records))
    note(summary(shuffled))
    one, other = told(records), told(shuffled)
    assert not one.defects
    assert not other.defects
    assert not differences(known(one), known(other))
    assert not differences(allowed(one), allowed(other))


@tried(48)
@given(st.data())
def test_any_cut_into_batches_gives_the_same_facts_and_allowed_amounts(data):
    records = data.draw(histories())
    shuffled = data.draw(st.permutations(records))
    note(summary(shuffled))
    one, other = told(records), told(shuffled, together=data.draw(batches(shuffled)))
    assert not differences(known(one), known(other))
    assert not differences(allowed(one), allowed(other))


@tried(48)
@given(st.data())
def test_any_redelivery_changes_nothing_and_issues_nothing(data):
    story = Story(people=PEOPLE)
    records = data.draw(histories())
    for record in records:
        story.carry([record])
    one_version = story.contracts() and len(story.state().plans) < 2
    before = {name: (story.raw(name), story.log(name)) for name in story.contracts()}
    commands, parked = story.commands, len(story.store._tables.parked)
    for record in data.draw(st.permutations(records)):
        story.carry([record])
    assert {name: (story.raw(name), story.log(name)) for name in story.contracts()} == before
    assert story.commands == commands
    if one_version:  # a key that a later version gave up waits anew
        assert len(story.store._tables.parked) == parked


@tried(36)
@given(st.data())
def test_every_record_twice_gives_the_same_commands(data):
    records = data.draw(histories())
    once, twice = told(records), told([r for record in records for r in (record, record)])
    assert once.commands == twice.commands
    assert [row.head for row in once.log()] == [row.head for row in twice.log()]
