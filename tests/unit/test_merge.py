"""Merging on its own, with everything that only vendors' mappers say: documents, editions, creations."""

from datetime import date
from zlib import crc32

from builders import Story, a_contract, a_milestone, met, registered
from hypothesis import given
from hypothesis import strategies as st
from laws.profiles import tried
from msgspec import UNSET

from contracts_schema import facts as f
from contracts_schema.money import Money
from contracts_schema.own_facts import DocumentRenewed, MessageRedriven, MessageUnreadable
from contracts_schema.registration import read_registration
from services.reconciliation.crosswalk import Index
from services.reconciliation.merge import Merged, Seen, contradicts, is_void, merge
from services.reconciliation.standing import place
from services.reconciliation.state import State
from services.reconciliation.versions import _bind_keys_anew

few = st.sampled_from
DAY = date(2026, 3, 1)
bodies = st.one_of(
    st.builds(f.Assessed, status=few(["met", "notMet", None]), percent=few([UNSET, None, "50"])),
    st.builds(f.Scheduled, due=few([UNSET, None]), forecast=few([UNSET, None])),
    st.builds(
        f.InvoiceReceived, number=few(["I-1", "I-2"]), supplier=st.just("S"), state=few(["open", "paid"]),
        net=few([Money(1, "EUR"), Money(2, "EUR")]), issued_on=few([DAY, date(2026, 3, 2)]),
        business_unit=few([UNSET, None, "north"]),
    ),
)  # fmt: skip


@st.composite
def facts(draw):
    """A fact of a small world, so that subjects, ids, versions and moments meet often.

    An id tells its document, and what is said under it has one time: a sender's repeat may bear a later time, and then
    its first arrival counts.
    """
    document, body = draw(few([None, None, "d", "d@1", "d@2"])), draw(bodies)
    source, milestone, version = draw(few(["a", "b"])), draw(few(["M1", "M2"])), draw(few([None, None, 1, 2]))
    name = f"{draw(few('xyz'))} of {document}"
    time = crc32(repr((name, source, milestone, version, body)).encode()) % 3
    address = f.Address("C-1", milestone)
    return f.Fact(source, name, address, time, body, version, document, edition=time if document else 0)


def merged(statements):
    state, seen = State("C-1"), Seen(b"")
    outcomes = [merge(state, seen, fact, "", None) for fact in statements]
    state.seen = seen.packed()
    for slot in state.slots.values():
        slot.waiting = None
    return state, outcomes


@tried(300)
@given(st.data())
def test_any_order_of_statements_gives_the_same_slots(data):
    statements = data.draw(st.lists(facts(), max_size=7))
    one, _ = merged(statements)
    other, _ = merged(data.draw(st.permutations(statements)))
    assert one.slots == other.slots
    assert one.documents == other.documents


@tried(150)
@given(st.lists(facts(), max_size=7))
def test_a_repeat_of_all_statements_changes_no_slot_and_is_known_as_one(statements):
    once, _ = merged(statements)
    twice, outcomes = merged([*statements, *statements])
    assert once.slots == twice.slots
    assert {*outcomes[len(statements) :]} <= {Merged.DUPLICATE}


def test_an_event_is_known_by_where_it_begins_and_not_by_bytes_that_lie_across_two():
    seen = Seen(bytes(8) + b"12345678" + b"abcdefgh" + bytes(8))
    assert seen.told(bytes(8)) == [b"12345678"]
    assert seen.told(b"12345678") == []
    seen.add(b"12345678", b"abcdefgh")
    seen.add(b"12345678", b"another.")
    assert seen.told(b"12345678") == [b"abcdefgh", b"another."]
    assert Seen(seen.packed()).told(b"12345678") == [b"abcdefgh", b"another."]
    assert Seen(b"a" * 15 + bytes(9) + b"12345678").told(bytes(8)) == [b"12345678"]


def assessed(time=0, event="e", status="met", **more):
    body = f.Assessed(status, **{name: more.pop(name) for name in ("percent", "met_on") if name in more})
    return f.Fact("pm", event, f.Address("C-1", "M1"), time, body, **more)


def only(state):
    (slot,) = state.slots.values()
    return slot


def test_a_field_left_out_keeps_what_was_known_and_null_clears_it():
    state, _ = merged([assessed(1, "a", percent="50"), assessed(2, "b")])
    assert only(state).body.percent == "50"
    state, _ = merged([assessed(1, "a", percent="50"), assessed(2, "b", percent=None)])
    assert only(state).body.percent is None


def test_an_older_word_still_fills_in_a_field_that_the_newer_one_left_out():
    state, outcomes = merged([assessed(2, "b"), assessed(1, "a", percent="50")])
    assert only(state).body.percent == "50"
    assert outcomes[1] is not Merged.STALE


def test_a_field_that_was_left_out_and_said_again_is_as_new_as_that_word():
    said = [assessed(1, "a", percent="50"), assessed(2, "b"), assessed(4, "d", percent="70")]
    state, _ = merged([*said, assessed(3, "c", percent="60")])
    assert only(state).body.percent == "70"


def test_a_record_mapped_anew_replaces_what_it_gave_before():
    state, _ = merged([assessed(1, "a", "notMet"), assessed(1, "a", "met", mapper=2)])
    assert only(state).body.status == "met"
    assert not contradicts(only(state))


