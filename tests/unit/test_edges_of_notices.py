"""Where notices begin and end: the day, amount or word at which one is told, and told otherwise."""

from dataclasses import replace

import pytest
from builders import (
    Story,
    a_contract,
    a_milestone,
    disputed,
    held_by,
    invoice,
    met,
    paid,
    received,
    registered,
    said,
    signed,
)
from noticing import day, open_now, records, told

from contracts_schema.notices import NoticeKind
from contracts_schema.reasons import REMEDIES, HoldReason
from services.reconciliation.crosswalk import index_of
from services.reconciliation.notices import KINDS, clears_when, matrix
from services.reconciliation.notices.flags import sign_off_flags
from services.reconciliation.notices.wire import notice_of
from services.reconciliation.policy import NoticePolicy


def story_of(*milestones, **terms):
    return Story().tell(registered(a_contract(*milestones, **terms)))


def forecast(when):
    return said("pm", "milestone.scheduled", forecast=when)


# How red


def test_nothing_is_never_more_than_small_even_where_every_amount_is_large():
    policy = NoticePolicy()
    assert matrix.severity(policy, (0, 0), 0, 0) == matrix.severity(policy, (1, 2), 0, 0)
    assert matrix.severity(policy, (0, 0), 0, 1) == matrix.severity(policy, (1, 2), 0, 2)


def test_limits_are_shares_of_the_contracts_value():
    assert matrix._shares(10_000, "5", "20") == (500, 2_000)
    assert matrix._shares(10_001, "5", "20") == (501, 2_001)


def test_a_milestone_that_pays_nothing_adds_nothing_to_what_is_large_and_to_what_is_at_stake():
    told_of = story_of(a_milestone(due="2026-03-20", requires=["met"]), a_milestone("M2", None, after=["M1"]))
    assert matrix._total(index_of(told_of.state().plans[1].plan).plan) == 100_00
    (at_risk,) = (n for n in records(told_of.tell(forecast("2026-04-20"))) if n.kind == "AT_RISK")
    assert at_risk.amount == 100_00


def test_what_clears_a_hold_that_ages_is_what_clears_its_reason():
    assert clears_when(NoticeKind.HOLD_AGEING, "NOT_MET") == REMEDIES[HoldReason("NOT_MET")].clears_when
    assert clears_when(NoticeKind.LATE, "due") == KINDS[NoticeKind.LATE].clears_when


# Days


def test_on_the_last_day_of_its_tolerance_a_milestone_is_not_late_and_the_day_after_it_is():
    told_of = story_of(a_milestone(due="2026-03-10", tolerance_days=2, requires=["met"]))
    told_of.clock(day("2026-03-12"))
    told_of.tell(forecast("2026-03-11"))
    assert [line for line in open_now(told_of) if line.startswith("LATE")] == []
    told_of.clock(day("2026-03-13"))
    assert [line for line in open_now(told_of) if line.startswith("LATE")] != []


def test_a_document_that_ends_today_is_no_end_where_the_next_one_begins_tomorrow():
    told_of = story_of(a_milestone(requires=["met"]), compliance=["insurance"])
    told_of.tell_together(
        said(
            "portal", "compliance.document", None, name="insurance", valid_from="2026-01-01", valid_until="2026-03-10"
        ),
        said("portal", "compliance.document", name="insurance", valid_from="2026-03-11", valid_until="2027-12-31"),
    )
    told_of.clock(day("2026-03-10"))
    told_of.tell(forecast("2026-05-01"))
    assert [line for line in told(told_of) if "insurance" in line] == []


def test_one_cent_that_is_held_is_enough_to_ask_for_a_document():
    told_of = story_of(a_milestone("M1", "0.01", requires=["met"]), compliance=["insurance"])
    told_of.tell(said("portal", "compliance.document", None, name="insurance", valid_from="2026-01-01",
                      valid_until="2026-03-05"))  # fmt: skip
    told_of.clock(day("2026-03-03"))
    assert [line for line in told(told_of) if "insurance" in line] != []


def test_of_what_was_paid_without_a_rate_and_of_what_was_received_too_much_nobody_knows_the_worth():
    told_of = story_of(a_milestone(requires=["received"])).tell(received("120"), paid("10.00", currency="USD"))
    assert {n.kind: n.amount for n in records(told_of)} == {"OVER_RECEIVED": 0, "PAID_WHILE_HELD": 0}


# What is told


def test_what_is_no_longer_at_risk_is_cleared_and_has_not_become_anything():
    told_of = story_of(a_milestone(due="2026-03-20", requires=["met"]))
    told_of.tell(forecast("2026-04-20"), forecast("2026-03-19"))
    opened, cleared = (n for n in records(told_of) if n.kind == "AT_RISK")
    assert (opened.state, cleared.state, cleared.detail, cleared.amount) == ("opened", "cleared", "it is cleared", 0)


