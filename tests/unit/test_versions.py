"""Versions of the plan: what comes into force when, and what is carried over."""

from datetime import UTC, datetime
from itertools import permutations

import pytest
from builders import (
    Story,
    a_contract,
    a_milestone,
    an_amendment,
    disputed,
    held_by,
    invoice,
    lifted_by,
    met,
    received,
    registered,
    resolved,
    said,
)


def version(number, *milestones, **terms):
    more = {} if number == 1 else {"amendment": an_amendment(id=f"A-{number}", **terms.pop("amendment", {}))}
    return registered(a_contract(*milestones, version=number, **more, **terms))


M1 = a_milestone("M1", "100.00", requires=["met"])


def value(story, milestone="M1"):
    return story.position(milestone).value


def test_a_later_version_without_an_amendment_is_stored_and_not_in_force():
    story = Story().tell(version(1, M1), registered(a_contract(a_milestone("M1", "120.00"), version=2)))
    assert value(story) == 10_000
    assert sorted(story.state().plans) == [1, 2]


def test_the_state_of_an_amendment_may_change_under_one_version():
    story = Story().tell(version(1, M1), version(2, a_milestone("M1", "120.00"), amendment={"state": "proposed"}))
    assert value(story) == 10_000
    story.tell(version(2, a_milestone("M1", "120.00")))
    assert value(story) == 12_000
    assert "SOURCE_CONTRADICTS_ITSELF" not in story.reasons()


def test_the_highest_version_in_force_counts_in_whatever_order_they_came():
    story = Story().tell(
        version(3, a_milestone("M1", "130.00")), version(2, a_milestone("M1", "120.00")), version(1, M1)
    )
    assert value(story) == 13_000


def test_an_older_word_on_a_version_does_not_displace_the_newer_one():
    newer, older = (
        version(2, a_milestone("M1", "120.00")),
        version(2, a_milestone("M1", "120.00"), amendment={"state": "proposed"}),
    )
    story = Story().tell(version(1, M1))
    first, second = story.record(older), story.record(newer)
    story.carry([second])
    story.carry([first])
    assert value(story) == 12_000


def test_a_version_comes_into_force_by_itself_at_midnight_of_its_day_in_the_contracts_zone():
    story = Story().tell(version(1, M1, timezone="Pacific/Auckland"))
    later = {"effective_from": "2026-03-05"}
    story.tell(version(2, a_milestone("M1", "120.00"), timezone="Pacific/Auckland", amendment=later))
    story.clock(datetime(2026, 3, 4, 10, 59, tzinfo=UTC))
    assert value(story) == 10_000
    story.clock(datetime(2026, 3, 4, 11, tzinfo=UTC))
    assert value(story) == 12_000


OPENED = {"opening": {"released": "40.00", "as_of": "2026-02-28", "reference": "B-7", "approved_by": "anna"}}


def test_the_same_opening_in_a_later_version_is_ignored_and_another_one_refused():
    story = Story().tell(version(1, a_milestone(**OPENED)), version(2, a_milestone("M1", "120.00", **OPENED)))
    assert (story.released(), value(story)) == (4_000, 12_000)
    other = {"opening": OPENED["opening"] | {"released": "50.00"}}
    story.tell(version(3, a_milestone("M1", "130.00", **other)))
    assert "an opening belongs to version 1" in story.quarantined[0]
    story.tell(version(3, a_milestone("M1", "130.00"), a_milestone("M2", **OPENED)))
    assert "an opening belongs to version 1" in story.quarantined[1]


def test_an_opening_that_is_known_late_is_part_of_what_was_released_meanwhile():
    story = Story().tell(version(2, a_milestone("M1", "120.00", requires=["invoiced"])), invoice("120.00"))
    assert story.released() == 12_000
    story.tell(version(1, a_milestone(requires=["invoiced"], **OPENED)))
    position = story.position()
    assert (position.released, position.carried, position.exceptions) == (12_000, 4_000, ())
    (target,) = story.commands[-1]["targets"]
    assert target["payable_to_date"]["amount"] == "80.00"


