"""Corners of decisions that no table shows: waivers that should not be there, authority, records on the wire."""

import json
from datetime import timedelta

from builders import (
    FAT,
    START,
    Story,
    a_contract,
    a_milestone,
    an_amendment,
    attached,
    disputed,
    held_by,
    invoice,
    lifted_by,
    met,
    received,
    registered,
    resolved,
    said,
    signed,
    waived,
)

from contracts_schema import facts as f
from contracts_schema.reasons import HoldReason
from contracts_schema.rows import Lane
from services.reconciliation.crosswalk import index_of
from services.reconciliation.log import read_entry
from services.reconciliation.merge import Seen, merge
from services.reconciliation.state import encode_state
from services.reconciliation.view import snapshot, standings
from services.reconciliation.wire import decision_of
from services.runtime.outgoing import packed_rows

MET = a_contract(a_milestone(requires=["met"]))


def with_fact(story, body):
    """The state of a story with a fact that was let in by an older release."""
    state = story.state()
    index = index_of(state.plans[1].plan)
    merge(state, Seen(state.seen), f.Fact("office", "old", f.Address("C-1", "M1"), state.moment, body), "", index)
    return state


def test_a_waiver_of_what_cannot_be_waived_lifts_nothing_even_where_it_is_stored():
    story = Story().tell(registered(MET), held_by(), met())
    state = with_fact(story, f.ReasonWaived("MANUAL_HOLD", "walt", "anna", "T-1"))
    assert [r.code for r in standings(state, story.rules)[0].position.reasons] == [HoldReason.MANUAL_HOLD]


def test_a_waiver_by_one_person_lifts_nothing_even_where_it_is_stored():
    story = Story(people={"walt": ["w.k"]}).tell(registered(MET))
    state = with_fact(story, f.ReasonWaived("NOT_MET", "walt", "w.k", "T-1"))
    assert [r.code for r in standings(state, story.rules)[0].position.reasons] == [HoldReason.NOT_MET]


def test_a_second_operator_may_lift_what_the_first_has_placed_later_and_at_the_same_place():
    story = Story().tell(registered(MET), met("M1", status="notMet"), held_by())
    story.tell(said("legal", "hold.lifted", None, hold="H-1", by="lena"))
    assert story.reasons() == ["MANUAL_HOLD", "NOT_MET"]
    story.tell(said("legal", "hold.lifted", hold="H-1", by="lena"))
    assert story.reasons() == ["NOT_MET"]


def test_what_is_lifted_at_the_very_time_of_placing_stays_held():
    story = Story().tell(registered(MET), met(), held_by(time=START))
    story.tell(said("legal", "hold.lifted", hold="H-1", by="lena", time=START))
    assert story.reasons() == ["MANUAL_HOLD"]


def test_evidence_that_changed_cites_those_who_signed_it_and_no_others():
    plan = a_contract(a_milestone(requires=["signed_off", "evidence:fat"]))
    story = Story().tell(registered(plan), attached(), signed(evidence={"fat": FAT}, event="s1"))
    story.tell(signed("joe", event="s2"), attached(sha256="b" * 64))
    (reason,) = [r for r in story.position().reasons if r.code == "EVIDENCE_CHANGED"]
    assert reason.facts == ("office/s1",)


def test_a_measure_counts_in_the_word_of_the_highest_authority_and_the_newest_period():
    plan = a_contract(a_milestone(requires=["measure:yield>=0.9"]))
    story = Story().tell(
        registered(plan), said("office", "measure.reported", name="yield", value="0.95", period="2026-03")
    )
    assert story.released() == 10_000
    other = Story().tell(
        registered(plan), said("erp", "measure.reported", name="yield", value="0.50", period="2026-01")
    )
    other.tell(said("office", "measure.reported", name="yield", value="0.95", period="2026-03"))
    assert other.reasons() == ["NOT_MET"]
    other.tell(said("erp", "measure.reported", name="yield", value="0.90", period="2026-02"))
    assert other.released() == 10_000


