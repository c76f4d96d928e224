"""Laws of notices: each cause is told once, nothing is open that does not stand, nothing that stands is kept silent.

Neither the cut of batches nor a rebuilding from the log changes what people know.
"""

import json
from datetime import timedelta

from builders import START, Story, record_of, said
from hypothesis import given, note
from hypothesis import strategies as st
from laws.histories import PEOPLE, batches, histories, summary
from laws.profiles import tried
from msgspec import structs

from contracts_schema.notices import SEVERITIES, NoticeKind
from services.reconciliation.contract_case import ContractCase
from services.reconciliation.crosswalk import index_of
from services.reconciliation.decide import decide
from services.reconciliation.log import read_entry
from services.reconciliation.notices import concerns_of, concerns_of_all
from services.reconciliation.notices.now import notices_now
from services.reconciliation.notices.tell import since_of
from services.reconciliation.policy import NoticePolicy, Policy
from services.reconciliation.react import replay
from services.reconciliation.state import State, decode_state, encode_state

# Short terms, so that within some weeks much opens, rises and clears.
HASTY = Policy(notices=NoticePolicy(
    sign_off_reminder_days=1, conflict_days=1, dispute_days=1, document_days=3,
    hold_days={"default": 2, "MANUAL_HOLD": 1}, escalate_after={"default": (1, 3), "SIGN_OFF_DUE": ()},
))  # fmt: skip
SELDOM = {"WITHDRAWN", "HELD_TOO_LATE", "OVER_RELEASED", "OVER_RECEIVED", "SIGN_OFF_DUE"}
# What these say depends on when a decision was taken, which the cut of batches moves (rules A6, A7).
BY_DECISION = {
    "HOLD_AGEING",
    "CONFLICT_AGEING",
    "OVER_RELEASED",
    "PAID_WITHOUT_RELEASE",
    "PAID_WHILE_HELD",
    "WITHDRAWN",
}


def told(story):
    """The notices of each contract's log, in order, with their revisions."""
    return [(contract, entry.revision, n) for contract in story.contracts() for entry in story.entries(contract)
            for n in entry.notices]  # fmt: skip


few = st.sampled_from
days_ahead = few([None, "2026-02-10", "2026-09-01"])


def forecast(draw, m):
    return said("pm", "milestone.scheduled", m, forecast=draw(days_ahead))


def progress(draw, m):
    return said("pm", "milestone.assessed", m, status=draw(few(["met", "notMet"])), percent=draw(few(["60", "100"])))


def dispute(draw, m):
    source, name = draw(few(["office", "portal"])), draw(few(["D-1", "D-9"]))
    return said(source, "dispute.opened", draw(few([m, None])), dispute=name, by="olga", reason="x")


def hold(draw, m):
    return said("office", "hold.placed", draw(few([m, None])), hold=draw(few(["H-1", "H-9"])), by="olga", reason="x")


def early_signature(draw, m):
    data = {"by": "jane", "role": "site-manager", "evidence": {}, "signed_at": "2026-02-20T08:00:00Z"}
    return said("office", "sign_off.given", m, **data)


def payment(draw, m):
    amount = {"amount": draw(few(["1.00", "90.00"])), "currency": "EUR"}
    return said("ap", "payment.made", m, payment="P-9", paid_on="2026-02-28", amount=amount)


NEWS = (forecast, progress, dispute, hold, early_signature, payment)


@st.composite
def newsworthy(draw, **options):
    """A history with a term for signing, tolerances and a calendar, and with facts of which people are told."""
    records = [with_terms(r) if r.topic == "register.events" else r for r in draw(histories(**options))]
    for n in range(draw(st.integers(2, 8))):
        at = draw(st.integers(0, len(records)))
        now = START + timedelta(milliseconds=records[at - 1].timestamp - START.timestamp() * 1000 if at else 0)
        records.insert(at, record_of(draw(few(NEWS))(draw, draw(few(["M1", "M2"]))), now, f"news{n}"))
    note(summary(records))
    return records


def with_terms(record):
    """The registration with terms for people."""
    event = json.loads(record.value)
    plan = event["data"]
    plan["calendar"] = "DE-BE"
    plan["sign_off"] = plan.get("sign_off", {}) | {"due_working_days": 2}
    for milestone in plan["milestones"]:
        milestone["tolerance_days"] = 1
    return structs.replace(record, value=json.dumps(event).encode())


@st.composite
def stories(draw):
    """A history told in batches, with time that passes between them."""
    records = draw(newsworthy(replaces=True, openings=True))
    story = Story(people=PEOPLE, policy=HASTY)
    for batch in draw(batches(records)):
        story.carry(batch)
        if draw(st.booleans()):
            story.clock(story.now + timedelta(days=draw(st.integers(0, 9))))
    return story.clock(START + timedelta(days=draw(st.integers(20, 60))))