def test_an_opening_that_is_known_late_is_part_of_what_the_successors_released_meanwhile():
    heirs = [a_milestone(name, "60.00", requires=["met"], replaces=["M1"]) for name in ("M2", "M3")]
    story = Story().tell(version(2, *heirs), met("M2")).tell(version(1, a_milestone(requires=["met"], **OPENED)))
    assert [(story.released(m), story.position(m).carried) for m in ("M2", "M3")] == [(6_000, 4_000), (0, None)]


def test_an_opening_that_is_known_late_leaves_carried_what_was_carried_before():
    merged = a_milestone("M1", "160.00", requires=["invoiced"], replaces=["M0"], refs={"erp": ["line:0"]})
    story = Story().tell(
        version(2, a_milestone("M0", "60.00", requires=["invoiced"], refs={"erp": ["line:0"]}), a_milestone("M1"))
    )
    story.tell(invoice("60.00", source="erp", key="line:0"), version(3, merged), version(1, a_milestone(**OPENED)))
    assert (story.released(), story.position().carried) == (10_000, 10_000)
    (target,) = story.commands[-1]["targets"]
    assert target["payable_to_date"]["amount"] == "0.00"


def test_what_was_carried_settles_the_old_invoices_first():
    plan = a_contract(a_milestone(requires=["met", "invoiced"], **OPENED))
    story = Story().tell(registered(plan), met())
    story.tell(invoice("30.00", "I-1", issued_on="2026-01-10"), invoice("30.00", "I-2", issued_on="2026-02-10"))
    assert story.released() == 6_000
    payable = {t["invoice"]: t["payable_to_date"]["amount"] for t in story.commands[-1]["targets"]}
    assert payable == {"I-1": "0.00", "I-2": "20.00"}


def test_what_was_carried_is_not_payable_again_though_no_old_invoice_is_known():
    story = Story().tell(registered(a_contract(a_milestone(requires=["invoiced"], **OPENED))), invoice("100.00"))
    assert story.released() == 10_000
    (target,) = story.commands[-1]["targets"]
    assert (target["payable_to_date"]["amount"], target["state"]) == ("60.00", "part")


def test_an_old_invoice_in_another_currency_is_settled_at_its_worth():
    rates = [{"from": "USD", "rate": "0.5", "valid_from": "2026-01-01"}]
    story = Story().tell(registered(a_contract(a_milestone(requires=["invoiced"], **OPENED), rates=rates)))
    story.tell(invoice("60.00", "I-1", issued_on="2026-01-10", currency="USD"), invoice("20.00", "I-2"))
    # 60 dollars are worth 30 euros; the opening of 40 covers all of them, and 20 more are invoiced.
    assert story.released() == 6_000


def test_two_milestones_merged_into_one_carry_both():
    plan = version(1, a_milestone("M1", "60.00", requires=["met"]), a_milestone("M2", "60.00", requires=["received"]))
    story = Story().tell(plan, met(), received("1", "2", "M2"))
    story.tell(version(2, a_milestone("M3", "120.00", requires=["met"], replaces=["M1", "M2"])))
    assert (story.released("M3"), story.position("M3").carried) == (9_000, 9_000)
    story.tell(met("M3"))
    assert story.released("M3") == 12_000


def test_more_than_the_successors_are_worth_stays_with_the_last_and_is_an_exception():
    story = Story().tell(version(1, M1), met())
    story.tell(version(2, a_milestone("M2", "30.00", requires=["met"], replaces=["M1"]),
                       a_milestone("M3", "20.00", requires=["met"], replaces=["M1"])))  # fmt: skip
    assert (story.released("M2"), story.released("M3")) == (3_000, 7_000)
    assert [str(x) for x in story.position("M3").exceptions] == ["OVER_RELEASED"]
    assert story.commands[-1]["carried"]["amount"] == "70.00"  # none of it is payable again


