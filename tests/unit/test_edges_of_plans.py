"""Where plans, subjects and claims begin and end: what is one thing, and which word of it counts."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from builders import (
    START,
    Event,
    Story,
    a_contract,
    a_milestone,
    an_amendment,
    invoice,
    met,
    micros,
    paid,
    received,
    registered,
    said,
    signed,
)
from looking_back import prove
from noticing import story_of

from contracts_schema.money import Money
from contracts_schema.own_facts import InvoiceClaimedElsewhere, MessageUnreadable
from contracts_schema.rows import InvoiceClaim, LogRow
from services.reconciliation import merge
from services.reconciliation.claims import claimed_elsewhere, sentence
from services.reconciliation.log import is_chained
from services.reconciliation.react import UNPARK, catch_up, react
from services.reconciliation.state import Arrival

HOUR = timedelta(hours=1)


# One invoice, several contracts


def a_claim(*identifiers, net=60_00, supplier=None):
    return InvoiceClaim(
        supplier or identifiers[0], identifiers, None, (Money(net, "EUR"),), net, (Money(100_00, "EUR"),)
    )


def test_contracts_that_know_a_supplier_only_through_each_other_are_a_chain():
    found = claimed_elsewhere("I-1", {"A": [a_claim("1", "2")], "B": [a_claim("2", "3")], "C": [a_claim("3", "4")]})
    assert found.chains == [frozenset({"A", "B", "C"})]
    assert found.told.keys() == {"A", "B", "C"}
    direct = claimed_elsewhere("I-1", {"A": [a_claim("1", "2")], "B": [a_claim("2", "3")]})
    assert direct.chains == []


def test_claims_of_other_suppliers_under_the_same_number_are_left_alone():
    claims = {"A": [a_claim("1")], "B": [a_claim("1")], "C": [a_claim("9")], "D": [a_claim("9")], "E": [a_claim("5")]}
    told = claimed_elsewhere("I-1", claims).told
    assert told.keys() == {"A", "B", "C", "D"}
    (said_to_a,) = told["A"].values()
    assert [claim.contract for claim in said_to_a.claims] == ["B"]


def test_one_part_is_not_claimed_twice_though_it_is_more_than_the_total_that_is_stated():
    told = story_of(a_milestone(requires=["invoiced"])).tell(invoice("100.00", total="90.00"))
    assert "INVOICE_CLAIMED_TWICE" not in told.reasons()


@pytest.mark.parametrize("units", [("north", "south"), ("south", "north")])
def test_claims_of_one_number_are_kept_in_the_order_of_their_business_units_whichever_came_first(units):
    told = story_of(a_milestone(requires=["invoiced"]))
    told.tell(*[invoice("10.00", business_unit=unit) for unit in units])
    assert [claim.business_unit for claim in told.state().claims["I-1"]] == ["north", "south"]


def test_who_claims_an_invoice_twice_does_not_drag_a_sound_one_along():
    told = story_of(a_milestone("M1", requires=["invoiced"]), a_milestone("M2", requires=["invoiced"]))
    told.tell(invoice("30.00", "I-9", "M1"), invoice("60.00", "I-1", "M1", total="100.00"))
    told.tell(invoice("60.00", "I-1", "M2", total="100.00"))
    assert [r.code for r in told.position("M2").reasons if r.code == "INVOICE_CLAIMED_TWICE"]
    (reason,) = [r for r in told.position("M1").reasons if r.code == "INVOICE_CLAIMED_TWICE"]
    assert reason.detail == "invoice I-1 is claimed with 120.00 of 100.00 EUR"


# The log


def test_a_row_is_chained_only_where_both_its_link_and_its_content_hold():
    told = story_of(a_milestone())
    (first, *_) = told.log()
    assert is_chained(first, bytes(32))
    assert not is_chained(first, b"x" * 32)
    altered = LogRow(first.contract, first.revision, first.entry + b"x", first.previous, first.head)
    assert not is_chained(altered, bytes(32))


# Plans


def test_another_currency_is_refused_with_the_field():
    told = story_of(a_milestone())
    told.tell(registered(a_contract(a_milestone(), version=2, currency="USD", amendment=an_amendment())))
    assert told.quarantined[0].startswith("registration refused: currency: version 1 is in EUR")
    assert told.state().in_force == 1


def test_a_version_told_anew_is_one_version_whose_newest_word_counts():
    told = story_of(a_milestone("M1", "100.00"), title="First")
    told.tell(registered(a_contract(a_milestone("M1", "100.00"), title="Second")))
    version = told.state().plans[1]
    assert version.fact.endswith("/e2")
    assert version.clash


def test_an_amendment_may_change_its_state_under_one_version_and_nothing_else():
    later = a_contract(a_milestone("M1", "120.00"), version=2)
    told = story_of(a_milestone())
    told.tell(registered(later | {"amendment": an_amendment(state="proposed", approved_by=None)}))
    assert told.state().in_force == 1
    told.tell(registered(later | {"amendment": an_amendment()}))
    assert (told.state().in_force, told.state().plans[2].clash) == (2, False)


def test_a_frozen_contract_is_shown_with_what_was_last_said_of_it(monkeypatch):
    told = story_of(a_milestone(requires=["met"]), a_milestone("M2", None))

    def defect(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr("services.runtime.containment.react", defect)
    told.tell(met())
    standing = told.standings()
    position = standing["M1"].position
    assert (position.value, position.released, position.held, position.allowed) == (10_000, 0, 10_000, 0)
    assert [str(code) for code in position.exceptions] == ["UNDECIDED"]
    assert (standing["M1"].status, standing["M1"].action) == ("scheduled", "hold")
    assert (standing["M2"].position.value, standing["M2"].position.held) == (0, 0)


def test_of_a_frozen_contract_the_rest_is_held(monkeypatch):
    told = story_of(a_milestone(requires=["received"])).tell(received("40"))

    def defect(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr("services.runtime.containment.react", defect)
    position = told.tell(met()).position()
    assert (position.released, position.held) == (4_000, 6_000)


def test_the_sentence_of_a_claim_names_its_limit():
    body = InvoiceClaimedElsewhere("S", "I-1", None, None, (), more=False)
    assert "several currencies" in sentence(body)


def test_what_a_milestone_replaces_and_never_was_is_refused_with_its_place():
    told = story_of(a_milestone())
    plan = a_contract(a_milestone("M2", replaces=["M9"]), version=2, amendment=an_amendment())
    told.tell(registered(plan))
    assert " milestones.M2.replaces: " in told.quarantined[0]
    unpaid = a_contract(a_milestone("M2", None, replaces=["M1"]), a_milestone("M3"), version=2)
    told.tell(registered(unpaid | {"amendment": an_amendment()}))
    assert " milestones.M2.replaces: nothing is payable" in told.quarantined[1]
    opening = {"released": "1.00", "as_of": "2026-01-31", "reference": "R", "approved_by": "anna"}
    told.tell(registered(a_contract(a_milestone(opening=opening), version=2, amendment=an_amendment())))
    assert " milestones.M1.opening: " in told.quarantined[2]


def test_what_went_back_with_an_amendment_goes_on_to_what_replaces_its_milestone():
    proofs = {"requires": ["received"]}
    told = story_of(a_milestone("M1", **proofs)).tell(received("40"))
    second = a_contract(a_milestone("M2", replaces=["M1"], **proofs), version=2)
    told.tell(registered(second | {"amendment": an_amendment()}))
    assert told.released("M2") == 4_000
    told.tell(registered(second | {"amendment": an_amendment(state="rejected", approved_by=None)}))
    assert (told.state().in_force, told.released("M1")) == (1, 4_000)
    third = a_contract(a_milestone("M3", replaces=["M2"], **proofs), version=3, amendment=an_amendment(id="A-3"))
    assert told.tell(registered(third)).position("M3").carried == 4_000


def test_amendments_that_were_never_approved_and_replace_each_other_in_a_circle_come_to_an_end():
    told = story_of(a_milestone("M1", requires=["met"])).tell(met())
    for version, (name, old) in enumerate([("A", "M1"), ("B", "A"), ("A", "B")], 2):
        proposed = an_amendment(id=f"A-{version}", state="proposed", approved_by=None)
        told.tell(registered(a_contract(a_milestone(name, replaces=[old]), version=version, amendment=proposed)))
    told.tell(registered(a_contract(a_milestone("C", replaces=["A"]), version=5, amendment=an_amendment(id="A-5"))))
    assert (told.quarantined, told.released("C")) == ([], 10_000)


def test_a_milestone_that_leaves_the_plan_with_a_cent_released_is_told_of():
    told = story_of(a_milestone("M1", "0.01", requires=["met"]), a_milestone("M2")).tell(met())
    told.tell(registered(a_contract(a_milestone("M2"), version=2, amendment=an_amendment())))
    assert told.position("M1").exceptions == ("WITHDRAWN",)


def test_commands_go_where_the_contract_says_and_else_where_the_configuration_does():
    assert [entry.finance for entry in story_of(a_milestone()).entries()] == ["ap"]
    assert [entry.finance for entry in story_of(a_milestone(), finance="sap").entries()] == ["sap"]


def test_a_new_status_is_logged_though_nothing_else_changes():
    told = story_of(a_milestone(requires=["invoiced"]), a_milestone("M2", requires=["invoiced"])).tell(met("M2"))
    assert [(d.milestone, d.status) for d in told.entries()[-1].decisions] == [("M2", "met")]


def test_a_new_exception_is_logged_though_nothing_else_changes():
    told = story_of(a_milestone(requires=["met"])).tell(paid("1.00"))
    assert [d.exceptions for d in told.entries()[-1].decisions] == [("PAID_WITHOUT_RELEASE",)]


def test_what_was_let_in_is_logged_though_it_changes_no_decision():
    one, two = (a_milestone(name, "50.00", requires=["met"], refs={"pm": ["K"]}) for name in ("M1", "M2"))
    told = story_of(one, two).tell(said("pm", "milestone.scheduled", key="K", forecast="2026-05-01"))
    told.tell(registered(a_contract(one, two | {"refs": {}}, version=2, amendment=an_amendment())))
    assert [(entry.cause, entry.decisions) for entry in told.entries()[-2:]] == [("registered", ()), ("unparked", ())]
    assert prove(told) == []


def test_one_event_for_two_milestones_holds_both_at_once():
    told = story_of(a_milestone("M1", "50.00", requires=["met"]), a_milestone("M2", "50.00", requires=["met"]))
    told.tell(met("M1", event="x"), said("pm", "milestone.assessed", "M2", status="notMet", event="x"))
    decided = told.entries()[-1].decisions
    assert [(d.milestone, d.reasons[0].code) for d in decided] == [
        ("M1", "SOURCE_CONTRADICTS_ITSELF"), ("M2", "SOURCE_CONTRADICTS_ITSELF"),
    ]  # fmt: skip


# What is worked out again


def test_a_version_whose_day_came_and_changed_nothing_is_in_force_when_the_log_is_worked_out_again():
    told = story_of(a_milestone(requires=["met"])).tell(met(status="notMet"))
    keyed = a_milestone(requires=["met"], refs={"pm": ["issue:1"]})
    later = an_amendment(effective_from="2026-03-02")
    told.tell(registered(a_contract(keyed, version=2, amendment=later)))
    told.clock(START + timedelta(days=2)).tell(said("pm", "milestone.assessed", key="issue:1", status="met"))
    assert "review" not in [entry.cause for entry in told.entries()]
    assert prove(told) == []


def test_a_later_version_whose_first_has_never_come_is_in_force_from_its_day_on():
    told = Story()
    later = an_amendment(effective_from="2026-03-02")
    told.tell(registered(a_contract(a_milestone(requires=["met"]), version=2, amendment=later)), met())
    assert told.commands == []
    told.clock(START + timedelta(days=2))
    assert [c["action"] for c in told.commands] == ["hold", "release"]
    assert told.released() == 10_000
    assert prove(told) == []


def test_what_two_milestones_claimed_until_a_day_is_let_in_when_the_log_is_worked_out_again():
    one, two = (a_milestone(name, "50.00", requires=["met"], refs={"pm": ["K"]}) for name in ("M1", "M2"))
    told = story_of(one, two).tell(said("pm", "milestone.assessed", key="K", status="met"))
    later = an_amendment(effective_from="2026-03-02")
    told.tell(registered(a_contract(one, a_milestone("M2", "50.00", requires=["met"]), version=2, amendment=later)))
    told.clock(START + timedelta(days=2))
    assert prove(told) == []


def test_a_key_that_two_objects_claim_stays_contradicted_where_no_other_version_comes_into_force():
    told = story_of(a_milestone(requires=["met"])).tell(met())
    state = told.state()
    (slot,) = state.slots.values()
    slot.created = ["1", "2"]
    catch_up(state, state.moment)
    assert slot.created == ["1", "2"]


def test_what_finds_its_home_on_a_day_between_is_let_in_with_what_comes_after_that_day():
    one, two = (a_milestone(name, "50.00", requires=["met"], refs={"pm": ["K"]}) for name in ("M1", "M2"))
    told = story_of(one, two).tell(said("pm", "milestone.assessed", key="K", status="met"))
    later = an_amendment(effective_from="2026-03-02")
    told.tell(registered(a_contract(one, two | {"refs": {}}, version=2, amendment=later)))
    state, moment = told.state(), micros(START + timedelta(days=2))
    arrival = Arrival((), moment, "pm/1")
    assert react(state, [arrival], moment, told.rules, wake=UNPARK).unparked == ["pm.events/0/2"]


# Subjects, persons, words


def test_one_key_in_two_systems_is_two_things():
    refs = [{"pm": ["K"]}, {"erp": ["K"]}]
    told = story_of(a_milestone("M1", "50.00", refs=refs[0]), a_milestone("M2", "50.00", refs=refs[1]))
    for system in ("pm", "erp"):
        place = {"ref": {"source": system, "key": "K"}}
        told.tell(Event("office", "hold.placed", place | {"hold": "H", "reason": "r", "by": "o"}))
    assert all("MANUAL_HOLD" in told.reasons(milestone) for milestone in ("M1", "M2"))


def test_an_authority_names_the_person_that_signs_under_another_name():
    authority = [{"person": "jane", "role": "site-manager"}]
    told = Story(people={"jane-doe": ["register:jane", "office:jd"]})
    told.tell(registered(a_contract(a_milestone(requires=["signed_off"]), sign_off={"authority": authority})))
    told.tell(signed("ann"))
    assert told.reasons() == ["SIGN_OFF_MISSING"]
    told.tell(signed("jd"))
    assert told.reasons() == []


def test_where_nobody_who_is_believed_has_spoken_there_is_no_conflict():
    told = story_of(a_milestone(requires=["met"])).tell(met(by="portal"))
    assert (told.defects, told.reasons(), told.position().conflicts) == ([], ["NOT_MET"], ())


@pytest.mark.parametrize("keys", [["issue:1"], ["issue:1", "issue:2"]])
def test_what_was_never_met_has_not_gone_back(keys):
    told = story_of(a_milestone(requires=["met", "signed_off"], refs={"pm": keys}))
    told.tell(*[said("pm", "milestone.assessed", key=key, status="scheduled", time=START) for key in keys])
    told.tell(signed(signed_at=(START - HOUR).isoformat()))
    told.tell(*[said("pm", "milestone.assessed", key=key, status="met") for key in keys])
    assert told.reasons() == []


def test_facts_before_a_registration_in_one_batch_are_a_revision_of_their_own():
    told = story_of(a_milestone(requires=["met"]))
    later = registered(a_contract(a_milestone("M1", "120.00", requires=["met"]), version=2, amendment=an_amendment()))
    told.tell_together(met(), later, said("pm", "milestone.scheduled", forecast="2026-05-01"))
    assert [entry.cause for entry in told.entries()] == ["registered", "facts", "registered", "facts"]


def test_what_waited_for_its_contract_is_told_as_un_parked():
    told = Story().tell(met()).tell(registered(a_contract(a_milestone(requires=["met"]))))
    assert [origin for report in told.reports for origin in report.unparked] == ["pm.events/0/1"]
    assert told.released() == 10_000


def test_what_two_milestones_claimed_counts_once_an_amendment_says_whose_it_is():
    both = [a_milestone(name, "50.00", requires=["met"], refs={"pm": ["K"]}) for name in ("M1", "M2")]
    told = story_of(*both).tell(said("pm", "milestone.assessed", key="K", status="met"))
    assert told.released() == 0
    mine = [both[0], a_milestone("M2", "50.00", requires=["met"])]
    told.tell(registered(a_contract(*mine, version=2, amendment=an_amendment())))
    assert [origin for report in told.reports for origin in report.unparked] == ["pm.events/0/2"]
    assert told.released() == 5_000


# Merging


def test_an_older_word_is_stale_unless_it_fills_a_field_that_the_newer_one_left_out():
    told = story_of(a_milestone(requires=["met"]))
    for reason, hours in (("new", 2), ("old", 1)):
        told.tell(said("office", "hold.placed", hold="H", reason=reason, by="o", time=START + hours * HOUR))
    assert told.outcomes[-1] == "stale"
    assert [s.body.reason for s in told.state().slots.values() if s.kind == "hold.placed"] == ["new"]
    told.tell(met(time=START + 2 * HOUR), said("pm", "milestone.assessed", status="notMet", percent="40", time=START))
    assert told.outcomes[-1] == "applied"
    told.tell(said("pm", "milestone.assessed", status="notMet", percent="30", time=START - HOUR))
    assert told.outcomes[-1] == "stale"


def test_a_redrive_ends_the_doubts_of_its_own_record_and_no_others():
    doubt = MessageUnreadable("s", b"content", None, b"record")
    assert [merge._is_of(doubt, {digest}) for digest in (b"content", b"record", b"another")] == [True, True, False]


def test_a_document_that_does_not_say_when_its_object_was_made_binds_no_key():
    slot = SimpleNamespace(created=None)
    merge._note_creation(slot, "issue:1")
    assert slot.created is None
    merge._note_creation(slot, "issue:1@2026-01-01")
    assert slot.created == ["2026-01-01"]