def test_measures_compare_in_every_way():
    for sign, passes in (("<=", "1"), (">=", "1"), ("<", "0.5"), (">", "2"), ("=", "1.0")):
        plan = a_contract(a_milestone(requires=[f"measure:x{sign}1"]))
        story = Story().tell(registered(plan), said("erp", "measure.reported", name="x", value=passes, period="p"))
        assert story.released() == 10_000, sign


def test_of_equal_authorities_the_newest_word_counts_and_the_other_is_a_conflict():
    story = Story().tell(registered(MET), met(), said("pm", "milestone.scheduled", forecast="2026-05-01"))
    plan = a_contract(a_milestone(requires=["received"]), hold_on_conflict=[])
    story = Story().tell(registered(plan), received("1", "4"), received("2", "4", by="erp-us"))
    assert (story.released(), [c.field for c in story.position().conflicts]) == (5_000, ["received"])


def test_a_percentage_that_differs_is_a_conflict_and_a_missing_one_is_not():
    plan = a_contract(a_milestone(requires=["met"]), hold_on_conflict=[])
    for percent, conflicts in (("50", ["completion"]), (None, [])):
        story = Story().tell(registered(plan), met(status="partiallyMet", percent="40"))
        story.tell(met(status="partiallyMet", by="erp", **({"percent": percent} if percent else {})))
        assert [c.field for c in story.position().conflicts] == conflicts


def test_the_day_of_being_met_is_said_or_that_of_the_first_word_of_the_present_run():
    due = a_milestone(requires=["met"], due="2026-02-20", late_damages={"percent_per_day": "1", "cap_percent": "50"})
    story = Story().tell(registered(a_contract(due)), met(met_on="2026-02-22"), met())
    assert story.standings()["M1"].case.completion.met_on.isoformat() == "2026-02-22"
    story.tell(met(status="notMet"), met())
    assert story.standings()["M1"].case.completion.met_on.isoformat() == "2026-03-01"


def test_met_said_again_is_met_on_the_first_day_and_not_on_the_last():
    due = a_milestone(requires=["met"], due="2026-02-20", late_damages={"percent_per_day": "1", "cap_percent": "50"})
    story = Story().tell(registered(a_contract(due)), met(time=START - timedelta(days=4)), met(percent="100"))
    assert story.standings()["M1"].case.completion.met_on.isoformat() == "2026-02-25"


def test_of_two_sources_believed_alike_about_completion_the_newest_word_counts():
    plan = a_contract(a_milestone(requires=["met"]), authority={"completion": ["erp"]}, hold_on_conflict=[])
    story = Story().tell(registered(plan), met(by="erp"))
    story.tell(met(by="erp-us", status="notMet", time=START - timedelta(days=1)))
    assert story.reasons() == []
    story.tell(met(by="erp-us", status="notMet"))
    assert story.reasons() == ["NOT_MET", "OVER_RELEASED"]


def test_a_source_without_a_word_lets_the_next_authority_speak():
    plan = a_contract(a_milestone(requires=["met"]), authority={"completion": ["pm", "erp"]})
    story = Story().tell(registered(plan), met(by="erp"), met(status="notMet"))
    assert story.reasons() == ["SOURCES_DISAGREE", "NOT_MET", "OVER_RELEASED"]
    story.tell(met(status=None))
    assert story.reasons() == []


def test_evidence_of_two_systems_is_the_newest_word():
    plan = a_contract(a_milestone(requires=["evidence:fat"]))
    story = Story().tell(registered(plan), said("portal", "evidence.attached", name="fat", sha256="a" * 64))
    story.tell(said("office", "evidence.removed", name="fat"))
    assert story.released() == 10_000
    assert "EVIDENCE_MISSING" not in story.reasons()


def test_the_signed_document_may_be_written_in_capitals():
    plan = a_contract(a_milestone(requires=["signed_off", "evidence:fat"]))
    story = Story().tell(registered(plan), said("office", "evidence.attached", name="fat", sha256="AB" * 32))
    story.tell(signed(evidence={"fat": "ab" * 32}))
    assert story.released() == 10_000


