"""Amounts: what is earned, and what is taken off. The tables tell the plain cases; these are the corners."""

import pytest
from builders import Story, a_contract, a_milestone, disputed, held_by, invoice, met, received, registered

from contracts_schema.money import format_amount, from_wire, parse_amount, to_wire


def told(*events, milestones=None, **terms):
    return Story().tell(registered(a_contract(*(milestones or [a_milestone(requires=["met"])]), **terms)), *events)


def amounts(story, milestone="M1"):
    return {str(r.code): r.amount for r in story.position(milestone).reasons}


def test_several_disputes_add_up_and_never_below_nothing():
    story = told(disputed("70.00"), disputed("60.00", dispute="D-2"), met())
    assert story.released() == 0
    assert amounts(story) == {"DISPUTED": 10_000}


def test_a_dispute_in_another_currency_disputes_all_of_it():
    assert amounts(told(disputed("1.00", currency="USD"), met())) == {"DISPUTED": 10_000}


def test_one_invoice_told_in_two_currencies_is_worth_what_nobody_can_say():
    plan = a_milestone(requires=["met"], refs={"erp": ["line:1"]})
    again = invoice("20.00", source="erp", currency="USD", key="line:1")
    story = told(invoice("30.00", source="erp"), again, met(), milestones=[plan])
    assert [(r.code, r.detail) for r in story.position().reasons] == [
        ("CURRENCIES_DIFFER", "invoice I-1 is in USD; no rate is registered")
    ]
    rates = [{"from": "USD", "rate": "0.9", "valid_from": "2026-01-01"}]
    story = told(invoice("30.00", source="erp"), again, met(), milestones=[plan], rates=rates)
    assert [r.detail for r in story.position().reasons] == ["invoice I-1 is in several currencies, which do not add up"]


def test_by_what_names_a_supplier_goes_is_told_by_the_invoice_itself_and_not_by_one_of_another_unit():
    known = invoice("30.00", business_unit="south", supplier_identifiers=["DE1"])
    story = told(known, invoice("20.00", business_unit="north", supplier="DE1"), milestones=[a_milestone()])
    assert "WRONG_SUPPLIER" in amounts(story)
    one = told(known, invoice("20.00", business_unit="south", supplier="DE1"), milestones=[a_milestone()])
    assert "WRONG_SUPPLIER" not in amounts(one)


def test_a_part_that_rounds_to_nothing_is_no_reason():
    story = told(received("1", "3"), invoice("33.33"), milestones=[a_milestone(requires=["received", "invoiced"])])
    assert amounts(story) == {"PARTLY_ACCEPTED": 6_667}


def test_one_unit_invoiced_is_invoiced():
    assert amounts(told(invoice("0.01"), milestones=[a_milestone(requires=["invoiced"])])) == {"PARTLY_INVOICED": 9_999}


def test_invoices_that_exceed_the_value_say_both():
    story = told(invoice("110.00"), milestones=[a_milestone(requires=["invoiced"])])
    assert story.position().reasons[0].detail == "110.00 invoiced, 100.00 is the value"


def test_one_unit_released_and_not_earned_any_more_is_over_released():
    story = told(met(), met(status="notMet"), milestones=[a_milestone("M1", "0.01", requires=["met"])])
    assert amounts(story) == {"NOT_MET": 0, "OVER_RELEASED": 1}


def test_a_dispute_says_whether_it_is_about_a_part_or_all():
    details = [told(disputed(amount), met()).position().reasons[0].detail for amount in ("1.00", None)]
    assert details == ["in dispute: D-1 (INCORRECT_QUANTITY)", "all of it is in dispute: D-1 (INCORRECT_QUANTITY)"]


def test_what_is_disputed_is_taken_from_what_is_earned_before_the_invoices_are_looked_at():
    plan = a_milestone(requires=["met", "invoiced"])
    story = told(disputed("30.00"), met(), invoice("80.00"), milestones=[plan])
    assert (story.released(), amounts(story)) == (7_000, {"DISPUTED": 3_000})


def test_partial_reasons_add_up_to_what_is_held():
    plan = a_milestone(requires=["received", "invoiced"])
    steps = {"steps": [{"rate_percent": "7.77"}]}
    story = told(received("2", "3"), invoice("60.01"), disputed("3.33"), milestones=[plan], retention=steps)
    assert sum(amounts(story).values()) == story.position().held == 10_000 - story.released()
    assert list(amounts(story)) == ["PARTLY_ACCEPTED", "DISPUTED", "PARTLY_INVOICED", "RETENTION"]


