"""Every record that is read ends in exactly one way, and the totals of a day add up."""

from datetime import date

import pytest
from builders import Story, a_contract, a_milestone, done, held_by, invoice, met, registered, waived
from hypothesis import given
from hypothesis import strategies as st

from contracts_schema.records import Record
from services.reconciliation.merge import Merged
from services.reconciliation.react import Outcome
from services.reporting.control import ENDS, control_totals, gap
from services.runtime import totals
from services.runtime.totals import record_totals


def counts(story):
    days = done(story.store.counts(date.min))
    return {name: sum(day.get(name, 0) for day in days.values()) for day in days.values() for name in day}


def test_each_way_in_which_a_record_may_end_is_counted_once():
    story = Story().tell(met("M9"))  # parked: nobody claims it yet
    story.tell(registered(a_contract(a_milestone("M1", requires=["met"]))))
    story.tell(met(event="one"), met(event="one"), waived("NOT_MET", approved_by="walt"), held_by())
    story.carry([Record("pm.events", 0, 0, 1, None, (), b"{")])
    found = counts(story)
    assert gap(found) == 0
    assert found["read"] == 7
    assert {name: found[f"record.{name}"] for name in ("quarantined", "refused", "parked", "duplicate")} == {
        "quarantined": 1, "refused": 1, "parked": 1, "duplicate": 1,
    }  # fmt: skip


def test_a_frozen_contract_defers_and_the_sum_still_holds(monkeypatch):
    story = Story().tell(registered(a_contract(a_milestone("M1", requires=["met"]))))

    def defect(*_args, **_more):
        raise RuntimeError("a defect")

    monkeypatch.setattr("services.runtime.containment.react", defect)
    story.tell_together(met(), invoice("100.00"))
    monkeypatch.undo()
    assert counts(story)["record.deferred"] == 2
    assert gap(counts(story)) == 0
    story.release = "2"
    story.rerule()
    story.tell(met())
    assert story.released("M1") == 10_000
    assert (counts(story)["read"], gap(counts(story))) == (4, 0)


def test_what_was_parked_counts_on_the_day_it_was_read_and_not_again():
    story = Story().tell(met("M1"), registered(a_contract(a_milestone("M1", requires=["met"]))))
    assert story.released("M1") == 10_000
    found = counts(story)
    assert (found["read"], gap(found)) == (2, 0)


def test_the_most_telling_end_of_a_records_facts_counts():
    outcomes = [Outcome("t/0/1", Merged.DUPLICATE), Outcome("t/0/1", Merged.PARKED), Outcome("t/0/1", Merged.APPLIED)]
    assert record_totals({"t/0/1"}, {}, outcomes, ()) == {"record.parked": 1}


def test_a_record_that_nobody_speaks_of_is_missing_from_the_sum():
    found = {"read": 2} | record_totals({"t/0/1", "t/0/2"}, {}, [Outcome("t/0/1", Merged.APPLIED)], ())
    assert gap(found) == 1


def test_records_of_other_days_do_not_count():
    assert record_totals(set(), {}, [Outcome("t/0/1", Merged.APPLIED)], ()) == {}


def test_the_report_knows_every_end_that_is_counted():
    assert set(totals.ENDS) == set(ENDS)
    assert {merged.value for merged in Merged} <= set(ENDS)


@given(st.dictionaries(st.sampled_from(["read", *(f"record.{end}" for end in ENDS)]), st.integers(0, 50)))
def test_the_gap_closes_the_sum(found):
    missing = gap(found)
    if missing is None:
        return
    row = control_totals({date(2026, 3, 1): found}).objects()[0]
    assert row["read"] == missing + sum(row[end] for end in ENDS)
    assert row["adds_up"] == (missing == 0)


@pytest.mark.parametrize("fault", ["unreadable", "killed the process", "defect"])
def test_whatever_lies_in_quarantine_counts_as_quarantined(fault):
    assert record_totals({"a"}, {"a": fault}, [Outcome("a", Merged.APPLIED)], ()) == {"record.quarantined": 1}
