"""Stories for the judge: each is healthy, and shows a planted bug that the tables' scenarios do not show.

Each answers the story as it ended. What a source cannot say itself (a waiver that an older release has let in, a defect
of our own) is put there by hand, for as long as it is needed.
"""

from datetime import timedelta
from unittest.mock import patch

from builders import (
    ORDER,
    OWNER,
    SOURCES,
    START,
    Lines,
    Story,
    a_contract,
    a_milestone,
    an_amendment,
    attached,
    done,
    held_by,
    invoice,
    lifted_by,
    met,
    micros,
    received,
    registered,
    said,
    signed,
    waived,
)  # fmt: skip
from msgspec.structs import replace

from contracts_schema.rows import OffsetRange, Partition
from services.reconciliation import decide
from services.runtime import reading

MET = a_contract(a_milestone(requires=["met"]))
DAY_MS = 86_400_000
INVOICED = a_contract(a_milestone(requires=["invoiced"]))


def a_source_says_two_things_under_one_id():
    story = Story().tell(registered(MET), met(version=1, event="x", status="notMet"), met(version=1, event="x"))
    return story.tell(met(version=2))


def two_sources_share_an_id_and_what_they_say():
    told = {"accepted": "60", "event": "x", "version": 1, "time": START}
    plan = a_contract(a_milestone(requires=["received"]), authority={"received": ["erp-us"]})
    return Story().tell(registered(plan), received(by="erp", **told), received(by="erp-us", **told))


def an_older_word_comes_late():
    return Story().tell(registered(MET), met(version=2, status="notMet"), met(version=1))


def a_record_is_dated_ahead_of_the_database():
    story = Story().tell(registered(MET))
    record = story.record(met(time=story.now))
    ahead = replace(record, offset=99, timestamp=record.timestamp + 30 * DAY_MS)
    moved = OffsetRange(OWNER, Partition(ahead.topic, 0), 99, 100, micros(story.now))
    story.reports.append(done(story.hallway.carry([ahead], OWNER, [moved], micros(story.now))))
    story.carried.append(ahead)
    return story


def a_milestone_comes_whose_proof_is_there():
    refs = {"refs": {"pm": ["issue:1"]}}
    was = a_contract(a_milestone("M1", requires=["invoiced"], **refs))
    heirs = [a_milestone("M1", requires=["invoiced"]), a_milestone("M2", requires=["met"], **refs)]
    now = a_contract(*heirs, version=2, amendment=an_amendment())
    return Story().tell(registered(was), said("pm", "milestone.assessed", key="issue:1", status="met"), registered(now))


def an_older_release_has_let_in_a_waiver_of_a_hold():
    story = Story().tell(registered(MET), held_by(), met())
    with patch.object(reading, "admit", lambda *_: None):
        return story.tell(waived("MANUAL_HOLD"))


def one_person_asks_for_a_waiver_and_approves_it():
    return Story(people={"walt": ["w.k"]}).tell(registered(MET), waived("NOT_MET", approved_by="w.k"))


def a_hold_is_lifted_at_the_very_time_of_its_placing():
    story = Story().tell(registered(MET), met(), held_by(time=START))
    return story.tell(said("legal", "hold.lifted", hold="H-1", by="lena", time=START))


def an_amendment_waits_for_its_day():
    later = an_amendment(effective_from="2026-03-05")
    more = a_contract(a_milestone(value="120.00", requires=["met"]), version=2, amendment=later)
    return Story().tell(registered(MET), registered(more), met()).clock(START + timedelta(days=6))


def facts_wait_for_their_contract():
    return Story().tell(met(), said("erp", "value.agreed", key="purchase:1", value="100.00"), registered(
        a_contract(a_milestone(requires=["met"], refs={"erp": ["purchase:1"]}))))  # fmt: skip


def facts_wait_for_a_version_of_another_day():
    keyed = a_milestone(value="120.00", requires=["met"], refs={"erp": ["purchase:1"]})
    later = a_contract(keyed, version=2, amendment=an_amendment(effective_from="2026-03-05"))
    story = Story().tell(registered(MET), said("erp", "value.agreed", key="purchase:1", value="120.00"))
    return story.tell(registered(later), met()).clock(START + timedelta(days=6))


def two_contracts_claim_one_invoice():
    story = Story().tell(*(registered(INVOICED | {"contract": contract}) for contract in "AB"))
    return story.tell(invoice("60.00", contract="A", total="100.00"), invoice("70.00", contract="B"))


def a_word_cannot_be_read():
    story = Story().tell(registered(MET), met(status="nearly"))
    return story.tell(said("pm", "milestone.assessed", status="met", time=START + timedelta(days=9)))


