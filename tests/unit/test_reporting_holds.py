"""Figures of what is held: for how long, for which reason, and whose turn it was."""

from datetime import date

from builders import (
    Story,
    a_contract,
    a_milestone,
    an_amendment,
    disputed,
    held_by,
    lifted_by,
    met,
    received,
    registered,
)
from figures import NOW, day, of, rows

from services.reconciliation.calendar import moment_of
from services.reporting.dossier import EVER, Period
from services.reporting.hold_time import bottlenecks, shares, shares_of_owners
from services.reporting.sections import HoldsByOwner, HoldsByReason


def held_for_ten_days():
    """100.00 held: until 6 March for the project alone, until 11 March for the signers alone, then released."""
    story = Story().tell(registered(a_contract(a_milestone("M1", "100.00", requires=["met"]))))
    story.now = day(6)
    story.tell(held_by(), met("M1"))
    story.now = day(11)
    return story.tell(lifted_by())


def test_hold_time_is_counted_by_reason_and_by_whose_turn_it_was():
    story = held_for_ten_days()
    by_reason = {row["reason"]: row for row in rows(HoldsByReason(EVER, NOW), story)}
    assert by_reason["NOT_MET"] | {"money_days": ""} == {
        "reason": "NOT_MET", "currency": "EUR", "spells": 1, "open": 0, "days": "5.0", "days_alone": "5.0",
        "longest_days": "5.0", "money_days": "",
    }  # fmt: skip
    assert by_reason["MANUAL_HOLD"]["days"] == "5.0"
    assert by_reason["NOT_MET"]["money_days"] == "500.00"
    by_owner = {row["turn_of"]: row["money_days"] for row in rows(HoldsByOwner(EVER, NOW), story)}
    assert by_owner == {"project": "500.00", "operator": "500.00"}


def test_hold_time_outside_the_period_does_not_count():
    inside = rows(HoldsByReason(Period(date(2026, 3, 4), date(2026, 3, 7)), NOW), held_for_ten_days())
    assert {row["reason"]: row["days"] for row in inside} == {"NOT_MET": "2.3", "MANUAL_HOLD": "1.7"}


def test_reasons_that_stand_together_share_what_is_held_and_none_is_counted_twice():
    story = Story().tell(registered(a_contract(a_milestone("M1", "100.00", requires=["met", "signed_off"]))))
    decided = of(story).lines["M1"][-1].decided
    assert shares(decided) == {"NOT_MET": 5000, "SIGN_OFF_MISSING": 5000}
    assert shares_of_owners(decided) == {"project": 5000, "signers": 5000}


def test_a_partial_reason_accounts_for_its_own_amount_and_the_blocking_ones_for_the_rest():
    plan = a_contract(a_milestone("M1", "100.00", requires=["received"]))
    story = Story().tell(registered(plan), received("60"), disputed("15.00"), held_by())
    story.tell(lifted_by(), held_by(hold="H-2"))
    decided = of(story).lines["M1"][-1].decided
    found = shares(decided)
    assert sum(found.values()) == decided.held
    assert found["PARTLY_ACCEPTED"] == 4000


def test_no_reason_accounts_for_more_than_is_held():
    plan = a_contract(a_milestone("M1", "100.00", requires=["received"]))
    story = Story().tell(registered(plan), received("60"), received("40"))
    decided = of(story).lines["M1"][-1].decided
    assert {reason.code: reason.amount for reason in decided.reasons} == {
        "OVER_RELEASED": 2000,
        "PARTLY_ACCEPTED": 6000,
    }
    assert shares(decided) == {"OVER_RELEASED": 0, "PARTLY_ACCEPTED": 4000}


def test_what_stood_beside_something_else_was_never_alone():
    story = Story().tell(registered(a_contract(a_milestone("M1", "100.00", requires=["met", "signed_off"]))))
    story.now = day(3)
    story.tell(met())
    found = {
        row["reason"]: (row["days"], row["days_alone"]) for row in rows(HoldsByReason(EVER, moment_of(day(6))), story)
    }
    assert found == {"NOT_MET": ("2.0", "0.0"), "SIGN_OFF_MISSING": ("5.0", "3.0")}


def test_a_hold_that_lasts_is_open_and_one_of_a_milestone_that_left_the_plan_ends_there():
    two = a_contract(a_milestone("M1", requires=["met"]), a_milestone("M2", requires=["met"]))
    story = Story().tell(registered(two))
    one = a_contract(a_milestone("M1", requires=["met"]), version=2, amendment=an_amendment())
    story.now = day(11)
    story.tell(registered(one))
    row = rows(HoldsByReason(EVER, moment_of(day(21))), story)[0]
    assert (row["spells"], row["open"], row["days"], row["longest_days"]) == (2, 1, "30.0", "20.0")


def test_bottlenecks_are_ranked_in_each_currency_by_money_times_time():
    euro, dollar = Story(), Story()
    euro.tell(
        registered(
            a_contract(
                a_milestone("M1", "100.00", requires=["met"]), a_milestone("M2", "300.00", requires=["signed_off"])
            )
        )
    )
    dollar.tell(registered(a_contract(a_milestone("M1", "1.00", requires=["met"]), currency="USD")))
    owners, reasons = HoldsByOwner(EVER, NOW), HoldsByReason(EVER, NOW)
    for story in (euro, dollar):
        owners.add(of(story))
        reasons.add(of(story))
    found = bottlenecks(owners, reasons).objects()
    assert [(r["rank"], r["currency"], r["turn_of"], r["share_percent"], r["mostly_because"]) for r in found] == [
        (1, "EUR", "signers", "75.0", "SIGN_OFF_MISSING"), (2, "EUR", "project", "25.0", "NOT_MET"),
        (1, "USD", "project", "100.0", "NOT_MET"),
    ]  # fmt: skip
