"""What a worker keeps decoded: it counts only while the store's row holds the very bytes."""

import gc
import weakref

import pytest
from builders import Story, a_contract, met, registered

from contracts_schema.rows import LogRow
from services.reconciliation.contract_case import ContractCase
from services.reconciliation.crosswalk import index_of
from services.reconciliation.log import read_entry
from services.reconciliation.state import State, encode_state
from services.runtime.known import KnownRevisions, KnownStates


def kept(known, contract="C-1", revision=1):
    """A state that is kept as the store has it."""
    state = State(contract, revision)
    known.keep(contract, encode_state(state), state)
    return state


def test_a_state_is_taken_once_and_then_belongs_to_whoever_took_it():
    known = KnownStates()
    state = kept(known)
    raw = encode_state(state)
    assert known.look("C-1", raw) is state
    assert known.take("C-1", raw) is state
    again = known.take("C-1", raw)
    assert again is not state
    assert again == state


def test_a_state_that_the_store_no_longer_holds_does_not_count():
    known = KnownStates()
    kept(known)
    newer = encode_state(State("C-1", 2))
    assert known.look("C-1", newer).revision == 2
    assert known.take("C-1", newer).revision == 2


def test_states_that_were_not_touched_for_longest_give_way():
    most = 3 * len(encode_state(State("C-1", 1)))
    known = KnownStates(most)
    first, *others = [kept(known, f"C-{n}") for n in range(4)]
    assert known.look("C-0", encode_state(first)) is not first
    assert all(known.look(s.contract, encode_state(s)) is s for s in others)


@pytest.fixture
def no_collector():
    """Only what nothing refers to is freed."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("goes", ["gives way to another", "is not what the store holds"])
def test_a_state_that_goes_is_freed_at_once_with_the_case_beside_it(goes):
    story = Story().tell(registered(a_contract()), met())
    state, known = story.state(), KnownStates(most=1 if goes == "gives way to another" else 10**6)
    contract = ContractCase(state, index_of(state.plans[1].plan), state.moment, story.rules)
    state.kept["case"], kept = contract, weakref.ref(contract)
    known.keep("C-1", raw := encode_state(state), state)
    del state, contract
    if goes == "is not what the store holds":
        known.take("C-1", encode_state(State("C-1")))
    assert kept() is None
    assert known.look("C-1", raw).plans


def test_a_state_kept_anew_is_counted_once():
    most = 2 * len(encode_state(State("C-1", 1)))
    known = KnownStates(most)
    other = kept(known, "C-2")
    for _ in range(5):
        kept(known, "C-1")
    assert known.look("C-2", encode_state(other)) is other


def test_the_oldest_revisions_give_way():
    rows: list[LogRow] = Story().tell(registered(a_contract()), met()).log()
    entries = [read_entry(row) for row in rows]
    known = KnownRevisions(most=len(rows[1].entry))
    known.keep(rows, entries)
    assert known.look("C-1", 1) is None
    assert known.look("C-1", 2) == (entries[1], rows[1].head)


def test_revisions_that_only_decided_are_not_kept_where_nobody_reads_decisions():
    rows: list[LogRow] = Story().tell(registered(a_contract()), met()).log()
    known = KnownRevisions(decisions=False)
    known.keep(rows, [read_entry(row) for row in rows])
    assert known.look("C-1", 1) is None
