"""Looking ahead: when milestones are expected, and what a delay moves."""

from datetime import date

import pytest
from builders import Story, a_contract, a_milestone, an_amendment, met, registered, said
from looking_ahead import TODAY, a_chain, day, expected, forecast, seen

from services.outlook.cascade import cascade, check_open, delayed
from services.outlook.days import Days, later
from services.outlook.network import Network, Node

# Days


@pytest.mark.parametrize(("first", "last"), [("2026-12-23", "2027-01-05"), ("2026-03-06", "2026-03-09")])
def test_working_days_are_counted_as_they_are_gone(first, last):
    first, last = date.fromisoformat(first), date.fromisoformat(last)
    for calendar in (None, "DE-BE"):
        days = Days(calendar)
        assert days.after(first, days.between(first, last)) == last
        assert days.between(last, first) == -days.between(first, last)


def test_christmas_is_no_working_day_and_without_a_calendar_days_are_days():
    assert Days("DE-BE").between(date(2026, 12, 23), date(2026, 12, 28)) == 2
    assert Days(None).between(date(2026, 12, 23), date(2026, 12, 28)) == 5
    assert (Days("DE-BE").unit, Days(None).unit) == ("working days", "days")
    assert Days("DE-BE").between(date(2025, 12, 31), date(2028, 1, 3)) == Days("DE-BE").between(
        date(2025, 12, 31), date(2027, 1, 1)
    ) + Days("DE-BE").between(date(2027, 1, 1), date(2028, 1, 3))


def test_where_time_ends_the_last_day_stands():
    assert Days(None).after(date.max, 10) == date.max
    assert Days(None).after(date.min, -10) == date.min
    assert later(date.max, 1) is None
    assert later(None, 1) is None


# Expected days


def test_a_milestone_is_expected_when_it_is_forecast_or_due_and_never_in_the_past():
    story = Story().tell(registered(a_chain("02-01", "06-30")))
    assert expected(story) == {"M1": TODAY, "M2": TODAY + (day("06-30") - day("02-01"))}
    story.tell(forecast("M2", "09-01"))
    assert expected(story)["M2"] == day("09-01")


def test_what_comes_first_pushes_by_the_time_that_the_plan_gives():
    story = Story().tell(registered(a_chain("06-01", "06-30", "07-31")), forecast("M1", "06-11"))
    assert expected(story) == {"M1": day("06-11"), "M2": day("07-10"), "M3": day("08-10")}
    assert seen(story).network.expected()["M3"].driver == "M2"


def test_a_milestone_that_was_met_early_gives_its_time_to_those_that_follow():
    story = Story().tell(registered(a_chain("06-01", "06-30")), met("M1", met_on="2026-02-20"))
    assert expected(story) == {"M1": date(2026, 2, 20), "M2": day("06-30")}
    assert seen(story).network.slack(seen(story).network.expected()) == {"M1": None, "M2": 0}


def test_slack_is_what_a_forecast_leaves_before_the_last_milestone_moves():
    plan = a_contract(
        a_milestone("M1", requires=["met"], due="2026-06-01"),
        a_milestone("M2", requires=["met"], due="2026-05-01"),
        a_milestone("M3", requires=["met"], due="2026-07-01", after=["M1", "M2"]),
    )
    network = seen(Story().tell(registered(plan))).network
    assert network.slack(network.expected()) == {"M1": 0, "M2": 31, "M3": 0}


def test_a_replaced_precursor_and_a_stand_in_are_looked_through():
    plan = a_contract(
        a_milestone("M1", requires=["met"], due="2026-06-01"),
        a_milestone("MX", requires=["met"], due="2026-08-01", contingency_for="M1"),
        a_milestone("M2", requires=["met"], due="2026-06-30", after=["M1"]),
    )
    story = Story().tell(registered(plan))
    assert expected(story) == {"M1": day("06-01"), "M2": day("06-30")}
    story.tell(said("office", "milestone.activated", "MX", by="olga", rationale="late"))
    assert expected(story) == {"MX": day("08-01"), "M2": day("08-01")}
    later_plan = a_contract(
        a_milestone("M1a", requires=["met"], due="2026-06-15", replaces=["M1"]),
        a_milestone("M2", requires=["met"], due="2026-06-30", after=["M1"]),
        version=2, amendment=an_amendment(),
    )  # fmt: skip
    story = Story().tell(registered(plan), registered(later_plan), forecast("M1a", "06-25"))
    assert expected(story) == {"M1a": day("06-25"), "M2": day("07-10")}


def test_a_milestone_without_any_day_takes_that_of_what_comes_first_or_none():
    plan = a_contract(
        a_milestone("M0", None), a_milestone("M1", requires=["met"], due="2026-06-01"),
        a_milestone("M2", requires=["met"], after=["M1"]), a_milestone("M3", None, after=["M0"]),
    )  # fmt: skip
    story = Story().tell(registered(plan))
    assert expected(story) == {"M0": None, "M1": day("06-01"), "M2": day("06-01"), "M3": None}
    assert cascade(seen(story), {}).without_day == ("M0", "M3")


