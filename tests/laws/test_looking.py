"""What a check says it looks at is all it looks at: it finds the same where facts of all other kinds are taken away."""

import pytest
from builders import Story
from hypothesis import given, note
from hypothesis import strategies as st
from laws.histories import PEOPLE, histories, summary
from laws.profiles import tried
from tables.steps import SCENARIOS, run

from services.reconciliation.checks import CHECKS
from services.reconciliation.contract_case import ContractCase
from services.reconciliation.crosswalk import index_of
from services.reconciliation.standing import EVERY_KIND
from services.reconciliation.state import decode_state
from services.reconciliation.subject import FAMILY


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: f"{s.file}: {s.title}")
def test_in_every_scenario(scenario):
    for _, story, _ in run(scenario):
        looks_at_nothing_else(story)


@tried(60)
@given(st.data())
def test_in_any_history(data):
    records = data.draw(histories(replaces=True, openings=True))
    note(summary(records))
    story = Story(people=PEOPLE)
    for record in records:
        story.carry([record])
    looks_at_nothing_else(story)


def looks_at_nothing_else(story):
    for contract in story.contracts():
        if story.state(contract).in_force:
            whole = case_of(story, contract)
            bare = {kinds: case_of(story, contract, kinds) for kinds in {row.looks_at for row in CHECKS}}
            for reason, check, looks_at in CHECKS:
                for name, case in whole.cases.items():
                    assert list(check(case)) == list(check(bare[looks_at].cases[name])), reason


def case_of(story, contract, kinds=EVERY_KIND):
    """The contract's case, made of facts of these kinds alone."""
    state = decode_state(story.raw(contract))
    state.slots = {subject: slot for subject, slot in state.slots.items() if FAMILY.get(slot.kind, slot.kind) in kinds}
    return ContractCase(state, index_of(state.plans[state.in_force].plan), state.moment, story.rules)
