"""Facts that waited for a contract: what lies parked under the keys that it claims by now.

What waits under the keys of a plan that a batch brings in is let in by the same batch, before anything that came after
the plan: a hold that came before the last proof prevents the release (rule A7). What is a part of a vendor's document
waits for the look that follows, in which documents are locked before contracts, and so does what two may claim.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec.msgpack import Decoder

from contracts_schema.facts import ContractRegistered, Fact
from contracts_schema.rows import ParkedRow
from services.ports import Batch, Store
from services.reconciliation.state import Arrival, decode_state
from services.runtime.documents import document_of
from services.runtime.routing import Key, claimed_keys, contracts_of, keys_of_plan, plan_in_force
from services.runtime.turn import Turn

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
    rows = decoded(await batch.parked_under(owners.keys()))
    claims = await batch.claims({key for row, _ in rows for key in row.keys})  # one may be another's by a nearer key
    return [found for row, fact in rows for found in _waiting(row, fact, claims, contracts)]


def decoded(rows: Collection[ParkedRow]) -> list[tuple[ParkedRow, Fact]]:
    """Parked rows with their facts."""
    return [(row, _decoder.decode(row.fact)) for row in rows]


def earliest(rows: Sequence[ParkedRow]) -> Collection[ParkedRow]:
    """Of a fact and its repeats the one that came first, in the order of rows: a doubt dates from its first arrival."""
    first: dict[tuple[str, str], ParkedRow] = {}
    for row in rows:
        first.setdefault((row.source, row.subject), row)
    return first.values()


def cut_behind_plan(arrivals: Sequence[Arrival]) -> int:
    """How many of these bring a contract its newest registration, and all that came before it; 0 for none."""
    plans = [n for n, a in enumerate(arrivals, 1) if any(type(f.body) is ContractRegistered for f in a.facts)]
    return plans[-1] if plans else 0


def let_in(
    rows: Sequence[tuple[ParkedRow, Fact]], claims: Mapping[Key, tuple[str, ...]], turns: Collection[Turn]
) -> list[Waiting]:
    """Of these parked facts those that belong to one contract alone by a plan that has come into force in one of these
    turns. `claims` are those of before."""
    renewed = [turn for turn in turns if plan_in_force(turn.state) not in (None, turn.plan_before)]
    after = dict(claims)
    for turn in renewed:
        now, was = keys_of_plan(plan_in_force(turn.state)), keys_of_plan(turn.plan_before)
        after |= {key: tuple({*after.get(key, ()), turn.contract}) for key in (now - was) | {("", turn.contract)}}
        after |= {key: tuple({*after.get(key, ())} - {turn.contract}) for key in was - now}
    contracts = [turn.contract for turn in renewed]
    homes = [list(_waiting(row, fact, after, contracts)) for row, fact in rows if document_of(fact) is None]
    return [found[0] for found in homes if len(found) == 1 and not found[0].others]


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
