"""Papers that end and money that went wrong: what opens a notice, and what clears it. Days are those of 2026."""

from builders import (
    a_contract,
    a_milestone,
    an_amendment,
    met,
    paid,
    received,
    registered,
    said,
    waived,
)
from noticing import day, open_now, records, story_of, told

from services.reconciliation.policy import NoticePolicy, Policy

# Documents


def paper(first, last, milestone=None):
    return said("portal", "compliance.document", milestone, name="insurance", valid_from=first, valid_until=last)


def test_a_document_that_ends_is_told_of_twenty_working_days_before():
    story = story_of(a_milestone("M1", "50.00", requires=["met"]), a_milestone("M2", "50.00", requires=["met"]),
                     compliance=["insurance"]).tell(paper("2026-01-01", "2026-04-30"))  # fmt: skip
    story.clock(day("2026-05-15"))
    assert told(story) == [
        "2026-04-02 opened DOCUMENT_EXPIRING insurance amber 0", "2026-04-16 raised DOCUMENT_EXPIRING insurance red 1",
        "2026-04-23 raised DOCUMENT_EXPIRING insurance red 2",
    ]  # fmt: skip
    assert records(story)[0].detail == "insurance ends on 2026-04-30"
    assert told(story.tell(paper("2026-05-01", "2027-04-30")))[3:] == [
        "2026-05-15 cleared DOCUMENT_EXPIRING insurance red 2"
    ]


def test_a_document_that_follows_without_a_gap_counts():
    story = story_of(a_milestone(requires=["met"]), compliance=["insurance"])
    story.tell_together(paper("2026-01-01", "2026-03-10"), paper("2026-03-11", "2026-12-31", milestone="M1"))
    assert told(story.clock(day("2026-03-10"))) == []
    with_gap = story_of(a_milestone(requires=["met"]), compliance=["insurance"])
    with_gap.tell_together(paper("2026-01-01", "2026-03-10"), paper("2026-03-12", "2026-12-31", milestone="M1"))
    assert told(with_gap) == ["2026-03-01 opened DOCUMENT_EXPIRING insurance red 1"]
    assert "ends on 2026-03-10" in records(with_gap)[0].detail


def test_a_document_that_begins_today_covers_today():
    story = story_of(a_milestone(requires=["met"]), compliance=["insurance"])
    assert told(story.tell(paper("2026-03-01", "2026-12-31"))) == []
    ends_today = story_of(a_milestone(requires=["met"]), compliance=["insurance"]).tell(
        paper("2026-03-01", "2026-03-01")
    )
    assert "ends on 2026-03-01" in records(ends_today)[0].detail


def test_how_long_one_waits_for_a_document_is_what_the_policy_says_of_its_hold():
    policy = Policy(notices=NoticePolicy(hold_days={"default": 10, "COMPLIANCE_EXPIRED": 2}))
    story = story_of(a_milestone(requires=["met"]), compliance=["insurance"], policy=policy).clock(day("2026-03-06"))
    assert told(story)[0].startswith("2026-03-03 opened DOCUMENT_EXPIRING insurance")


def test_a_document_that_was_never_given_is_told_of_after_ten_working_days():
    story = story_of(a_milestone(requires=["met"]), compliance=["insurance"]).clock(day("2026-03-13"))
    assert told(story) == ["2026-03-13 opened DOCUMENT_EXPIRING insurance red 0"]
    assert "never given" in records(story)[0].detail
    story.tell(waived("COMPLIANCE_EXPIRED"))
    assert told(story)[1:] == ["2026-03-13 cleared DOCUMENT_EXPIRING insurance red 0"]


def test_once_nothing_is_held_no_document_is_missed():
    story = story_of(a_milestone(requires=["met"]), compliance=["insurance"]).tell(paper("2026-01-01", "2026-03-20"))
    assert open_now(story) == ["DOCUMENT_EXPIRING insurance amber 0"]
    assert told(story.tell(met()))[1:] == ["2026-03-01 cleared DOCUMENT_EXPIRING insurance amber 0"]
    assert story.released() == 10_000


