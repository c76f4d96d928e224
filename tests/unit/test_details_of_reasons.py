"""What stands beside a reason names the thing, the day and the terms, so that whoever reads it need not ask."""

from datetime import UTC, datetime

import pytest
from builders import (
    Story,
    a_contract,
    a_milestone,
    attached,
    disputed,
    invoice,
    met,
    received,
    registered,
    said,
    signed,
    waived,
)  # fmt: skip

from contracts_schema.reasons import REMEDIES, HoldReason, clearing
from services.reconciliation.issue import conflict_line
from services.wiring.looking import conflict_sentence

FAT, OTHER = "a" * 64, "b" * 64


def details(*events, plan=None, milestone="M1", people=None, **terms):
    """The sentence of each reason at a milestone."""
    contract = a_contract(*(plan or [a_milestone(requires=["met", "signed_off"])]), **terms)
    story = Story(people=people or {}).tell(registered(contract)).clock(datetime(2026, 3, 2, tzinfo=UTC)).tell(*events)
    return {str(r.code): r.detail for r in story.position(milestone).reasons}


MAY = {"person": "jane", "role": "qa", "up_to": "100.00", "from": "2026-02-01", "until": "2026-02-28"}


@pytest.mark.parametrize(
    ("terms", "events", "why"),
    [
        ({"roles": ["qa"]}, [signed()], "nobody asks for a signature as site-manager"),
        (
            {"roles": ["qa"], "authority": [MAY]},
            [signed(role="qa")],
            "no authority as qa covers the value on 2026-03-01",
        ),
        ({}, [met(), signed(), met(status="notMet")], "the milestone was re-opened after it"),
        (
            {},
            [signed("jd"), said("portal", "sign_off.withdrawn", by="jane", role="site-manager",
                                signed_at="2026-03-01T09:00:00Z")],
            None,
        ),
    ],
)  # fmt: skip
def test_a_signature_that_does_not_count_says_why(terms, events, why):
    told = details(*events, sign_off={"quorum": 1, **terms}, people={"jane": ["office:jd"]}).get("SIGN_OFF_MISSING")
    assert told == (f"0 of 1 valid signatures; that of jane does not count: {why}" if why else None)


def test_a_withdrawal_of_what_nobody_signed_is_no_signature_that_does_not_count():
    taken_back = said("office", "sign_off.withdrawn", by="joe", role="site-manager")
    told = details(taken_back, sign_off={"quorum": 1, "authority": [MAY]})
    assert told["SIGN_OFF_MISSING"] == "0 of 1 valid signatures"


def test_of_many_signatures_that_do_not_count_three_are_named():
    told = details(*(signed(f"p{n}") for n in range(9)), sign_off={"roles": ["qa"]})["SIGN_OFF_MISSING"]
    assert told.count("does not count") == 3


def test_a_dispute_names_itself_and_one_of_zero_does_not():
    events = [disputed("1.00", dispute=f"D-{n}") for n in range(1, 6)] + [disputed("0.00", dispute="D-0")]
    assert details(*events, met(), signed())["DISPUTED"] == (
        "in dispute: D-1 (INCORRECT_QUANTITY), D-2 (INCORRECT_QUANTITY), D-3 (INCORRECT_QUANTITY) and 2 more"
    )


