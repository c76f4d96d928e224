"""Plans written back as documents, and what one version changes in another."""

from builders import a_contract, a_milestone
from hypothesis import given
from laws.profiles import tried
from laws.random_plans import plans
from msgspec.structs import replace

from contracts_schema.plan_changes import changes
from contracts_schema.plan_document import document_of
from contracts_schema.registration import check_registration, read_registration


def sentences(before, after):
    return [c.sentence for c in changes(read_registration(before), read_registration(after))]


@given(plans(openings=True))
@tried(100)
def test_a_plan_written_back_describes_the_same_plan(document):
    plan = read_registration(document)
    again = check_registration(document_of(plan))
    assert again == replace(plan, unallocated=0)
    assert changes(plan, again) == []


def test_every_term_survives_being_written_back():
    full = a_contract(
        a_milestone("M1", "60.00", requires=["received"], due="2026-06-30", quantity="2", unit="EA", owner="jane",
                    tolerance_days=3, deliverables=[{"name": "FAT", "acceptance": "passed"}, {"name": "SAT"}],
                    late_damages={"percent_per_day": "0.1", "cap_percent": "10"}, refs={"erp": ["line:1"]}),
        a_milestone("MX", "40.00", contingency_for="M1", after=["M1"]), a_milestone("M2", None),
        value_cap="90.00", rounding_band="0.05", timezone="Europe/Berlin", calendar="DE-BE", status="suspended",
        finance="ap", refs={"erp": ["order:1"]}, compliance=["insurance"], hold_on_conflict=[],
        authority={"received": ["portal"]}, rates=[{"from": "USD", "rate": "0.92", "valid_from": "2026-01-01"}],
        retention={"steps": [{"rate_percent": "10", "until_percent": "50"}, {"rate_percent": "5"}], "cap": "5.00",
                   "release_on": "M2", "defects_days": 30},
        advance={"amount": "10.00", "recoup_percent": "20"},
        sign_off={"quorum": 1, "roles": ["qa"], "due_working_days": 5,
                  "authority": [{"person": "j", "role": "qa", "up_to": "9.00", "from": "2026-01-01",
                                 "until": "2026-12-31"}]},
        supplier={"id": "S", "name": "Siemag", "identifiers": ["DE1"]}, buyer={"id": "B", "name": "City"},
        version=2, amendment={"id": "A", "state": "approved", "rationale": "", "requested_by": "r", "approved_by": "a",
                              "effective_from": "2026-05-01"},
    )  # fmt: skip
    plan = read_registration(full)
    assert read_registration(document_of(plan)) == plan


def test_what_changed_is_said_in_plain_words():
    before = a_contract(a_milestone("M1", "100.00", due="2026-06-30", owner="jane"), a_milestone("M2"),
                        retention={"steps": [{"rate_percent": "10"}]})  # fmt: skip
    after = a_contract(a_milestone("M2"), a_milestone("M1", "80.00", due="2026-06-20", requires=["met"]),
                       title="Boiler house", retention={"steps": [{"rate_percent": "5"}]},
                       advance={"amount": "1.00", "recoup_percent": "10"})  # fmt: skip
    assert sentences(before, after) == [
        "the title was Turbine hall and is Boiler house",
        "retention: steps was rate percent 10 and is rate percent 5",
        "advance is new: amount 1.00, recoup percent 10",
        "M1: the value was 100.00 and is 80.00 (-20.00)",
        "M1: the due date was 2026-06-30 and is 2026-06-20 (10 days earlier)",
        "M1: the owner is gone; it was jane",
        "M1: the proof required was met, signed_off, invoiced and is met",
        "the order of the milestones is another one",
    ]


def test_a_merge_and_a_split_say_who_takes_over():
    before = a_contract(a_milestone("M1"), a_milestone("M2"))
    after = a_contract(a_milestone("M3", "200.00", replaces=["M1", "M2"]), version=2)
    assert sentences(before, after) == [
        "M3: new in the plan, 'M3', worth EUR 200.00, in place of M1, M2",
        "M1: leaves the plan, worth EUR 100.00; M3 takes its place, and what it had released",
        "M2: leaves the plan, worth EUR 100.00; M3 takes its place, and what it had released",
    ]
