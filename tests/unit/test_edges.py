"""Where rules begin and end: the one moment, amount or word at which a decision turns."""

from datetime import timedelta

import pytest
from builders import (
    START,
    Story,
    a_contract,
    a_milestone,
    an_amendment,
    attached,
    disputed,
    invoice,
    met,
    received,
    registered,
    resolved,
    said,
    signed,
    waived,
)
from noticing import story_of

from contracts_schema import facts as f
from services.reconciliation.admission import doubt_fact

HOUR = timedelta(hours=1)
DAY_US = 86_400_000_000


def conflicts(told, milestone="M1"):
    """The newest decision's conflicts, as they are told: field to (source, value, time)."""
    decided = [d for entry in told.entries() for d in entry.decisions if d.milestone == milestone][-1]
    return {line.field: [(w.source, w.value, w.time) for w in line.values] for line in decided.conflicts}


# Words of systems


def test_the_registered_value_is_a_word_without_a_time_beside_the_erps():
    told = story_of(a_milestone(requires=["met"])).tell(said("erp", "value.agreed", value="90.00", time=START))
    assert conflicts(told)["value"] == [
        ("register", [{"amount": "100.00", "currency": "EUR"}], None),
        ("erp", [{"amount": "90.00", "currency": "EUR"}], "2026-03-01T08:00:00Z"),
    ]


def test_one_invoice_in_two_words_is_shown_with_the_time_of_each():
    told = story_of(a_milestone(requires=["invoiced"]))
    told.tell(invoice("100.00", time=START), invoice("90.00", source="erp", time=START - HOUR))
    assert [(source, at) for source, _, at in conflicts(told)["invoice"]] == [
        ("erp", "2026-03-01T07:00:00Z"), ("portal", "2026-03-01T08:00:00Z"),
    ]  # fmt: skip


def test_receipts_that_differ_are_shown_with_what_was_received_accepted_and_rejected():
    told = story_of(a_milestone(requires=["received"])).tell(received("40"), received("30", by="portal", rejected="5"))
    assert [(source, value) for source, value, _ in conflicts(told)["received"]] == [
        ("erp", [["u", "40", "40", "0"]]), ("portal", [["u", "30", "30", "5"]]),
    ]  # fmt: skip
    assert told.position().reasons[-1].detail == "40 of 100 u accepted"


def test_dates_that_differ_are_shown_as_dates():
    told = story_of(a_milestone(requires=["met"]))
    told.tell(said("pm", "milestone.scheduled", forecast="2026-05-01", time=START))
    told.tell(said("erp", "milestone.scheduled", forecast="2026-06-01", time=START))
    assert [(source, value) for source, value, _ in conflicts(told)["forecast"]] == [
        ("pm", "2026-05-01"), ("erp", "2026-06-01"),
    ]  # fmt: skip


def test_of_several_objects_of_one_source_the_newest_date_counts():
    keyed = a_milestone(requires=["met"], refs={"pm": ["issue:1", "issue:2"]})
    for first, second in ((1, 2), (2, 1)):
        told = story_of(keyed)
        for number, forecast in ((first, "2026-05-01"), (second, "2026-06-01")):
            moment = START + number * HOUR
            told.tell(said("pm", "milestone.scheduled", key=f"issue:{number}", forecast=forecast, time=moment))
        told.tell(said("erp", "milestone.scheduled", forecast="2026-07-01", time=START))
        assert conflicts(told)["forecast"][0][1:] == (
            "2026-05-01" if first > second else "2026-06-01", "2026-03-01T10:00:00Z",
        )  # fmt: skip


def test_parts_of_an_invoice_in_two_currencies_come_to_nothing():
    told = story_of(a_milestone(requires=["invoiced"]))
    told.tell(invoice("60.00"), invoice("40.00", currency="USD"))
    assert "CURRENCIES_DIFFER" in told.reasons() or told.released() == 0
    assert {t["net"]["amount"] for t in told.commands[-1]["targets"]} <= {"0.00", "60.00", "40.00"}