def test_decision_records_snapshots_and_commands_tell_the_same():
    plan = a_contract(
        a_milestone(requires=["met", "invoiced"], owner="jane", due="2026-06-30"), a_milestone("M2", None)
    )
    story = Story().tell(registered(plan), invoice("100.00", total="100.00"), met(), met(status="notMet", by="erp"))
    row = next(row for row in story.log() if any(d.said for d in read_entry(row).decisions))
    entry = read_entry(row)
    record = decision_of(entry, entry.decisions[0], row.head)
    assert record.command_id == story.commands[0]["command_id"]
    shown = {s.position.milestone: snapshot(story.state(), s) for s in story.standings().values()}
    assert shown["M1"].released_to_date.amount == story.commands[-1]["released_to_date"]["amount"]
    assert [(line.field, line.resolve) for line in shown["M1"].conflicts] == [("completion", "project")]
    assert (shown["M2"].action, shown["M2"].value.amount, shown["M1"].dates.due) == (None, "0.00", "2026-06-30")
    assert json.loads(json.dumps(story.commands[-1])) == story.commands[-1]
    assert Lane.COMMANDS == 0
    assert packed_rows
    assert encode_state(story.state()) == story.raw()


def test_an_opening_is_shown_as_carried_in_commands_decisions_and_snapshots():
    opening = {"released": "40.00", "as_of": "2026-02-28", "reference": "B-7", "approved_by": "anna"}
    story = Story().tell(registered(a_contract(a_milestone(opening=opening))))
    assert story.commands[0]["carried"] == {"amount": "40.00", "currency": "EUR"}
    row = story.log()[0]
    assert decision_of(read_entry(row), read_entry(row).decisions[0], row.head).carried.amount == "40.00"
    assert snapshot(story.state(), story.standings()["M1"]).carried.amount == "40.00"


def test_a_withdrawn_milestone_has_no_snapshot_and_nothing_is_known_before_a_registration():
    amendment = {"id": "A", "state": "approved", "rationale": "r", "requested_by": "r", "approved_by": "a"}
    two = a_contract(a_milestone("M2"), version=2, amendment=amendment)
    story = Story().tell(registered(MET), met(), registered(two))
    assert snapshot(story.state(), story.standings()["M1"]) is None
    proposed = a_contract(version=2, amendment=amendment | {"state": "proposed"})
    assert Story().tell(registered(proposed)).standings() == {}


def test_a_word_from_one_who_has_no_say_is_kept_and_never_used():
    plan = a_contract(a_milestone(requires=["invoiced"]), hold_on_conflict=[])
    story = Story().tell(registered(plan), invoice("100.00", source="pm"), said("pm", "value.agreed", value="1.00"))
    assert story.reasons() == ["NOT_INVOICED"]
    assert len(story.state().slots) == 2


def test_of_several_objects_of_one_source_the_newest_date_counts():
    plan = a_contract(a_milestone(requires=["met"], refs={"pm": ["issue:1", "issue:2"]}))
    story = Story().tell(registered(plan), said("pm", "milestone.scheduled", key="issue:1", forecast="2026-05-01"))
    late = START - timedelta(days=1)
    story.tell(said("pm", "milestone.scheduled", key="issue:2", forecast="2026-06-01", time=late))
    assert story.standings()["M1"].case.forecast.value.isoformat() == "2026-05-01"


def test_a_value_agreed_over_several_lines_is_their_sum():
    plan = a_contract(a_milestone(requires=["met"], refs={"erp": ["line:1", "line:2"]}))
    story = Story().tell(registered(plan), said("erp", "value.agreed", key="line:1", value="60.00"))
    assert story.reasons() == ["VALUE_DIFFERS", "NOT_MET"]
    story.tell(said("erp", "value.agreed", key="line:2", value="40.00"))
    assert story.reasons() == ["NOT_MET"]


