"""Registrations that make no sense: each fault is told with its line, all at once, and the version in force stays."""

import textwrap

import pytest
from builders import Story, a_contract, a_milestone, an_amendment, registered

from services.wiring.documents import read_documents

GOOD = """\
contract: C-1
version: 1
title: Turbine hall
buyer: {id: BUY-1}
supplier: {id: SUP-1}
currency: EUR
value_cap: "1000.00"
retention:
  steps:
    - {until_percent: 50, rate_percent: "10"}
    - {rate_percent: "5"}
  cap: "50.00"
  release_on: M3
  defects_days: 365
advance:
  amount: "100.00"
  recoup_percent: "20"
sign_off:
  quorum: 1
  roles: [site-manager]
  authority:
    - {person: jane, role: site-manager, from: 2026-01-01, until: 2026-12-31}
compliance: [insurance]
rates:
  - {from: USD, rate: "0.92", valid_from: 2026-01-01}
refs:
  erp: ["order:1"]
milestones:
  - id: M1
    title: Factory acceptance test
    kind: payment
    percent: "40"
    due: 2026-06-30
    requires: [met, signed_off, invoiced]
    deliverables:
      - {name: FAT protocol}
  - id: M2
    title: Site acceptance test
    kind: payment
    percent: "60"
    due: 2026-09-30
    after: [M1]
    quantity: "2"
    unit: EA
    late_damages: {percent_per_day: "0.1", cap_percent: "10"}
    refs: {erp: ["line:2"]}
  - id: M3
    title: Handover
    kind: project
    after: [M2]
  - id: MX
    title: Site acceptance by inspection
    kind: payment
    percent: "60"
    contingency_for: M2
"""
AMENDED = "amendment: {id: A-1, state: approved, rationale: agreed, requested_by: rita, approved_by: anna}\n"