# Doubts


def test_a_doubt_ends_with_something_newer_and_not_with_something_older_that_came_late():
    told = story_of(a_milestone(requires=["met"]))
    told.tell(said("pm", "milestone.assessed", status="so so", time=START))
    told.tell(met(time=START - HOUR))
    assert "SOURCE_UNREADABLE" in told.reasons()
    told.tell(met(time=START))
    assert "SOURCE_UNREADABLE" in told.reasons()
    told.tell(met(time=START + timedelta(seconds=1)))
    assert told.reasons() == []


def test_a_time_a_day_ahead_of_its_record_is_plausible_and_a_microsecond_more_is_not():
    told = story_of(a_milestone(requires=["met"]))
    ahead = told.now + timedelta(seconds=1, days=1)
    told.tell(met(time=ahead))
    assert told.quarantined == []
    told.tell(met(time=told.now + timedelta(seconds=1, days=1, microseconds=1)))
    assert len(told.quarantined) == 1


def test_a_doubt_about_a_time_a_day_ahead_has_that_time_and_about_one_further_ahead_that_of_its_record():
    def time_of(said_at):
        return doubt_fact(f.Doubt("pm", "e", f.Address("C-1", "M1"), said_at, b"d"), "why", 5).time

    assert (time_of(5 + DAY_US), time_of(6 + DAY_US)) == (5 + DAY_US, 5)


def test_a_doubt_about_a_registration_ends_with_a_newer_one_and_not_with_one_of_the_same_moment():
    told, plan = story_of(a_milestone(requires=["met"])), a_milestone(requires=["met"])
    told.tell(registered(a_contract(plan, version=2, amendment=an_amendment()), time=START + timedelta(days=9)))
    moment = told.now
    for version, later_by in ((3, 0), (4, 1)):
        newer = a_contract(plan, version=version, amendment=an_amendment(id=f"A-{version}"))
        told.tell(registered(newer, time=moment + timedelta(microseconds=later_by)))
        assert ("SOURCE_UNREADABLE" in told.reasons()) == (later_by == 0)


def test_of_a_sentence_five_hundred_characters_stand_in_the_log():
    told = story_of(a_milestone(requires=["met"]))
    told.tell(said("pm", "x" * 250, event="e" * 300))
    (doubt,) = [fact for entry in told.entries() for fact in entry.facts if fact.kind == "message.unreadable"]
    assert len(doubt.body.sentence) == 500


# Proofs, signatures, duties


def test_a_signature_on_the_evidence_that_is_attached_is_one_on_unchanged_evidence():
    told = story_of(a_milestone(requires=["signed_off", "evidence:fat"]))
    told.tell(attached(), signed(evidence={"fat": "a" * 64}))
    assert told.reasons() == []


def test_who_signed_what_was_there_before_does_not_matter_where_enough_have_signed_what_is_there():
    told = story_of(a_milestone(requires=["signed_off", "evidence:fat"]))
    told.tell(attached(), signed("jane", evidence={"fat": "b" * 64}))
    assert told.reasons() == ["EVIDENCE_CHANGED"]
    told.tell(signed("bob", evidence={"fat": "a" * 64}))
    assert told.reasons() == []


def test_of_two_sources_the_evidence_that_came_last_is_what_must_have_been_signed():
    told = story_of(a_milestone(requires=["signed_off", "evidence:fat"]))
    told.tell(attached(time=START + HOUR), attached(sha256="b" * 64, source="portal", time=START))
    told.tell(signed(evidence={"fat": "a" * 64}))
    assert told.reasons() == []


