"""Looking ahead: when which money is expected."""

from datetime import date, timedelta

from builders import Story, a_contract, a_milestone, disputed, held_by, met, paid, registered
from looking_ahead import RETENTION, TODAY, a_chain, day, seen

from services.outlook.cash import cash_lines
from services.outlook.periods import period_of, sums


def lines(story, **more):
    found = seen(story, **more)
    return {(x.milestone, x.category): (x.day, x.amount) for x in cash_lines(found, found.network.expected())}


def test_money_is_expected_with_its_milestone_and_kept_until_its_terms_are_met():
    story = Story().tell(registered(a_chain("06-01", "06-30", **RETENTION)))
    assert lines(story) == {
        ("M1", "expected"): (day("06-01"), 9_000),
        ("M1", "returned"): (day("06-01"), 500),
        ("M1", "retention"): (day("07-31"), 500),
        ("M2", "expected"): (day("06-30"), 9_500),
        ("M2", "retention"): (day("07-31"), 500),
    }


def test_retention_comes_the_day_after_the_defects_period_as_it_does():
    story = Story().tell(registered(a_chain("03-02", "03-03", **RETENTION)))
    story.tell(met("M1"), met("M2", met_on="2026-03-01"))
    when = lines(story)["M2", "retention"][0]
    assert story.released("M2") == 9_500
    story.clock(story.now.replace(month=when.month, day=when.day, hour=0, minute=0, second=0) - timedelta(seconds=1))
    assert story.released("M2") == 9_500
    story.clock(story.now + timedelta(seconds=1))
    assert story.released("M2") == 10_000
    assert {category for _, category in lines(story, today=when)} == {"released"}


def test_an_advance_that_comes_back_and_damages_never_go_out():
    damages = {"percent_per_day": "1", "cap_percent": "5"}
    plan = a_contract(
        a_milestone(requires=["met"], due="2026-02-25", late_damages=damages),
        advance={"amount": "10.00", "recoup_percent": "20"},
    )
    assert lines(Story().tell(registered(plan))) == {
        ("M1", "expected"): (TODAY, 8_600),
        ("M1", "damages"): (None, 400),
        ("M1", "recouped"): (None, 1_000),
    }


def test_what_people_hold_is_held_with_its_reasons_and_the_rest_goes_on():
    story = Story().tell(registered(a_chain("06-01", "06-30")), disputed("30.00", "M1"), held_by(milestone="M2"))
    assert lines(story) == {
        ("M1", "expected"): (day("06-01"), 7_000),
        ("M1", "held"): (day("06-01"), 3_000),
        ("M2", "held"): (day("06-30"), 10_000),
    }
    found = seen(story)
    reasons = {x.milestone: x.reasons for x in cash_lines(found, found.network.expected()) if x.category == "held"}
    assert reasons == {"M1": ("DISPUTED",), "M2": ("MANUAL_HOLD", "NOT_MET", "PRECURSOR_OPEN")}


def test_what_is_released_and_not_paid_is_to_be_paid_today():
    story = Story().tell(registered(a_chain("03-01", "06-30")), met("M1"), paid("40.00"))
    assert lines(story) == {("M1", "released"): (TODAY, 6_000), ("M2", "expected"): (TODAY + timedelta(121), 10_000)}


def test_what_lies_above_the_cap_is_what_is_expected_last():
    story = Story().tell(registered(a_chain("06-01", "06-30", value_cap="150.00")))
    assert lines(story) == {
        ("M1", "expected"): (day("06-01"), 10_000),
        ("M2", "expected"): (day("06-30"), 5_000),
        ("M2", "beyond_cap"): (None, 5_000),
    }


def test_a_met_milestone_waits_for_the_day_of_what_comes_first():
    story = Story().tell(registered(a_chain("06-01", "06-30")), met("M2"))
    assert lines(story)["M2", "expected"] == (day("06-01"), 10_000)


def test_sums_are_by_currency_and_period_and_never_across():
    story = Story().tell(registered(a_chain("06-01", "06-30", "07-01")))
    found = seen(story)
    cells = sums((("EUR" if n < 2 else "USD", x) for n, x in enumerate(cash_lines(found, found.network.expected()))),
                 "month")  # fmt: skip
    assert [tuple(c) for c in cells] == [
        ("EUR", "2026-06", "expected", 20_000),
        ("USD", "2026-07", "expected", 10_000),
    ]
    assert period_of(date(2027, 1, 1), "week") == "2026-W53"
    assert period_of(None, "week") == ""
