"""Looking back at any history: it proves, it is known as it was decided, and done again it is the same."""

from datetime import timedelta

from builders import START, Story
from hypothesis import given, note
from hypothesis import strategies as st
from laws.histories import PEOPLE, batches, histories, summary
from laws.profiles import tried
from looking_back import books, log_of, prove

from services.history.fold import folded
from services.history.replay import replay_contract
from services.history.rulebooks import Shelf
from services.history.whatif import under_rules, what_if
from services.reconciliation.adoption import adoption_fact
from services.reconciliation.react import react
from services.reconciliation.state import Arrival
from services.runtime.explain import accounts
from services.runtime.past import known_at


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


@tried(48)
@given(st.data())
def test_what_was_known_at_a_moment_is_what_had_been_decided_by_then(data):
    records = data.draw(histories(replaces=True, openings=True))
    note(summary(records))
    story = Story(people=PEOPLE)
    seen = {}
    for batch in data.draw(batches(records)):
        story.carry(batch)
        if data.draw(st.booleans()):
            story.clock(story.now + timedelta(days=data.draw(st.integers(0, 9))))
        for contract in story.contracts():
            state = story.state(contract)
            seen[contract, state.moment] = state.revision, shown(state, story.rules)
    for (contract, moment), (revision, expected) in seen.items():
        fold = folded(contract, log_of(story, contract), Shelf(books(story)), moment)
        if fold.state.in_force and fold.state.revision == revision:  # else more happened at that very moment
            found = known_at(fold, story.rules, moment)
            assert [one.account.milestone for one in found] == [*expected]
            for one in found:
                for now, then in zip(words(one.account), expected[one.account.milestone], strict=True):
                    assert now == then


def shown(state, rules):
    return {a.milestone: words(a) for a in accounts(state, rules)} if state.in_force else {}


def words(account):
    return (
        account.status, account.value, account.released_to_date, account.held, account.carried, account.conflicts,
        account.reasons, account.exceptions, account.targets, account.last_command,
    )  # fmt: skip


@tried(48)
@given(st.data())
def test_any_history_done_again_by_the_same_rules_comes_out_the_same(data):
    records = data.draw(histories(replaces=True, openings=True))
    note(summary(records))
    story = Story(people=PEOPLE)
    for batch in data.draw(batches(records)):
        story.carry(batch)
        if data.draw(st.booleans()):
            story.clock(story.now + timedelta(days=data.draw(st.integers(0, 9))))
    for contract in story.contracts():
        entries, state = [entry for _, entry in log_of(story, contract)], story.state(contract)
        replayed = replay_contract(entries, state, story.rules, story.rules, {})
        assert not replayed.differs, replayed
        now = state.moment
        assert what_if(state, story.rules, (), now).differences == []
        again = under_rules(entries, state, story.rules, story.rules, (), now)
        assert (again.differences, again.commands) == ([], [])


@tried(48)
@given(st.data())
def test_after_an_adoption_numbers_rise_above_it_released_never_falls_and_the_log_proves(data):
    records = data.draw(histories(replaces=True, openings=True))
    note(summary(records))
    story = Story(people=PEOPLE)
    for record in records:
        story.carry([record])
    for contract in story.contracts():
        state, rows = story.state(contract), story.log(contract)
        before = {name: known.released for name, known in state.milestones.items()}
        told = {name: data.draw(st.integers(0, 12_000)) for name in before}
        sequence = data.draw(st.integers(0, 99))
        fact = adoption_fact(contract, sequence, told, state.moment)
        reaction = react(state, [Arrival((fact,), fact.time, "")], fact.time, story.rules)
        said = [d.said.sequence for entry in reaction.entries for d in entry.decisions if d.said]
        assert all(number > max(sequence, story.state(contract).sequence) for number in said)
        for name, known in state.milestones.items():
            assert known.released >= (before[name] if known.replaced_by else max(before[name], told[name]))
        assert prove(story, [*rows, *reaction.rows], state, contract=contract) == []
