"""Rule F9 across contracts: a document's parts are one set, whoever hears of a newer version, in any order and batches.

Invoices and credit notes go from version to version over the lines of three contracts, lines that nobody knows, other
orders, suppliers and currencies; some cannot be read; contracts are registered early or late.
"""

from collections import defaultdict
from datetime import timedelta

from builders import START, a_contract, a_milestone, met, record_of, registered
from hypothesis import given, note
from hypothesis import strategies as st
from laws.chances import few, rarely
from laws.histories import batches, summary
from laws.house import House
from laws.profiles import tried
from laws.test_order import differences
from laws.test_rebuilding import assert_each_log_gives_its_state
from ubl_papers import a_paper, sent, unreadable

from services.reconciliation.merge import document_key

LINES = ("A1", "A2", "B1", "C1", "X1")  # of X1 nobody knows


def plan(name):
    """A contract with one or two milestones, each under an order line, and perhaps under the order's contract."""
    names = [line for line in LINES if line[0] == name]
    milestones = [a_milestone(n, requires=["invoiced", "met"], refs={"ubl": [f"order:PO-1/{n}"]}) for n in names]
    return registered(a_contract(*milestones, contract=name, refs={"ubl": [f"contract:{name}"]}))


@st.composite
def papers(draw, n):
    """One version of one of three documents; the number in the net makes every one another text."""
    names = draw(st.lists(st.sampled_from(LINES), max_size=3, unique=True))
    lines = [(name, draw(few(["100.00", "60.00", "40.00"]))) for name in names]
    more = {"order": draw(few(["PO-1", "PO-1", "PO-1", "PO-9"])), "contract": draw(few([None, None, "B", "C"]))}
    if {name[0] for name in names} - {"X", more["contract"]}:
        more["contract"] = None  # a line of another contract's goes there whatever else the document names
    if rarely(draw, 6):
        more["coin"] = "USD"
    if rarely(draw, 6):
        more["supplier"] = "SUP-2"
    if rarely(draw, 4):
        more |= {"kind": "CreditNote", "number": "N-1", "credited": "U-1"}
    paper = a_paper(**{"number": draw(few(["U-1", "U-1", "U-2"]))} | more, lines=lines, net=f"{200 + n}.00")
    return unreadable(paper) if rarely(draw, 5) else paper


@st.composite
def told_of(draw):
    """Three contracts, all met, and what is said of some documents, in the order of its times."""
    events, papers_most = [], draw(st.integers(2, 7))
    for name in "ABC":
        milestones = [line for line in LINES if line[0] == name]
        events.append([plan(name), *(met(m, contract=name) for m in milestones if not rarely(draw, 4))])
    early, now, records = draw(st.integers(0, 3)), START, []
    for n in range(papers_most):
        events.insert(early + n, [draw(papers(n))])
    for n, event in enumerate(e for said in events for e in said):
        now += timedelta(seconds=1)
        records.append(sent(event, now) if isinstance(event, bytes) else record_of(event, now, f"e{n}"))
    return records


def story_of(cut):
    story = House()
    for batch in cut:
        story.carry(batch)
        nothing_void_counts(story)
    assert not story.defects
    return story


def slots(story):
    """Every part of a document that counts, with its contract and milestone."""
    for contract in story.contracts():
        for milestone, s in story.standings(contract).items():
            for slot in s.case.standing.get("invoice.received", ()):
                yield contract, milestone, slot


def nothing_void_counts(story):
    """At the end of every transaction: of no document parts of two versions stand, in whatever contracts."""
    editions = defaultdict(set)
    for _, _, slot in slots(story):
        editions[document_key(slot.source, slot.document)].add(slot.edition)
    assert all(len(found) == 1 for found in editions.values())


def positions(story):
    return {
        (contract, milestone): (s.position.allowed, tuple(str(reason.code) for reason in s.position.reasons))
        for contract in story.contracts()
        for milestone, s in story.standings(contract).items()
    }


def undecided(found):
    """What does not depend on what was known when (rule A7): more may have been released before."""
    return {place: (allowed, {*codes} - {"OVER_RELEASED"}) for place, (allowed, codes) in found.items()}


def documents_at_rest(story):
    return {key: row.content for key, row in story.store._tables.documents.items()}


@tried(150)
@given(st.data())
def test_in_any_order_and_any_batches_the_same_parts_stand(data):
    records = data.draw(told_of())
    shuffled = data.draw(st.permutations(records))
    note(summary(shuffled))
    one, other = story_of([[record] for record in records]), story_of(data.draw(batches(shuffled)))
    assert not differences(undecided(positions(one)), undecided(positions(other)))
    assert documents_at_rest(one) == documents_at_rest(other)


@tried(100)
@given(st.data())
def test_the_newest_version_alone_stands_and_what_cannot_be_read_is_in_doubt(data):
    """Slowly and plainly: by document, the last version that can be read; a later one that cannot holds its parts."""
    records = data.draw(told_of())
    note(summary(records))
    story, house = story_of([records]), House()
    newest, doubted = {}, {}
    for record in records:
        facts = house.hallway.reader.read(record).facts if record.topic == "ubl.events" else ()
        for fact in facts:
            document = document_key(fact.source, fact.document) if fact.document else None
            if fact.kind == "message.unreadable":
                doubted |= {document: fact.time} if document else {}
            else:
                newest[document] = fact.edition
    for contract, milestone, slot in slots(story):
        document = document_key(slot.source, slot.document)
        assert slot.edition == newest[document]
        latest = max(s.latest for c, m, s in slots(story) if (c, m) == (contract, milestone))
        if doubted.get(document, 0) > latest:
            assert "SOURCE_UNREADABLE" in story.reasons(milestone, contract)


@tried(60)
@given(st.data())
def test_the_log_alone_gives_the_same_decisions(data):
    records = data.draw(told_of())
    note(summary(records))
    story = story_of(data.draw(batches(data.draw(st.permutations(records)))))
    assert_each_log_gives_its_state(story)


@tried(60)
@given(st.data())
def test_everything_again_changes_nothing_and_wakes_nobody(data):
    records = data.draw(told_of())
    note(summary(records))
    story = story_of([[record] for record in records])
    before = {name: (story.raw(name), story.log(name)) for name in story.contracts()}
    commands, documents = story.commands, documents_at_rest(story)
    for record in data.draw(st.permutations(records)):
        assert not story.carry([record]).rouses
    assert {name: (story.raw(name), story.log(name)) for name in story.contracts()} == before
    assert (story.commands, documents_at_rest(story)) == (commands, documents)
