"""Laws 3, 4, 5, 10 and 11: what a release needs, what stops it, and that every hold explains itself."""

from datetime import timedelta
from fractions import Fraction

from builders import START, Story, record_of, waived
from hypothesis import given, note
from hypothesis import strategies as st
from laws.histories import PEOPLE, histories, summary
from laws.oracle import missing, open_holds
from laws.profiles import tried

from contracts_schema.facts import ContractRegistered
from contracts_schema.plan import decode_plan
from contracts_schema.reasons import BLOCKING, PARTIAL, PROOFS, REMEDIES, WAIVABLE, HoldReason
from services.reconciliation.calendar import midnight
from services.reconciliation.checks import CHECKS
from services.reconciliation.contract_case import ContractCase
from services.reconciliation.crosswalk import index_of

LATER = START + timedelta(days=60)


def told(records):
    story = Story(people=PEOPLE)
    for record in records:
        story.carry([record])
    return story.clock(LATER)


def revisions(story, contract="C-1"):
    """Each revision with the facts merged until then, the plan that was in force, and each decision beside the one
    before it."""
    facts, plans, before, in_force = [], {}, {}, None
    for entry in story.entries(contract):
        for fact in entry.facts:
            if isinstance(fact.body, ContractRegistered):
                plans[fact.body.version] = decode_plan(fact.body.plan)
            else:
                facts.append(fact)
        in_force = max((v for v in plans if v == 1 or in_force_at(plans[v], entry)), default=None)
        for decided in entry.decisions:
            yield entry, list(facts), plans[in_force], decided, before.get(decided.milestone)
            before[decided.milestone] = decided


def in_force_at(plan, entry):
    """Whether the amendment is approved and its day has come in the contract's zone (rule B3)."""
    if plan.amendment is None or plan.amendment.state != "approved":
        return False
    day = plan.amendment.effective_from
    return day is None or midnight(day, plan.timezone) <= entry.moment


def ids(plan):
    return {m.id: m for m in plan.milestones}


@tried(72)
@given(histories())
def test_nothing_is_released_while_a_required_proof_is_missing(records):
    note(summary(records))
    story = told(records)
    for _, facts, plan, decided, before in revisions(story):
        more = decided.released > (before.released if before else 0)
        if more and decided.milestone in ids(plan):
            assert not missing(facts, plan, ids(plan)[decided.milestone], story.rules), decided


@tried(72)
@given(histories())
def test_the_machine_never_lifts_a_persons_hold(records):
    note(summary(records))
    story = told(records)
    for _, facts, plan, decided, before in revisions(story):
        milestone = ids(plan).get(decided.milestone)
        if before is None:
            continue  # a hold that waited for the milestone counts from the next revision on (rule A10)
        if milestone is not None and milestone.value and open_holds(facts, milestone, plan, story.rules):
            assert decided.released == before.released
            assert "MANUAL_HOLD" in [reason.code for reason in decided.reasons]


@tried(36)
@given(st.data())
def test_a_waived_reason_does_not_return_for_the_same_cause(data):
    story = Story(people=PEOPLE)
    records = data.draw(histories(versions=False))
    half = len(records) // 2 + 1
    for record in records[:half]:
        story.carry([record])
    found = [x for x in findings(story) if x[1] in WAIVABLE]
    if not found:
        return
    milestone, reason, cause = data.draw(st.sampled_from(found))
    story.now = max(story.now, START + timedelta(days=30))
    story.carry([record_of(waived(reason, milestone, cause=cause, ticket="T-9"), story.now, "the waiver")])
    for record in records[half:]:
        if b"reason.waived" not in (record.value or b""):
            story.carry([record])
            assert (milestone, reason, cause) not in standing(story)


def findings(story):
    """Every cause of every blocking reason, whether waived or not."""
    return [(case.milestone.id, reason, finding.cause) for case, reason, finding in _found(story)]


def standing(story):
    """Those of them that hold."""
    return [
        (c.milestone.id, r, x.cause) for c, r, x in _found(story) if not c.is_waived(r, x) and r in reasons(story, c)
    ]


def reasons(story, case):
    return story.reasons(case.milestone.id)


def _found(story):
    if not story.contracts() or not story.state().in_force:
        return []
    state = story.state()
    contract = ContractCase(state, index_of(state.plans[state.in_force].plan), state.moment, story.rules)
    return [(case, reason, x) for case in contract.cases.values() for reason, check, _ in CHECKS for x in check(case)]


@tried(72)
@given(histories(replaces=True, openings=True))
def test_released_never_falls_and_never_exceeds_what_is_earned_the_value_or_the_cap(records):
    note(summary(records))
    story = told(records)
    released, in_force, moved_to = {}, None, {}
    for entry, _, plan, decided, _ in revisions(story):
        if in_force is not plan:
            released, in_force = moved(released, plan), plan
            moved_to[entry.revision] = {m.id for m in plan.milestones if m.replaces or m.opening}
        before = released.get(decided.milestone, 0)
        assert decided.released >= before
        released[decided.milestone] = decided.released
        if decided.released > before and decided.milestone not in moved_to.get(entry.revision, ()):
            assert decided.released <= decided.value == ids(plan)[decided.milestone].value
            assert decided.released <= max(decided.allowed, decided.carried or 0)
            assert plan.value_cap is None or sum(released.values()) <= plan.value_cap
            assert not {r.code for r in decided.reasons} & {*BLOCKING}
    for standing_now in story.standings().values():
        assert standing_now.position.released == story.state().milestones[standing_now.position.milestone].released


def moved(released, plan):
    """What replaced milestones had released has moved to their successors (rule E3)."""
    gone = {name for m in plan.milestones for name in m.replaces}
    return {name: amount for name, amount in released.items() if name not in gone}


@tried(72)
@given(histories())
def test_what_is_allowed_never_exceeds_the_accepted_share_of_the_value(records):
    story = told(records)
    for name in story.contracts():
        state = story.state(name)
        if not state.in_force:
            continue
        contract = ContractCase(state, index_of(state.plans[state.in_force].plan), state.moment, story.rules)
        for standing_now in story.standings(name).values():
            if standing_now.case is None or standing_now.position.carried:
                continue
            case = contract.cases[standing_now.position.milestone]
            share = case.receipt.share if case.requires("received") else Fraction(1)
            assert standing_now.position.allowed <= case.value * share
            unproven = {r.code for r in standing_now.position.reasons} & {*PROOFS}
            assert standing_now.position.allowed == 0 or not unproven


@tried(72)
@given(histories(replaces=True, openings=True))
def test_every_hold_has_a_reason_with_what_clears_it(records):
    story = told(records)
    for entry, _, _, decided, _ in revisions(story):
        codes = [HoldReason(reason.code) for reason in decided.reasons]
        assert codes == sorted(codes, key=list(HoldReason).index)
        assert decided.reasons or decided.held == 0
        partial = sum(r.amount for r in decided.reasons if r.code in PARTIAL)
        blocked = [r for r in decided.reasons if r.code in BLOCKING and r.code != "OVER_RELEASED"]
        if decided.held and not blocked and "OVER_RELEASED" not in codes:
            assert partial == decided.held
        for reason in decided.reasons:
            assert reason.detail
            assert reason.since <= entry.moment
            assert REMEDIES[HoldReason(reason.code)].clears_when
            assert reason.amount >= 0
        assert all(r.amount == max(0, decided.held - partial) for r in blocked)
