"""Facts that make no sense: they hold and explain, never crash a contract, and never stop what comes after them."""

import pytest
from builders import Event, Story, a_contract, a_milestone, an_amendment, met, registered, said, signed
from hypothesis import given
from hypothesis import strategies as st
from laws.profiles import tried
from msgspec.structs import replace

ALL = ["met", "received", "signed_off", "invoiced", "evidence:fat"]
HUGE = "9" * 15


def money(amount, currency="EUR"):
    return {"amount": amount, "currency": currency}


def a_receipt(**more):
    data = {"ordered": "10", "received": "10", "accepted": "10", "rejected": "0", "unit": "u",
            "received_on": "2026-03-01"}  # fmt: skip
    return said("erp", "goods.received", **data | more)


def an_invoice(**more):
    data = {"number": "I-1", "supplier": "SUP-1", "net": money("100.00"), "issued_on": "2026-03-01", "state": "open"}
    return said("portal", "invoice.received", **data | more)


# The fact, and a reason that holds because of it ("" where it only must not release or crash anything).
TABLE = [
    (a_receipt(accepted="-1"), "SOURCE_UNREADABLE"),
    (a_receipt(received="1e3"), "SOURCE_UNREADABLE"),
    (a_receipt(accepted="nan"), "SOURCE_UNREADABLE"),
    (a_receipt(ordered="0"), "NOT_RECEIVED"),
    (a_receipt(accepted=10), "SOURCE_UNREADABLE"),
    (a_receipt(received_on="2026-02-31"), "SOURCE_UNREADABLE"),
    (a_receipt(received_on="2027-03-01"), "SOURCE_UNREADABLE"),
    (an_invoice(net=money("100.000")), "SOURCE_UNREADABLE"),
    (an_invoice(net=money("100.00", "EURO")), "SOURCE_UNREADABLE"),
    (an_invoice(net=money("100.00", "USD")), "CURRENCIES_DIFFER"),
    (an_invoice(net=money(HUGE + ".00")), "INVOICE_EXCEEDS_VALUE"),
    (an_invoice(net=money("-5.00")), "NOT_INVOICED"),
    (an_invoice(net=100.0), "SOURCE_UNREADABLE"),
    (an_invoice(state="lost"), "SOURCE_UNREADABLE"),
    (an_invoice(number=""), "SOURCE_UNREADABLE"),
    (an_invoice(credits=["I-1"]), ""),
    (said("pm", "milestone.assessed", status="done"), "SOURCE_UNREADABLE"),
    (said("pm", "milestone.assessed", status="met", met_on="9999-12-31"), "SOURCE_UNREADABLE"),
    (said("pm", "milestone.assessed", status="met", percent="101"), ""),
    (said("pm", "milestone.scheduled", forecast="31.12.2026"), "SOURCE_UNREADABLE"),
    (said("pm", "milestone.scheduled", forecast="9999-12-31"), ""),
    (said("pm", "milestone.scheduled", forecast="0001-01-01", due="0001-01-01", baseline="0001-01-01"), ""),
    (said("erp", "value.agreed", value=money("-1.00")), "VALUE_DIFFERS"),
    (said("erp", "value.agreed", value=money(HUGE, "JPY")), "CURRENCIES_DIFFER"),
    (said("office", "sign_off.given", by="jane", role="", signed_at="2026-03-01T08:00:00Z", evidence={}), ""),
    (said("office", "sign_off.given", by="jane", role="qa", signed_at="yesterday", evidence={}), ""),
    (said("office", "evidence.attached", name="fat", sha256="abc"), ""),
    (said("office", "dispute.opened", dispute="D", amount=money("-1.00"), reason="x", by="o"), ""),
    (said("office", "dispute.opened", dispute="D", ammount=money("1.00"), reason="x", by="o"), ""),
    (said("office", "dispute.opened", dispute="D", amount=money(HUGE + ".00"), reason="x", by="o"), ""),
    (said("office", "reason.waived", code="NOT_MET", by="w", approved_by="w", ticket="T"), ""),
    (said("office", "reason.waived", code="EVERYTHING", by="w", approved_by="a", ticket="T"), ""),
    (said("portal", "compliance.document", None, name="x", valid_from="2027-01-01", valid_until="2026-01-01"), ""),
    (said("portal", "compliance.document", None, name="x", valid_from="0001-01-01", valid_until="9999-12-31"), ""),
    (said("ap", "payment.made", payment="P", amount=money("-1.00"), paid_on="2026-03-01"), ""),
    (said("ap", "payment.made", payment="P", amount=money(HUGE + ".00"), paid_on="2026-03-01"), ""),
    (said("erp", "measure.reported", name="rate", value="much", period="2026-01"), ""),
    (said("office", "milestone.activated", by="o", rationale="r"), ""),
    (said("pm", "milestone.assessed", "M9", status="met"), ""),
    (said("pm", "milestone.assessed", status="met", version=-1), "SOURCE_UNREADABLE"),
    (said("pm", "milestone.assessed", status="met", version=2**80), "SOURCE_UNREADABLE"),
    (said("pm", "weather.reported", sun=True), ""),
]


