"""Wires what auditors ask: contracts proven, explained as they were, replayed, and packed. Nothing here writes to the
store or to a topic."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from msgspec import DecodeError, Struct

from contracts_schema.errors import Refused
from contracts_schema.rows import LogRow
from services.history.rulebooks import Books
from services.history.verify import Fault, Proof, verify
from services.ports import Store
from services.reconciliation.log import read_entry
from services.reconciliation.state import State, decode_state
from services.settings import Settings
from services.wiring import doors

PAGE = 500
READS = 5  # how often a contract is read anew that a worker changes meanwhile
Progress = Callable[[int, str], None]


class Verified(Struct):
    """What was proven, in sum, and what was not. `heads` names the end of each chain: compare it with one that left
    the house."""

    contracts: int = 0
    revisions: int = 0
    decisions: int = 0
    commands: int = 0
    not_redecided: int = 0
    heads: dict[str, str] = {}
    faults: list[Fault] = []


class History(Struct):
    """One contract's log and state, read at one moment, with the rulebooks that its revisions name."""

    rows: Sequence[LogRow]
    state: State | None
    books: Books


async def verify_contracts(settings: Settings, contracts: Sequence[str], progress: Progress) -> Verified:
    """Prove these contracts, or all, one after the other. Raises Refused for one that is nowhere."""
    found = Verified()
    async with doors.open_store(settings) as store:
        async for contract in named_or_all(store, contracts):
            proof = await _verify(store, contract)
            _add(found, proof)
            progress(found.contracts, contract)
    return found


def _add(found: Verified, proof: Proof) -> None:
    found.contracts += 1
    found.revisions += proof.revisions
    found.decisions += proof.decisions
    found.commands += proof.commands
    found.not_redecided += proof.not_redecided
    found.heads[proof.contract] = proof.head
    found.faults += proof.faults


async def _verify(store: Store, contract: str) -> Proof:
    """A stored state that cannot be read is a fault of its own, beside what the log proves."""
    try:
        history = await read_history(store, contract)
    except DecodeError as error:
        rows = await store.log(contract)
        proof = verify(contract, rows, None, await _books(store, rows))
        proof.faults = [f for f in proof.faults if f.what != "state"]
        proof.faults.append(Fault(contract, 0, "state", f"the stored state cannot be read: {error}"))
        return proof
    return verify(contract, history.rows, history.state, history.books)


async def named_or_all(store: Store, contracts: Sequence[str]) -> AsyncIterator[str]:
    """The contracts that are named, or every one of the store, a page at a time."""
    for contract in contracts:
        yield contract
    after: str | None = None if contracts else ""
    while after is not None:
        page = await store.contracts(after, PAGE)
        for contract, _ in page:
            yield contract
        after = page[-1][0] if len(page) == PAGE else None


async def read_history(store: Store, contract: str) -> History:
    """One contract's log and state; both are of one moment, also while a worker goes on.

    Raises:
        Refused: the contract has neither.
        DecodeError: its state cannot be read.
    """
    for _ in range(READS):
        raw = await store.state(contract)
        rows = await store.log(contract)
        if raw == await store.state(contract):
            break
    if raw is None and not rows:
        raise Refused(f"no contract {contract!r} is registered")
    return History(rows, decode_state(raw) if raw else None, await _books(store, rows))


async def _books(store: Store, rows: Sequence[LogRow]) -> Books:
    """Every rulebook that a readable revision names, as far as the store has it."""
    names = set()
    for row in rows:
        try:
            names.add(read_entry(row).rulebook)
        except DecodeError:  # the proof names it
            continue
    found = {name: await store.rulebook(name) for name in sorted(names)}
    return {name: book for name, book in found.items() if book is not None}