def a_defect_freezes_a_contract_until_the_next_release():
    story = Story().tell(registered(MET))

    def a_defect(_case):
        raise ZeroDivisionError

    with patch.object(decide, "checks_for", lambda kinds: (("", a_defect),)):
        story.tell(met(), held_by())
    mended = Story(release="2")
    mended.store = mended.hallway.store = story.store
    mended.offset, mended.now, mended.carried, mended.reports = story.offset, story.now, story.carried, story.reports
    mended.told = story.told
    return mended.tell(lifted_by(hold="H-2"))


def an_object_names_a_key_twice():
    story = Story().tell(registered(MET))
    record = story.record(met(status="notMet"))
    twice = record.value.replace(b'"status": "notMet"', b'"status": "notMet", "status": "met"')
    assert twice != record.value
    story.carry([replace(record, value=twice)])
    return story


def a_machine_of_another_role_registers():
    return Story().tell(registered(MET), registered(MET | {"title": "mine"}, by="erp"))


def a_day_lies_ahead():
    return Story().tell(registered(MET), met(met_on="2026-03-09"))


def shares_of_a_cent():
    """Retention, advance and damages each take a part of a cent."""
    odd = {"requires": ["met"], "due": "2026-02-20", "late_damages": {"percent_per_day": "0.1", "cap_percent": "10"}}
    terms = {
        "retention": {"steps": [{"until_percent": 50, "rate_percent": "10"}, {"rate_percent": "5"}]},
        "advance": {"amount": "10.00", "recoup_percent": "20"},
    }
    plan = a_contract(a_milestone("M1", "33.33", **odd), a_milestone("M2", "33.35", requires=["met"]), **terms)
    return Story().tell(registered(plan), met("M1", met_on="2026-02-28"), met("M2", met_on="2026-03-01"))


AMENDED = {"version": 2, "amendment": an_amendment()}
SAID_NO_MORE = {"version": 3, "amendment": an_amendment(id="A-2")}
KEPT = {"retention": {"steps": [{"until_percent": 40, "rate_percent": "10"}, {"rate_percent": "1"}]}}


def what_a_split_brought_is_in_the_brackets_of_later_versions():
    """Only the version that splits says what replaces what; retention goes over all of it for good (rules C4, E3)."""
    was, now = a_contract(a_milestone(requires=["met"]), **KEPT), {"requires": ["received"]}
    heirs = [a_milestone(name, replaces=["M1"], **now) for name in ("M1a", "M1b")]
    same = [a_milestone(name, **now) for name in ("M1a", "M1b")]
    story = Story().tell(registered(was), met(), registered(a_contract(*heirs, **KEPT, **AMENDED)))
    return story.tell(registered(a_contract(*same, **KEPT, **SAID_NO_MORE)), received("100", milestone="M1b"))


def what_comes_back_from_a_merger_is_in_the_brackets_of_the_first_version():
    """The amendment is taken back; nothing in the plan in force says that anything was replaced (rule E3)."""
    was = a_contract(a_milestone("M1", requires=["met"]), a_milestone("M2", requires=["received"]), **KEPT)
    merged = a_contract(a_milestone("X", "200.00", replaces=["M1", "M2"], requires=["met"]), **KEPT, **AMENDED)
    story = Story().tell(registered(was), met(), registered(merged))
    story.tell(registered(merged | {"amendment": an_amendment(state="rejected")}), met(status="notMet"))
    return story.tell(received("100", milestone="M2"))


def an_heir_of_nothing_gets_the_invoice_that_was_paid():
    """All that was released went to the first heir; the invoice that it paid is not paid again at the other (C3)."""
    at_order = {"refs": {"portal": ["order:1"]}}
    was, now = a_contract(a_milestone("M1", requires=["invoiced"], **at_order)), {"requires": ["invoiced"]}
    heirs = [a_milestone("M1a", replaces=["M1"], **now), a_milestone("M1b", replaces=["M1"], **now, **at_order)]
    same = [a_milestone("M1a", **now), a_milestone("M1b", **now, **at_order)]
    story = Story().tell(registered(was), invoice("100.00", key="order:1"))
    story.tell(registered(a_contract(*heirs, **AMENDED)), registered(a_contract(*same, **SAID_NO_MORE)))
    return story.tell(invoice("30.00", number="I-2", milestone="M1b"))


