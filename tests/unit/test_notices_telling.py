"""How red a notice is, how often it is told, and what is odd about a sign-off. Days are those of 2026."""

from builders import (
    FAT,
    Story,
    a_contract,
    a_milestone,
    an_amendment,
    attached,
    disputed,
    held_by,
    lifted_by,
    met,
    paid,
    registered,
    said,
    signed,
    waived,
)
from noticing import day, forecast, open_now, records, story_of, told

from contracts_schema.notices import NoticeKind
from contracts_schema.reasons import HoldReason
from services.reconciliation.notices import (
    KINDS,
    OF_A_CONTRACT,
    OF_A_MILESTONE,
    OF_A_TERM,
    OF_AN_EXCEPTION,
    OF_CONFLICTS,
    OF_REASONS,
    clears_when,
)
from services.reconciliation.notices.now import notices_now
from services.reconciliation.policy import NoticePolicy, Policy
from services.runtime.explain import accounts

# Sign-off by a bypass


def test_who_signs_before_it_was_met_is_flagged_and_nothing_else_changes():
    story = story_of(a_milestone(requires=["met", "signed_off"])).clock(day("2026-03-02"))
    story.tell(signed(signed_at="2026-03-02T09:00:00Z"))
    assert told(story) == []
    story.tell(met(met_on="2026-03-03"))
    assert told(story) == ["2026-03-02 opened SIGN_OFF_FLAGGED M1 early:jane amber 0"]
    assert story.released() == 10_000
    story.clock(day("2026-03-04")).tell(signed(signed_at="2026-03-04T09:00:00Z"))
    assert told(story)[1:] == ["2026-03-04 cleared SIGN_OFF_FLAGGED M1 early:jane amber 0"]


def test_who_signs_on_the_day_on_which_it_was_met_is_not_flagged():
    story = story_of(a_milestone(requires=["met", "signed_off"]), timezone="Europe/Berlin").clock(day("2026-03-03"))
    story.tell(met(met_on="2026-03-03"), signed(signed_at="2026-03-02T23:00:00Z"))
    assert told(story) == []


def test_who_signs_for_oneself_under_a_waiver_is_flagged():
    requires = ["signed_off"]
    story = story_of(a_milestone(requires=requires), people={"jane": ["portal:jd"]})
    story.tell(said("portal", "delivery.claimed", delivered_on="2026-03-01", by="jd"), signed())
    assert told(story) == []  # it holds: DUTIES_NOT_SEPARATED
    story.tell(waived("DUTIES_NOT_SEPARATED"))
    assert told(story) == ["2026-03-01 opened SIGN_OFF_FLAGGED M1 oneself:jane amber 0"]
    assert "a waiver lets it count" in records(story)[0].detail


def test_met_at_less_than_all_of_it_is_flagged():
    story = story_of(a_milestone(requires=["met"])).tell(met(percent="60"))
    assert told(story) == ["2026-03-01 opened SIGN_OFF_FLAGGED M1 percent amber 0"]
    assert told(story.tell(met(percent="100")))[1:] == ["2026-03-01 cleared SIGN_OFF_FLAGGED M1 percent amber 0"]


def test_explain_shows_what_is_odd_about_a_sign_off():
    story = story_of(a_milestone(requires=["met", "signed_off", "evidence:fat"]))
    story.tell(met(), attached(), signed(evidence={"fat": FAT}), met(status="notMet"))
    (account,) = accounts(story.state(), story.rules)
    assert [n for n in account.notes if n.startswith("Sign-off: the signature of jane is superseded")]


# How red, and how often


def test_a_notice_is_told_again_only_when_it_rises():
    story = story_of(a_milestone("M1", "10.00", requires=["met"]), a_milestone("M2", "90.00"))
    story.tell(paid("1.00"))
    assert told(story) == ["2026-03-01 opened PAID_WITHOUT_RELEASE M1 amber 0"]
    story.tell(paid("2.00"), paid("4.99"))
    assert len(told(story)) == 1
    story.tell(paid("5.00"))
    assert told(story)[1:] == ["2026-03-01 raised PAID_WITHOUT_RELEASE M1 red 0"]
    story.tell(paid("1.00"))
    assert len(told(story)) == 2
    assert open_now(story) == ["PAID_WITHOUT_RELEASE M1 PAID_WITHOUT_RELEASE amber 0"]  # as it stands now
    story.tell(paid("5.00"))
    assert len(told(story)) == 2


def test_amounts_of_a_currency_may_be_given_as_they_are():
    policy = Policy(notices=NoticePolicy(amounts={"EUR": (1_000_000, 2_000_000)}))
    story = story_of(a_milestone(requires=["met"]), policy=policy).tell(paid("30.00"))
    assert told(story) == ["2026-03-01 opened PAID_WITHOUT_RELEASE M1 amber 0"]


def test_the_policy_says_when_and_to_whom():
    policy = Policy(notices=NoticePolicy(
        hold_days={"default": 1}, escalate_after={"default": (1, 2, 3)}, escalate_to=("boss",),
        matrix={"possible": ("green",) * 3, "likely": ("green",) * 3, "happened": ("amber",) * 3},
    ))  # fmt: skip
    story = story_of(a_milestone(requires=["met"]), policy=policy).clock(day("2026-03-02")).tell(held_by())
    story.clock(day("2026-03-06"))
    assert told(story) == [
        "2026-03-03 opened HOLD_AGEING M1 MANUAL_HOLD green 0", "2026-03-04 raised HOLD_AGEING M1 MANUAL_HOLD green 1",
        "2026-03-05 raised HOLD_AGEING M1 MANUAL_HOLD amber 2", "2026-03-06 raised HOLD_AGEING M1 MANUAL_HOLD amber 3",
    ]  # fmt: skip
    assert [n.told_to for n in records(story)] == ["operator", "boss", "boss", "boss"]
    assert story.rules.rulebook.hash != Story().rules.rulebook.hash


