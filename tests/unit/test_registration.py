"""The registration document: defaults, and every fault told at once."""

import pytest
from builders import Story, a_contract, a_milestone, an_amendment, registered

from contracts_schema.errors import Refused
from contracts_schema.plan import decode_plan, encode_plan
from contracts_schema.records import Source
from contracts_schema.registration import read_registration
from mappers.translate import Translator


def faults(document):
    with pytest.raises(Refused) as refusal:
        read_registration(document)
    return refusal.value.sentence


def milestone_with(**terms):
    return a_contract(a_milestone(**terms))


def opening(released):
    return {"released": released, "as_of": "2026-01-01", "reference": "r", "approved_by": "a"}


def step(rate, until=None):
    return {"rate_percent": rate} | ({"until_percent": until} if until else {})


def kept(*steps, **terms):
    return a_contract(retention={"steps": list(steps)} | terms)


def test_what_is_left_out_has_its_default():
    plan = read_registration(a_contract(a_milestone(), a_milestone("M2", None)))
    first, second = plan.milestones
    assert first.requires == ("met", "signed_off", "invoiced")
    assert second.requires == ()
    assert (plan.sign_off.quorum, plan.sign_off.roles, plan.rounding_band, plan.timezone) == (1, (), 2, "UTC")
    assert plan.hold_on_conflict == ("completion",)
    assert decode_plan(encode_plan(plan)) == plan


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (milestone_with(requires=[]), "an empty list would pay on the day of registration"),
        (milestone_with(requires=["wishes"]), "is no proof"),
        (milestone_with(requires=["measure:x"]), "is no proof"),
        (milestone_with(requires=["measure:x<=many"]), "is not of the form measure:NAME"),
        (milestone_with(requires=["on_time:M9"]), "is no milestone of the plan"),
        (milestone_with(value="0.00"), "is not above zero"),
        (milestone_with(value="-1.00"), "is negative"),
        (milestone_with(value="1.0"), "decimal string with 2 decimals"),
        (milestone_with(value=1.5), "milestones.M1.value"),
        (a_contract(a_milestone() | {"percent": "10"}, value_cap="10.00"), "exclude each other"),
        (a_contract({"id": "M1", "title": "M1", "kind": "payment"}), "needs a value or a percent"),
        (milestone_with(after=["M9"]), "'M9' is no milestone"),
        (milestone_with(after=["M1"]), "cannot name itself"),
        (milestone_with(contingency_for="M9"), "'M9' is no milestone"),
        (a_contract(a_milestone(), a_milestone("M2", replaces=["M1"])), "is still a milestone"),
        (a_contract(a_milestone(after=["M2"]), a_milestone("M2", after=["M1"])), "in a circle"),
        (a_contract(a_milestone(), a_milestone()), "two are called 'M1'"),
        (milestone_with(due="2026-02-30"), "due"),
        (milestone_with(due="30.6.2026"), "is not a date"),
        (milestone_with(tolerance_days="3"), "tolerance_days"),
        (milestone_with(colour="red"), "colour is no field"),
        (milestone_with(refs={"erp": ["a", "a"]}), "a key stands twice"),
        (milestone_with(opening=opening("200.00")), "more than the value"),
        (a_contract(a_milestone("M1", None, opening=opening("1.00"))), "nothing is payable"),
        (a_contract(currency="XXX"), "is not an ISO 4217 code"),
        (a_contract(timezone="Mars/North"), "no IANA time zone"),
        (a_contract(a_milestone("M1", "1.00", percent="50")), "a percentage needs a value_cap"),
        (a_contract(a_milestone(percent="60"), a_milestone("M2", percent="60"), value_cap="100.00"), "rounding band"),
        (a_contract(a_milestone("M1", "1.00", percent="0"), value_cap="100.00", rounding_band="0.00"), "is nothing"),
        (a_contract(a_milestone("M1", "1.00", percent="101"), value_cap="100.00"), "percentage from 0 to 100"),
        (kept(step("5", "50"), step("10")), "rates may not rise"),
        (kept(step("5"), step("5")), "only the last step"),
        (kept(step("5", "50"), step("5", "50")), "does not lie after"),
        (kept(step("5") | {"returns_percent": "50"}), "nothing was kept"),
        (kept(step("5"), release_on="M9"), "is no milestone"),
        (a_contract(version=2, amendment=an_amendment(approved_by=None)), "approved_by is missing"),
        (a_contract(version=2, amendment=an_amendment(approved_by="rita")), "cannot approve their own change"),
        ("a contract", "the document"),
        ({}, "contract is missing"),
        (a_contract(rates=[{"from": "USD", "rate": 0.92, "valid_from": "2026-01-01"}]), "decimal string"),
        (a_contract(contract="C\u202e1"), "visible characters"),
    ],
)  # fmt: skip
def test_a_document_that_does_not_add_up_is_refused_with_the_reason(document, said):
    assert said in faults(document)