# What stands there, what is written instead, the line (of the changed text) that is named, and what is said.
TABLE = [
    # names
    ("after: [M1]", "after: [M9]", 42, "milestones.M2.after: 'M9' is no milestone of the plan (rule B4)"),
    ("after: [M1]", "after: [M2]", 42, "a milestone cannot name itself"),
    ("after: [M1]", "after: [M1, M1]", 42, "milestone 'M1' stands twice"),
    ("after: [M1]", "after: [M3]", 42, "M2 after M3 after M2 wait for each other in a circle"),
    ("- id: M3", "- id: M1", 29, "two are called 'M1'"),
    ("contingency_for: M2", "contingency_for: M9", 55, "'M9' is no milestone of the plan"),
    ("    after: [M2]\n", "    after: [M2]\n    contingency_for: MX\n", 51, "'MX' is a contingency milestone itself"),
    ("release_on: M3", "release_on: M9", 13, "retention.release_on: 'M9' is no milestone of the plan"),
    ("[met, signed_off, invoiced]", "[met, 'on_time:M9']", 34, "'M9' is no milestone of the plan"),
    ("[met, signed_off, invoiced]", "[met, 'on_time:M3']", 34, "'M3' has no due date, so it can never be on time"),
    ("after: [M2]", "replaces: [M0]", 50, "version 1 has nothing to replace"),
    # proofs
    ("[met, signed_off, invoiced]", "[]", 34, "an empty list would pay on the day of registration"),
    ("[met, signed_off, invoiced]", "[met, met]", 34, "proof 'met' stands twice"),
    ("[met, signed_off, invoiced]", "[met, signedoff]", 34, "'signedoff' is no proof"),
    ("[met, signed_off, invoiced]", "[met, 'measure:rate<=low']", 34, "is not of the form measure:NAME<=0.02"),
    ("- {name: FAT protocol}", "- {name: FAT}\n      - {name: FAT}", 35, "deliverable 'FAT' stands twice"),
    # amounts
    ('value_cap: "1000.00"', 'value_cap: "1000.0"', 7, "is not a decimal string with 2 decimals, as EUR has"),
    ('value_cap: "1000.00"', 'value_cap: "-1000.00"', 7, "-1000.00 is negative"),
    ('value_cap: "1000.00"', 'value_cap: "0.00"', 7, "value_cap: above zero nothing could ever be released"),
    ('value_cap: "1000.00"', "value_cap: 1000.00", 7, "value_cap: 1000.0 is no text; put it in quotes"),
    ('value_cap: "1000.00"\n', "", 31, "milestones.M1.percent: a percentage needs a value_cap (rule B2)"),
    ('percent: "40"', 'percent: "41"', 28, "the percentages add up to 10.00 more than value_cap"),
    ('percent: "40"', 'percent: "140"', 32, "is not a percentage from 0 to 100"),
    ('percent: "40"', 'percent: "0"', 32, "0 percent of value_cap is nothing"),
    ('percent: "40"', 'percent: "40"\n    value: "400.00"', 29, "value and percent exclude each other"),
    ('    percent: "40"\n', "", 29, "a payment milestone needs a value or a percent"),
    ('percent: "40"', 'value: "0.00"', 32, "0.00 is not above zero (rule B1)"),
    ('percent: "40"', 'value: "-400.00"', 32, "-400.00 is negative"),
    ("currency: EUR", "currency: XXX", 6, "currency 'XXX' is not an ISO 4217 code"),
    ("currency: EUR", "currency: EUR\ncalendar: DE-BB-X", 7, "'DE-BB-X' is no holiday calendar; near it are DE-BB"),
    ("currency: EUR", "currency: EUR\ntimezone: Mars", 7, "'Mars' is no IANA time zone"),
    ("currency: EUR", "currency: JPY", 7, "is not a decimal string with 0 decimals, as JPY has"),
    # terms
    ('cap: "50.00"', 'cap: "-50.00"', 12, "retention.cap: -50.00 is negative"),
    ("until_percent: 50", "until_percent: 0", 10, "0 ends before the contract has begun"),
    ('{rate_percent: "5"}', '{rate_percent: "15"}', 11, "retention.steps.2.rate_percent: 15 is more than 10"),
    ('{rate_percent: "5"}', '{until_percent: 40, rate_percent: "5"}', 11, "steps may not overlap"),
    ("until_percent: 50", "until_percent: 100", 11, "the step before reaches 100 percent"),
    ("{until_percent: 50, ", "{", 10, "only the last step may leave out until_percent"),
    ("until_percent: 50,", "until_percent: 50, returns_percent: 50,", 10, "nothing was kept before the first step"),
    ("  release_on: M3\n", "", 13, "they begin when a milestone is met; name it in release_on"),
    ('amount: "100.00"', 'amount: "-1.00"', 16, "advance.amount: -1.00 is negative"),
    ('recoup_percent: "20"', 'recoup_percent: "0"', 17, "at 0 percent the advance never comes back"),
    ("quorum: 1", "quorum: 0", 19, "sign_off.quorum: 0 is less than 1"),
    ("quorum: 1", "quorum: 2", 19, "2 persons must sign and 1 are entitled"),
    ("roles: [site-manager]", "roles: [qa]", 22, "'site-manager' is none of the roles that sign (qa)"),
    ("until: 2026-12-31", "until: 2025-12-31", 22, "sign_off.authority.1.until: 2025-12-31 lies before 2026-01-01"),
    ("until: 2026-12-31", "up_to: '5.0'", 22, "sign_off.authority.1.up_to: amount '5.0' is not a decimal string"),
    ("compliance: [insurance]", "compliance: [a, a]", 23, "document 'a' stands twice"),
    ("from: USD", "from: ZZZ", 25, "currency 'ZZZ' is not an ISO 4217 code"),
    ("from: USD", "from: EUR", 25, "EUR is the contract's own currency"),
    ('rate: "0.92"', 'rate: "0"', 25, "a unit of USD would be worth nothing"),
    ("rates:\n", "rates:\n  - {from: USD, rate: '1', valid_from: 2026-01-01}\n", 26, "two rates of USD begin on"),
    ('["order:1"]', '["order:1", "order:1"]', 27, "refs.erp: a key stands twice"),
    ('["line:2"]', '["line:2", "line:2"]', 46, "milestones.M2.refs.erp: a key stands twice"),
    ("compliance: [insurance]", "authority: {received: []}", 23, "an empty list would let nobody be believed"),
    ("compliance: [insurance]", "hold_on_conflict: [due, due]", 23, "field 'due' stands twice"),
    # dates, damages, quantities
    ("due: 2026-06-30", "due: 2026-06-31", 33, "is not a date of the form 2026-12-31"),
    ("    due: 2026-09-30\n", "", 44, "without a due date nothing is ever late"),
    ("    after: [M2]\n", "    late_damages: {percent_per_day: '1', cap_percent: '5'}\n", 50, "nothing is payable"),
    ('    quantity: "2"\n', "", 43, "a unit without a quantity says nothing"),
    ('quantity: "2"', 'quantity: "0.0"', 43, "0.0 is not above zero"),
    # change control
    ("compliance: [insurance]\n", AMENDED, 23, "version 1 amends nothing"),
    # shape
    ("title: Turbine hall", "titel: Turbine hall", 3, "titel is no field of a registration; did you mean title?"),
    ("    after: [M1]", "    afer: [M1]", 42, "milestones.M2.afer is no field of a registration; did you mean after?"),
    ("title: Turbine hall\n", "", 1, "title is missing"),
    ("    title: Handover\n", "", 47, "milestones.M3.title is missing"),
    ("version: 1", "version: 1\nversion: 1", 3, "version stands twice"),
    ("kind: project", "kind: projekt", 49, "M3.kind: 'projekt' is none of 'project', 'deliverable' or 'payment'"),
]  # fmt: skip


def told(tmp_path, text):
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    return [fault.removeprefix(f"{path}:") for fault in read_documents([path])[1]]