def test_a_trouble_ages_also_behind_a_proof_that_nobody_awaits_yet():
    told_of = story_of(a_milestone(requires=["met", "received", "invoiced"]))
    told_of.tell(invoice("120.00"))
    assert told_of.reasons() == ["NOT_MET", "NOT_RECEIVED", "INVOICE_EXCEEDS_VALUE"]
    told_of.clock(day("2026-03-20"))
    assert any("HOLD_AGEING" in line and "INVOICE_EXCEEDS_VALUE" in line for line in told(told_of))


@pytest.mark.parametrize(("status", "tells"), [("active", True), ("terminated", False), ("closed", False)])
def test_of_a_contract_that_has_ended_no_dispute_and_no_odd_signature_is_told(status, tells):
    told_of = story_of(a_milestone(requires=["met", "signed_off"]), status=status)
    everything = disputed()
    told_of.tell(replace(everything, data={k: v for k, v in everything.data.items() if k != "milestone"}))
    told_of.tell(disputed(dispute="D-2"))
    told_of.tell(met(percent="90"), signed("jane", signed_at="2026-02-20T08:00:00Z"))
    told_of.clock(day("2026-04-20"))
    for kind in ("DISPUTE", "SIGN_OFF_FLAGGED"):
        assert any(kind in line for line in told(told_of)) == tells, kind


def test_what_is_not_to_be_told_yet_keeps_nothing_back_that_is():
    told_of = story_of(a_milestone(requires=["met"]))
    told_of.tell(said("pm", "milestone.assessed", status="so so"), held_by()).clock(day("2026-03-10"))
    assert [line.split()[:4] for line in told(told_of)] == [["2026-03-06", "opened", "HOLD_AGEING", "M1"]]


def test_what_is_red_comes_before_what_is_older():
    told_of = story_of(a_milestone(requires=["met"]), a_milestone("M2", requires=["met"])).tell(met(percent="60"))
    told_of.clock(day("2026-03-03")).tell(paid("30.00", milestone="M2"))
    assert [line.split()[:2] for line in open_now(told_of)] == [
        ["PAID_WITHOUT_RELEASE", "M2"],
        ["SIGN_OFF_FLAGGED", "M1"],
    ]


def test_what_cannot_be_read_is_told_of_its_milestone_or_once_where_it_may_be_of_several():
    one, two = (a_milestone(name, requires=["met"], refs={"pm": ["K"]}) for name in ("M1", "M2"))
    for keyed, about in (((one, two), "HOLD_AGEING SOURCE_UNREADABLE"), ((one,), "HOLD_AGEING M1 SOURCE_UNREADABLE")):
        told_of = story_of(*keyed).tell(said("pm", "milestone.assessed", key="K", status="so so"))
        told_of.clock(day("2026-03-31"))
        assert [line for line in open_now(told_of) if line.startswith(about)] != []


def test_only_a_signature_from_before_the_milestone_went_back_is_said_to_be_superseded():
    told_of = story_of(a_milestone(requires=["met", "signed_off"]))
    told_of.tell(met(), signed("jane", signed_at="2026-03-01T08:00:04Z"), met(status="notMet"), met())
    flags = sign_off_flags(told_of.standings()["M1"].case)
    assert flags == ["the signature of jane is superseded: the milestone was re-opened at 2026-03-01T08:00:04Z"]
    told_of.tell(signed("jane", signed_at="2026-03-01T08:00:06Z"))
    assert sign_off_flags(told_of.standings()["M1"].case) == []


@pytest.mark.parametrize(("status", "tells"), [("active", True), ("terminated", False)])
def test_nobody_is_asked_for_a_signature_on_a_contract_that_has_ended(status, tells):
    told_of = story_of(a_milestone(requires=["met", "signed_off"]), sign_off={"due_working_days": 2}, status=status)
    told_of.tell(met()).clock(day("2026-03-31"))
    assert any("SIGN_OFF" in line for line in told(told_of)) == tells


def test_a_notice_goes_out_as_it_stands_in_the_log():
    told_of = story_of(a_milestone(requires=["met"])).tell(paid("30.00"))
    row, entry = told_of.log()[-1], told_of.entries()[-1]
    notice = notice_of(entry, entry.notices[0], row.head)
    assert (notice.kind, notice.milestone, notice.state, notice.severity) == (
        "PAID_WITHOUT_RELEASE", "M1", "opened", "red",
    )  # fmt: skip
    assert (notice.amount.amount, notice.since, notice.chain.head) == ("30.00", "2026-03-01", row.head.hex())
