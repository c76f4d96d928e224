"""Where money begins and ends: the one cent, share or word at which more is paid, held or told."""

import pytest
from builders import (
    Story,
    a_contract,
    a_milestone,
    an_amendment,
    disputed,
    invoice,
    met,
    paid,
    received,
    registered,
    said,
)
from noticing import story_of

# What finance hears


def test_finance_hears_of_a_total_that_is_stated_later_and_of_a_part_of_one_cent():
    told = story_of(a_milestone("M1", "0.01", requires=["met", "invoiced"])).tell(met(), invoice("0.01"))
    assert [command["action"] for command in told.commands][:2] == ["hold", "release"]
    assert told.tell(invoice("0.01", total="0.02")).commands[-1]["targets"][0]["total"]["amount"] == "0.02"
    told = story_of(a_milestone("M1", "1.00", requires=["received", "invoiced"])).tell(invoice("1.00"), received("1"))
    target = told.commands[-1]["targets"][0]
    assert (target["payable_to_date"]["amount"], target["state"]) == ("0.01", "part")


def test_finance_hears_nothing_where_the_register_calls_the_same_supplier_by_another_of_its_names():
    milestone = a_milestone(requires=["met", "invoiced"])
    told = story_of(milestone, supplier={"id": "SUP-1", "identifiers": ["VAT-1"]}).tell(met(), invoice("100.00"))
    known = len(told.commands)
    anew = a_contract(milestone, supplier={"id": "VAT-1", "identifiers": ["SUP-1"]}, version=2)
    told.tell(registered(anew | {"amendment": an_amendment()}))
    assert (told.state().in_force, len(told.commands)) == (2, known)


# Receipts and money


def test_a_receipt_of_nothing_at_all_is_a_share_of_nothing():
    told = story_of(a_milestone(requires=["received"])).tell(received("0"))
    assert (told.reasons(), told.released()) == (["NOT_RECEIVED"], 0)


def test_a_dispute_of_nothing_holds_nothing_and_is_not_listed():
    told = story_of(a_milestone(requires=["met"])).tell(disputed("0.00"), met())
    assert (told.reasons(), told.released()) == ([], 10_000)


def test_two_payments_of_an_invoice_come_to_its_net_in_proportion():
    told = story_of(a_milestone(requires=["met", "invoiced"]))
    told.tell(invoice("100.00", gross="119.00"), met(), paid("119.00", invoice="I-1"))
    assert told.position().exceptions == ()
    told.tell(paid("1.19", "P-2", invoice="I-1"))
    assert [str(code) for code in told.position().exceptions] == ["PAID_WHILE_HELD"]


def test_two_invoices_are_filled_one_after_the_other_and_not_both_from_the_same_money():
    told = story_of(a_milestone(requires=["met", "invoiced"]))
    told.tell(met(), invoice("60.00", "I-1"), invoice("60.00", "I-2", issued_on="2026-03-02"))
    told.tell(said("office", "reason.waived", code="NOT_MET", by="w", approved_by="a", ticket="T"))
    assert "INVOICE_EXCEEDS_VALUE" in told.reasons()
    told.tell(invoice("40.00", "I-2", issued_on="2026-03-02", version=1))
    assert [(t["invoice"], t["payable_to_date"]["amount"]) for t in told.commands[-1]["targets"]] == [
        ("I-1", "60.00"), ("I-2", "40.00"),
    ]  # fmt: skip


def test_a_part_of_the_value_goes_to_the_oldest_invoice_alone():
    told = story_of(a_milestone(requires=["received", "invoiced"]))
    told.tell(invoice("60.00", "I-1"), invoice("40.00", "I-2", issued_on="2026-03-02"), received("70"))
    assert [t["payable_to_date"]["amount"] for t in told.commands[-1]["targets"]] == ["60.00", "10.00"]