def test_a_notice_that_opens_again_is_another_one():
    story = story_of(a_milestone(requires=["met"], due="2026-03-10")).tell(
        forecast("2026-03-20"), forecast("2026-03-09")
    )
    story.tell(forecast("2026-03-20"))
    assert [n.opened for n in records(story)] == [2, 2, 4]


def test_every_kind_has_a_function_and_says_what_clears_it():
    exceptions = [kind for kind, _ in OF_AN_EXCEPTION.values()]
    rows = [kind for table in (OF_A_MILESTONE, OF_REASONS, OF_A_TERM, OF_CONFLICTS, OF_A_CONTRACT) for kind, _ in table]
    assert {*rows, *exceptions, NoticeKind.WITHDRAWN} == {*NoticeKind} == {*KINDS}
    assert all(clears_when(kind, "MANUAL_HOLD") for kind in NoticeKind)
    assert all(clears_when(NoticeKind.HOLD_AGEING, reason) for reason in HoldReason)


def test_what_people_know_never_becomes_milder_while_it_is_open():
    story = story_of(a_milestone("M1", "10.00", requires=["met"]), a_milestone("M2", "90.00", requires=["met"]))
    story.clock(day("2026-03-02")).tell(paid("5.00"), paid("1.00")).clock(day("2026-03-09"))
    assert told(story) == [
        "2026-03-02 opened PAID_WITHOUT_RELEASE M1 red 0", "2026-03-09 raised PAID_WITHOUT_RELEASE M1 red 1",
    ]  # fmt: skip
    holds = story_of(a_milestone("M1", "10.00", requires=["met"]), a_milestone("M2", "90.00", requires=["met"]))
    holds.clock(day("2026-03-02")).tell(held_by(hold="H-1")).clock(day("2026-03-04")).tell(held_by(hold="H-2"))
    holds.clock(day("2026-03-17")).tell(
        lifted_by(hold="H-1")
    )  # the older one goes, the younger has stood for less long
    holds.clock(day("2026-03-31"))
    assert told(holds) == [
        "2026-03-09 opened HOLD_AGEING M1 MANUAL_HOLD green 0", "2026-03-16 raised HOLD_AGEING M1 MANUAL_HOLD amber 1",
        "2026-03-25 raised HOLD_AGEING M1 MANUAL_HOLD red 2",
    ]  # fmt: skip


def test_a_step_that_people_know_of_stays_when_only_the_severity_rises():
    policy = Policy(notices=NoticePolicy(matrix=NoticePolicy().matrix | {"possible": ("green", "green", "red")}))
    small, other = a_milestone("M1", "10.00", requires=["met"]), a_milestone("M2", "90.00", requires=["met"])
    story = story_of(small, other, policy=policy).clock(day("2026-03-02")).tell(held_by(hold="H-1"))
    story.clock(day("2026-03-04")).tell(held_by(hold="H-2")).clock(day("2026-03-17")).tell(lifted_by(hold="H-1"))
    large = a_contract(small | {"value": "100.00"}, other, version=2, amendment=an_amendment())
    assert told(story.tell(registered(large)))[-1] == "2026-03-17 raised HOLD_AGEING M1 MANUAL_HOLD red 1"


def test_of_a_frozen_contract_there_is_what_was_told_last():
    story = story_of(a_milestone(requires=["met"])).tell(paid("30.00"))
    frozen = story.state()
    frozen.frozen = "2"
    (shown,) = notices_now(frozen, story.rules)
    assert (shown.kind, shown.milestone, shown.severity) == ("PAID_WITHOUT_RELEASE", "M1", "red")
    assert (shown.detail, shown.amount) == ("told before the contract was frozen", 0)


def test_before_a_version_is_in_force_nothing_is_open():
    story = Story().tell(said("pm", "milestone.assessed", status="met"), registered(a_contract(version=2)))
    assert notices_now(story.state(), story.rules) == []


def test_an_amount_is_large_from_its_limit_on():
    story = story_of(a_milestone(requires=["met"]))
    story.tell(disputed("20.00"), disputed("19.99", dispute="D-2"), disputed("5.00", dispute="D-3"))
    found = {n.cause: n.severity for n in records(story.clock(day("2026-03-06")))}
    assert found == {"D-1": "red", "D-2": "amber", "D-3": "amber"}


def test_who_did_two_duties_and_did_not_sign_is_no_flag_of_the_sign_off():
    story = story_of(a_milestone(requires=["signed_off"])).tell(held_by(), lifted_by(by="dora"), signed())
    story.tell(said("portal", "delivery.claimed", delivered_on="2026-03-01", by="dora"), waived("DUTIES_NOT_SEPARATED"))
    assert told(story) == []


def test_what_falls_due_between_two_records_of_one_batch_is_told_on_its_day():
    story = story_of(a_milestone(requires=["met", "signed_off"]), sign_off={"due_working_days": 5})
    story.now = day("2026-03-02")
    first = story.record(met())
    story.now = day("2026-03-20")
    story.carry([first, story.record(said("erp", "value.agreed", value="100.00"))])
    assert told(story, "C-1", "SIGN_OFF_DUE") == [
        "2026-03-05 opened SIGN_OFF_DUE M1 signed_off amber 0", "2026-03-10 cleared SIGN_OFF_DUE M1 signed_off amber 0",
    ]  # fmt: skip
