"""What finance has seen and this store never issued: numbers go on above it, and released never falls."""

from builders import Story, a_contract, a_milestone, an_amendment, disputed, invoice, met, micros, registered
from looking_back import prove

from services.reconciliation.adoption import adopted, adoption_fact
from services.reconciliation.react import react
from services.reconciliation.state import Arrival, State, decode_state
from services.reconciliation.subject import subject_of


def adopt(state, rules, sequence, moment=0, **released):
    fact = adoption_fact(state.contract, sequence, released, moment or state.moment)
    return react(state, [Arrival((fact,), fact.time, "adopt")], fact.time, rules)


def said(reaction):
    return [
        (d.said.sequence, d.milestone, d.said.action, d.released)
        for e in reaction.entries
        for d in e.decisions
        if d.said
    ]


def test_the_subject_under_which_it_is_looked_up_is_that_of_the_fact():
    state = State("C/1")
    adopt(state, Story().rules, 7, 1, M1=5)
    assert list(state.slots) == [subject_of(adoption_fact("C/1", 1, {}, 2))]
    assert (adopted(state).sequence, adopted(state).released) == (7, {"M1": 5})
    assert adopted(State("C-2")) is None


def test_what_is_said_before_any_plan_is_in_force_is_in_the_log():
    (entry,) = adopt(State("C-1"), Story().rules, 7, 1).entries
    assert [fact.kind for fact in entry.facts] == ["commands.adopted"]


def test_every_milestone_says_its_state_anew_above_what_was_seen():
    plan = a_contract(a_milestone("M1", requires=["met"]), a_milestone("M2", requires=["met"]))
    story = Story().tell(registered(plan), met("M1"))
    state = story.state()
    assert state.sequence == 3
    assert said(adopt(state, story.rules, 40, M1=10_000, M2=2_500)) == [
        (41, "M1", "release", 10_000), (42, "M2", "release", 2_500),
    ]  # fmt: skip
    assert [number for number, *_ in said(adopt(decode_state(story.raw()), story.rules, 2))] == [4, 5]


def test_what_finance_was_told_is_released_never_falls_though_its_proof_is_gone():
    story = Story().tell(registered(a_contract(a_milestone("M1", requires=["met"]))))
    state = story.state()
    (entry,) = adopt(state, story.rules, 9, M1=10_000).entries
    (decided,) = entry.decisions
    assert (decided.released, [r.code for r in decided.reasons]) == (10_000, ["NOT_MET", "OVER_RELEASED"])


def test_a_contract_that_is_not_registered_yet_begins_above_what_was_seen():
    story, state = Story(), State("C-1")
    assert said(adopt(state, story.rules, 40, micros(story.now), M1=6_000)) == []
    (fact,) = story.hallway.reader.read(
        story.record(registered(a_contract(a_milestone("M1", requires=["invoiced"]))))
    ).facts
    reaction = react(state, [Arrival((fact,), micros(story.now), "r")], micros(story.now), story.rules)
    assert said(reaction) == [(41, "M1", "hold", 6_000)]


def test_what_a_milestone_was_told_moves_to_those_that_replace_it_once():
    story, state = Story(), State("C-1")
    adopt(state, story.rules, 40, micros(story.now), M1=6_000, M2=6_000)
    one = a_contract(a_milestone("M1", requires=["met"]))
    two = a_contract(a_milestone("M2", requires=["met"], replaces=["M1"]), version=2, amendment=an_amendment())
    for event in (registered(one), registered(two)):
        facts = story.hallway.reader.read(story.record(event)).facts
        react(state, [Arrival(facts, micros(story.now), "r")], micros(story.now), story.rules)
    assert (state.milestones["M1"].released, state.milestones["M2"].released) == (0, 6_000)


def test_a_log_with_an_adoption_proves():
    story = Story().tell(registered(a_contract(a_milestone("M1", requires=["met"]))), met(), disputed())
    rows, state = story.log(), story.state()
    reaction = adopt(state, story.rules, 40, M1=9_000)
    (fact,) = story.hallway.reader.read(story.record(invoice("1.00"))).facts
    later = react(state, [Arrival((fact,), state.moment, "i")], state.moment, story.rules)
    assert prove(story, [*rows, *reaction.rows, *later.rows], state) == []
    assert [f.what for f in prove(story, [*rows, *later.rows], state)]


def test_a_milestone_that_pays_nothing_has_said_nothing_and_says_nothing_anew():
    story = Story().tell(registered(a_contract(a_milestone("M1", requires=["met"]), a_milestone("M2", None))))
    assert [milestone for _, milestone, *_ in said(adopt(story.state(), story.rules, 40))] == ["M1"]