@pytest.mark.parametrize(("fact", "holds"), TABLE, ids=lambda x: x.kind if isinstance(x, Event) else x or "-")
def test_a_fact_without_sense_holds_and_explains_and_the_next_one_counts(fact, holds):
    story = Story().tell(registered(a_contract(a_milestone(requires=ALL), a_milestone("M2", requires=["met"]))))
    story.tell_together(fact, met("M2"))
    assert story.defects == []
    assert story.state().frozen is None
    assert story.released("M1") == 0
    assert not holds or holds in story.reasons("M1")
    assert all(len(sentence) > 20 for sentence in story.quarantined)
    if fact.source != "pm":  # its doubt about the whole contract would hold M2, too
        assert story.released("M2") == 10_000
    assert all(command["reasons"] for command in story.commands if command["action"] == "hold")


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=8),
    st.sampled_from(["", "0", "-1", "1e9", "NaN", HUGE, "9999-12-31", "0001-01-01", "2026-02-30", "met", "\u0000"]),
)  # fmt: skip
nonsense = st.one_of(scalars, st.lists(scalars, max_size=3), st.dictionaries(st.text(max_size=6), scalars, max_size=3))
KINDS = sorted({fact.kind for fact, _ in TABLE})


@given(st.sampled_from([fact for fact, _ in TABLE]), st.data())
@tried(150)
def test_no_field_with_any_content_crashes_a_contract(fact, data):
    name = data.draw(st.sampled_from(sorted(fact.data)))
    spoilt = Event(fact.source, fact.kind, fact.data | {name: data.draw(nonsense)})
    story = Story().tell(registered(a_contract(a_milestone(requires=ALL), a_milestone("M2", requires=["met"]))))
    story.tell_together(spoilt)
    story.tell(met("M2", by="pm"))
    assert story.defects == []
    assert story.state().frozen is None
    assert story.released("M1") == 0


def test_a_doubt_about_a_registration_ends_with_a_newer_one():
    story = Story().tell(registered(a_contract(a_milestone(requires=["met"]))), met())
    unknown = story.record(registered(a_contract(a_milestone(requires=["met"]))))
    story.carry([replace(unknown, value=unknown.value.replace(b"registered.v1", b"registered.v2"))])
    assert story.reasons() == ["SOURCE_UNREADABLE"]
    amended = a_contract(a_milestone("M1", "120.00", requires=["met"]), version=2, amendment=an_amendment())
    story.tell(registered(amended))
    assert (story.reasons(), story.released()) == ([], 12_000)


@pytest.mark.parametrize(
    ("fact", "sentence"),
    [
        (met(status="done"), "status 'done': is none of scheduled, met, partiallyMet, notMet"),
        (an_invoice(net=None), 'net null: is no amount, as {"amount": "1.00", "currency": "EUR"}'),
        (an_invoice(issued_on="soon"), "issued_on 'soon': is no date of the form 2026-12-31"),
        (an_invoice(number=""), "number '': is not a text of 1 to 300 visible characters"),
        (a_receipt(accepted="1,5"), "accepted '1,5': is not a decimal text within its bounds, as \"2.5\""),
        (said("ap", "hold.observed", holder="me", held=True), "holder 'me': is none of ours, other"),
        (an_invoice(issued_on=None), "issued_on null: is no date of the form 2026-12-31"),
        (met(percent=50), "percent 50: is no text in quotes"),
        (signed(signed_at="yesterday"), "signed_at 'yesterday': is no moment with a zone, as 2026-12-31T08:00:00Z"),
        (signed(signed_at="2026-03-01T08:00:00"), "is no moment with a zone, as 2026-12-31T08:00:00Z"),
        (signed(evidence={"fat": 5}), "evidence <dict>: something in it is no text in quotes"),
        (said("pm", "milestone.assessed"), "(milepost.milestone.assessed.v1): status is missing"),
    ],
)
def test_what_is_wrong_with_a_field_is_told_with_its_value_and_what_would_do(fact, sentence):
    assert sentence in Story().tell(fact).quarantined[0]