@pytest.mark.parametrize(("code", "cause"), [("NOT_MET", "met"), ("SOURCE_CONTRADICTS_ITSELF", "register")])
def test_a_reason_can_be_waived_by_its_cause_alone(code, cause):
    told = story_of(a_milestone(requires=["met"]), title="First")
    told.tell(registered(a_contract(a_milestone(requires=["met"]), title="Second")))
    before = told.reasons()
    assert [reason for reason in before if reason not in told.tell(waived(code, cause=cause)).reasons()] == [code]


def test_a_missing_sign_off_can_be_waived_by_its_cause():
    told = story_of(a_milestone(requires=["met", "signed_off"])).tell(
        met(), waived("SIGN_OFF_MISSING", cause="signed_off")
    )
    assert told.reasons() == []


def test_who_did_what_is_told_where_duties_are_not_apart():
    told = Story(people={"jane": ["portal:j", "office:jane"]})
    told.tell(registered(a_contract(a_milestone(requires=["met", "signed_off"]))))
    told.tell(said("portal", "delivery.claimed", delivered_on="2026-03-01", by="j"), met(), signed("jane"))
    (reason,) = told.position().reasons
    assert (reason.code, reason.detail) == ("DUTIES_NOT_SEPARATED", "jane claimed delivery and signed")


def test_what_was_paid_before_in_full_needs_no_invoice():
    opening = {"released": "100.00", "as_of": "2026-01-31", "reference": "R", "approved_by": "anna"}
    assert story_of(a_milestone(requires=["met", "invoiced"], opening=opening)).reasons() == ["NOT_MET"]
    part = opening | {"released": "99.99"}
    assert story_of(a_milestone(requires=["met", "invoiced"], opening=part)).reasons() == ["NOT_MET", "NOT_INVOICED"]


def test_a_contingency_milestone_says_for_whom_it_stands_in_and_the_other_who_has_taken_over():
    told = story_of(a_milestone(), a_milestone("MX", contingency_for="M1"))
    (reason,) = [r for r in told.position("MX").reasons if r.code == "NOT_IN_FORCE"]
    assert "it stands in for M1" in reason.detail
    told.tell(said("office", "milestone.activated", "MX", by="o", rationale="r"))
    (reason,) = [r for r in told.position("M1").reasons if r.code == "NOT_IN_FORCE"]
    assert reason.detail == "MX has taken over from it"
    assert "NOT_IN_FORCE" not in told.reasons("MX")


def test_of_two_that_stand_in_the_one_activated_last_pays_and_the_other_says_so():
    told = story_of(a_milestone(), *[a_milestone(name, contingency_for="M1") for name in ("MX", "MY")])
    for name, event in (("MX", "z"), ("MY", "a")):
        told.tell(said("office", "milestone.activated", name, by="o", rationale="r", event=event))
    (reason,) = [r for r in told.position("MX").reasons if r.code == "NOT_IN_FORCE"]
    assert reason.detail == "MY has taken over from it"
    assert "NOT_IN_FORCE" not in told.reasons("MY")


def test_a_signature_from_the_moment_at_which_the_milestone_went_back_is_superseded():
    told = story_of(a_milestone(requires=["signed_off"]))
    told.tell(met(time=START), met(status="notMet", time=START + HOUR))
    told.tell(signed(signed_at=(START + HOUR).isoformat()))
    assert told.reasons() == ["SIGN_OFF_MISSING"]
    told.tell(signed(signed_at=(START + HOUR + timedelta(microseconds=1)).isoformat()))
    assert told.reasons() == []


def test_an_object_whose_status_is_taken_back_takes_the_milestone_back_with_it():
    told = story_of(a_milestone(requires=["met", "signed_off"], refs={"pm": ["issue:1", "issue:2"]}))
    told.tell(*[said("pm", "milestone.assessed", key=f"issue:{n}", status="met") for n in (1, 2)])
    told.tell(disputed("1.00"), signed(signed_at=told.now.isoformat()))
    assert told.reasons() == ["DISPUTED"]
    told.tell(*[said("pm", "milestone.assessed", key="issue:1", status=status) for status in (None, "met")])
    assert told.reasons()[0] == "SIGN_OFF_MISSING"


