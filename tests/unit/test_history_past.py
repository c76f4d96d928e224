"""A contract as it was known at a moment, as it was in the business world on a day, and what its account rests on."""

from datetime import UTC, date, datetime, timedelta

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
    micros,
    paid,
    received,
    registered,
    said,
    signed,
    waived,
)
from looking_back import books, log_of

from services.history.business import as_of, business_day
from services.history.fold import folded
from services.history.grounds import grounds
from services.history.rulebooks import Shelf
from services.runtime import past
from services.runtime.sentences import sentences


def known_at(story, moment, milestone="M1"):
    fold = folded("C-1", log_of(story), Shelf(books(story)), micros(moment))
    (found,) = past.known_at(fold, story.rules, micros(moment), milestone)
    return found


def on(story, day, milestone="M1"):
    log, day = log_of(story), date.fromisoformat(day)
    found = as_of("C-1", [entry for _, entry in log], story.rules, day)
    end = micros(datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)) - 1
    (one,) = past.on_day(found, folded("C-1", log, Shelf(books(story)), end), day, milestone)
    return one


def codes(one):
    return [reason.code for reason in one.account.reasons]


def test_as_it_was_known_is_as_it_had_been_decided_word_for_word():
    story = Story().tell(registered(a_contract(a_milestone(requires=["met", "invoiced"]))), met())
    then = story.now
    story.clock(then + timedelta(days=2)).tell(invoice("60.00"))
    before, after = known_at(story, then), known_at(story, story.now)
    assert (before.account.released_to_date.amount, codes(before)) == ("0.00", ["NOT_INVOICED"])
    assert (after.account.released_to_date.amount, codes(after)) == ("60.00", ["PARTLY_INVOICED"])
    assert before.account.notes[0].startswith("As it was known at 2026-03-01T08:00:02Z: after revision 2")
    assert [g.kind for g in before.grounds] == ["contract.registered", "milestone.assessed"]
    assert before.account.last_command.sequence == 1


def test_what_was_known_names_the_invoices_of_the_last_command():
    story = Story().tell(
        registered(a_contract(a_milestone(requires=["invoiced"]))), invoice("60.00"), invoice("9.00", "I-2")
    )
    assert [t.invoice for t in known_at(story, story.now - timedelta(seconds=1)).account.targets] == ["I-1"]
    assert [t.invoice for t in known_at(story, story.now).account.targets] == ["I-1", "I-2"]


def test_on_a_day_only_what_is_about_that_day_or_an_earlier_one_counts():
    story = Story().tell(registered(a_contract(a_milestone(requires=["met", "invoiced"]))))
    story.clock(datetime(2026, 4, 1, tzinfo=UTC))
    story.tell(met(met_on="2026-03-10"), invoice("100.00", issued_on="2026-03-15"))
    assert codes(on(story, "2026-03-09")) == ["NOT_MET", "NOT_INVOICED"]
    assert codes(on(story, "2026-03-10")) == ["NOT_INVOICED"]
    full = on(story, "2026-03-15")
    assert (full.account.released_to_date.amount, codes(full)) == ("100.00", [])
    assert (full.told.action, full.told.released_to_date.amount) == ("hold", "0.00")
    assert [(x.kind, x.about) for x in on(story, "2026-03-10").left_out] == [("invoice.received", "2026-03-15")]
    assert known_at(story, datetime(2026, 3, 20, tzinfo=UTC)).account.released_to_date.amount == "0.00"


def test_the_days_before_are_decided_one_by_one_so_that_a_later_dispute_takes_nothing_back():
    story = Story().tell(registered(a_contract(a_milestone(requires=["met"]))))
    story.clock(datetime(2026, 4, 1, tzinfo=UTC)).tell(disputed())
    story.tell(met(met_on="2026-03-10"))
    assert story.released() == 0
    assert on(story, "2026-03-31").account.released_to_date.amount == "100.00"
    assert codes(on(story, "2026-04-01")) == ["OVER_RELEASED", "DISPUTED"]


def test_an_invoice_that_was_cancelled_later_stood_until_then():
    story = Story().tell(registered(a_contract(a_milestone(requires=["invoiced"]))))
    story.tell(invoice("60.00")).clock(datetime(2026, 3, 20, tzinfo=UTC)).tell(invoice("60.00", state="cancelled"))
    assert [t.invoice for t in on(story, "2026-03-19").account.targets] == ["I-1"]
    assert on(story, "2026-03-20").account.targets == ()


def test_an_amendment_counts_from_the_day_on_which_it_becomes_effective():
    story = Story().tell(registered(a_contract(a_milestone("M1", "100.00", requires=["met"]))))
    story.clock(datetime(2026, 4, 1, tzinfo=UTC))
    amended = a_contract(a_milestone("M1", "150.00", requires=["met"]), version=2,
                         amendment=an_amendment(effective_from="2026-03-10"))  # fmt: skip
    story.tell(registered(amended))
    assert on(story, "2026-03-09").account.value.amount == "100.00"
    assert on(story, "2026-03-10").account.value.amount == "150.00"