def test_one_id_with_two_statements_contradicts_until_a_newer_one():
    state, _ = merged([assessed(1, "a", "met"), assessed(1, "a", "notMet")])
    assert contradicts(only(state))
    state, _ = merged([assessed(1, "a", "met"), assessed(1, "a", "notMet"), assessed(2, "b", "met")])
    assert not contradicts(only(state))


def test_a_numbered_word_is_newer_than_any_without_a_number():
    state, _ = merged([assessed(9, "b", "notMet"), assessed(1, "a", "met", version=1)])
    assert only(state).body.status == "met"


def test_a_part_that_a_newer_version_of_its_document_lacks_is_void():
    part = assessed(1, "a", document="d", edition=1)
    other = f.Fact("pm", "b", f.Address("C-1", "M2"), 2, f.Assessed("met"), document="d", edition=2)
    state, _ = merged([part, other])
    void = {slot.address.milestone: is_void(state, slot) for slot in state.slots.values()}
    assert void == {"M1": True, "M2": False}


def test_void_and_parked_facts_count_nowhere():
    part = assessed(1, "a", document="d", edition=1)
    waits = f.Fact("pm", "b", f.Address(None, None, "pm", ("issue:1",)), 2, f.Assessed("met"), document="d", edition=2)
    state, _ = merged([part, waits])
    index = Index(read_registration(a_contract(a_milestone("M1", refs={"pm": ["issue:1"]}))))
    placed = {"M1": {}}
    assert place(state, index, placed) == 2
    assert placed == {"M1": {}}
    for slot in state.slots.values():
        slot.parked = None
    place(state, index, placed)
    assert [slot.fact for slot in placed["M1"]["milestone.assessed"]] == ["pm/b"]


def test_a_newer_version_of_the_document_that_says_the_same_confirms_the_part():
    part = assessed(1, "a", document="d", edition=1)
    again = assessed(1, "a", document="d", edition=2)
    state, outcomes = merged([part, again])
    assert outcomes[1] is Merged.APPLIED
    assert not is_void(state, only(state))


def test_another_object_under_a_key_is_a_reused_id_until_the_contract_is_registered_anew():
    state, _ = merged([assessed(1, "a", document="d@1"), assessed(2, "b", document="d@2")])
    assert contradicts(only(state))
    state, _ = merged([assessed(n, str(n), document=f"d@{n}") for n in (1, 2, 3)])
    _bind_keys_anew(state)
    assert not contradicts(only(state))
    assert only(state).created == ["3"]


def test_an_unnumbered_invoice_whose_terms_change_contradicts_until_it_is_numbered():
    def invoice(net, event, version=None):
        body = f.InvoiceReceived("I-1", "S", Money(net, "EUR"), DAY, "open")
        return f.Fact("portal", event, f.Address("C-1", "M1"), 1, body, version)

    state, _ = merged([invoice(1, "a"), invoice(2, "b")])
    assert contradicts(only(state))
    for number in (0, 1):
        state, _ = merged([invoice(1, "a"), invoice(2, "b"), invoice(2, "c", number)])
        assert not contradicts(only(state))


def test_an_event_that_was_repeated_under_its_version_is_known_by_either_id_when_one_says_something_else():
    again = f.Fact("pm", "a", f.Address("C-1", "M2"), 3, f.Assessed("notMet"))
    state, _ = merged([assessed(1, "a", version=1), assessed(2, "b", version=1), again])
    assert [contradicts(slot) for slot in state.slots.values()] == [True, True]


def test_that_a_document_is_renewed_is_news_once_and_an_older_version_of_it_is_none():
    def renewed(event, edition):
        body = DocumentRenewed("d")
        return f.Fact("pm", event, f.Address("C-1"), edition, body, document="d", edition=edition)

    _, outcomes = merged([renewed("a", 7), renewed("b", 7), renewed("c", 6), renewed("d", 8)])
    assert outcomes == [Merged.APPLIED, Merged.DUPLICATE, Merged.DUPLICATE, Merged.APPLIED]


def unreadable(sentence="why", source="pm", digest=b"digest", record=b"record"):
    return f.Fact(source, "u", f.Address("C-1", "M1"), 1, MessageUnreadable(sentence, digest, None, record))


def test_an_unreadable_message_that_is_refused_in_other_words_by_now_is_a_repeat():
    _, outcomes = merged([unreadable("why"), unreadable("why, in other words")])
    assert outcomes == [Merged.APPLIED, Merged.DUPLICATE]


def test_a_redriven_record_is_judged_anew_though_it_reads_otherwise_now_and_no_other_sources_is():
    redriven = f.Fact("pm", "r", f.Address("C-1", "M1"), 2, MessageRedriven((b"record", b"reads otherwise")))
    state, _ = merged([unreadable(), unreadable(source="erp", digest=b"another"), redriven])
    assert state.verdicts == [b"another"]


def test_two_unreadable_messages_under_one_id_are_doubts_and_no_contradiction():
    story = Story().tell(registered(a_contract(a_milestone(requires=["met"]))))
    story.tell(met(status="done", event="g"), met(status="finished", event="g"))
    assert story.reasons() == ["SOURCE_UNREADABLE", "NOT_MET"]
    story.tell(met())
    assert (story.reasons(), story.released()) == ([], 10_000)
