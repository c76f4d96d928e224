"""Looking ahead: when milestones are expected, what a delay moves, and when which money is expected."""

from datetime import date, timedelta

import pytest
from builders import Story, a_contract, a_milestone, an_amendment, disputed, held_by, met, paid, registered, said
from hypothesis import given
from hypothesis import strategies as st
from laws.profiles import tried

from services.outlook.cascade import cascade, check_open, delayed
from services.outlook.cash import cash_lines
from services.outlook.days import Days, later
from services.outlook.network import Network, Node
from services.outlook.periods import period_of, sums
from services.outlook.picture import picture

TODAY = date(2026, 3, 1)


def day(text):
    return date.fromisoformat(f"2026-{text}")


def seen(story, today=TODAY):
    return picture(story.state(), story.rules, today)


def a_chain(*dues, **terms):
    """M1, M2, ... of 100.00, each after the one before."""
    return a_contract(
        *(
            a_milestone(f"M{n}", requires=["met"], due=f"2026-{due}", after=[f"M{n - 1}"] if n > 1 else [])
            for n, due in enumerate(dues, 1)
        ),
        **terms,
    )


def expected(story, **more):
    return {name: e.day for name, e in seen(story, **more).network.expected().items()}


def forecast(milestone, text):
    return said("pm", "milestone.scheduled", milestone, forecast=f"2026-{text}")


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


# The cash plan


def lines(story, **more):
    found = seen(story, **more)
    return {(x.milestone, x.category): (x.day, x.amount) for x in cash_lines(found, found.network.expected())}


RETENTION = {
    "retention": {
        "steps": [{"until_percent": "50", "rate_percent": "10"}, {"rate_percent": "5", "returns_percent": "50"}],
        "release_on": "M2",
        "defects_days": 30,
    }
}


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


# Properties


DUES = st.dates(date(2026, 1, 1), date(2027, 12, 31))


@st.composite
def plans(draw):
    """Plans of up to six milestones, with any terms, in one of two calendars."""
    count = draw(st.integers(1, 6))
    milestones = []
    for n in range(count):
        more = {"after": draw(st.lists(st.sampled_from(range(n)), unique=True, max_size=3))} if n else {"after": []}
        more["after"] = [f"M{i}" for i in more["after"]]
        if draw(st.booleans()):
            more["due"] = draw(DUES).isoformat()
            if draw(st.booleans()):
                more["late_damages"] = {"percent_per_day": "0.3", "cap_percent": "10"}
        if n and draw(st.integers(0, 4)) == 0:
            more["contingency_for"] = "M0"
        value = draw(st.integers(1, 99_999))
        milestones.append(a_milestone(f"M{n}", f"{value // 100}.{value % 100:02d}", requires=["met"], **more))
    terms = {}
    if draw(st.booleans()):
        terms |= {"retention": RETENTION["retention"] | {"release_on": "M0"}}
    if draw(st.booleans()):
        terms |= {"advance": {"amount": "0.01", "recoup_percent": "33.3"}}
    if draw(st.booleans()):
        terms |= {"value_cap": f"{draw(st.integers(1, 2000))}.00"}
    return a_contract(*milestones, calendar=draw(st.sampled_from([None, "DE-BE"])), **terms)


@st.composite
def stories(draw):
    """A contract some of whose milestones are met, forecast, disputed or paid."""
    plan = draw(plans())
    story = Story().tell(registered(plan))
    names = [m["id"] for m in plan["milestones"]]
    for name in draw(st.lists(st.sampled_from(names), max_size=4)):
        fact = draw(
            st.sampled_from(
                [met(name), disputed("0.07", name), held_by(milestone=name), paid("0.03", milestone=name),
                 said("office", "milestone.activated", name, by="o", rationale="r"),
                 said("pm", "milestone.scheduled", name, forecast=draw(DUES).isoformat())]
            )
        )  # fmt: skip
        story.tell(fact)
    return story


@given(stories(), st.integers(0, 400), st.data())
@tried(80)
def test_a_delay_of_zero_changes_nothing_and_no_delay_moves_anything_earlier(story, days, data):
    found = seen(story)
    open_ones = [name for name, n in found.network.nodes.items() if not n.is_met and found.network.expected()[name].day]
    if not open_ones:
        return
    name = data.draw(st.sampled_from(open_ones))
    nothing = cascade(found, delayed(found, name, 0))
    assert (nothing.moved, nothing.payments, nothing.damages, nothing.newly_critical) == ((), (), (), ())
    late = cascade(found, delayed(found, name, days))
    assert all(s.after >= s.before for s in late.moved)
    assert all(s.days >= 0 for s in late.shifts)
    assert all(d.after > d.before for d in late.damages)
    later_still = cascade(found, delayed(found, name, days + 7))
    assert all(b.after >= a.after for a, b in zip(late.shifts, later_still.shifts, strict=True) if a.after)
    for s in late.stand_ins:
        assert s.end is None or s.helps == bool(s.gained or s.recovered)


@given(stories(), st.integers(0, 400))
@tried(80)
def test_the_cash_plan_adds_up_to_the_value_less_what_is_released(story, days):
    found = seen(story, TODAY + timedelta(days))
    plan = cash_lines(found, found.network.expected())
    assert all(line.amount > 0 for line in plan)
    for case in found.counting:
        rest = sum(x.amount for x in plan if x.milestone == case.milestone.id and x.category != "released")
        assert rest == max(0, case.value - found.contract.state.milestones[case.milestone.id].released)
    assert all(x.day is None or x.day >= found.today for x in plan if x.category != "retention")
    cap = found.plan.value_cap
    if cap is not None:
        out = sum(m.released for m in found.contract.state.milestones.values())
        out += sum(x.amount for x in plan if x.category in ("expected", "held", "returned", "retention"))
        assert out <= cap


class Counted(Days):
    """Counts how often a day is worked out, which is what all the work is made of."""

    asked = 0

    def after(self, day, count):
        Counted.asked += 1
        return super().after(day, count)

    def between(self, first, last):
        Counted.asked += 1
        return super().between(first, last)


def cost(count):
    first = date(2026, 1, 1)
    nodes = [
        Node(f"M{n}", None, None, first + timedelta(n % 700), 0, (f"M{n - 1}", f"M{n // 2}") if n else ())
        for n in range(count)
    ]
    Counted.asked = 0
    network = Network(nodes, Counted(None), first)
    network.slack(network.expected({"M0": date(2027, 1, 1)}))
    return Counted.asked


def test_the_work_grows_with_the_milestones_and_no_faster():
    assert cost(4_000) <= 10 * cost(400) + 100
    assert cost(400) < 400 * 8