def test_what_has_been_replaced_is_not_carried_twice():
    story = Story().tell(version(1, M1), met())
    successor = a_milestone("M2", "100.00", requires=["met"], replaces=["M1"])
    story.tell(version(2, successor))
    story.tell(version(3, a_milestone("M2", "100.00", requires=["met"])))
    assert story.released("M2") == 10_000
    assert story.state().milestones["M1"].released == 0


def test_the_invoice_paid_under_the_old_milestone_is_not_payable_under_the_new_one():
    plan = version(1, a_milestone("M1", "100.00", requires=["invoiced"], refs={"portal": ["line:1"]}))
    story = Story().tell(plan, invoice("40.00", "I-1", key="line:1"))
    assert story.released() == 4_000
    story.tell(
        version(2, a_milestone("M2", "100.00", requires=["invoiced"], replaces=["M1"], refs={"portal": ["line:1"]}))
    )
    assert (story.released("M2"), story.position("M2").carried) == (4_000, 4_000)
    assert story.commands[-1]["targets"][0]["payable_to_date"]["amount"] == "0.00"
    story.tell(invoice("60.00", "I-2", key="line:1"))
    assert story.released("M2") == 10_000


def renamed(number, name, old, value="100.00", **amendment):
    plan = a_milestone(name, value, requires=["invoiced"], replaces=old, refs={"portal": ["line:1"]})
    return version(number, plan, amendment=amendment)


def test_an_invoice_paid_two_names_ago_is_not_payable_again():
    story = Story().tell(version(1, a_milestone("M1", requires=["invoiced"], refs={"portal": ["line:1"]})))
    story.tell(invoice("40.00", "I-1", key="line:1"), renamed(2, "M2", ["M1"]), renamed(3, "M3", ["M2"]))
    assert (story.released("M3"), story.position("M3").carried) == (4_000, 4_000)
    story.tell(invoice("60.00", "I-2", key="line:1"))
    assert story.released("M3") == 10_000
    assert [t["payable_to_date"]["amount"] for t in story.commands[-1]["targets"]] == ["0.00", "60.00"]


def test_an_invoice_from_before_milepost_is_not_payable_under_another_name():
    plan = a_milestone(requires=["invoiced"], refs={"portal": ["line:1"]}, **OPENED)
    story = Story().tell(version(1, plan), invoice("40.00", "I-1", key="line:1", issued_on="2026-01-10"))
    story.tell(renamed(2, "M2", ["M1"]), renamed(3, "M3", ["M2"]))
    assert (story.released("M3"), story.position("M3").carried) == (4_000, 4_000)


def test_a_version_that_was_never_in_force_passes_on_what_it_would_have_taken_over():
    story = Story().tell(version(1, M1), met(), renamed(2, "M2", ["M1"], state="proposed"), renamed(3, "M3", ["M2"]))
    assert (story.released("M3"), story.position("M3").carried) == (10_000, 10_000)


def test_an_amendment_that_is_taken_back_gives_back_what_it_had_taken_over():
    story = Story().tell(version(1, M1), met(), renamed(2, "M2", ["M1"]))
    assert story.released("M2") == 10_000
    story.tell(renamed(2, "M2", ["M1"], state="rejected"))
    assert (story.released("M1"), story.position("M1").carried) == (10_000, 10_000)
    assert "M2" not in story.standings()


def test_of_an_invoice_that_a_split_parts_no_more_is_settled_at_a_successor_than_its_part():
    keys = {"portal": ["line:1", "line:2"]}
    story = Story().tell(version(1, a_milestone("M1", requires=["invoiced"], refs=keys)))
    story.tell(invoice("30.00", key="line:1", total="40.00"), invoice("10.00", key="line:2", total="40.00"))
    heirs = [
        a_milestone(name, value, requires=["invoiced"], replaces=["M1"], refs={"portal": [key]})
        for name, value, key in (("M1a", "60.00", "line:1"), ("M1b", "40.00", "line:2"))
    ]
    story.tell(version(2, *heirs))
    story.tell(*(invoice("30.00", "I-2", key=key, total="60.00") for key in ("line:1", "line:2")))
    assert (story.position("M1a").carried, story.released("M1a"), story.released("M1b")) == (4_000, 6_000, 3_000)


