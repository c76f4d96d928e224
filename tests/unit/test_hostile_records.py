"""Records that mean to hurt go through the real hallway in memory: each ends in quarantine with its bytes and a
sentence, in bounded memory, and what came with it counts."""

import tracemalloc

import pytest
from attacks import JSON, ROOT, UBL, XML
from builders import OWNER, Story, a_contract, a_milestone, done, micros, record_of, registered, signed

from contracts_schema.facts import SignOffGiven
from contracts_schema.records import Record, Source
from contracts_schema.rows import OffsetRange, Partition
from services.reconciliation.policy import Policy, make_rules
from services.runtime.hallway import Hallway
from services.runtime.outgoing import Topics, quarantine_row
from services.runtime.reading import Reader

SOURCES = {
    s.name: s
    for s in (
        Source("register", "milepost", "register", "register.events"),
        Source("office", "milepost", "operator", "office.events"),
        Source("erp", "tryton", "erp", "erp.events"),
        Source("pm", "redmine", "project", "pm.events"),
        Source("portal", "ubl", "supplier_portal", "portal.events"),
    )
}
MEMORY_MOST = 24 * 2**20  # beside ten times the record's own size


class Door(Story):
    """A story in which strangers speak, too, and a contract that hears them."""

    def __post_init__(self):
        super().__post_init__()
        self.rules = make_rules({name: source.role for name, source in SOURCES.items()}, {}, Policy())
        self.hallway = Hallway(self.store, Reader(SOURCES, self.rules, OWNER), self.rules, Topics(), "1")
        done(self.store.take(OWNER, OWNER, {Partition(source.topic, 0) for source in SOURCES.values()}))
        refs = {"portal": ["order:PO%2F7"], "erp": ["purchase:1"], "pm": ["issue:1"]}
        self.tell(registered(a_contract(a_milestone(requires=["signed_off"], refs=refs), sign_off={"quorum": 3})))

    def meet(self, source, value, headers=(), key=None):
        """The record arrives between two that are fine; its quarantine entry, if it has one."""
        self.told += 3
        before, after = signed("ann"), signed("bob")
        topic = f"{source}.events"
        record = Record(topic, 0, 0, micros(self.now) // 1000, key, tuple(headers), value)
        records = [record_of(before, self.now, "before"), record, record_of(after, self.now, "after")]
        placed = [
            Record(r.topic, 0, self.told + n, r.timestamp, r.key, r.headers, r.value) for n, r in enumerate(records)
        ]
        topics = {r.topic for r in placed}
        moves = [OffsetRange(OWNER, Partition(t, 0), self.told, self.told + 3, micros(self.now)) for t in topics]
        self.reports.append(done(self.hallway.carry(placed, OWNER, moves, micros(self.now))))
        rows = done(self.store.quarantine(10))
        return done(self.store.quarantined(rows[0].id))[0] if rows else None


def met_and_measured(source, value, headers=(), key=None):
    """What became of it, after checks that hold for every one of them."""
    door = Door()
    tracemalloc.start()
    row = door.meet(source, value, headers, key)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < MEMORY_MOST + 10 * len(value or b"")
    assert door.defects == []
    assert door.state().frozen is None
    signers = {slot.body.by for slot in door.state().slots.values() if isinstance(slot.body, SignOffGiven)}
    assert signers == {"ann", "bob"}
    assert door.released() == 0
    if row is not None:
        assert (row.value, row.headers, row.key) == (value, tuple(headers), key)
        assert "defect" not in row.sentence
        assert len(row.sentence) < 600
        assert len(quarantine_row(row, "milepost.quarantine").value) < 900_000
    return row


@pytest.mark.parametrize("attack", XML)
def test_xml_that_means_to_hurt_is_set_aside_with_its_bytes(attack):
    make, sentence = XML[attack]
    assert sentence in met_and_measured("portal", make()).sentence


def test_the_name_of_a_status_may_not_fill_the_state():
    issue = b'{"issue": {"id": 1, "status": {"id": 9, "is_closed": true, "name": "%s"}}}' % (b"x" * 200_000)
    door = Door()
    row = door.meet("pm", issue)
    assert len(row.sentence) < 16_100
    assert len(door.raw()) < 50_000


@pytest.mark.parametrize("attack", JSON)
def test_json_that_means_to_hurt_is_set_aside_with_its_bytes(attack):
    make, sentence = JSON[attack]
    assert sentence in met_and_measured("office", make()).sentence


@pytest.mark.parametrize("source", ["erp", "pm", "office", "register"])
@pytest.mark.parametrize("attack", ["key twice", "deep lists", "a million digits", "huge", "compressed", "nothing"])
def test_no_dialect_of_json_is_hurt(source, attack):
    assert len(met_and_measured(source, JSON[attack][0]()).sentence) > 20


def test_instructions_and_comments_in_a_document_are_passed_over_and_the_document_counts():
    spoilt = UBL.replace(ROOT, b"<?xml-stylesheet href='http://127.0.0.1:9/x.xsl'?><!-- x -->" + ROOT)
    assert met_and_measured("portal", spoilt) is None


HEADERS = {
    "a header of a megabyte": [("x", b"x" * 10**6)],
    "ten thousand headers": [(f"x{n}", b"x") for n in range(10_000)],
    "a header whose name is long": [("x" * 10**6, b"")],
    "an encoding that we never undo": [("content-encoding", b"gzip")],
    "a source that is not bound": [("milepost-source", b"register")],
    "a source of a megabyte": [("milepost-source", b"x" * 10**6)],
    "an event of a megabyte": [("ce_id", b"x" * 10**6), ("ce_type", b"x" * 10**6)],
    "a source that is no text": [("milepost-source", b"\xff\xfe")],
    "a kind that is no text": [("milepost-kind", b"\xff\xfe")],
    "a time that is none": [("milepost-observed-at", b"9999-99-99")],
    "the same header often": [("ce_id", b"1")] * 1000,
    "a header without a value": [("ce_type", None), ("content-type", None)],
}


@pytest.mark.parametrize("source", ["erp", "pm", "portal", "office"])
@pytest.mark.parametrize("name", HEADERS)
def test_headers_that_mean_to_hurt_are_kept_with_the_record(source, name):
    assert met_and_measured(source, b"\x1f\x8b\x08\x00", HEADERS[name], b"k" * 10**6) is not None


def test_one_number_in_two_unicode_forms_is_one_invoice():
    composed, decomposed = "RÉ-1", "RE\u0301-1"
    door = Door()
    for name in (composed, decomposed):
        value = UBL.replace(b"<cbc:ID>" + identity(UBL) + b"</cbc:ID>", f"<cbc:ID>{name}</cbc:ID>".encode(), 1)
        assert door.meet("portal", value) is None
    (target,) = door.commands[-1]["targets"]
    assert target["invoice"] == composed


def identity(document):
    return document.split(b"<cbc:ID>", 1)[1].split(b"</cbc:ID>", 1)[0]


def test_digits_of_another_script_are_no_amount():
    spoilt = UBL.decode().translate(str.maketrans("0123456789", "０１２３４５６７８９"))
    row = met_and_measured("portal", spoilt.encode())
    assert row is not None
