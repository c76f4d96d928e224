"""A record that was sent again for judging anew ends its own doubts, and no others (rule A11)."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from builders import START, Story, a_contract, a_milestone, met, micros, registered, said
from hypothesis import given
from hypothesis import strategies as st
from laws.profiles import tried
from msgspec.structs import replace

from contracts_schema import facts as f
from contracts_schema.own_facts import MessageRedriven, MessageUnreadable
from services.reconciliation.merge import Seen, merge
from services.reconciliation.react import react
from services.reconciliation.state import Arrival, State

PLAN = a_contract(a_milestone(requires=["met"]), a_milestone("M2", requires=["met"]))


def redriven(story, record):
    """The same record once more, marked as the operators' tool marks it, at the moment of the redrive."""
    story.now = max(story.now, datetime(2026, 3, 9, tzinfo=UTC))
    header = ("milepost-redrive", b"here/pm.events/0/1")
    return replace(record, headers=(*record.headers, header), timestamp=micros(story.now) // 1000)


def ahead(story):
    """An event whose own time lies four days ahead of its record: nobody can know it yet."""
    return story.record(met(event="e", time=datetime(2026, 3, 5, tzinfo=UTC)))


@pytest.fixture
def story():
    return Story().tell(registered(PLAN))


def test_what_was_implausible_counts_once_it_is_judged_anew_and_can_be_read(story):
    record = ahead(story)
    story.carry([record])
    assert story.reasons() == ["SOURCE_UNREADABLE", "NOT_MET"]
    story.carry([redriven(story, record)])
    assert story.released() == 10_000
    assert story.reasons() == []


def test_a_record_by_key_ends_its_doubt_at_every_milestone_it_may_have_been_about():
    shared = {"refs": {"pm": ["issue:1"]}}
    plan = a_contract(a_milestone("M1", requires=["met"], **shared), a_milestone("M2", requires=["met"], **shared))
    story = Story().tell(registered(plan))
    early = datetime(2026, 3, 5, tzinfo=UTC)
    record = story.record(said("pm", "milestone.assessed", key="issue:1", status="met", time=early))
    story.carry([record])
    assert [story.reasons(m)[0] for m in ("M1", "M2")] == ["SOURCE_UNREADABLE", "SOURCE_UNREADABLE"]
    story.carry([redriven(story, record)])
    assert [story.reasons(m) for m in ("M1", "M2")] == [["NOT_MET"], ["NOT_MET"]]  # two could take it: parked


def test_a_doubt_under_a_key_of_two_contracts_falls_on_both_and_its_record_sent_again_ends_both():
    keyed = a_milestone(requires=["met"], refs={"pm": ["issue:1"]})
    story = Story().tell(registered(a_contract(keyed)), registered(a_contract(keyed, contract="C-2")))
    record = story.record(
        said("pm", "milestone.assessed", key="issue:1", status="met", time=datetime(2026, 3, 5, tzinfo=UTC))
    )
    story.carry([record])
    assert [story.reasons(contract=c)[0] for c in ("C-1", "C-2")] == ["SOURCE_UNREADABLE", "SOURCE_UNREADABLE"]
    story.carry([redriven(story, record)])
    assert [story.reasons(contract=c) for c in ("C-1", "C-2")] == [["NOT_MET"], ["NOT_MET"]]  # nobody's: parked


def test_a_doubt_that_waits_for_its_contract_dates_from_its_first_arrival():
    story, keyed = Story(), a_milestone(requires=["met"], refs={"pm": ["issue:1"]})
    record = story.record(said("pm", "milestone.assessed", key="issue:1", status="met", percent="most"))
    event = {name: value for name, value in json.loads(record.value).items() if name != "time"}  # its record's counts
    record = replace(record, value=json.dumps(event).encode())
    story.carry([record])
    story.now += timedelta(hours=1)
    story.tell(said("pm", "milestone.assessed", key="issue:1", status="notMet"))
    story.now += timedelta(hours=1)
    story.carry([replace(record, timestamp=micros(story.now) // 1000)])
    assert story.tell(registered(a_contract(keyed))).reasons() == ["NOT_MET"]


def test_before_that_a_repeat_repeats_the_verdict_and_after_it_a_repeat_is_a_repeat(story):
    record = ahead(story)
    story.carry([record])
    story.now = datetime(2026, 3, 9, tzinfo=UTC)
    later = replace(record, timestamp=micros(story.now) // 1000)
    story.carry([later])
    assert (story.outcomes[-1], story.released()) == ("quarantined", 0)
    story.carry([redriven(story, record)])
    rows = len(story.log())
    story.carry([later])
    assert (story.outcomes[-1], len(story.log())) == ("duplicate", rows)


def test_redriven_twice_is_redriven_once(story):
    record = ahead(story)
    story.carry([record])
    again = redriven(story, record)
    story.carry([again])
    rows = len(story.log())
    story.carry([again])
    assert len(story.log()) == rows


def test_a_record_that_still_cannot_be_read_keeps_its_doubt(story):
    record = story.record(met(status="done"))
    story.carry([record])
    story.carry([redriven(story, record)])
    assert story.reasons() == ["SOURCE_UNREADABLE", "NOT_MET"]


def test_the_doubt_about_another_record_stays(story):
    other = story.record(said("pm", "milestone.assessed", status="done"))
    record = ahead(story)
    story.carry([other])
    story.carry([record])
    story.carry([redriven(story, record)])
    assert story.standings()["M1"].status == "met"
    # What was redriven is newer than the other doubt and of its kind, so it ends that one too.
    assert story.reasons() == []
    assert story.reasons("M2") == ["NOT_MET"]


def test_a_record_that_is_about_another_milestone_by_now_ends_the_doubt_where_it_stands(story):
    state, moment = story.state(), micros(story.now)
    doubt, over = MessageUnreadable("why", b"d", None, b"record"), MessageRedriven((b"record",))
    for name, milestone, body in (("u", "M2", doubt), ("r", "M1", over)):
        fact = f.Fact("pm", name, f.Address("C-1", milestone), moment, body)
        (entry,) = react(state, [Arrival((fact,), moment, name)], moment, story.rules).entries
        assert [d.milestone for d in entry.decisions] == ["M2"]


DIGESTS = [bytes([n]) * 32 for n in range(3)]
statements = st.one_of(
    st.builds(lambda d, s: MessageUnreadable(s, d, None, d), st.sampled_from(DIGESTS), st.sampled_from(["why", "so"])),
    st.builds(lambda d: MessageRedriven((d,)), st.sampled_from(DIGESTS)),
)


@tried(80)
@given(st.data())
def test_in_whatever_order_doubts_and_redrives_come_the_verdicts_are_the_same(data):
    bodies = data.draw(st.lists(statements, max_size=6, unique_by=repr))
    at, moment = f.Address("C-1", "M1"), micros(START)
    facts = [f.Fact("pm", f"{n} {body!r}", at, moment, body) for n, body in enumerate(bodies)]
    ends = []
    for order in (facts, data.draw(st.permutations(facts))):
        state, seen = State("C-1"), Seen(b"")
        for fact in order:
            merge(state, seen, fact, "", None)
        ends.append((set(state.verdicts), sorted(state.slots)))
    assert ends[0] == ends[1]