def test_a_day_before_everything_shows_the_plan_and_nothing_said():
    story = Story().tell(registered(a_contract()), met())
    one = on(story, "2026-02-01")
    assert [g.kind for g in one.grounds] == ["contract.registered"]
    assert one.told is None
    assert past.told_sentences(one) == ["  By then finance had been told nothing."]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (met(met_on="2026-02-03"), "2026-02-03"),
        (met(), "2026-03-01"),
        (received("1", received_on="2026-02-04"), "2026-02-04"),
        (signed(signed_at="2026-02-05T23:30:00Z"), "2026-02-06"),
        (invoice("1.00", issued_on="2026-02-06"), "2026-02-06"),
        (invoice("1.00", issued_on="2026-02-06", state="cancelled"), "2026-03-01"),
        (paid("1.00", paid_on="2026-02-07"), "2026-02-07"),
        (said("portal", "compliance.document", None, name="x", valid_from="2026-02-08", valid_until="2026-12-31"),
         "2026-02-08"),
        (held_by(), "2026-03-01"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.kind,
)  # fmt: skip
def test_each_kind_of_fact_is_about_a_day(event, expected):
    story = Story()
    (fact,) = story.hallway.reader.read(story.record(event)).facts
    assert business_day(fact, "Europe/Berlin").isoformat() == expected


def test_an_account_says_which_facts_count_and_why_others_do_not():
    plan = a_contract(
        a_milestone("M1", requires=["met", "invoiced", "signed_off"], due="2026-03-01"), sign_off={"roles": ["boss"]}
    )
    story = Story().tell(
        registered(plan), met(), met(by="erp"), invoice("60.00"), invoice("50.00", source="ap"),
        invoice("1.00", "I-9", supplier="SUP-9"), invoice("2.00", "I-8", state="cancelled"), signed(),
        waived("NOT_MET", until="2026-02-01"), held_by(), lifted_by(), met("M9"),
    )  # fmt: skip
    found = {g.fact: g for g in grounds(story.state(), story.rules)["M1"]}
    why = {f"{g.source} {g.kind} {fact}": (g.counts, g.why) for fact, g in found.items()}
    said_by = {key.rsplit(" ", 1)[0]: verdict for key, verdict in why.items()}
    assert said_by["pm milestone.assessed"] == (
        True,
        "the newest word of pm (by its time); project is believed about completion",
    )
    assert said_by["erp milestone.assessed"][1].startswith(
        "kept and shown, not used: about completion project is believed"
    )
    assert said_by["ap invoice.received"][0]
    assert (False, "another system's word about this invoice is believed first (rule C3)") in why.values()
    assert (False, "it is another supplier's (rule B7)") in why.values()
    assert (False, "the invoice does not stand: it is cancelled") in why.values()
    assert said_by["office sign_off.given"][1].startswith("not a valid signature: role, authority")
    assert said_by["office reason.waived"][1].startswith("the waiver has ended")
    assert said_by["register contract.registered"] == (True, "the highest version in force")
    one = past.explained(story.state(), story.rules, "M1")[0]
    told = "\n".join([*sentences(one.account), *past.grounds_sentences(one)])
    assert "It rests on:" in told
    assert "ap (finance) invoice.received" in told
    assert "net 50.00 EUR" in told


def test_a_fact_that_waits_is_shown_with_why():
    plan = a_contract(a_milestone("M1", requires=["met"]))
    amended = a_contract(a_milestone("M1", requires=["met"]), a_milestone("M2", requires=["met"]), version=2,
                         amendment=an_amendment(effective_from="2026-12-01"))  # fmt: skip
    story = Story().tell(registered(plan), registered(amended), met("M2"))
    story.clock(datetime(2026, 12, 2, tzinfo=UTC))
    assert [g.kind for g in grounds(story.state(), story.rules)["M2"] if g.counts] == [
        "contract.registered", "milestone.assessed",
    ]  # fmt: skip


def test_an_invoice_that_could_be_either_of_two_units_waits_and_says_so():
    story = Story().tell(registered(a_contract(a_milestone("M1", requires=["invoiced"]))))
    story.tell(invoice("10.00", business_unit="north"), invoice("10.00", business_unit="south", source="erp"))
    story.tell(invoice("10.00", source="ap"))
    (waiting,) = [g for g in grounds(story.state(), story.rules)["M1"] if g.source == "ap"]
    assert (waiting.counts, waiting.why) == (False, "it waits: ambiguous (rule A10)")


def test_before_any_version_is_in_force_nothing_rests_on_anything():
    story = Story().tell(registered(a_contract(version=2, amendment=an_amendment(state="proposed"))))
    assert grounds(story.state(), story.rules) == {}


def test_what_finance_had_been_told_and_what_was_left_out_are_said_in_sentences():
    story = Story().tell(registered(a_contract(a_milestone(requires=["met"]))), met(met_on="2026-03-01"))
    story.clock(datetime(2026, 4, 1, tzinfo=UTC)).tell(disputed())
    one = on(story, "2026-03-31")
    assert past.told_sentences(one) == [
        "  By then finance had really been told: release, sequence 2: EUR 100.00 released, 0.00 held."
    ]
    said = past.grounds_sentences(one)
    assert said[-2:] == [
        "  Not counted, because it is about a later day:", f"    dispute.opened of 2026-04-01 (office/e{story.told})",
    ]  # fmt: skip