def two_suppliers_have_an_invoice_of_one_number():
    """What another supplier asks for at one milestone is no part of the invoice at another (rule D8)."""
    plan = a_contract(a_milestone("M1", requires=["met"]), a_milestone("M2", requires=["met"]))
    story = Story().tell(registered(plan), invoice("90.00", milestone="M1", source="erp", supplier="SUP-9"))
    return story.tell(invoice("90.00", milestone="M2"), met("M2"))


def another_system_has_an_older_document():
    """The newest word on a document counts, whichever system says it last (rule D4)."""
    story = Story().tell(registered(a_contract(a_milestone(requires=["evidence:fat", "signed_off"]))))
    older = attached(sha256="b" * 64, source="portal", time=story.now)
    story.tell(attached(), older, signed(evidence={"fat": "a" * 64}))
    return story.tell(signed(by="joe", evidence={"fat": "a" * 64}))


def another_suppliers_units_do_not_divide_ours():
    """A business unit that one supplier states says nothing of another's invoice under the same number (rule C3)."""
    plan = a_contract(a_milestone("M1", requires=["met"]), a_milestone("M2", requires=["met"]))
    story = Story().tell(registered(plan), invoice("9.00", source="erp", supplier="SUP-9"))
    story.tell(invoice("9.00", business_unit="south"), invoice("9.00", milestone="M2", business_unit="north"))
    return story.tell(invoice("8.00", milestone="M2", source="erp", supplier="SUP-9", business_unit="north"), met())


def two_contracts_claim_one_key_for_a_while():
    """What stood under it is nobody's meanwhile, then its own again (rules A7, A10, B5)."""
    plan = a_contract(a_milestone(requires=["met", "invoiced"], refs={"pm": ["k:1"]}))
    story = Story().tell(registered(plan), said("pm", "milestone.assessed", key="k:1", status="met"))
    story.tell(registered(plan | {"contract": "C-2"}), invoice("100.00"), invoice("100.00", "I-2", contract="C-2"))
    given_up = a_contract(a_milestone(requires=["met", "invoiced"]), version=2, amendment=an_amendment())
    return story.tell(registered(given_up), said("pm", "milestone.assessed", key="k:1", status="met", version=2))


def a_key_goes_to_another_contract():
    """What stood under it goes along (rules A7, A10)."""
    plan = a_contract(a_milestone(requires=["met", "invoiced"], refs={"pm": ["k:1"]}))
    story = Story().tell(registered(plan), said("pm", "milestone.assessed", key="k:1", status="met"))
    given_up = a_contract(a_milestone(requires=["met", "invoiced"]), version=2, amendment=an_amendment())
    return story.tell(registered(given_up), registered(plan | {"contract": "C-2"}), invoice("100.00", contract="C-2"))


def a_line_of_an_order_goes_to_another_contract():
    """What was said of it stood with the contract of the order, for as long as nobody claimed the line (rule B5)."""
    story = Story()
    story.hallway.reader = Lines(SOURCES, story.rules, OWNER)
    order = a_contract(a_milestone(requires=["met", "invoiced"]), refs={"pm": [ORDER]})
    story.tell(registered(order), said("pm", "milestone.assessed", key="k:1", status="met"))
    line = a_contract(a_milestone(requires=["met", "invoiced"], refs={"pm": ["k:1"]}), contract="C-2")
    return story.tell(registered(line), invoice("100.00", contract="C-2"))


STORIES = (
    a_source_says_two_things_under_one_id, two_sources_share_an_id_and_what_they_say, an_older_word_comes_late,
    a_record_is_dated_ahead_of_the_database, a_milestone_comes_whose_proof_is_there,
    an_older_release_has_let_in_a_waiver_of_a_hold, one_person_asks_for_a_waiver_and_approves_it,
    a_hold_is_lifted_at_the_very_time_of_its_placing, an_amendment_waits_for_its_day, facts_wait_for_their_contract,
    facts_wait_for_a_version_of_another_day, two_contracts_claim_one_invoice, a_word_cannot_be_read,
    a_defect_freezes_a_contract_until_the_next_release, an_object_names_a_key_twice,
    a_machine_of_another_role_registers, a_day_lies_ahead, shares_of_a_cent,
    what_a_split_brought_is_in_the_brackets_of_later_versions,
    what_comes_back_from_a_merger_is_in_the_brackets_of_the_first_version,
    an_heir_of_nothing_gets_the_invoice_that_was_paid, two_suppliers_have_an_invoice_of_one_number,
    another_system_has_an_older_document, another_suppliers_units_do_not_divide_ours,
    two_contracts_claim_one_key_for_a_while, a_key_goes_to_another_contract,
    a_line_of_an_order_goes_to_another_contract,
)  # fmt: skip
