"""A part that a newer version of its document no longer has is void (rule F9), wherever the document's lines go now."""

from datetime import timedelta

import pytest
from builders import a_contract, a_milestone, done, met, micros, registered, said
from laws.house import House
from msgspec.msgpack import decode
from ubl_papers import NAMES, a_paper, sent, unreadable

from connectors.memory_tables import Tables
from services.runtime.documents import DOUBTS_MOST, Known

HERE, THERE, NOWHERE = (("A1", "100.00"),), (("B1", "100.00"),), (("X1", "100.00"),)


def plan(name, **terms):
    """A contract with one milestone, under one line of the order."""
    milestone = a_milestone(f"{name}1", requires=["invoiced", "met"], refs={"ubl": [f"order:PO-1/{name}1"]} | terms)
    return registered(a_contract(milestone, contract=name))


def send(story, *papers, together=False):
    records = []
    for paper in papers:
        story.now += timedelta(seconds=1)
        records.append(sent(paper, story.now))
    for batch in [records] if together else [[record] for record in records]:
        story.carry(batch)
    return story


@pytest.fixture
def story():
    return House().tell(plan("A"), plan("B"))


def is_met(name):
    return met(f"{name}1", contract=name)


@pytest.mark.parametrize("lines", [THERE, NOWHERE, ()])
@pytest.mark.parametrize("together", [True, False])
def test_a_document_that_no_longer_speaks_of_the_contract_leaves_nothing_behind(story, lines, together):
    send(story, a_paper(lines=HERE), a_paper(lines=lines, net="100.00"), together=together)
    assert story.tell(is_met("A")).released("A1", "A") == 0
    assert story.reasons("A1", "A") == ["NOT_INVOICED"]
    assert story.tell(is_met("B")).released("B1", "B") == (100_00 if lines == THERE else 0)


def test_it_is_said_before_anything_is_released_in_the_same_batch(story):
    send(story, a_paper(lines=HERE))
    newer = sent(a_paper(lines=THERE), story.now + timedelta(seconds=9))
    story.carry([story.record(is_met("A")), newer])
    assert story.released("A1", "A") == 0
    (entry,) = [e for e in story.entries("A") if any(fact.kind == "document.renewed" for fact in e.facts)]
    assert entry.facts[0].kind == "document.renewed"


def test_nor_does_a_review_between_two_records_of_that_batch_release_it():
    """The insurance is valid from tomorrow: at midnight all would be there."""
    terms = a_milestone("A1", requires=["invoiced", "met"], refs={"ubl": ["order:PO-1/A1"]})
    story = House().tell(registered(a_contract(terms, contract="A", compliance=["insurance"])), is_met("A"))
    paper = {"name": "insurance", "valid_from": "2026-03-02", "valid_until": "2027-03-01"}
    send(story, a_paper(lines=HERE)).tell(said("portal", "compliance.document", None, contract="A", **paper))
    assert story.reasons("A1", "A") == ["COMPLIANCE_EXPIRED"]
    newer = sent(a_paper(lines=THERE), story.now + timedelta(days=1))
    story.carry([story.record(is_met("A")), newer])
    assert story.clock(story.now + timedelta(days=2)).released("A1", "A") == 0


def test_an_old_version_that_comes_late_counts_nowhere(story):
    old, new = sent(a_paper(lines=HERE), story.now), sent(a_paper(lines=THERE), story.now + timedelta(hours=1))
    story.carry([new])
    story.carry([old])
    assert story.tell(is_met("A")).released("A1", "A") == 0
    revisions = len(story.log("A"))
    story.carry([old])
    story.carry([new])
    assert len(story.log("A")) == revisions


def test_an_old_version_that_waited_for_its_contract_counts_nowhere():
    story = send(House().tell(plan("B")), a_paper(lines=HERE), a_paper(lines=THERE))
    story.tell(plan("A"), is_met("A"))
    assert (story.released("A1", "A"), story.reasons("A1", "A")) == (0, ["NOT_INVOICED"])


def test_what_says_that_a_part_is_void_is_no_ground_of_what_is_decided_then(story):
    send(story, a_paper(lines=HERE), a_paper(lines=THERE))
    renewed = [fact.id for entry in story.entries("A") for fact in entry.facts if fact.kind == "document.renewed"]
    (decided,) = story.tell(is_met("A")).entries("A")[-1].decisions
    assert renewed != []
    assert all(name not in ground for ground in decided.basis for name in renewed)