def test_a_blocking_reason_shows_what_the_partial_ones_leave():
    plan = a_milestone(requires=["received"])
    story = told(held_by(), received("2", "4"), milestones=[plan])
    assert amounts(story) == {"MANUAL_HOLD": 5_000, "PARTLY_ACCEPTED": 5_000}


def test_over_released_shows_what_is_out_too_much():
    story = told(received("6", "10"), received("4", "10"), milestones=[a_milestone(requires=["received"])])
    assert amounts(story) == {"OVER_RELEASED": 2_000, "PARTLY_ACCEPTED": 6_000}


def test_retention_is_kept_in_plan_order_up_to_a_cap_whatever_was_met_first():
    plan = [a_milestone("M1", requires=["met"]), a_milestone("M2", requires=["met"])]
    for order in (["M1", "M2"], ["M2", "M1"]):
        story = told(*map(met, order), milestones=plan, retention={"steps": [{"rate_percent": "10"}], "cap": "12.00"})
        assert [story.position(m).allowed for m in ("M1", "M2")] == [9_000, 9_800]


def test_the_cap_of_retention_counts_what_earlier_steps_have_kept():
    steps = [{"until_percent": "50", "rate_percent": "10"}, {"rate_percent": "5"}]
    plan = [a_milestone("M1", requires=["met"]), a_milestone("M2", requires=["met"])]
    story = told(met("M1"), met("M2"), milestones=plan, retention={"steps": steps, "cap": "12.00"})
    assert (story.released("M1"), story.released("M2")) == (9_000, 9_800)


def test_what_was_kept_of_one_unit_goes_back_too():
    steps = [{"until_percent": "50", "rate_percent": "10"}, {"rate_percent": "0", "returns_percent": "100"}]
    story = told(met(), milestones=[a_milestone("M1", "0.01", requires=["met"])], retention={"steps": steps})
    assert story.released() == 1


def test_a_last_step_may_end_and_keeps_nothing_after_it():
    steps = [{"rate_percent": "10", "until_percent": "50"}]
    plan = [a_milestone("M1", requires=["met"]), a_milestone("M2", requires=["met"])]
    story = told(met("M1"), met("M2"), milestones=plan, retention={"steps": steps})
    assert [story.released(m) for m in ("M1", "M2")] == [9_000, 10_000]


def test_retention_stays_when_final_acceptance_is_taken_back_before_the_period_is_over():
    plan = [a_milestone("M1", requires=["met"]), a_milestone("M9", None, requires=["met"])]
    terms = {"steps": [{"rate_percent": "10"}], "release_on": "M9", "defects_days": 1}
    story = told(met("M1"), met("M9"), met("M9", status="notMet"), milestones=plan, retention=terms)
    story.clock(story.now.replace(month=6))
    assert amounts(story) == {"RETENTION": 1_000}


def test_within_one_revision_the_cap_goes_by_plan_order():
    plan = [a_milestone("M1", requires=["met"]), a_milestone("M2", requires=["met"])]
    story = Story().tell(registered(a_contract(*plan, value_cap="150.00"))).tell_together(met("M2"), met("M1"))
    assert [story.released(m) for m in ("M1", "M2")] == [10_000, 5_000]


def test_a_milestone_that_waits_says_at_once_what_the_others_left_of_the_cap():
    plan = [a_milestone("M1", requires=["met"]), a_milestone("M2", requires=["met"])]
    story = Story().tell(registered(a_contract(*plan, value_cap="150.00")), held_by()).tell(met("M1"), met("M2"))
    decided = [d for entry in story.entries() for d in entry.decisions if d.milestone == "M1"][-1]
    assert [(r.code, r.amount) for r in decided.reasons] == [("MANUAL_HOLD", 5_000), ("CAP_REACHED", 5_000)]
    assert amounts(story) == {"MANUAL_HOLD": 5_000, "CAP_REACHED": 5_000}


def test_the_cap_holds_against_what_was_carried_too():
    opening = {"released": "90.00", "as_of": "2026-02-28", "reference": "B", "approved_by": "anna"}
    plan = [a_milestone("M1", requires=["met"], opening=opening), a_milestone("M2", requires=["met"])]
    story = told(met("M2"), milestones=plan, value_cap="100.00")
    assert story.released("M2") == 1_000


