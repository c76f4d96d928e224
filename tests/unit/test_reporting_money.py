"""What finance and auditors ask: payable today, ageing, answers, control totals, rights."""

from datetime import date

import pytest
from builders import (
    Story,
    a_contract,
    a_milestone,
    an_amendment,
    held_by,
    invoice,
    lifted_by,
    met,
    paid,
    received,
    registered,
    said,
    signed,
    waived,
)
from figures import DAY, MARCH_ONE, NOW, at, counted, day, four_milestones, of, rows

from services.reconciliation.calendar import moment_of
from services.reporting.ageing import Ageing, band
from services.reporting.answers import Unanswered
from services.reporting.control import control_totals, gap
from services.reporting.dossier import EVER, Period, dossier
from services.reporting.hold_time import HoldTime, shares
from services.reporting.payable import PayableToday, due_today
from services.reporting.punctuality import OnTime
from services.reporting.rights import ReleaseRights
from services.reporting.sections import named

# What finance asks


def freed():
    """Two invoices of one milestone, 60.00 and 40.00 net, all released."""
    plan = a_contract(a_milestone("M1", "100.00", requires=["met", "invoiced"]), finance="ap")
    return Story().tell(
        registered(plan), met("M1"), invoice("60.00", "I-1"), invoice("40.00", "I-2", issued_on="2026-03-02")
    )


def test_payable_today_is_what_is_freed_less_what_was_paid():
    story = freed()
    assert {due.target.invoice: due.today for due in due_today(of(story))} == {"I-1": 6000, "I-2": 4000}
    story.tell(paid("60.00", invoice="I-1"), paid("10.00", "P-2", invoice="I-2"))
    sheet = counted(PayableToday(), story)
    assert [(r["invoice"], r["paid"], r["payable_today"]) for r in sheet.objects()] == [("I-2", "10.00", "30.00")]
    assert sheet.notes == ("ap: 30.00 EUR may be paid today",)


def test_a_payment_that_names_no_invoice_settles_the_oldest_first():
    story = freed().tell(paid("70.00"))
    assert {due.target.invoice: due.today for due in due_today(of(story))} == {"I-1": 0, "I-2": 3000}


def test_an_invoice_that_finance_calls_paid_is_not_payable_again():
    story = freed().tell(invoice("60.00", "I-1", source="ap", state="paid"))
    assert {due.target.invoice: due.today for due in due_today(of(story))}["I-1"] == 0


def test_a_payment_of_a_taxed_invoice_counts_with_its_net():
    plan = a_contract(a_milestone("M1", "100.00", requires=["met", "invoiced"]))
    story = Story().tell(registered(plan), met("M1"), invoice("100.00", gross={"amount": "119.00", "currency": "EUR"}))
    story.tell(paid("59.50", invoice="I-1"))
    assert [due.today for due in due_today(of(story))] == [5000]


def test_amounts_of_different_currencies_are_never_added():
    euro, yen = freed(), Story()
    yen.tell(
        registered(a_contract(a_milestone("M1", "5000", requires=["met", "invoiced"]), currency="JPY", finance="ap"))
    )
    yen.tell(met("M1"), invoice("5000", currency="JPY"))
    notes = counted(PayableToday(), euro, yen).notes
    assert notes == ("ap: 100.00 EUR may be paid today", "ap: 5000 JPY may be paid today")


@pytest.mark.parametrize(
    ("days", "name"),
    [(0, "0-7 days"), (7, "0-7 days"), (8, "8-30 days"), (30, "8-30 days"), (31, "31-60 days"), (90, "61-90 days"),
     (91, "over 90 days")],
)  # fmt: skip
def test_the_bands_of_ageing_meet_without_a_gap(days, name):
    assert band(days) == name


def test_ageing_counts_each_hold_from_its_oldest_open_reason():
    plan = a_contract(
        a_milestone("M1", "100.00", requires=["met", "invoiced"]), a_milestone("M2", "50.00", requires=["met"])
    )
    story = Story().tell(registered(plan), invoice("80.00"))
    at(story, day(25), met("M2"))
    at(story, day(26), held_by(milestone="M2"), held_by(hold="H-2"))
    found = {r["age"]: (r["milestones"], r["held"], r["of_it_invoiced"]) for r in rows(Ageing(NOW), story)}
    assert found["31-60 days"] == (1, "100.00", "80.00")
    assert found["0-7 days"] == (0, "0.00", "0.00")  # M2 was released before it was held
    assert len(found) == 5


def test_what_was_released_of_an_invoice_waits_no_more():
    plan = a_contract(a_milestone("M1", "100.00", requires=["received", "invoiced"]))
    story = Story().tell(registered(plan), received("60"), invoice("80.00"))
    (row,) = [row for row in rows(Ageing(moment_of(story.now)), story) if row["milestones"]]
    assert (row["held"], row["of_it_invoiced"]) == ("40.00", "20.00")


def acknowledged(story, state, milestone="M1", **more):
    command = [c for c in story.commands if c["milestone"] == milestone][-1]["command_id"]
    return said("ap", "command.acknowledged", milestone, command_id=command, state=state, **more)