@pytest.mark.parametrize("odd", [{"supplier": "SUP-9"}, {"currency": "USD"}])
def test_nothing_is_payable_of_another_suppliers_or_a_foreign_invoice(odd):
    told = story_of(a_milestone(requires=["met", "invoiced"])).tell(met(), invoice("50.00", "I-1"))
    assert told.released() == 5_000
    told.tell(invoice("50.00", "I-0", issued_on="2026-02-01", **odd))
    payable = {t["invoice"]: t["payable_to_date"]["amount"] for t in told.commands[-1]["targets"]}
    assert payable == {"I-0": "0.00", "I-1": "50.00"}


def test_one_cent_is_enough_to_be_told_that_it_was_paid_and_not_released():
    told = story_of(a_milestone("M1", "0.01", requires=["met"]), a_milestone("M2", requires=["met"]))
    told.tell(met("M1"), paid("0.02", "P-1", "M1"), paid("0.01", "P-2", "M2"))
    assert [told.position(name).exceptions for name in ("M1", "M2")] == [
        ("PAID_WHILE_HELD",), ("PAID_WITHOUT_RELEASE",),
    ]  # fmt: skip
    told = story_of(a_milestone(requires=["met"])).tell(paid("0.01", currency="USD"))
    assert told.position().exceptions == ("PAID_WITHOUT_RELEASE",)


def test_a_payment_is_worth_the_net_share_that_the_highest_authority_states_though_another_spoke_last():
    told = story_of(a_milestone(requires=["met"])).tell(met())
    told.tell(invoice("100.00", gross="200.00", source="ap"), invoice("100.00", gross="100.00", source="erp"))
    assert told.tell(paid("200.00", invoice="I-1")).position().exceptions == ()


def test_a_payment_of_an_invoice_that_is_all_tax_is_no_net():
    told = story_of(a_milestone(requires=["met"])).tell(invoice("0.00", gross="0.01"), paid("0.01", invoice="I-1"))
    assert told.position().exceptions == ()


def test_an_invoice_that_comes_to_nothing_has_no_net_share_and_a_payment_of_it_is_all_net():
    told = story_of(a_milestone(requires=["met"])).tell(invoice("0.00", gross="0.00"), paid("1.00", invoice="I-1"))
    assert (told.defects, told.position().exceptions) == ([], ("PAID_WITHOUT_RELEASE",))


def test_retention_of_a_later_bracket_takes_nothing_off_what_lies_before_it():
    steps = [{"until_percent": "50", "rate_percent": "10"}, {"rate_percent": "5"}]
    story = story_of(
        a_milestone("M1", "30.00", requires=["met"]), a_milestone("M2", "70.00", requires=["met"]),
        retention={"steps": steps},
    ).tell(met("M1"), met("M2"))  # fmt: skip
    assert (story.released("M1"), story.released("M2")) == (27_00, 65_50)


def test_an_advance_above_what_there_is_to_pay_so_far_comes_back_as_far_as_there_is():
    terms = {"advance": {"amount": "150.00", "recoup_percent": "40"}}
    story = Story().tell(registered(a_contract(a_milestone(requires=["met"]), **terms)), met())
    assert (story.released(), story.reasons()) == (6_000, ["ADVANCE_RECOUPED"])


def test_what_is_taken_off_adds_up_to_no_more_than_is_held_where_something_was_carried():
    opening = {"released": "90.00", "as_of": "2026-01-31", "reference": "R", "approved_by": "anna"}
    told = story_of(a_milestone(requires=["met"], opening=opening), retention={"steps": [{"rate_percent": "10"}]})
    told.tell(met(), disputed("8.00"))
    assert [(r.code, r.amount) for r in told.position().reasons] == [("DISPUTED", 8_00), ("RETENTION", 2_00)]