def test_money_that_is_out_on_a_void_part_is_shown_as_released_too_much(story):
    send(story.tell(is_met("A")), a_paper(lines=HERE))
    assert story.released("A1", "A") == 100_00
    assert "OVER_RELEASED" in send(story, a_paper(lines=NOWHERE)).reasons("A1", "A")


def test_a_document_that_changes_order_currency_or_kind_of_line_is_still_one_document(story):
    send(story, a_paper(lines=HERE), a_paper(lines=HERE, order="PO-9"))
    assert story.tell(is_met("A")).reasons("A1", "A") == ["NOT_INVOICED"]
    send(story, a_paper(lines=HERE, coin="USD"))
    assert "CURRENCIES_DIFFER" in story.reasons("A1", "A")
    send(story, a_paper(lines=THERE, coin="USD"))
    assert story.reasons("A1", "A") == ["NOT_INVOICED"]


def test_another_suppliers_invoice_of_that_number_is_another_document(story):
    send(story.tell(is_met("A")), a_paper(lines=HERE), a_paper(lines=THERE, supplier="SUP-2"))
    assert story.released("A1", "A") == 100_00
    assert "WRONG_SUPPLIER" in story.reasons("B1", "B")


def test_a_credit_note_that_moves_elsewhere_takes_nothing_off_here_any_more(story):
    note = {"kind": "CreditNote", "number": "N-1", "credited": "U-7"}
    send(story, a_paper(lines=HERE), a_paper(lines=(("A1", "40.00"),), **note))
    assert story.tell(is_met("A")).released("A1", "A") == 60_00
    assert send(story, a_paper(lines=(("B1", "40.00"),), **note)).released("A1", "A") == 100_00


def test_of_there_and_back_again_the_newest_counts(story):
    first, other = a_paper(lines=HERE), a_paper(lines=(*HERE, *NOWHERE))
    totals = []
    for paper in (first, other, first):
        send(story, paper)
        (part,) = [slot for slot in story.state("A").slots.values() if slot.kind == "invoice.received"]
        totals.append(part.body.total.minor)
    assert totals == [100_00, 200_00, 100_00]


@pytest.mark.parametrize("backwards", [True, False])
def test_a_part_stands_where_the_newest_version_has_it(backwards):
    keys = {f"M{n}": [f"contract:K{n}"] for n in (1, 2)}
    milestones = [a_milestone(n, requires=["invoiced", "met"], refs={"ubl": k}) for n, k in keys.items()]
    story = House().tell(registered(a_contract(*milestones)), met("M1"), met("M2"))
    papers = [sent(a_paper(lines=HERE, contract=f"K{n}"), story.now + timedelta(hours=n)) for n in (1, 2)]
    for paper in reversed(papers) if backwards else papers:
        story.carry([paper])
    assert story.position("M1").allowed == 0
    assert story.position("M2").allowed == 100_00


@pytest.mark.parametrize("backwards", [True, False])
def test_a_part_that_could_belong_to_several_finds_its_place_with_the_version_that_says_which(backwards):
    keys = {f"M{n}": [f"contract:K{n}"] for n in (1, 2)}
    milestones = [a_milestone(n, requires=["invoiced", "met"], refs={"ubl": k}) for n, k in keys.items()]
    story = House().tell(registered(a_contract(*milestones, refs={"ubl": ["order:PO-1"]})), met("M1"), met("M2"))
    papers = [a_paper(lines=HERE), a_paper(lines=HERE, contract="K2")]
    records = [sent(paper, story.now + timedelta(hours=n)) for n, paper in enumerate(papers)]
    for record in reversed(records) if backwards else records:
        story.carry([record])
    assert (story.position("M1").allowed, story.position("M2").allowed) == (0, 100_00)


# What cannot be read


def test_a_newer_version_that_cannot_be_read_holds_what_the_older_says(story):
    send(story, a_paper(lines=HERE), unreadable(a_paper(lines=THERE, net="90.00")))
    assert story.tell(is_met("A")).reasons("A1", "A") == ["SOURCE_UNREADABLE"]
    send(story, a_paper(lines=(*HERE, *THERE)))
    assert story.reasons("A1", "A") == []
    assert story.released("A1", "A") == 100_00


def test_it_is_over_where_a_newer_version_no_longer_has_the_part(story):
    send(story, a_paper(lines=HERE), unreadable(a_paper(lines=THERE, net="90.00")), a_paper(lines=THERE))
    assert story.tell(is_met("A")).reasons("A1", "A") == ["NOT_INVOICED"]
    send(story, a_paper("U-2", lines=HERE))
    assert story.released("A1", "A") == 100_00


