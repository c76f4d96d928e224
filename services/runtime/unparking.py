"""Facts that waited for a contract: what lies parked under the keys that it claims by now."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from msgspec.msgpack import Decoder

from contracts_schema.facts import Fact
from contracts_schema.rows import ParkedRow
from services.ports import Batch, Store
from services.reconciliation.state import decode_state
from services.runtime.routing import Key, claimed_keys, contracts_of

_decoder = Decoder(Fact)


class Waiting(NamedTuple):
    """A parked fact, and the contract that it has waited for. A doubt may fall on `others`, too (rule A11)."""

    row: ParkedRow
    fact: Fact
    contract: str
    others: tuple[str, ...] = ()


async def waiting_for(batch: Batch, store: Store, contracts: Collection[str]) -> list[Waiting]:
    """What is parked under the keys of these contracts and belongs to one of them, in the order in which it came."""
    owners: dict[Key, str] = {}
    for contract in contracts:
        known = await store.state(contract)
        for key in claimed_keys(decode_state(known)) if known else ():
            owners[key] = contract
    if not owners:
        return []
    rows = [(row, _decoder.decode(row.fact)) for row in await batch.parked_under(owners.keys())]
    claims = await batch.claims({key for row, _ in rows for key in row.keys})  # one may be another's by a nearer key
    return [found for row, fact in rows for found in _waiting(row, fact, claims, contracts)]


def _waiting(
    row: ParkedRow, fact: Fact, claims: Mapping[Key, tuple[str, ...]], contracts: Collection[str]
) -> Iterator[Waiting]:
    source, named = row.keys[0]
    if source == "":  # it waits for this contract, by whatever the fact is addressed
        homes: tuple[str, ...] = (named,) if row.keys[0] in claims else ()
    else:
        homes = contracts_of(fact, claims, ())
    others = tuple(home for home in homes if home not in contracts)
    for home in homes:
        if home in contracts:
            yield Waiting(row, fact, home, others)