@pytest.mark.parametrize(
    ("opened", "shown"), [("100.00", {}), ("95.00", {"RETENTION": 500}), ("40.00", {"RETENTION": 1000})]
)
def test_what_was_carried_is_out_and_no_rule_holds_any_of_it(opened, shown):
    opening = {"released": opened, "as_of": "2026-02-28", "reference": "B", "approved_by": "anna"}
    plan = [a_milestone("M1", requires=["met"], opening=opening)]
    story = told(met(), milestones=plan, retention={"steps": [{"rate_percent": "10"}]})
    assert (amounts(story), story.position().held) == (shown, sum(shown.values()))
    story = told(disputed(), met(), milestones=plan)
    assert amounts(story).get("DISPUTED", 0) == story.position().held


def test_damages_take_no_more_than_is_left():
    terms = {"percent_per_day": "100", "cap_percent": "100"}
    plan = a_milestone(requires=["met"], due="2026-02-01", late_damages=terms)
    story = told(met(), milestones=[plan])
    assert (story.released(), amounts(story)) == (0, {"LATE_DAMAGES": 10_000})


def test_an_invoice_in_a_third_of_a_cent_is_exact_until_the_end():
    rates = [{"from": "JPY", "rate": "0.00615", "valid_from": "2026-01-01"}]
    plan = a_milestone(requires=["invoiced"])
    story = told(invoice("1001", currency="JPY"), milestones=[plan], rates=rates)
    assert story.released() == 615  # 6.15615 euros


def test_the_rate_of_the_issue_date_counts():
    rates = [
        {"from": "USD", "rate": "0.50", "valid_from": "2026-01-01"},
        {"from": "USD", "rate": "0.60", "valid_from": "2026-03-01"},
    ]
    plan = a_milestone(requires=["invoiced"])
    for day, worth in (("2026-02-28", 500), ("2026-03-01", 600)):
        assert told(invoice("10.00", currency="USD", issued_on=day), milestones=[plan], rates=rates).released() == worth


def test_a_credit_note_counts_until_the_invoices_it_credits_have_gone():
    plan = a_milestone(requires=["invoiced"])
    credit = invoice("-30.00", "C-1", credits=["I-1"])
    story = told(invoice("50.00", "I-1"), credit, invoice("40.00", "I-2"), milestones=[plan])
    assert story.released() == 6_000
    story.tell(invoice("50.00", "I-1", state="cancelled"))
    assert story.position().allowed == 4_000


def test_an_invoice_that_goes_elsewhere_frees_the_milestone_whose_credit_note_named_it():
    plan = [a_milestone("M1", requires=["invoiced"]), a_milestone("M2", requires=["invoiced"])]
    credit = invoice("-30.00", "C-1", credits=["I-1"])
    story = told(invoice("50.00", "I-1", "M2"), held_by(), invoice("100.00", "I-2"), credit, milestones=plan)
    assert story.position("M1").allowed == 7_000
    story.tell(invoice("50.00", "I-1", "M2", state="cancelled"))
    last = [e for e in story.entries() for d in e.decisions if d.milestone == "M1"][-1]
    assert {d.milestone: d.allowed for d in last.decisions}["M1"] == 10_000


def test_an_invoice_without_a_unit_is_that_of_the_only_one_stated():
    plan = a_milestone(requires=["invoiced"])
    story = told(invoice("50.00", business_unit="north"), invoice("50.00", source="ap"), milestones=[plan])
    assert story.released() == 5_000
    assert story.commands[-1]["targets"][0]["business_unit"] == "north"


def test_one_source_that_names_unit_or_supplier_otherwise_does_not_add_to_the_same_invoice():
    plan, ours = a_milestone("M1", "200.00", requires=["invoiced"]), {"id": "SUP-1", "identifiers": ["DE1"]}
    again = invoice("100.00", supplier="DE1", state="paid")
    story = told(invoice("100.00", business_unit="north"), invoice("100.00"), again, milestones=[plan], supplier=ours)
    assert (story.released(), story.position().targets[0].net.minor) == (10_000, 10_000)
    story.tell(invoice("100.00", business_unit="north", state="cancelled"))
    assert story.position().allowed == 0


def test_other_terms_under_another_name_of_the_supplier_are_a_contradiction_until_a_version_says_which():
    plan, ours = a_milestone("M1", "200.00", requires=["invoiced"]), {"id": "SUP-1", "identifiers": ["DE1"]}
    story = told(invoice("100.00"), invoice("100.00", supplier="DE1"), milestones=[plan], supplier=ours)
    assert story.reasons() == ["PARTLY_INVOICED"]
    story.tell(invoice("120.00", supplier="DE1", supplier_identifiers=["SUP-1"]))
    assert "SOURCE_CONTRADICTS_ITSELF" in story.reasons()
    story.tell(invoice("120.00", supplier="DE1", version=1))
    assert (story.reasons(), story.released()) == (["PARTLY_INVOICED"], 12_000)