def test_all_faults_are_told_at_once():
    told = faults(a_contract(a_milestone(requires=["wishes"], after=["M9"]), timezone="Mars/North"))
    assert all(said in told for said in ("'wishes'", "'M9'", "Mars/North"))


def test_of_a_great_many_faults_the_first_are_told_and_how_many_more_there_are():
    told = faults(a_contract(*(a_milestone(f"M{n}", after=["X"]) for n in range(300))))
    assert told.endswith("; and 100 faults more")
    assert told.count("'X' is no milestone") == 200


def test_percentages_round_down_and_the_last_takes_the_rest_within_the_band():
    thirds = [a_milestone(f"M{n}", "x", percent="33.33") for n in (1, 2)] + [a_milestone("M3", "x", percent="33.34")]
    plan = read_registration(a_contract(*thirds, value_cap="99.99"))
    assert [m.value for m in plan.milestones] == [3332, 3332, 3335]
    assert (sum(m.value for m in plan.milestones), plan.unallocated) == (9999, 0)


def test_a_fixed_value_beside_percentages_may_lie_above_the_cap_as_it_may_without_them():
    thirds = [a_milestone(f"M{n}", "x", percent="33.33") for n in (1, 2)] + [a_milestone("M3", "x", percent="33.34")]
    plan = read_registration(a_contract(*thirds, a_milestone("B1", "50.00"), value_cap="1000.01"))
    assert [m.value for m in plan.milestones] == [33_330, 33_330, 33_341, 5_000]
    assert plan.unallocated == 0


def test_what_the_percentages_leave_stays_unallocated_and_visible():
    plan = read_registration(a_contract(a_milestone("M1", "x", percent="60"), value_cap="100.00"))
    assert (plan.milestones[0].value, plan.unallocated) == (6000, 4000)


def test_contingency_milestones_are_no_part_of_the_sum():
    spare = a_milestone("MX", "x", percent="50", contingency_for="M1")
    plan = read_registration(a_contract(a_milestone("M1", "x", percent="100"), spare, value_cap="100.00"))
    assert [m.value for m in plan.milestones] == [10000, 5000]


def test_a_long_chain_of_precursors_is_no_circle():
    chain = [a_milestone("M0", None), *(a_milestone(f"M{n}", None, after=[f"M{n - 1}"]) for n in range(1, 3000))]
    assert len(read_registration(a_contract(*chain)).milestones) == 3000


def test_a_refused_version_leaves_the_one_in_force():
    story = Story().tell(registered(a_contract()), registered(a_contract(a_milestone(requires=[]))))
    assert "an empty list" in story.quarantined[0]
    assert story.position().value == 10_000


def test_of_an_advance_and_a_retention_that_are_not_there_nothing_is_said():
    assert faults(milestone_with(value="-1.00")) == "registration refused: milestones.M1.value: -1.00 is negative"
    assert faults(a_contract(value_cap="-1.00")) == "registration refused: value_cap: -1.00 is negative"


def test_an_amendment_that_leaves_less_than_the_advance_comes_into_force():
    advance = {"advance": {"amount": "60.00", "recoup_percent": "50"}}
    story = Story().tell(registered(a_contract(**advance)))
    less = a_contract(a_milestone("M1", "50.00"), version=2, amendment=an_amendment(), **advance)
    assert story.tell(registered(less)).position().value == 5_000


REGISTER = Source("register", "milepost", "register", "r")
TRANSLATOR = Translator({"register": REGISTER, "pm": Source("pm", "redmine", "project", "p")})


def test_every_key_that_its_system_cannot_have_is_told_with_its_field():
    plan = a_contract(a_milestone(refs={"pm": ["issue:seven", "issue:8"]}), refs={"pm": ["sprint:1"]})
    with pytest.raises(Refused) as refusal:
        TRANSLATOR.translate(Story().record(registered(plan)), REGISTER)
    first, second = refusal.value.sentence.removeprefix("registration refused: ").split("; ")
    assert first.startswith("milestones.M1.refs.pm: 'seven'")
    assert second.startswith("refs.pm: 'sprint:1' is none of issue:<id>")


def test_two_ways_to_write_a_key_are_one_key():
    plan = a_contract(a_milestone(refs={"pm": ["issue:7", "issue:07"]}), refs={"pm": ["project:a", "project: a"]})
    (fact,) = TRANSLATOR.translate(Story().record(registered(plan)), REGISTER)
    read = decode_plan(fact.body.plan)
    assert (read.refs, read.milestones[0].refs) == ({"pm": ("project:a",)}, {"pm": ("issue:7",)})