KNOWN_AS = {"supplier": {"id": "SUP-1", "identifiers": ["DE1"]}}


def test_another_identifier_of_the_supplier_says_nothing_new_to_finance():
    plan = a_milestone("M1", requires=["met", "invoiced"])
    story = Story().tell(
        version(1, plan), invoice("40.00"), invoice("60.00", "I-2", supplier="X", issued_on="2026-02-01")
    )
    told = story.commands
    story.tell(version(2, plan, **KNOWN_AS))
    story.tell(
        invoice("60.00", "I-2", supplier="X", issued_on="2026-02-01", source="pm", supplier_identifiers=["A", "X"])
    )
    assert story.commands == told


def test_what_was_paid_under_the_old_milestone_is_known_though_the_supplier_has_another_identifier_now():
    refs = {"refs": {"portal": ["line:1"]}}
    story = Story().tell(version(1, a_milestone("M1", requires=["invoiced"], **refs)), invoice("40.00", key="line:1"))
    story.tell(version(2, a_milestone("M2", requires=["invoiced"], replaces=["M1"], **refs), **KNOWN_AS))
    story.tell(invoice("10.00", "I-2", key="line:1"))
    assert (story.position("M2").carried, story.released("M2")) == (4_000, 5_000)


def test_a_contract_keeps_its_currency():
    story = Story().tell(version(1, M1), version(2, M1, currency="USD"))
    assert "currency: version 1 is in EUR" in story.quarantined[0]


def test_a_replaced_milestone_comes_back_only_when_its_successors_leave():
    story = Story().tell(version(1, M1), met(), renamed(2, "M2", ["M1"]))
    story.tell(version(3, M1, a_milestone("M2", requires=["invoiced"])))
    assert "'M1' was replaced by M2" in story.quarantined[0]
    story.tell(version(3, a_milestone("M1", requires=["met"], replaces=["M2"])))
    assert (story.released("M1"), story.position("M1").carried) == (10_000, 10_000)


def test_what_was_payable_is_not_replaced_by_what_is_not():
    story = Story().tell(version(1, M1), version(2, a_milestone("M2", None, replaces=["M1"])))
    assert "nothing is payable in what replaces 'M1'" in story.quarantined[0]


def test_every_fault_against_the_version_before_is_told_at_once():
    story = Story().tell(version(1, M1))
    story.tell(version(2, a_milestone("M2", replaces=["M8", "M9"], **OPENED), currency="USD"))
    assert all(said in story.quarantined[0] for said in ("currency:", "'M8'", "'M9'", "belongs to version 1"))


def test_what_came_over_beyond_the_value_is_not_payable_again_even_when_the_value_rises():
    story = Story().tell(version(1, a_milestone("M1", requires=["invoiced"], refs={"portal": ["line:1"]})))
    story.tell(invoice("100.00", "I-1", key="line:1"), renamed(2, "M2", ["M1"], "20.00"))
    assert (story.released("M2"), story.position("M2").carried, story.reasons("M2")) == (
        10_000,
        10_000,
        ["INVOICE_EXCEEDS_VALUE", "OVER_RELEASED"],
    )
    assert story.commands[-1]["targets"][0]["payable_to_date"]["amount"] == "0.00"
    story.tell(renamed(3, "M2", [], "130.00"))
    assert story.released("M2") == 10_000
    story.tell(invoice("30.00", "I-2", key="line:1"))
    assert story.released("M2") == 13_000
    assert [t["payable_to_date"]["amount"] for t in story.commands[-1]["targets"]] == ["0.00", "30.00"]