def test_the_document_that_the_table_spoils_is_good(tmp_path):
    assert told(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        ("until: 2026-12-31", "until: 2026-01-01"),  # authority for one day
        ('amount: "100.00"', 'amount: "1000.01"'),  # more in advance than has been agreed so far
        ('cap: "50.00"', 'cap: "20000.00"'),  # which is never reached
        ("until_percent: 50", "until_percent: 99.999999"),
        ("contingency_for: M2", "contingency_for: M2\n    after: [M1]"),
        ('["line:2"]', '["order:1"]'),  # claimed by the contract and by a milestone
    ],
)
def test_what_lies_on_the_edge_is_good(tmp_path, there, instead):
    assert there in GOOD
    assert told(tmp_path, GOOD.replace(there, instead, 1).replace("99.999999", '"99.999999"')) == []


@pytest.mark.parametrize(("there", "instead", "line", "said"), TABLE, ids=[row[3][:60] for row in TABLE])
def test_a_fault_is_told_with_its_line(tmp_path, there, instead, line, said):
    assert there in GOOD
    faults = told(tmp_path, GOOD.replace(there, instead, 1))
    assert any(fault.startswith(f"{line}: ") and said in fault for fault in faults), faults


LATER = GOOD.replace("version: 1", "version: 2")
AMENDMENTS = [
    ("state: approved, rationale: r, requested_by: rita", "approved_by is missing although its state is approved"),
    ("state: approved, rationale: r, requested_by: rita, approved_by: rita", "'rita' cannot approve their own change"),
    ("state: agreed, rationale: r, requested_by: rita, approved_by: anna", "amendment.state: 'agreed'"),
    ("state: approved, requested_by: rita, approved_by: anna", "amendment.rationale is missing"),
    ("state: approved, rationale: r, requested_by: rita, approved_by: anna, effective_from: soon", "is not a date"),
]


@pytest.mark.parametrize(("amendment", "said"), AMENDMENTS)
def test_an_amendment_without_sense_is_told_with_its_line(tmp_path, amendment, said):
    faults = told(tmp_path, LATER + f"amendment: {{id: A-1, {amendment}}}\n")
    assert [fault for fault in faults if fault.startswith("56: ") and said in fault], faults


def test_faults_of_shape_of_the_plan_and_of_amounts_are_told_together(tmp_path):
    text = GOOD.replace("titel", "title")
    for there, instead in (("title: Turbine hall", "titel: Turbine hall"), ("due: 2026-06-30", "due: soon"),
                           ("after: [M1]", "after: [M9]"), ('amount: "100.00"', 'amount: "100.000"'),
                           ('{rate_percent: "5"}', '{rate_percent: "15"}'), ("kind: project", "kind: projekt"),
                           ("Europe/Berlin", "Mars")):  # fmt: skip
        text = text.replace(there, instead, 1)
    faults = told(tmp_path, text)
    for said in ("titel is no field", "title is missing", "milestones.M1.due: 'soon'", "'M9' is no milestone",
                 "advance.amount: amount '100.000'", "15 is more than 10", "milestones.M3.kind"):  # fmt: skip
        assert sum(said in fault for fault in faults) == 1, (said, faults)
    assert len(faults) == 7


def test_what_is_faulty_itself_raises_no_faults_elsewhere(tmp_path):
    """M1 cannot be read, yet nobody is told that it does not exist, or that the percentages do not add up."""
    assert len(told(tmp_path, GOOD.replace("title: Factory acceptance test", "titel: FAT"))) == 2
    assert len(told(tmp_path, GOOD.replace('value_cap: "1000.00"', "value_cap: many"))) == 1
    assert len(told(tmp_path, GOOD.replace("due: 2026-09-30", "due: soon"))) == 1


def test_a_document_that_is_none_is_told_and_nothing_breaks(tmp_path):
    for text in (
        "- 1\n",
        "milestones: 7\n",
        "milestones: []\n",
        "milestones: [1, null]\n",
        "contract: {a: b}\n",
        "'[key]': 1\nmilestones: []\n",
        "currency: [[]]\nmilestones: [{id: M1}]\n",
        "''\n",
    ):
        assert told(tmp_path, text), text


def test_a_refused_version_leaves_the_one_in_force_and_its_commands():
    story = Story().tell(registered(a_contract(a_milestone())))
    before = len(story.commands)
    bad = a_contract(a_milestone("M1", "50.00", after=["M9"]), version=2, amendment=an_amendment())
    story.tell(registered(bad))
    assert (story.state().in_force, sorted(story.state().plans), len(story.commands)) == (1, [1], before)
    assert "'M9' is no milestone" in story.quarantined[0]
    assert story.reasons() == ["NOT_MET", "SIGN_OFF_MISSING", "NOT_INVOICED"]


def test_one_person_under_two_names_does_not_approve_their_own_change():
    story = Story(people={"rita": ["register:r.meyer", "register:rita@site"]}).tell(registered(a_contract()))
    own = an_amendment(requested_by="r.meyer", approved_by="rita@site")
    story.tell(registered(a_contract(version=2, amendment=own)))
    assert textwrap.shorten(story.quarantined[0], 400).endswith("nobody approves their own change (rules B3, D5)")
    assert sorted(story.state().plans) == [1]
    story.tell(registered(a_contract(version=2, amendment=own | {"approved_by": "anna"})))
    assert story.state().in_force == 2
