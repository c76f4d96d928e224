"""What is let in: plausible and allowed, or set aside with a sentence."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from builders import (
    START,
    Story,
    a_contract,
    a_milestone,
    disputed,
    met,
    micros,
    received,
    registered,
    said,
    signed,
    waived,
)
from msgspec.structs import replace

from contracts_schema.errors import Unreadable
from contracts_schema.facts import Address, Assessed, DeliveryClaimed, Doubt, Fact
from contracts_schema.own_facts import DocumentRenewed
from services.reconciliation.admission import admit, doubt_fact, redriven_facts
from services.reconciliation.policy import Policy, make_rules


def refused(*events):
    story = Story().tell(registered(a_contract(a_milestone(requires=["met"]))), *events)
    return story.quarantined


@pytest.mark.parametrize(
    "event",
    [
        met(met_on="2026-03-04"),
        received("1", received_on="2026-03-04"),
        said("portal", "delivery.claimed", delivered_on="2026-03-04"),
        signed(signed_at="2026-03-02T08:01:00Z"),
        said("ap", "payment.made", payment="P", amount="1.00", paid_on="2026-03-04"),
        met(time=START + timedelta(days=1, minutes=1)),
    ],
    ids=lambda event: event.kind,
)
def test_an_actual_date_or_a_time_more_than_a_day_ahead_is_unreadable(event):
    (sentence,) = refused(event)
    assert "more than a day" in sentence


@pytest.mark.parametrize(
    "event",
    [met(met_on="2026-03-02"), signed(signed_at="2026-03-02T08:00:00Z"), met(time=START + timedelta(days=1))],
    ids=lambda event: event.kind,
)
def test_a_day_ahead_may_be_another_zone(event):
    assert refused(event) == []


def test_late_arrival_does_not_make_a_date_plausible():
    story = Story().tell(registered(a_contract()))
    story.now = datetime(2026, 5, 1, tzinfo=UTC)
    story.tell(met(met_on="2026-04-01", time=START))
    assert len(story.quarantined) == 1


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (waived("NOT_MET", by="anna"), "cannot approve"),
        (waived("MANUAL_HOLD"), "cannot be waived"),
        (waived("NOT_A_REASON"), "is no hold reason"),
        (waived("not_met"), "'not_met' is no hold reason; did you mean NOT_MET?"),
        (disputed("1.00", milestone=None), "needs the milestone"),
        (disputed("-1.00"), "is negative: -1.00 EUR"),
    ],
)
def test_what_is_not_allowed_is_refused_and_raises_no_doubt(event, why):
    story = Story().tell(registered(a_contract(a_milestone(requires=["met"]))), event)
    assert why in story.quarantined[0]
    assert story.reasons() == ["NOT_MET"]


def test_one_person_of_two_names_cannot_waive_alone():
    story = Story(people={"walt": ["office:w.k"]}).tell(registered(a_contract()))
    story.tell(waived("NOT_MET", by="walt", approved_by="w.k"))
    assert "cannot approve" in story.quarantined[0]


def test_a_dispute_by_key_over_an_amount_is_let_in():
    plan = a_contract(a_milestone(requires=["met"], refs={"office": ["thing:1"]}))
    dispute = said("office", "dispute.opened", key="thing:1", dispute="D", reason="x", by="olga", amount="1.00")
    story = Story().tell(registered(plan), met(), dispute)
    assert story.quarantined == []


def test_the_doubts_of_one_message_are_told_apart_by_their_addresses():
    places = [Address("C-1", "M1"), Address("C-1"), Address(None, None, "pm", ("issue:1",))]
    ids = {doubt_fact(Doubt("pm", "e", place, 1, b"d"), "why", 1).id for place in places}
    assert ids == {"e#unreadable/C-1/M1", "e#unreadable/C-1/", "e#unreadable/issue:1"}


def test_a_redriven_record_ends_its_doubts_once_at_each_address():
    facts = tuple(
        Fact("pm", name, Address("C-1", m), 1, Assessed("met")) for name, m in (("a", "M1"), ("b", "M1"), ("c", "M2"))
    )
    ends = redriven_facts(facts, b"r" * 32, 5)
    assert [fact.address.milestone for fact in ends] == ["M1", "M2"]
    assert ends == redriven_facts(facts, b"r" * 32, 5)


def test_what_is_said_of_a_document_as_a_whole_ends_no_doubt_at_an_address():
    nothing = Fact("erp", "d", Address(), 1, DocumentRenewed("account.invoice:2"), document="account.invoice:2")
    assert redriven_facts((nothing,), b"r" * 32, 5) == ()


def test_an_implausible_part_puts_every_address_and_the_document_in_doubt():
    day = date(2026, 4, 1)
    parts = tuple(
        Fact("erp", key, Address(source="erp", keys=(key,)), 1, DeliveryClaimed(day), document="D-1") for key in "ab"
    )
    with pytest.raises(Unreadable) as caught:
        admit(parts, micros(START), make_rules({"erp": "erp"}, {}, Policy()))
    assert [(doubt.address.keys, doubt.document) for doubt in caught.value.doubts] == [
        (("a",), None), (("b",), None), ((), "D-1"),
    ]  # fmt: skip


ENVELOPE = {"specversion": "1.0", "id": "e", "source": "pm", "type": "milepost.milestone.assessed.v1"}
BACK = {"contract": "C-1", "milestone": "M1", "status": "notMet"}


@pytest.mark.parametrize(
    "faulty", [{"time": "yesterday"}, {"time": 5}, {"specversion": "0.3"}, {"id": ""}, {"source": None}, {"type": 7}]
)
def test_an_event_whose_attributes_cannot_be_read_is_a_doubt_about_what_its_data_name(faulty):
    story = Story().tell(registered(a_contract(a_milestone(requires=["met"]), a_milestone("M2", requires=["met"]))))
    value = json.dumps(ENVELOPE | {"data": BACK} | faulty).encode()
    story.carry([replace(story.record(met()), value=value)])
    assert story.reasons() == ["SOURCE_UNREADABLE", "NOT_MET"]
    story.tell(met(), met("M2"))
    assert (story.reasons(), story.reasons("M2")) == ([], [])


def test_an_event_of_which_only_the_type_stands_in_its_headers_is_a_doubt_all_the_same():
    story = Story().tell(registered(a_contract(a_milestone(requires=["met"]))))
    headers = (("ce_type", b"milepost.milestone.assessed.v1"), ("ce_specversion", b"1.0"))
    story.carry([replace(story.record(met()), headers=headers, value=json.dumps(BACK).encode())])
    assert story.reasons() == ["SOURCE_UNREADABLE", "NOT_MET"]


def test_a_doubt_dated_far_ahead_has_the_time_of_its_record():
    story = Story().tell(registered(a_contract(a_milestone(requires=["met"]))))
    story.tell(met(status="done", time=START + timedelta(days=3650)))
    assert story.reasons() == ["SOURCE_UNREADABLE", "NOT_MET"]
    story.tell(met())
    assert story.reasons() == []


def test_what_others_than_the_register_register_raises_no_doubt_however_it_is_written():
    story = Story().tell(registered(a_contract(a_milestone(requires=["met"]))), met())
    other = ENVELOPE | {"type": "milepost.contract.registered.v2", "data": {"contract": "C-1"}}
    story.carry([replace(story.record(met()), value=json.dumps(other).encode())])
    assert (len(story.quarantined), story.reasons()) == (1, [])