def test_what_was_met_long_ago_gives_no_day_in_the_past():
    plan = a_contract(a_milestone("M1", requires=["met"]), a_milestone("M2", requires=["met"], after=["M1"]))
    assert expected(Story().tell(registered(plan), met("M1", met_on="2026-01-05")))["M2"] == TODAY


def test_what_is_met_waits_for_nothing_and_presses_nobody():
    plan = a_contract(
        a_milestone("M1", requires=["met"], due="2026-06-01"),
        a_milestone("M2", requires=["met"], due="2026-06-30", after=["M1"]),
        a_milestone("M3", requires=["met"], due="2026-07-01"),
    )
    network = seen(Story().tell(registered(plan), met("M2"))).network
    assert network.slack(network.expected()) == {"M1": 30, "M2": None, "M3": 0}


def test_a_circle_that_a_stand_in_closes_is_no_endless_one():
    nodes = [Node(n, TODAY, None, TODAY, 0, (other,)) for n, other in (("A", "B"), ("B", "A"))]
    assert len(Network(nodes, Days(None), TODAY).expected()) == 2


# The cascade


def test_a_delay_moves_what_depends_on_it_its_payments_and_what_it_costs():
    plan = a_contract(
        a_milestone("M1", requires=["met"], due="2026-06-01"),
        a_milestone("M2", requires=["met"], due="2026-06-30", after=["M1"], tolerance_days=3,
                    late_damages={"percent_per_day": "1", "cap_percent": "5"}),
        a_milestone("M3", "50.00", requires=["met"], due="2026-06-20"),
    )  # fmt: skip
    picture_now = seen(Story().tell(registered(plan)))
    found = cascade(picture_now, delayed(picture_now, "M1", 10))
    assert [(s.milestone, s.after, s.days, s.driver) for s in found.moved] == [
        ("M1", day("06-11"), 10, None),
        ("M2", day("07-10"), 10, "M1"),
    ]
    assert [(s.late_before, s.late_after) for s in found.moved] == [(0, 10), (0, 7)]
    assert [(p.milestone, p.amount, p.before, p.after) for p in found.payments] == [
        ("M1", 10_000, day("06-01"), day("06-11")),
        ("M2", 9_500, day("06-30"), day("07-10")),
    ]
    assert [(d.milestone, d.before, d.after) for d in found.damages] == [("M2", 0, 500)]
    assert (found.end_before, found.end_after) == (day("06-30"), day("07-10"))


def test_days_of_a_contract_with_a_calendar_are_working_days():
    story = Story().tell(registered(a_chain("12-22", "12-23", calendar="DE-BE")))
    picture_now = seen(story)
    found = cascade(picture_now, delayed(picture_now, "M1", 2))
    assert [s.after for s in found.shifts] == [date(2026, 12, 24), date(2026, 12, 28)]


def test_what_loses_its_slack_becomes_critical():
    plan = a_contract(
        a_milestone("M1", requires=["met"], due="2026-06-01"),
        a_milestone("M2", requires=["met"], due="2026-07-01"),
    )
    picture_now = seen(Story().tell(registered(plan)))
    assert cascade(picture_now, delayed(picture_now, "M1", 29)).newly_critical == ()
    assert cascade(picture_now, delayed(picture_now, "M1", 30)).newly_critical == ("M1",)


def test_the_contingency_that_would_help_is_named_with_what_it_gains():
    plan = a_contract(
        a_milestone("M1", requires=["met"], due="2026-06-01"),
        a_milestone("MX", "80.00", requires=["met"], due="2026-06-20", contingency_for="M1"),
        a_milestone("MY", "80.00", requires=["met"], due="2026-12-31", contingency_for="M1"),
        a_milestone("M2", requires=["met"], due="2026-06-30", after=["M1"]),
    )
    picture_now = seen(Story().tell(registered(plan)))
    found = cascade(picture_now, delayed(picture_now, "M1", 60)).stand_ins
    assert [(s.milestone, s.instead_of, s.expected, s.helps) for s in found] == [
        ("MX", "M1", day("06-20"), True),
        ("MY", "M1", day("12-31"), False),
    ]
    assert found[0].gained == 60 - 0 - (day("06-30") - day("06-30")).days
    assert found[0].recovered == ("M2",)
    assert cascade(picture_now, delayed(picture_now, "M2", 5)).stand_ins == ()


def test_what_cannot_move_is_refused_with_the_reason():
    plan = a_chain("06-01", "06-30")
    plan["milestones"] += [a_milestone("MX", contingency_for="M2"), a_milestone("M9", None)]
    picture_now = seen(Story().tell(registered(plan), met("M1", met_on="2026-02-20")))
    for name, sentence in (("M1", "was met on 2026-02-20"), ("MX", "does not count"), ("M7", "is no milestone")):
        with pytest.raises(ValueError, match=sentence):
            check_open(picture_now, name)
    with pytest.raises(ValueError, match="--forecast M9=DATE"):
        delayed(picture_now, "M9", 1)


def test_a_contract_that_is_not_in_force_has_no_picture():
    later_only = a_contract(version=2, amendment=an_amendment(state="proposed"))
    assert seen(Story().tell(registered(later_only))) is None
