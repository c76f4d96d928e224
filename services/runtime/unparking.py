"""Facts that waited for a contract: what lies parked under the keys that it claims by now."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from msgspec.msgpack import Decoder

from contracts_schema.facts import Fact
from contracts_schema.rows import ParkedRow
from services.ports import Batch, Store
from services.reconciliation.state import decode_state
from services.runtime.routing import Key, claimed_keys, contract_of

_decoder = Decoder(Fact)


class Waiting(NamedTuple):
    """A parked fact, and the contract that it has waited for."""

    row: ParkedRow
    fact: Fact
    contract: str


async def waiting_for(batch: Batch, store: Store, contracts: Collection[str]) -> Sequence[Waiting]:
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
    homes = [(row, fact, contract_of(fact, claims, ())) for row, fact in rows]
    return [Waiting(row, fact, home) for row, fact, home in homes if home is not None and home in contracts]
