"""One invoice, claimed by several contracts (rule D8): a claim is written where all contracts that may share it look.

A batch that changes what a contract claims locks the invoice under every identifier that the contract has of its
supplier, in sorted order, lays all claims side by side, and lets the contract know before anything is released. Other
contracts are never locked: those for which something changes are woken (`CLAIMS`) and find it themselves. Batches that
change no claim ask the store for nothing.

Two contracts that share no identifier may share an invoice through a third. They do not wait for each other's locks; so
that it comes out the same in any order, either wakes the one between them, which wakes both when it finds something.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

from msgspec.msgpack import Decoder, Encoder

from contracts_schema.failpoints import failpoint
from contracts_schema.own_facts import InvoiceClaimedElsewhere
from contracts_schema.rows import InvoiceClaim
from services.ports import Batch
from services.reconciliation.claims import Elsewhere, claimed_elsewhere
from services.runtime.turn import Turn

CLAIMS = "claims"

Place = tuple[str, str]  # an identifier of a supplier, and an invoice number
Claimed = dict[str, tuple[InvoiceClaim, ...]]  # by contract
Turns = Mapping[str, Turn]  # by contract
_encoder = Encoder(order="deterministic")
_decoder = Decoder(Claimed)


class Settled(NamedTuple):
    """What is to be written under keys that are locked, and the contracts that are to look again."""

    rows: list[tuple[bytes, bytes]]
    woken: list[str]


class _Found(NamedTuple):
    """All claims of one invoice number, before these turns and after them, and what follows from them.

    `turns` are those of contracts that claim otherwise than before, or were woken to look.
    """

    number: str
    turns: Turns
    before: Claimed
    after: Claimed
    was: Elsewhere
    now: Elsewhere


async def settle_claims(batch: Batch, turns: Sequence[Turn], now: int) -> Settled:
    """Let each contract that has its turn know what others claim of its invoices. `now` is the store's clock (µs)."""
    touched: dict[str, dict[str, Turn]] = {}
    for turn in turns:
        for number in _numbers(turn):
            touched.setdefault(number, {})[turn.contract] = turn
    if not touched:
        return Settled([], [])
    locked = {place for number, mine in touched.items() for turn in mine.values() for place in _places(turn, number)}
    held = await _rows(batch.lock_invoices, locked)
    failpoint("batch.claims_locked")
    found = [_found(number, before, touched[number]) for number, before in (await _whole(batch, held)).items()]
    told = _tell({turn.contract: turn for turn in turns}, found, now)
    others = {c for claims in found for c in (*_otherwise(claims), *_chained(claims, told))}
    between = {c for claims in found for c in _between(claims, locked)}
    return Settled(list(_changed(held, touched)), sorted(others.difference(t.contract for t in turns) | between))


# -- what is claimed, and where it lies --------------------------------------------------------------------------------


def _numbers(turn: Turn) -> Collection[str]:
    """Invoices of which the contract claims otherwise than before; all that it claims where it was woken to look."""
    before, after = turn.claims_before, turn.claims
    if turn.looks:
        return before.keys() | after.keys()
    return () if after is before else {n for n in before.keys() | after.keys() if before.get(n) != after.get(n)}


def _places(turn: Turn, number: str) -> Iterator[Place]:
    """Where others look for what the contract claims of an invoice, or claimed."""
    for claim in (*turn.claims_before.get(number, ()), *turn.claims.get(number, ())):
        yield from ((identifier, number) for identifier in claim.identifiers)


def _key_of(place: Place) -> bytes:
    return blake2b("\x1f".join(place).encode(), digest_size=16).digest()


async def _rows(
    ask: Callable[[Collection[bytes]], Awaitable[Mapping[bytes, bytes]]], places: Iterable[Place]
) -> dict[Place, Claimed]:
    """What is claimed at each of these places, as the store has it."""
    keys = {_key_of(place): place for place in places}
    rows = await ask(keys.keys())
    return {place: _decoder.decode(rows[key]) if key in rows else {} for key, place in keys.items()}


