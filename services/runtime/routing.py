"""Which contract a fact belongs to, by the keys that contracts claim, and what waits where none does."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec.msgpack import Encoder

from contracts_schema.facts import ABOUT_MESSAGES, Address, ContractRegistered, Fact
from contracts_schema.rows import ParkedRow
from services.reconciliation.crosswalk import Index, index_of
from services.reconciliation.state import State
from services.reconciliation.subject import content_of, identity_of, subject_of

_LAST_MS = 2**63 - 1  # the latest timestamp that a record can bear
Key = tuple[str, str]  # source and key; the source of a contract's own id is ""
_encoder = Encoder()


def keys_of(fact: Fact) -> list[Key]:
    """The crosswalk keys under which a contract may claim the fact, most specific first."""
    if fact.address.contract is not None:
        return [("", fact.address.contract)]
    return [(fact.address.source or "", key) for key in fact.address.keys]


def contract_of(fact: Fact, claims: Mapping[Key, tuple[str, ...]], registered: Collection[str | None]) -> str | None:
    """The one contract that claims the fact by its most specific claimed key; None for none, or several."""
    named = fact.address.contract
    if named is not None:
        return named if named in registered or ("", named) in claims else None
    found = claimants(fact.address, claims)
    return found[0] if len(found) == 1 else None


def contracts_of(
    fact: Fact, claims: Mapping[Key, tuple[str, ...]], registered: Collection[str | None]
) -> tuple[str, ...]:
    """The one contract that claims the fact, or none. A doubt, and what ends it, falls on whatever it may be about: on
    all that claim its most specific claimed key (rule A11)."""
    if fact.address.contract is None and type(fact.body) in ABOUT_MESSAGES:
        return claimants(fact.address, claims)
    contract = contract_of(fact, claims, registered)
    return () if contract is None else (contract,)


def claimants(address: Address, claims: Mapping[Key, tuple[str, ...]]) -> tuple[str, ...]:
    """The contracts that claim the most specific claimed key of a system's address."""
    return next((found for key in address.keys if (found := claims.get((address.source or "", key)))), ())


def keys_to_claim(fact: Fact) -> set[Key]:
    """The keys that a registration claims for its contract; none for any other fact."""
    if type(fact.body) is not ContractRegistered:
        return set()
    return {("", fact.address.contract or ""), *index_of(fact.body.plan).keys}


def parked_row(
    fact: Fact, timestamp: int, origin: str, *, ambiguous: bool, since: int, only_for: str | None = None
) -> ParkedRow:
    """A row of its own for every fact: what an older one said may still count when its contract comes (rule A4). Of a
    fact and its repeats the earliest is kept: a doubt dates from its first arrival (rule A11). Moments in µs. With
    `only_for` it waits for that contract, whatever keys the fact bears."""
    unique = f"{subject_of(fact)}\x1f{identity_of(fact).hex()}{content_of(fact).hex()}"
    return ParkedRow(
        source=fact.source, subject=unique if only_for is None else f"{unique}\x1f{only_for}",
        keys=tuple(keys_of(fact)) if only_for is None else (("", only_for),), fact=_encoder.encode(fact),
        timestamp=timestamp, origin=origin, reason="ambiguous" if ambiguous else "unknown", since=since,
        order=(_LAST_MS - timestamp // 1000).to_bytes(8, "big"),
    )  # fmt: skip


def claimed_keys(state: State) -> set[Key]:
    """Every key that a contract claims now, its own id among them."""
    return {("", state.contract), *keys_of_plan(plan_in_force(state))}


def plan_in_force(state: State) -> bytes | None:
    """The encoded plan in force. A version registered again has another plan under the same number."""
    return state.plans[state.in_force].plan if state.in_force else None


def index_in_force(state: State) -> Index | None:
    """The index of the plan in force."""
    plan = plan_in_force(state)
    return None if plan is None else index_of(plan)


def keys_of_plan(plan: bytes | None) -> set[Key]:
    """The keys that a plan claims; none for no plan."""
    return index_of(plan).keys if plan is not None else set()