@pytest.mark.parametrize(("later_by", "counts"), [(-1, True), (0, True), (1, False)])
def test_a_signature_is_taken_back_under_another_name_only_after_it_was_given(later_by, counts):
    told = Story(people={"jane": ["office:jane", "legal:j"]})
    told.tell(registered(a_contract(a_milestone(requires=["signed_off"]))), signed("jane", time=START))
    moment = START + timedelta(microseconds=later_by)
    told.tell(said("legal", "sign_off.withdrawn", by="j", role="site-manager", time=moment))
    assert ("SIGN_OFF_MISSING" not in told.reasons()) == counts


@pytest.mark.parametrize(("authority", "counts"), [
    ({"from": "2026-03-01", "until": "2026-03-01"}, True), ({"from": "2026-03-02"}, False),
    ({"until": "2026-02-28"}, False),
])  # fmt: skip
def test_an_authority_begins_and_ends_with_a_whole_day(authority, counts):
    jane = {"person": "jane", "role": "site-manager"} | authority
    told = story_of(a_milestone(requires=["signed_off"]), sign_off={"authority": [jane]}).tell(signed())
    assert (told.reasons() == []) == counts


def test_a_signature_a_day_ahead_of_its_message_is_plausible_and_a_microsecond_more_is_not():
    told = story_of(a_milestone(requires=["signed_off"]))
    ahead = START + timedelta(days=1)
    told.tell(signed(signed_at=ahead.isoformat(), time=START))
    assert told.quarantined == []
    told.tell(signed(signed_at=(ahead + timedelta(microseconds=1)).isoformat(), time=START))
    assert len(told.quarantined) == 1


@pytest.mark.parametrize(("met_on", "plausible"), [("2026-03-02", True), ("2026-03-03", False)])
def test_a_day_that_has_been_is_at_most_one_ahead_of_its_message(met_on, plausible):
    told = story_of(a_milestone(requires=["met"])).tell(met(met_on=met_on))
    assert (told.quarantined == []) == plausible


def test_what_cannot_be_read_about_the_whole_contract_holds_all_of_it_at_once():
    told = story_of(a_milestone("M1", requires=["met"]), a_milestone("M2", requires=["met"]))
    told.tell(said("office", "hold.placed", None, hold="H", by="olga", reason=7))
    decided = told.entries()[-1].decisions
    assert [(d.milestone, d.reasons[0].code) for d in decided] == [
        ("M1", "SOURCE_UNREADABLE"), ("M2", "SOURCE_UNREADABLE"),
    ]  # fmt: skip


def test_a_waiver_counts_on_its_last_day_and_not_on_the_next():
    told = story_of(a_milestone(requires=["met"])).tell(waived("NOT_MET", until="2026-03-01"))
    assert told.reasons() == []
    assert told.clock(START + timedelta(days=1)).reasons() == ["NOT_MET", "OVER_RELEASED"]


def test_a_document_that_was_never_given_is_said_to_be():
    told = story_of(a_milestone(requires=["met"]), compliance=["insurance"]).tell(met())
    assert told.position().reasons[0].detail == "insurance is not valid (never given)"
    paper = {"name": "insurance", "valid_from": "2026-01-01", "valid_until": "2026-02-28"}
    told.tell(said("portal", "compliance.document", None, **paper))
    assert told.position().reasons[0].detail == "insurance is not valid (2026-01-01 to 2026-02-28)"


@pytest.mark.parametrize(("later_by", "disputes"), [(-1, True), (0, True), (1, False)])
def test_another_operator_resolves_a_dispute_only_after_it_was_opened(later_by, disputes):
    told = story_of(a_milestone(requires=["met"])).tell(disputed("40.00", time=START), met())
    told.tell(resolved(source="legal", time=START + timedelta(microseconds=later_by)))
    assert ("DISPUTED" in told.reasons()) == disputes