def test_a_doubt_that_was_ended_does_not_come_back_with_the_void_part_that_ended_it(story):
    send(story.tell(is_met("A")), unreadable(a_paper(lines=HERE)))
    assert "SOURCE_UNREADABLE" in story.reasons("A1", "A")
    send(story, a_paper(lines=HERE), a_paper(lines=THERE))
    assert story.reasons("A1", "A") == ["NOT_INVOICED", "OVER_RELEASED"]


def test_whoever_hears_of_the_document_only_then_is_told_of_the_doubt(story):
    old = sent(a_paper(lines=HERE), story.now)
    for n in range(DOUBTS_MOST + 3):
        send(story, unreadable(a_paper(lines=NOWHERE, net=f"{n}.00")))
    story.carry([old])
    assert story.tell(is_met("A")).reasons("A1", "A") == ["SOURCE_UNREADABLE"]
    assert len([s for s in story.state("A").slots.values() if s.kind == "message.unreadable"]) == DOUBTS_MOST


# Who is told how


def test_contracts_of_before_are_looked_at_once_and_tell_each_other(story):
    """As the upgrade wakes them, with no row of any document written yet."""
    send(story, a_paper(lines=HERE))
    tables, fresh = story.store._tables, Tables()
    tables.documents, tables.heard = fresh.documents, fresh.heard
    newer = sent(a_paper(lines=THERE), story.now + timedelta(hours=1))
    story.carry([newer])
    story.tell(is_met("A"))
    assert story.reasons("A1", "A") == ["INVOICE_CLAIMED_TWICE"]  # it had no way to know more
    done(story.store.wake_all(0, "documents"))
    story.wake(0, micros(story.now))
    assert story.reasons("A1", "A") == ["NOT_INVOICED"]
    assert holders(story) == [("A", "B")]
    rows = len(story.log("A")), len(story.log("B"))
    done(story.store.wake_all(0, "documents"))
    story.wake(0, micros(story.now))
    assert (len(story.log("A")), len(story.log("B"))) == rows


def holders(story):
    return [decode(row.content, type=Known).holders for row in story.store._tables.documents.values()]


def test_contracts_of_before_that_are_woken_together_are_all_kept_and_told(story):
    """The versions in their states alone tell which is the newest."""
    send(story, a_paper(lines=(*HERE, *THERE)))
    states = story.store._tables.states
    old = states["A"]
    send(story, a_paper(lines=THERE))
    states["A"] = old  # as if it had never heard
    story.store._tables.log = {key: row for key, row in story.store._tables.log.items() if key[0] != "A"}
    story.store._tables.documents = {}
    done(story.store.wake_all(0, "documents"))
    story.wake(0, micros(story.now))
    assert holders(story) == [("A", "B")]
    assert "NOT_INVOICED" in story.reasons("A1", "A")


def test_documents_that_nobody_has_had_a_part_of_are_forgotten(story):
    send(story, a_paper(lines=HERE), a_paper("U-9", NOWHERE))
    assert len(story.store._tables.documents) == 2
    assert done(story.store.forget_documents(before=1, limit=9)) == 1
    assert [row.held for row in story.store._tables.documents.values()] == [True]


def a_receipt(number, quantity):
    return (
        f'<u:ReceiptAdvice xmlns:u="{NAMES}ReceiptAdvice-2" xmlns:cac="{NAMES}CommonAggregateComponents-2" '
        f'xmlns:cbc="{NAMES}CommonBasicComponents-2"><cbc:ID>{number}</cbc:ID><cbc:IssueDate>2026-02-20</cbc:IssueDate>'
        "<cac:OrderReference><cbc:ID>PO-1</cbc:ID></cac:OrderReference><cac:ReceiptLine>"
        f'<cbc:ReceivedQuantity unitCode="C62">{quantity}</cbc:ReceivedQuantity>'
        "<cac:OrderLineReference><cbc:LineID>A1</cbc:LineID></cac:OrderLineReference></cac:ReceiptLine>"
        "</u:ReceiptAdvice>"
    ).encode()


def test_what_several_receipts_of_one_order_line_say_adds_up_and_a_corrected_one_counts_once():
    keyed = a_milestone("A1", requires=["received"], quantity="10", unit="C62", refs={"ubl": ["order:PO-1/A1"]})
    story = House().tell(registered(a_contract(keyed, contract="A", authority={"received": ["ubl"]})))
    send(story, a_receipt("R-1", 3), a_receipt("R-2", 4))
    assert story.released("A1", "A") == 70_00
    send(story, a_receipt("R-1", 6))
    assert (story.released("A1", "A"), story.reasons("A1", "A")) == (100_00, [])
