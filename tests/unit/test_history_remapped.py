"""What kept records say now, put in the place of what they said: each once, for the contract that it is about."""

from builders import Story, a_contract, a_milestone, invoice, met, registered
from msgspec.structs import replace

from contracts_schema.facts import Address, Assessed
from contracts_schema.own_facts import DocumentRenewed
from services.history.remapped import Remapped, mark_of, marks_of, put_in_place

PLAN = a_contract(a_milestone("M1", requires=["met"]), a_milestone("M2", requires=["met"]))


def told():
    """A story's entries, and the facts of three of its records."""
    story = Story().tell(registered(PLAN), met("M1"), met("M2"), invoice("10.00"))
    entries = story.entries()
    return entries, [entry.facts[0] for entry in entries[1:]]


def remapped(was, news, name="r"):
    """A record that gave these facts and says others now."""
    said = marks_of(was)
    return Remapped(name, said, said - marks_of(f for _, f in news), tuple(news))


def put(entries, *records):
    found, otherwise = [], {}
    for record in records:
        for mark in record.said:
            otherwise.setdefault(mark, []).append(record)
    return [entry.facts for entry in put_in_place(entries, otherwise, found)][1:], found


def unmet(fact, **more):
    return replace(fact, id=fact.id + "x", body=Assessed("notMet"), **more)


def test_a_statement_is_the_same_whichever_mapper_read_it_and_another_at_another_time():
    _, (fact, *_) = told()
    assert mark_of(replace(fact, mapper=2)) == mark_of(fact)
    others = (replace(fact, time=fact.time + 1), replace(fact, version=9), replace(fact, id="x"),
              replace(fact, address=Address("C-2")), replace(fact, body=Assessed("notMet")))  # fmt: skip
    assert len({mark_of(fact), *map(mark_of, others)}) == 6


def test_what_a_record_says_newly_stands_once_where_its_first_fact_stood():
    entries, (one, two, bill) = told()
    facts, differences = put(entries, remapped([one, two], [("C-1", unmet(one))]))
    assert facts == [(unmet(one),), (), (bill,)]
    assert [(d.revision, d.now[0].split(":")[0].split(" ")[0]) for d in differences] == [
        (2, "milestone.assessed"), (3, "milestone.assessed"),
    ]  # fmt: skip


def test_what_it_did_not_say_before_comes_beside_what_it_says_still():
    entries, (one, two, bill) = told()
    record = Remapped("r", marks_of([one]), frozenset(), (("C-1", more := unmet(two)),))
    facts, (difference,) = put(entries, record)
    assert facts == [(one, more), (two,), (bill,)]
    assert (difference.was, difference.fact, difference.revision) == ("nothing", f"pm/{more.id}", 2)


def test_what_goes_to_another_contract_is_told_and_does_not_count_here():
    entries, (one, two, bill) = told()
    moved = unmet(one, address=Address("C-2", "M1"))
    facts, (difference,) = put(entries, remapped([one], [("C-2", moved)]))
    assert facts == [(), (two,), (bill,)]
    assert "C-2/M1" in difference.now[0]


def test_a_record_that_says_nothing_now_takes_its_facts_away():
    entries, (one, two, bill) = told()
    facts, (difference,) = put(entries, remapped([two], []))
    assert facts == [(one,), (), (bill,)]
    assert (difference.now, difference.was.split(" ")[:2]) == (("nothing",), ["milestone.assessed", "C-1/M2"])


def test_what_is_about_a_document_is_about_every_contract_that_had_a_part():
    entries, (_, _, bill) = told()
    renewed = replace(bill, id="x", address=Address(), body=DocumentRenewed("D"), document="D", edition=bill.time)
    facts, _ = put(entries, remapped([bill], [(None, renewed)]))
    assert facts[2] == (replace(renewed, address=Address("C-1")),)