def test_a_document_for_one_milestone_is_told_of_at_once_where_it_ends_soon():
    story = story_of(a_milestone(requires=["met"]), compliance=["insurance"])
    story.tell(paper("2026-01-01", "2026-03-20", milestone="M1"))
    assert told(story) == ["2026-03-01 opened DOCUMENT_EXPIRING insurance amber 0"]


def test_a_document_without_an_end_never_expires():
    story = story_of(a_milestone(requires=["met"], due="9999-12-31", tolerance_days=3), compliance=["insurance"])
    story.tell(paper("2026-01-01", "9999-12-31"), paper("2026-02-01", "9999-12-30", milestone="M1"))
    story.tell(waived("NOT_MET", until="9999-12-31"))
    assert story.defects == []
    assert told(story) == []


def test_a_document_that_has_ended_has_happened_and_of_several_the_first_end_counts():
    policy = Policy(notices=NoticePolicy(document_days=0))
    story = story_of(a_milestone("M1", "50.00", requires=["met"]), a_milestone("M2", "50.00", requires=["met"]),
                     compliance=["insurance"], policy=policy)  # fmt: skip
    story.tell(paper("2026-01-01", "2026-04-30", milestone="M1"), paper("2026-01-01", "2026-03-05", milestone="M2"))
    assert told(story.clock(day("2026-03-06"))) == [
        "2026-03-05 opened DOCUMENT_EXPIRING insurance amber 0", "2026-03-06 raised DOCUMENT_EXPIRING insurance red 0",
    ]  # fmt: skip
    assert [n.detail for n in records(story)] == ["insurance ends on 2026-03-05", "insurance ended on 2026-03-05"]


# Money


def test_each_exception_is_told_of_with_its_amount_and_cleared_when_it_ends():
    story = story_of(a_milestone(requires=["met"])).tell(paid("30.00"))
    assert told(story) == ["2026-03-01 opened PAID_WITHOUT_RELEASE M1 red 0"]
    assert records(story)[0].amount == 3_000
    story.tell(met(), met(status="notMet"), paid("90.00", payment="P-2"))
    assert told(story)[1:] == [
        "2026-03-01 cleared PAID_WITHOUT_RELEASE M1 red 0", "2026-03-01 opened OVER_RELEASED M1 red 0",
        "2026-03-01 opened PAID_WHILE_HELD M1 red 0",
    ]  # fmt: skip
    assert [n.amount for n in records(story)[2:]] == [10_000, 2_000]
    story.tell(met(), paid("70.00", payment="P-2"))
    assert open_now(story) == []


def test_a_hold_that_came_too_late_and_more_than_was_ordered():
    story = story_of(a_milestone(requires=["received"])).tell(received("101"))
    late = said("ap", "command.acknowledged", command_id="0" * 64, state="rejected", detail="HELD_TOO_LATE: approved")
    assert told(story.tell(late)) == [
        "2026-03-01 opened OVER_RECEIVED M1 green 0", "2026-03-01 opened HELD_TOO_LATE M1 amber 0",
    ]  # fmt: skip


def test_a_milestone_that_left_the_plan_after_money_went_out_and_one_that_just_left():
    milestones = [a_milestone("M1", requires=["met"]), a_milestone("M2", requires=["met"], due="2026-03-10")]
    story = story_of(*milestones).tell(met()).clock(day("2026-03-11"))
    third = a_milestone("M3", requires=["met"])
    story.tell(registered(a_contract(third, version=2, amendment=an_amendment())))
    assert told(story) == [
        "2026-03-11 opened LATE M2 due red 0", "2026-03-11 opened WITHDRAWN M1 red 0",
        "2026-03-11 cleared LATE M2 due red 0",
    ]  # fmt: skip
    assert open_now(story) == ["WITHDRAWN M1 WITHDRAWN red 0"]
    assert told(story.clock(day("2026-03-18")))[3:] == ["2026-03-18 raised WITHDRAWN M1 red 1"]
    back = a_contract(*milestones[:1], third, version=3, amendment=an_amendment(id="A-3"))
    assert told(story.tell(registered(back)))[-1] == "2026-03-18 cleared WITHDRAWN M1 red 1"