@pytest.mark.parametrize(
    ("terms", "told"),
    [
        ({"steps": [{"rate_percent": "5"}], "release_on": "M2", "defects_days": 30},
         "kept until M2 is met and 30 days have passed since"),
        ({"steps": [{"rate_percent": "5"}], "release_on": "M2"}, "kept until M2 is met"),
        ({"steps": [{"rate_percent": "5", "until_percent": "90"}, {"rate_percent": "0", "returns_percent": "50"}]},
         "kept until a later step returns its share"),
        ({"steps": [{"rate_percent": "5"}]}, "kept; no milestone is named that returns it"),
    ],
)  # fmt: skip
def test_retention_says_what_it_is_kept_for(terms, told):
    plan = [a_milestone(requires=["met"]), a_milestone("M2", "100.00", requires=["met"])]
    assert details(met(), plan=plan, retention=terms)["RETENTION"] == told


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ([], "M1 is not met, and has to be by 2026-03-01"),
        ([met(met_on="2026-03-02")], "M1 was met on 2026-03-02, and had to be by 2026-03-01"),
    ],
)
def test_a_bonus_for_being_on_time_says_whether_it_is_late_or_not_yet(events, told):
    plan = [a_milestone(requires=["met"], due="2026-03-01"), a_milestone("B", "1.00", requires=["on_time:M1"])]
    assert details(*events, plan=plan, milestone="B") == {"NOT_MET": told}


def test_documents_changed_say_how_many_have_signed_the_present_one():
    plan = [a_milestone(requires=["met", "signed_off", "evidence:fat"])]
    events = [attached("fat", FAT), signed("anna", evidence={"fat": FAT}), attached("fat", OTHER), met()]
    told = details(*events, signed("bert", evidence={"fat": OTHER}), plan=plan, sign_off={"quorum": 2})
    assert told == {"EVIDENCE_CHANGED": "fat was changed after it was signed; 1 of 2 have signed the present one"}


def test_systems_that_differ_on_a_receipt_say_quantities_as_they_are_written():
    story = Story().tell(registered(a_contract(a_milestone(requires=["received"]))))
    story.tell(received("2.50", "10"), received("3", "10", by="portal", rejected="0.5"))
    [line] = [conflict_line(c, {}) for c in story.position().conflicts]
    assert [w.value for w in line.values] == [[["u", "2.5", "2.5", "0"]], [["u", "3", "3", "0.5"]]]
    assert conflict_sentence(line) == (
        "erp: 2.5 u received, 2.5 accepted, 0 rejected; portal: 3 u received, 3 accepted, 0.5 rejected"
    )


def test_one_day_late_is_a_day():
    plan = [a_milestone(requires=["met"], due="2026-03-01", late_damages={"percent_per_day": "1", "cap_percent": "9"})]
    assert details(met(met_on="2026-03-02"), plan=plan)["LATE_DAMAGES"] == "1 day late"


def test_a_source_that_contradicts_itself_is_told_about_what():
    told = details(invoice("60.00", source="ap"), invoice("70.00", source="ap"))
    assert told["SOURCE_CONTRADICTS_ITSELF"] == "ap contradicts itself about invoice.received I-1"
    told = details(met(version=1), met(version=1, status="notMet"))
    assert told["SOURCE_CONTRADICTS_ITSELF"] == "pm contradicts itself about milestone.assessed"


def test_what_cannot_be_waived_says_what_clears_it():
    story = Story(people={"walt": ["office:ww"]}).tell(registered(a_contract(a_milestone())))
    story.tell(waived("MANUAL_HOLD"), waived("ADVANCE_RECOUPED"), waived("NOT_MET", approved_by="ww"))
    assert story.quarantined == [
        "reason.waived refused: MANUAL_HOLD cannot be waived; it clears when a person lifts the hold (rule D6)",
        "reason.waived refused: ADVANCE_RECOUPED cannot be waived; it never clears: it was paid in advance (rule D6)",
        "reason.waived refused: 'walt' cannot approve what they asked for themselves, also not as 'ww' (rule D6)",
    ]


def test_a_required_field_that_is_null_is_shown_as_it_was_written():
    story = Story().tell(registered(a_contract(a_milestone())), said("erp", "goods.received", received=None))
    assert "null: is no text in quotes" in story.quarantined[0]


def test_every_remedy_can_be_said_as_a_sentence():
    said_of = {reason: f"it {clearing(REMEDIES[reason].clears_when)}" for reason in HoldReason}
    assert not [text for text in said_of.values() if "when never" in text]
    assert said_of[HoldReason.LATE_DAMAGES] == "it never clears, unless the due date is amended"
