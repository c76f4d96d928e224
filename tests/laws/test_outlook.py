"""Looking ahead at any contract: no delay makes anything earlier, the cash plan adds up, and the work grows evenly."""

from datetime import date, timedelta

from builders import Story, a_contract, a_milestone, disputed, held_by, met, paid, registered, said
from hypothesis import given
from hypothesis import strategies as st
from laws.profiles import tried
from looking_ahead import RETENTION, TODAY, seen

from services.outlook.cascade import cascade, delayed
from services.outlook.cash import cash_lines
from services.outlook.days import Days
from services.outlook.network import Network, Node

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