def test_a_source_that_states_an_invoice_otherwise_under_another_of_the_suppliers_names_contradicts_itself():
    both = {"supplier": {"id": "SUP-1", "identifiers": ["VAT-1"]}}
    told = story_of(a_milestone(requires=["invoiced"]), **both).tell(invoice("100.00"))
    assert told.tell(invoice("100.00", supplier="VAT-1")).reasons() == []
    told.tell(invoice("90.00", "I-2"), invoice("95.00", "I-2", supplier="VAT-1"))
    (reason,) = [r for r in told.position().reasons if r.code == "SOURCE_CONTRADICTS_ITSELF"]
    assert reason.detail == "portal contradicts itself about invoice I-2"
    told.tell(invoice("95.00", "I-2", supplier="VAT-1", version=0))
    assert "SOURCE_CONTRADICTS_ITSELF" not in told.reasons()


def test_a_sum_of_invoices_above_the_value_is_told_rounded_up():
    rates = [{"from": "USD", "rate": "1.00001", "valid_from": "2026-01-01"}]
    told = story_of(a_milestone(requires=["invoiced"]), rates=rates).tell(invoice("150.00", currency="USD"))
    (reason,) = [r for r in told.position().reasons if r.code == "INVOICE_EXCEEDS_VALUE"]
    assert reason.detail == "150.01 invoiced, 100.00 is the value"


@pytest.mark.parametrize(("said_by_portal", "differs"), [
    ({"business_unit": "north"}, True), ({}, True), ({"business_unit": "south"}, False), ({"supplier": "SUP-9"}, False),
])  # fmt: skip
def test_who_has_no_say_about_invoices_is_shown_where_it_may_be_the_same_invoice(said_by_portal, differs):
    told = story_of(a_milestone(requires=["invoiced"]), authority={"invoice": ["erp"]})
    told.tell(invoice("100.00", source="erp", business_unit="north"), invoice("90.00", **said_by_portal))
    assert [c.field for c in told.position().conflicts] == (["invoice"] if differs else [])


def test_an_invoice_without_a_business_unit_is_the_one_of_the_only_unit():
    told = story_of(a_milestone(requires=["met", "invoiced"])).tell(met(), invoice("60.00", business_unit="north"))
    assert told.tell(invoice("70.00", source="erp")).released() == 70_00
    assert len(told.commands[-1]["targets"]) == 1


def test_an_invoice_that_could_be_either_of_two_units_is_told_to_wait():
    told = story_of(a_milestone(requires=["invoiced"]))
    told.tell(invoice("60.00", business_unit="north"), invoice("40.00", business_unit="south"))
    told.tell(invoice("10.00", source="erp"))
    assert [(address.contract, address.milestone) for address in told.reports[-1].ambiguous] == [("C-1", "M1")]


def test_one_invoice_under_names_that_are_one_supplier_only_through_each_other_is_one():
    told = story_of(a_milestone(requires=["invoiced"])).tell(
        invoice("10.00", supplier="S1", supplier_identifiers=["S2"]),
        invoice("10.00", source="erp", supplier="S2", supplier_identifiers=["S3"]),
        invoice("10.00", source="ap", supplier="S3"),
    )
    assert len(told.commands[-1]["targets"]) == 1


def test_what_was_carried_is_earned_up_to_the_value_and_more_is_over_released():
    opening = {"released": "40.00", "as_of": "2026-01-31", "reference": "R", "approved_by": "anna"}
    told = story_of(a_milestone(requires=["met"], opening=opening))
    lowered = a_contract(a_milestone(value="30.00", requires=["met"]), version=2, amendment=an_amendment())
    told.tell(registered(lowered), met())
    position = told.position()
    assert (position.released, position.held) == (40_00, 0)
    assert told.reasons() == ["OVER_RELEASED"]


def test_an_invoice_that_replaces_one_counts_though_it_names_what_it_credits():
    told = story_of(a_milestone(requires=["invoiced"]))
    told.tell(invoice("90.00", "I-1", state="cancelled"), invoice("100.00", "I-2", credits=["I-1"]))
    assert told.reasons() == []
    assert told.position().released == 100_00