def test_a_waiver_by_cause_leaves_the_rest_of_the_reason():
    plan = a_contract(a_milestone("M1"), a_milestone("M2"), a_milestone("M3", requires=["met"], after=["M1", "M2"]))
    story = Story().tell(registered(plan), waived("PRECURSOR_OPEN", "M3", cause="M1"), met("M3"))
    (reason,) = story.position("M3").reasons
    assert (str(reason.code), reason.detail) == ("PRECURSOR_OPEN", "M2 comes first and is not met")


def test_a_doubt_about_a_hold_that_was_placed_is_not_ended_by_one_that_was_lifted():
    story = Story().tell(registered(MET), met(status="notMet"), held_by("olga", "H-2", version="one"))
    assert story.reasons() == ["SOURCE_UNREADABLE", "NOT_MET"]
    story.tell(said("office", "hold.lifted", hold="H-1", by="otto"))
    assert story.reasons() == ["SOURCE_UNREADABLE", "NOT_MET"]
    story.tell(held_by("olga", "H-2"), said("office", "hold.lifted", hold="H-2", by="otto"), met())
    assert story.released() == 10_000


KEYED = a_contract(a_milestone(requires=["met"], refs={"portal": ["order:1/1"], "office": ["dossier:7"]}))


def test_an_operator_ends_under_our_id_what_a_portal_disputed_under_its_own_key():
    story = Story().tell(registered(KEYED), met(status="notMet"), disputed("40.00", source="portal", key="order:1/1"))
    story.tell(met())
    assert (story.reasons(), story.released()) == (["DISPUTED"], 6_000)
    story.tell(resolved())
    assert (story.reasons(), story.released()) == ([], 10_000)


def test_a_hold_placed_under_a_key_is_lifted_under_our_id_and_one_of_the_whole_contract_is_not():
    story = Story().tell(
        registered(KEYED), met(status="notMet"), held_by(key="dossier:7"), held_by("olga", "H-2", None)
    )
    story.tell(lifted_by(), lifted_by("otto", "H-2"))
    assert story.position().reasons[0].detail == "olga placed hold H-2: under review"
    story.tell(lifted_by("otto", "H-2", None), met())
    assert story.released() == 10_000


def test_a_delivery_claimed_by_one_who_has_no_say_is_nobodys_duty():
    plan = a_contract(a_milestone(requires=["signed_off"]))
    story = Story().tell(registered(plan), said("pm", "delivery.claimed", delivered_on="2026-03-01", by="jane"))
    assert story.tell(signed("jane")).released() == 10_000


def test_a_precursor_that_was_replaced_counts_as_met_when_the_stand_in_of_its_successor_is():
    story = Story().tell(registered(a_contract(a_milestone("M1"), a_milestone("M2", requires=["met"], after=["M1"]))))
    heirs = [a_milestone("M3", replaces=["M1"]), a_milestone("M4", requires=["met"], contingency_for="M3")]
    plan = a_contract(*heirs, a_milestone("M2", requires=["met"], after=["M1"]), version=2, amendment=an_amendment())
    story.tell(registered(plan), met("M2"), met("M4"))
    assert story.reasons("M2") == ["PRECURSOR_OPEN"]
    story.tell(said("office", "milestone.activated", "M4", by="olga", rationale="fallback"))
    assert story.released("M2") == 10_000


def test_a_value_in_another_currency_is_compared_at_its_rate_and_shown_as_it_was_said():
    rates = [{"from": "USD", "rate": "0.5", "valid_from": "2026-01-01"}]
    story = Story().tell(registered(a_contract(a_milestone(requires=["met"]), rates=rates)))
    assert story.tell(said("erp", "value.agreed", value="200.00", currency="USD")).reasons() == ["NOT_MET"]
    story.tell(said("erp", "value.agreed", value="202.00", currency="USD"))
    (conflict,) = story.position().conflicts
    assert [word.value for word in conflict.words] == [(("EUR", 10_000),), (("USD", 20_200),)]