def test_one_supplier_under_any_identifier_is_one():
    plan, ours = a_milestone(requires=["invoiced"]), {"id": "SUP-1", "identifiers": ["DE1", "0088:9"]}
    other = invoice("50.00", source="ap", supplier="X", supplier_identifiers=["0088:9"])
    story = told(invoice("50.00", supplier="DE1"), other, milestones=[plan], supplier=ours)
    assert (story.released(), len(story.commands[-1]["targets"])) == (5_000, 1)


FINANCE_ALONE = {"authority": {"invoice": ["finance"]}, "hold_on_conflict": ["invoice"]}


def test_who_has_no_say_about_invoices_makes_no_two_suppliers_one_and_no_total_larger():
    plan = [a_milestone("M1", requires=["invoiced"]), a_milestone("M2", requires=["invoiced"])]
    two_names = {"supplier": "SUP-1", "supplier_identifiers": ["V-77"]}
    story = told(invoice("100.00", **two_names), milestones=plan, **FINANCE_ALONE)
    story.tell(invoice("100.00", source="ap", supplier="V-77", by="jane"))
    assert story.reasons() == ["NOT_INVOICED", "WRONG_SUPPLIER"]
    story = told(held_by(), invoice("100.00", total="200.00"), milestones=plan, **FINANCE_ALONE)
    story.tell(*(invoice("100.00", milestone=m, source="ap", total="100.00") for m in ("M1", "M2")))
    assert story.reasons() == ["MANUAL_HOLD", "INVOICE_CLAIMED_TWICE"]


def test_who_has_no_say_about_invoices_is_shown_where_he_differs():
    plan = [a_milestone("M1", requires=["invoiced"]), a_milestone("M2", requires=["invoiced"])]
    story = told(invoice("90.00", business_unit="north"), milestones=plan, **FINANCE_ALONE)
    assert (story.reasons(), story.position().conflicts) == (["NOT_INVOICED"], ())
    story.tell(invoice("100.00", source="ap"), invoice("100.00", milestone="M2", number="I-2", source="ap"))
    (conflict,) = story.position().conflicts
    assert (conflict.field, [word.source for word in conflict.words]) == ("invoice", ["ap", "portal"])
    assert (story.reasons("M2"), story.released("M2")) == ([], 10_000)


def test_parts_of_one_invoice_from_one_source_add_up_and_two_currencies_do_not():
    plan = a_milestone(requires=["invoiced"], refs={"portal": ["line:1", "line:2"]})
    story = told(invoice("30.00", key="line:1"), invoice("20.00", key="line:2"), milestones=[plan])
    assert story.released() == 5_000
    story = told(invoice("30.00", key="line:1"), invoice("20.00", key="line:2", currency="USD"), milestones=[plan])
    assert story.released() <= 3_000


@pytest.mark.parametrize("text", ["1.5", "1", "1.005", "01e2", "", "1,00", "١.00", "+1.00", " 1.00", "1.00\n"])
def test_an_amount_has_exactly_the_currencys_decimals(text):
    with pytest.raises(ValueError, match="decimal string"):
        parse_amount(text, "EUR")


@pytest.mark.parametrize("value", [1, 1.5, None, True])
def test_a_number_is_no_amount(value):
    with pytest.raises(ValueError):
        parse_amount(value, "EUR")


@pytest.mark.parametrize(
    "wire",
    [None, "1.00", {"amount": "1.00"}, {"amount": "1.00", "currency": "EUR", "x": 1},
     {"amount": "1.00", "currency": "XXX"}, {"amount": "1.00", "currency": None}],
)  # fmt: skip
def test_money_on_the_wire_is_an_amount_and_a_currency_and_nothing_else(wire):
    with pytest.raises(ValueError):
        from_wire(wire)


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(-5, "EUR", "-0.05"), (0, "KWD", "0.000"), (7, "JPY", "7"), (10001, "CLF", "1.0001")],
)
def test_amounts_are_written_with_the_currencys_decimals(minor, currency, text):
    assert format_amount(minor, currency) == text
    assert from_wire(to_wire(minor, currency)) == (minor, currency)