def test_what_was_paid_before_milepost_is_known_to_every_part_of_a_split():
    refs = {"portal": ["line:1", "line:2"]}
    story = Story().tell(version(1, a_milestone(requires=["invoiced"], refs=refs, **OPENED)))
    story.tell(invoice("40.00", "I-1", key="line:2", issued_on="2026-01-10"))
    parts = [
        a_milestone(f"M1{n}", value, requires=["invoiced"], replaces=["M1"], refs={"portal": [f"line:{n}"]})
        for n, value in ((1, "10.00"), (2, "90.00"))
    ]
    story.tell(version(2, *parts))
    # A part goes to the first in plan order; the invoice that was paid is the second one's, and is not paid again.
    assert (story.released("M11"), story.released("M12")) == (1_000, 3_000)
    story.tell(invoice("50.00", "I-2", key="line:2", issued_on="2026-03-01"))
    assert (story.released("M11"), story.released("M12")) == (1_000, 8_000)


def test_a_part_that_carries_nothing_and_whose_only_invoice_was_paid_before_waits_for_another():
    refs = {"portal": ["line:1", "line:2"]}
    story = Story().tell(version(1, a_milestone(requires=["invoiced"], refs=refs, **OPENED)))
    story.tell(invoice("40.00", "I-1", key="line:2", issued_on="2026-01-10"))
    parts = [
        a_milestone(f"M1{n}", value, requires=["invoiced"], replaces=["M1"], refs={"portal": [f"line:{n}"]})
        for n, value in ((1, "40.00"), (2, "60.00"))
    ]
    story.tell(version(2, *parts))
    assert (story.position("M12").held, story.reasons("M12")) == (6_000, ["NOT_INVOICED"])
    story.tell(invoice("20.00", "I-2", key="line:2", issued_on="2026-03-01"))
    assert (story.released("M12"), story.reasons("M12")) == (2_000, ["PARTLY_INVOICED"])


def test_a_milestone_that_came_with_a_version_never_in_force_takes_over_all_the_same():
    story = Story().tell(version(1, M1), met(), renamed(2, "M2", ["M1"], state="proposed"), renamed(3, "M2", []))
    assert (story.released("M2"), story.position("M2").carried) == (10_000, 10_000)


OPENING = {"released": "40.00", "as_of": "2026-02-15", "reference": "ledger", "approved_by": "anna"}


@pytest.mark.parametrize("order", [o for o in permutations(range(3)) if o != (0, 2, 1)])  # 3 replaces what 1 has not
def test_what_version_1_opens_is_carried_in_whatever_order_the_versions_come(order):
    """An earlier version may come late: sent again from quarantine, or published again."""
    chain = [
        version(1, a_milestone("M1", "100.00", requires=["met"], opening=OPENING)),
        version(2, a_milestone("M2", "30.00", replaces=["M1"]), a_milestone("M3", "70.00", replaces=["M1"])),
        version(3, a_milestone("M4", "30.00", replaces=["M2"]), a_milestone("M3", "90.00")),
    ]
    story = Story().tell(*(chain[n] for n in order))
    carried = {name: standing.position.carried for name, standing in story.standings().items()}
    assert carried == {"M4": 3_000, "M3": 1_000}


def test_no_amendment_lifts_a_persons_hold_by_replacing_the_milestone():
    story = Story().tell(version(1, M1), held_by("olga", "H-1"), held_by("olga", "H-2"))
    parts = [a_milestone(name, "50.00", requires=["met"], replaces=["M1"]) for name in ("M2", "M3")]
    story.tell(version(2, *parts), met("M2"), met("M3"))
    assert (story.reasons("M2"), story.reasons("M3")) == (["MANUAL_HOLD"], ["MANUAL_HOLD"])
    story.tell(lifted_by("otto", "H-1"), said("legal", "hold.lifted", hold="H-2", by="lena"))  # of M1, which is no more
    assert (story.released("M2"), story.released("M3")) == (5_000, 5_000)


def test_no_amendment_resolves_a_dispute_by_replacing_the_milestone():
    story = Story().tell(version(1, M1), disputed("20.00"), renamed(2, "M2", ["M1"], "100.00"))
    story.tell(renamed(3, "M3", ["M2"], "100.00"), met("M3"), invoice("100.00", milestone="M3"))
    assert (story.reasons("M3"), story.released("M3")) == (["DISPUTED"], 8_000)
    story.tell(resolved("M3"))
    assert story.released("M3") == 10_000
