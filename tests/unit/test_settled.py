"""What an invoice was paid under a milestone that was replaced is counted once, whoever has its parts now (C3, E3)."""

import pytest
from builders import Story, a_contract, a_milestone, an_amendment, invoice, received, registered

PROOFS = {"requires": ["received", "invoiced"]}
OPENED = {"opening": {"released": "40.00", "as_of": "2026-03-31", "reference": "B-7", "approved_by": "anna"}}


def amended(number, *milestones):
    return registered(a_contract(*milestones, version=number, amendment=an_amendment(id=f"A-{number}")))


def split(number=2, old="M1"):
    return amended(
        number,
        a_milestone("M1a", "60.00", replaces=[old], **PROOFS),
        a_milestone("M1b", "40.00", replaces=[old], **PROOFS),
    )


def part(net, milestone, number="I-1"):
    return invoice(net, number, milestone, total="100.00")


def paid_in_part(**terms):
    """40.00 of an invoice over 100.00 are paid under M1."""
    plan = registered(a_contract(a_milestone("M1", **PROOFS, **terms)))
    return Story().tell(plan, received("40"), part("100.00", "M1"))


def test_the_rest_of_an_invoice_is_payable_at_each_successor():
    story = paid_in_part().tell(split(), received("100", milestone="M1a"), received("100", milestone="M1b"))
    story.tell(part("40.00", "M1b"))
    assert story.released("M1b") == 0  # as far as anybody knows, this is what was paid
    story.tell(part("60.00", "M1a"))
    assert (story.released("M1a"), story.released("M1b")) == (6_000, 4_000)
    payable = {c["milestone"]: c["targets"][0]["payable_to_date"]["amount"] for c in story.commands if c["targets"]}
    assert payable == {"M1": "40.00", "M1a": "20.00", "M1b": "40.00"}
    carried = {c["milestone"]: c["carried"]["amount"] for c in story.commands if "carried" in c}
    assert carried == {"M1a": "40.00"}  # to M1b nothing has come


def test_what_was_paid_is_not_payable_again_where_another_successor_has_the_invoice():
    story = paid_in_part().tell(split(), received("100", milestone="M1b"), part("40.00", "M1b"))
    assert (story.released("M1a"), story.released("M1b"), story.reasons("M1b")) == (4_000, 0, ["NOT_INVOICED"])


def test_one_cent_that_was_not_paid_elsewhere_is_payable_where_nothing_was_carried_to():
    story = paid_in_part().tell(split(), received("100", milestone="M1b"), part("39.99", "M1b"))
    assert story.reasons("M1b") == ["NOT_INVOICED"]
    assert story.tell(invoice("0.01", "I-2", "M1b")).released("M1b") == 1


def test_split_and_merged_again_it_was_paid_once():
    story = paid_in_part().tell(split(), amended(3, a_milestone("M2", replaces=["M1a", "M1b"], **PROOFS)))
    story.tell(received("100", milestone="M2"), part("100.00", "M2"))
    assert (story.position("M2").carried, story.released("M2")) == (4_000, 10_000)
    assert story.commands[-1]["targets"][0]["payable_to_date"]["amount"] == "60.00"


def test_what_was_paid_before_milepost_is_counted_once_too_though_it_has_become_two_milestones():
    plan = registered(a_contract(a_milestone("M1", **PROOFS, **OPENED)))
    story = Story().tell(plan, split(), received("100", milestone="M1a"), received("100", milestone="M1b"))
    story.tell(part("40.00", "M1b", "I-9"))
    assert story.released("M1b") == 0
    story.tell(part("60.00", "M1a", "I-8"))  # another old invoice, of the first successor, was paid by it
    assert (story.released("M1a"), story.released("M1b")) == (6_000, 4_000)


def test_one_cent_that_was_paid_of_an_invoice_is_not_payable_again_at_another_heir():
    story = Story().tell(registered(a_contract(a_milestone("M1", "1.00", **PROOFS))), received("1"))
    story.tell(invoice("1.00", "I-1", "M1"))
    heirs = [a_milestone(name, "0.50", replaces=["M1"], **PROOFS) for name in ("M1a", "M1b")]
    story.tell(amended(2, *heirs), received("100", milestone="M1b"), invoice("0.50", "I-1", "M1b", total="1.00"))
    assert story.commands[-1]["targets"][0]["payable_to_date"]["amount"] == "0.49"


def test_two_payments_of_one_invoice_under_two_milestones_are_two():
    first, second = (a_milestone(name, "100.00", **PROOFS) for name in ("M1", "M2"))
    story = Story().tell(registered(a_contract(first, second)), received("40"), received("20", milestone="M2"))
    story.tell(part("50.00", "M1"), part("50.00", "M2"))
    heirs = [a_milestone(f"{old}x", "100.00", replaces=[old], **PROOFS) for old in ("M1", "M2")]
    story.tell(amended(2, *heirs), received("100", milestone="M1x"), received("100", milestone="M2x"))
    story.tell(part("50.00", "M1x"), part("50.00", "M2x"))
    assert (story.released("M1x"), story.released("M2x")) == (5_000, 5_000)


def test_where_nothing_was_accepted_or_invoiced_since_the_blocking_reason_says_it_alone():
    story = paid_in_part().tell(split())
    reasons = [(str(r.code), r.amount) for r in story.position("M1a").reasons]
    assert reasons == [("NOT_RECEIVED", 2_000), ("NOT_INVOICED", 2_000)]
    story.tell(received("90", milestone="M1a"))
    assert story.reasons("M1a") == ["NOT_INVOICED", "PARTLY_ACCEPTED"]


def test_that_an_invoice_was_paid_under_another_milestone_is_what_the_reason_says():
    story = paid_in_part().tell(split(), received("100", milestone="M1b"), part("40.00", "M1b"))
    (reason,) = story.position("M1b").reasons
    assert reason.detail == "what is invoiced here was paid by what was carried elsewhere"


def test_what_two_paid_of_one_invoice_is_left_for_others_only_as_far_as_the_heir_cannot_take_it_up():
    plan = a_contract(*[a_milestone(name, **PROOFS) for name in ("M0", "M1", "M2")])
    story = Story().tell(registered(plan), received("1", milestone="M0"), part("1.00", "M0", "I-9"))
    story.tell(received("30"), received("30", milestone="M2"), part("35.00", "M1"), part("35.00", "M2"))
    heirs = a_milestone("M3", replaces=["M1", "M2"], **PROOFS), a_milestone("M4", replaces=["M0"], **PROOFS)
    story.tell(amended(2, *heirs), received("100", milestone="M3"), received("100", milestone="M4"))
    story.tell(part("50.00", "M3"), part("20.00", "M4"))
    payable = {c["milestone"]: c["targets"][0]["payable_to_date"]["amount"] for c in story.commands if c["targets"]}
    assert payable["M4"] == "10.00"  # 60.00 of its 70.00 were paid: 50.00 of what is M3's, and 10.00 of what is M4's


@pytest.mark.parametrize(("issued_on", "payable"), [("2026-03-31", "0.00"), ("2026-04-01", "40.00")])
def test_what_was_paid_before_milepost_settles_invoices_that_were_issued_until_its_last_day(issued_on, payable):
    story = Story().tell(registered(a_contract(a_milestone("M1", **PROOFS, **OPENED))), received("80"))
    story.tell(invoice("40.00", "I-8", issued_on=issued_on))
    assert story.commands[-1]["targets"][0]["payable_to_date"]["amount"] == payable