def test_a_command_is_unanswered_until_it_is_applied():
    story = Story().tell(registered(a_contract(a_milestone("M1", requires=["met"]))))
    row = rows(Unanswered(moment_of(story.now) + 2 * DAY), story)[0]
    assert (row["milestone"], row["action"], row["answer"], row["age_days"]) == ("M1", "hold", "no answer", "2.0")
    story.tell(acknowledged(story, "waiting", detail="not there yet"))
    assert rows(Unanswered(NOW), story)[0]["detail"] == "not there yet"
    for state in ("applied", "already_applied"):
        story.tell(acknowledged(story, state))
        assert rows(Unanswered(NOW), story) == []
    story.tell(acknowledged(story, "rejected"))
    assert rows(Unanswered(NOW), story)[0]["answer"] == "rejected"


def test_an_older_answer_that_comes_late_does_not_open_a_command_again():
    story = Story().tell(registered(a_contract(a_milestone("M1", requires=["met"]))))
    late = acknowledged(story, "waiting")
    late = type(late)(late.source, late.kind, late.data, "late", MARCH_ONE)
    story.tell(acknowledged(story, "applied"), late)
    assert rows(Unanswered(NOW), story) == []


# What auditors ask


def test_control_totals_say_when_they_do_not_add_up():
    whole = {
        "read": 10,
        "record.applied": 6,
        "record.parked": 1,
        "record.ignored": 2,
        "record.quarantined": 1,
        "applied": 9,
    }
    sheet = control_totals({date(2026, 3, 1): whole, date(2026, 3, 2): whole | {"record.applied": 4}})
    first, second = sheet.objects()
    assert (first["unaccounted"], first["adds_up"]) == (0, True)
    assert (second["unaccounted"], second["adds_up"]) == (2, False)
    assert sheet.notes == ("2026-03-02 DOES NOT ADD UP: 2 records are unaccounted for",)


def test_a_day_that_was_not_counted_by_record_is_not_called_right_or_wrong():
    assert gap({"read": 5, "applied": 5}) is None
    assert gap({}) == 0
    assert control_totals({date(2026, 3, 1): {"read": 5}}).objects()[0]["adds_up"] is None


def test_who_could_release_names_persons_not_identities():
    plan = a_contract(
        a_milestone("M1", requires=["signed_off", "met"]),
        sign_off={"quorum": 1, "roles": ["site-manager"], "authority": [
            {"person": "jane", "role": "site-manager", "up_to": "500.00", "from": "2026-01-01"}]},
    )  # fmt: skip
    story = Story(people={"jane": ["office:j17"]}).tell(registered(plan), signed("j17"), held_by(), lifted_by("otto"))
    story.tell(waived("NOT_MET"))
    found = {(row["person"], row["what"]): row["detail"] for row in rows(ReleaseRights(EVER), story)}
    assert (
        found["jane", "may sign"] == "site-manager; up to 500.00 EUR; from 2026-01-01 until further notice; 1 must sign"
    )
    assert {("jane", "signed"), ("otto", "lifted a hold"), ("walt", "asked for a waiver")} <= found.keys()
    assert found["anna", "approved a waiver"] == "NOT_MET; ticket T-1; until further notice"


def test_acts_outside_the_period_are_left_out_and_entitlements_stay():
    story = Story().tell(registered(a_contract(a_milestone("M1", requires=["signed_off"]))), signed())
    found = rows(ReleaseRights(Period(since=date(2026, 3, 2))), story)
    assert [(row["person"], row["what"]) for row in found] == [("(anybody)", "may sign")]


def test_amendments_and_openings_are_approved_by_somebody():
    opening = {"released": "10.00", "as_of": "2026-02-01", "reference": "L-7", "approved_by": "boss"}
    first = a_contract(a_milestone("M1", "100.00", requires=["met"], opening=opening))
    second = first | {"version": 2, "amendment": an_amendment(approved_by="anna")}
    story = Story().tell(registered(first), registered(second))
    found = {(row["person"], row["what"], row["detail"]) for row in rows(ReleaseRights(EVER), story)}
    assert {("boss", "approved an opening balance", "L-7"), ("anna", "approved an amendment", "A-1")} <= found


def test_sections_are_chosen_by_name_or_group_and_unknown_ones_are_named():
    assert named(["audit", "lag"]) == (["lag", "control", "rights"], [])
    assert named(["nonsense"]) == ([], ["nonsense"])
    assert len(named([])[0]) == 14


def test_a_frozen_contract_keeps_its_log_and_counts_nowhere_else():
    story = four_milestones()
    state = story.state()
    state.frozen = "1"
    frozen = dossier(state, story.entries(), story.rules)
    rate, holds = OnTime(EVER, NOW), HoldTime(EVER, NOW, shares)
    rate.add(frozen)
    holds.add(frozen)
    assert rate.sheet().objects()[0]["rate_percent"] is None
    assert holds.held["NOT_MET"].spells > 0
    assert holds.held["NOT_MET"].open == 2, "its last decisions stand: M3 and M4 are held"


def test_a_contract_without_a_plan_in_force_has_no_dossier():
    story = Story().tell(met("M1"))
    assert [dossier(story.state(c), story.entries(c), story.rules) for c in story.contracts()] in ([], [None])