@tried(40)
@given(stories())
def test_each_cause_is_told_once_until_it_clears_and_rises_are_rises(story):
    open_ = {}
    for contract, revision, n in told(story):
        key = (contract, n.milestone, n.kind, n.cause)
        if n.state == "opened":
            assert key not in open_
            assert n.opened == revision
        else:
            before = open_.pop(key)
            assert n.opened == before.opened
        if n.state == "raised":
            red, was = SEVERITIES.index(n.severity), SEVERITIES.index(before.severity)
            assert (red > was and n.step >= before.step) or (n.step > before.step and red >= was)
        if n.state != "cleared":
            open_[key] = n
            assert n.owner
            assert n.told_to
            assert n.detail
    assert {(key[0], key[1], f"{key[2]}/{key[3]}") for key in open_} == known(story)


def known(story):
    """What every state says is open: contract, milestone, kind and cause."""
    return {
        (contract, milestone, key)
        for contract in story.contracts()
        for milestone, found in places(story.state(contract)).items()
        for key in found
    }


def places(state):
    return {None: state.notices} | {name: known.notices for name, known in state.milestones.items()}


@tried(40)
@given(stories())
def test_what_is_open_is_what_stands_today(story):
    for contract in story.contracts():
        state = story.state(contract)
        if state.in_force == 0 or state.frozen:
            continue
        case = ContractCase(state, index_of(state.plans[state.in_force].plan), state.moment, story.rules)
        decide(case)
        standing = {None: concerns_of_all(case)}
        standing |= {name: concerns_of(c, case.positions[name], since_of(case, name)) for name, c in case.cases.items()}
        for milestone, found in standing.items():
            due = {f"{kind}/{c.cause}" for kind, c in found if c.opens is None or c.opens <= case.today}
            assert due == places(state)[milestone].keys(), milestone
        assert len(notices_now(state, story.rules)) == sum(len(found) for found in places(state).values())


@tried(40)
@given(stories())
def test_rebuilding_from_the_log_tells_the_same(story):
    for contract in story.contracts():
        rebuilt = State(contract)
        for row in story.log(contract):
            entry = read_entry(row)
            assert replay(rebuilt, entry, story.rules).entry.notices == entry.notices
            rebuilt = decode_state(encode_state(rebuilt))
        assert places(rebuilt) == places(story.state(contract))


@tried(40)
@given(st.data())
def test_any_cut_into_batches_leaves_the_same_open(data):
    records = data.draw(newsworthy(versions=False))
    end = START + timedelta(days=data.draw(st.integers(20, 60)))
    one, many = Story(people=PEOPLE, policy=HASTY), Story(people=PEOPLE, policy=HASTY)
    for record in records:
        one.carry([record])
    for batch in data.draw(batches(records)):
        many.carry(batch)
    for contract in one.clock(end).contracts():
        mine, theirs = places(one.state(contract)), places(many.clock(end).state(contract))
        for milestone, found in mine.items():
            assert by_facts(found) == by_facts(theirs[milestone]), milestone


def by_facts(found):
    """Those whose cause lies in the facts alone."""
    return {key for key in found if key.partition("/")[0] not in BY_DECISION}


@tried(40)
@given(stories(), st.integers(1, 30))
def test_a_day_on_which_nothing_falls_due_tells_nothing(story, days):
    """Asking again tells nothing more, and whatever is told later is told on a day that a review named before."""
    before = told(story)
    story.clock(story.now)
    assert told(story) == before
    reviews = {contract: story.state(contract).review for contract in story.contracts()}
    story.clock(story.now + timedelta(days=days))
    for contract in story.contracts():
        later = [e.moment for e in story.entries(contract) if e.notices][-1:]
        if later and later[0] > 0 and (contract, later[0]) not in {*moments(before, story)}:
            assert reviews[contract] is not None
            assert later[0] >= reviews[contract]


def moments(before, story):
    by_revision = {(c, e.revision): e.moment for c in story.contracts() for e in story.entries(c)}
    return [(contract, by_revision[contract, revision]) for contract, revision, _ in before]


def test_the_histories_tell_of_most_kinds():
    """A law about notices proves little where none are told."""
    found = set()

    @tried(160)
    @given(stories())
    def gather(story):
        found.update((n.kind, n.state) for _, _, n in told(story))

    gather()
    kinds = {kind for kind, _ in found}
    assert {*NoticeKind} - SELDOM <= kinds
    assert {state for _, state in found} == {"opened", "raised", "cleared"}