async def _whole(batch: Batch, held: Mapping[Place, Claimed]) -> dict[str, Claimed]:
    """All claims by number, followed from identifier to identifier until no more are found."""
    seen, rows = set[Place](), dict(held)
    known: dict[str, dict[str, set[InvoiceClaim]]] = {}
    while rows:
        seen |= rows.keys()
        for (_, number), claimed in rows.items():
            by_contract = known.setdefault(number, {})
            for contract, claims in claimed.items():
                by_contract.setdefault(contract, set()).update(claims)
        more = {(i, n) for n, by in known.items() for claims in by.values() for c in claims for i in c.identifiers}
        rows = await _rows(batch.look_at_invoices, more - seen) if more - seen else {}
    return {number: {c: tuple(claims) for c, claims in by_contract.items()} for number, by_contract in known.items()}


def _changed(held: Mapping[Place, Claimed], touched: Mapping[str, Turns]) -> Iterator[tuple[bytes, bytes]]:
    """The rows to be written, of those that are locked: nothing where nobody claims anything any more."""
    for place, claimed in held.items():
        identifier, number = place
        now = dict(claimed)
        for contract, turn in touched[number].items():
            now[contract] = tuple(c for c in turn.claims.get(number, ()) if identifier in c.identifiers)
        now = {contract: claims for contract, claims in now.items() if claims}
        if now != claimed or not now:
            yield _key_of(place), _encoder.encode(now) if now else b""


# -- what follows ------------------------------------------------------------------------------------------------------


def _found(number: str, before: Claimed, turns: Turns) -> _Found:
    after = before | {name: turn.claims.get(number, ()) for name, turn in turns.items()}
    return _Found(number, turns, before, after, claimed_elsewhere(number, before), claimed_elsewhere(number, after))


def _tell(turns: Turns, found: Iterable[_Found], now: int) -> dict[str, set[str]]:
    """Tell each contract what it does not know yet; of which invoice numbers that was."""
    news: dict[str, list[InvoiceClaimedElsewhere]] = {}
    for claims in found:
        for contract in turns.keys() & claims.after.keys():
            if not turns[contract].state.frozen:
                news.setdefault(contract, []).extend(_news(turns[contract], claims))
    for contract, bodies in news.items():
        if bodies:
            turns[contract].tell(bodies, now)
    return {contract: {body.number for body in bodies} for contract, bodies in news.items()}


def _news(turn: Turn, claims: _Found) -> Iterator[InvoiceClaimedElsewhere]:
    number, told = claims.number, claims.now.told.get(turn.contract, {})
    mine = (*turn.claims_before.get(number, ()), *turn.claims.get(number, ()))
    for identity in dict.fromkeys([*told, *((claim.supplier, claim.business_unit) for claim in mine)]):
        body = told.get(identity)
        if body != turn.was_told(number, identity):
            yield body or InvoiceClaimedElsewhere(identity[0], number, identity[1])


def _otherwise(claims: _Found) -> Iterator[str]:
    """Contracts for which something has changed with these turns."""
    for contract in claims.was.told.keys() | claims.now.told.keys():
        if claims.was.told.get(contract) != claims.now.told.get(contract):
            yield contract


def _between(claims: _Found, locked: Collection[Place]) -> Iterator[str]:
    """Where a claim was changed: contracts that may share the invoice with somebody who does not wait for our locks."""
    if any(claims.before.get(name) != claims.after.get(name) for name in claims.turns):
        for contract, theirs in claims.after.items():
            if any((identifier, claims.number) not in locked for c in theirs for identifier in c.identifiers):
                yield contract


def _chained(claims: _Found, told: Mapping[str, Collection[str]]) -> Iterator[str]:
    """Where something was found: everybody who shares the invoice, if some share it only through others."""
    for chain in claims.now.chains:
        if any(claims.number in told.get(contract, ()) for contract in chain):
            yield from chain
