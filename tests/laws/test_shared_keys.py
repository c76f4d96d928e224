"""Rules A7 and A10 across contracts: whose a fact is follows from what is claimed, not from what came first."""

from datetime import timedelta

from builders import (
    ORDER,
    SOURCES,
    START,
    Lines,
    Story,
    a_contract,
    a_milestone,
    an_amendment,
    record_of,
    registered,
    said,
)
from hypothesis import given, note
from hypothesis import strategies as st
from laws.chances import few, rarely
from laws.histories import batches, summary
from laws.profiles import tried
from laws.test_order import allowed, differences, standing
from laws.test_rebuilding import assert_each_log_gives_its_state

CONTRACTS = ("A", "B", "C")
KEYS = ("k:1", "k:2")
OWN = ("keys.claimed_elsewhere", "invoice.claimed_elsewhere")


@st.composite
def plans(draw, contract, version=1):
    """Milestones that claim some of two keys, or a contract that does."""
    claimed = {name: draw(few([[], [], ["k:1"], ["k:1"], ["k:2"], ["k:1", "k:2"]])) for name in ("M1", "M2")}
    milestones = [
        a_milestone(name, requires=["met", "invoiced"] if name == "M1" else ["invoiced"])
        | ({"refs": {"pm": keys, "erp": keys}} if keys else {})
        for name, keys in claimed.items()
    ]
    more = {"amendment": an_amendment(id=f"A-{version}")} if version > 1 else {}
    if rarely(draw, 4):
        more["refs"] = {system: [key] for key in [draw(few([*KEYS, ORDER, ORDER]))] for system in ("pm", "erp")}
    return registered(a_contract(*milestones, contract=contract, version=version, **more))


@st.composite
def facts(draw):
    """What a system says under its own key."""
    key = draw(few(KEYS))
    if draw(st.booleans()):
        status = draw(few(["met", "met", "notMet", "scheduled", "nearly"]))  # the last cannot be read
        return said("pm", "milestone.assessed", key=key, status=status)
    more = {"version": draw(st.integers(1, 3))} if rarely(draw, 3) else {}
    return said("erp", "invoice.received", key=key, number=draw(few(["I-1", "I-2"])), supplier="SUP-1",
                net=draw(few(["100.00", "60.00"])), issued_on="2026-02-20", state="open", **more)  # fmt: skip


@st.composite
def shared(draw):
    """What is said under keys that two or three contracts claim, and give up again."""
    contracts = CONTRACTS[: draw(few([2, 2, 3]))]
    events = [draw(plans(contract)) for contract in contracts]
    events += [draw(plans(contract, version)) for contract in contracts for version in (2, 3) if rarely(draw, 2)]
    events += [draw(facts()) for _ in range(draw(st.integers(2, 10)))]
    now, records = START, []
    for n, event in enumerate(draw(st.permutations(events))):
        now += timedelta(seconds=1)
        records.append(record_of(event, now, f"e{n}"))
    return records


def told(cut):
    story = Story()
    story.hallway.reader = Lines(SOURCES, story.rules, "story")
    for batch in cut:
        story.carry(batch)
    assert not story.defects
    return story


def known(story):
    """What counts in each contract, by where it stands."""
    return {
        (contract, *place): slot
        for contract in story.contracts()
        for place, slot in standing(story.state(contract)).items()
        if slot.kind not in OWN
    }


def waiting(story):
    """Facts that wait for a contract of their own."""
    return {subject: row.fact for subject, row in story.store._tables.parked.items()}


@tried(200)
@given(st.data())
def test_in_any_order_and_any_batches_each_fact_ends_with_the_same_contract(data):
    records = data.draw(shared())
    shuffled = data.draw(st.permutations(records))
    note(summary(shuffled))
    one, other = told([[record] for record in records]), told(data.draw(batches(shuffled)))
    assert not differences(known(one), known(other))
    assert not differences(allowed(one), allowed(other))
    assert not differences(waiting(one), waiting(other))


@tried(80)
@given(st.data())
def test_the_log_alone_gives_the_same_decisions(data):
    records = data.draw(shared())
    note(summary(records))
    story = told(data.draw(batches(data.draw(st.permutations(records)))))
    assert_each_log_gives_its_state(story)


@tried(60)
@given(st.data())
def test_everything_again_changes_nothing(data):
    records = data.draw(shared())
    note(summary(records))
    story = told([[record] for record in records])
    before = {name: (story.raw(name), story.log(name)) for name in story.contracts()}
    commands = story.commands
    for record in data.draw(st.permutations(records)):
        story.carry([record])
    assert {name: (story.raw(name), story.log(name)) for name in story.contracts()} == before
    assert story.commands == commands
