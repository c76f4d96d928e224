"""Facts that follow their key from one contract to another (rules A7, A10, B5).

Whoever claims a key or gives one up wakes all that claim it too (`KEYS`), and those that have facts which bear it and
stand there by a less specific one, as a line by its order. A contract that is woken is told which keys others claim;
what is not its own any more is parked again, out of its log, and goes to the contract that alone claims it, now or
later. Nobody else's contract is locked: what there is to say to others, they are woken for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import NamedTuple

from contracts_schema.facts import Address, Fact
from contracts_schema.own_facts import KeysClaimedElsewhere, MessageUnreadable
from contracts_schema.records import SPEAKER
from contracts_schema.rows import ParkedRow
from services.ports import Batch, Store
from services.reconciliation.elsewhere import away, is_movable, keys_elsewhere
from services.reconciliation.log import read_entry
from services.reconciliation.merge import Merged, is_redriven
from services.reconciliation.react import UNPARK, Outcome
from services.reconciliation.state import Arrival, Slot, State
from services.reconciliation.subject import subject_of
from services.runtime.containment import NOWHERE
from services.runtime.routing import Key, claimants, claimed_keys, index_in_force, parked_row

KEYS = "keys"
NEW_KEYS = "new keys"  # a version has come into force: who watches its keys is to look once more
_WATCHED = "\x1f"  # before the source's name, which cannot begin so
Claims = Mapping[Key, tuple[str, ...]]


class Moved(NamedTuple):
    """What contracts are told first, what is parked again, the addresses of facts that no longer count where they
    were, contracts for which something waits now, and those that have to look again: a key is just being claimed."""

    told: dict[str, Arrival]
    parked: list[ParkedRow]
    addresses: list[Address]
    homes: set[str]
    early: set[str]


# -- who is to look ----------------------------------------------------------------------------------------------------


def watched(key: Key) -> Key:
    """Where contracts are known that have facts which bear this key and stand there by a less specific one."""
    return _WATCHED + key[0], key[1]


def watches(state: State, addresses: Iterable[Address]) -> set[tuple[str, str, str]]:
    """What a contract watches: of the keys of its facts those that are more specific than its own."""
    nested = [address for address in addresses if address.contract is None and len(address.keys) > 1]
    index, found = index_in_force(state) if nested else None, set[Key]()
    if index is None:
        return set()
    for address in nested:
        keys = [(address.source or "", key) for key in address.keys]
        found.update(takewhile(lambda key: not index.claims(key), keys))
    return {(*watched(key), state.contract) for key in found}


def has_strays(state: State, keyed: Iterable[Outcome]) -> bool:
    """Whether something came to a contract under a key that is another's by now: who sent it here did not know."""
    waiting = [o.address for o in keyed if o.merged is Merged.PARKED and o.address is not None]
    index = index_in_force(state) if waiting else None
    return any(away(state, index, address) is not None for address in waiting)


def by_key(claims: Iterable[tuple[str, str, str]]) -> dict[Key, set[str]]:
    """Rows of source, key and contract, by key."""
    found: dict[Key, set[str]] = {}
    for source, key, contract in claims:
        found.setdefault((source, key), set()).add(contract)
    return found


def wakes_for(
    key: Key, claimed: Mapping[Key, Collection[str]], unclaimed: Mapping[Key, Collection[str]], known: Claims
) -> Iterator[tuple[str, str]]:
    """Contracts with the cause for which they are to look, when these have claimed the key and those have given it up:
    what waited as ambiguous may be somebody's own from now on, and what was one's own may be nobody's."""
    gave, took = unclaimed.get(key, ()), claimed.get(key, ())
    stayed = set(known.get(key, ())).difference(gave)
    yield from ((contract, UNPARK) for contract in stayed if gave)
    yield from ((contract, KEYS) for contract in (*gave, *known.get(watched(key), ())))
    if gave or len(stayed.union(took)) > 1:
        yield from ((contract, KEYS) for contract in stayed.union(took))


# -- what a contract finds ---------------------------------------------------------------------------------------------


async def follow_keys(batch: Batch, store: Store, states: Mapping[str, State], now: int) -> Moved:
    """Let these contracts, whose rows are locked, know what others claim. `now` is the store's clock (µs)."""
    moved = Moved({}, [], [], set(), set())
    if not states:
        return moved
    own = {contract: claimed_keys(state) for contract, state in states.items()}
    borne = {contract: _keys_of_facts(state) - own[contract] for contract, state in states.items()}
    locked = await batch.lock_free_keys(set().union(*borne.values()))
    claims = await batch.claims(set().union(*own.values(), *borne.values()))
    for contract, state in states.items():
        moved.early.update((contract,) if not borne[contract].issubset(locked) else ())
        elsewhere = (key for key in own[contract] | borne[contract] if _by_others(claims, key, contract))
        _tell(moved, state, tuple(sorted(elsewhere)), now)
        leaving = {
            subject: slot
            for subject, slot in state.slots.items()
            if _goes_along(state, slot) and claimants(slot.address, claims) != (contract,)
        }
        moved.addresses.extend(slot.address for slot in leaving.values() if slot.parked is None and is_movable(slot))
        for fact, moment in await _said(store, contract, leaving) if leaving else ():
            _park(moved, fact, moment, [c for c in claimants(fact.address, claims) if c != contract], now)
    return moved


def _goes_along(state: State, slot: Slot) -> bool:
    """Whether a fact goes where its key goes: what may go, and a doubt that is not over (rule A11)."""
    if slot.kind != "message.unreadable" or slot.address.contract is not None:
        return is_movable(slot)
    return bool(slot.address.keys) and not is_redriven(slot.source, slot.body, state.slots.values())


def _park(moved: Moved, fact: Fact, moment: int, others: Sequence[str], now: int) -> None:
    """Park a fact under its keys. A doubt falls on all that may be meant: it waits for each of them by itself."""
    if type(fact.body) is MessageUnreadable and others:
        rows = [parked_row(fact, moment, NOWHERE, ambiguous=False, since=now, only_for=other) for other in others]
        moved.parked.extend(rows)
        moved.homes.update(others)
        return
    moved.parked.append(parked_row(fact, moment, NOWHERE, ambiguous=len(others) > 0, since=now))
    moved.homes.update(others)


def _keys_of_facts(state: State) -> set[Key]:
    addresses = [slot.address for slot in state.slots.values() if _goes_along(state, slot)]
    return {(address.source or "", key) for address in addresses for key in address.keys}


def _by_others(claims: Claims, key: Key, contract: str) -> bool:
    return any(claimed_by != contract for claimed_by in claims.get(key, ()))


def _tell(moved: Moved, state: State, elsewhere: tuple[Key, ...], now: int) -> None:
    known = keys_elsewhere(state)
    if elsewhere == known:
        return
    if not set(known).issubset(elsewhere):
        moved.homes.add(state.contract)  # what waits in it may be its own again
    moment = now if state.review is None else min(now, state.review - 1)  # a review that is due runs after it (A5)
    version = state.revision + 1
    body, name = KeysClaimedElsewhere(elsewhere), f"keys/{version}"
    fact = Fact(SPEAKER, name, Address(state.contract), moment, body, version)
    moved.told[state.contract] = Arrival((fact,), moment, NOWHERE)


async def _said(store: Store, contract: str, subjects: Collection[str]) -> list[tuple[Fact, int]]:
    """All that was said on these subjects, with the moment (µs) at which this contract heard of it."""
    entries = [read_entry(row) for row in await store.log(contract)]
    return [(fact, entry.moment) for entry in entries for fact in entry.facts if subject_of(fact) in subjects]
