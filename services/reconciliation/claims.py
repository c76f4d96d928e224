"""One invoice, claimed on several milestones for more than its total (rule D8), in one contract or across contracts.

Within a contract its own invoices tell. Across contracts every contract's claims are laid side by side
(`claimed_elsewhere`), and what is found comes into its log as a fact, so that the log alone decides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from contracts_schema.money import Money, format_amount
from contracts_schema.own_facts import ClaimElsewhere, InvoiceClaimedElsewhere
from contracts_schema.rows import InvoiceClaim
from services.reconciliation.invoices import Invoice, Ledger

SEVERAL_CURRENCIES = "in several currencies, which do not add up"
SHOWN_MOST = 5  # other contracts that are named; a fact must stay small, however many there are
Claims = dict[str, tuple[InvoiceClaim, ...]]  # by invoice number
Identity = tuple[str, str | None]  # supplier and business unit, of invoices of one number


class Excess(NamedTuple):
    """More is claimed than the total; both are None where the parts are in several currencies and do not add up."""

    claimed: Money | None
    most: Money | None


def exceeds(claims: Collection[InvoiceClaim]) -> Excess | None:
    """Whether parts of one invoice add up to more than its largest stated total, or else than its largest part. A total
    in another currency counts where none is in theirs."""
    nets, totals = _added(n for c in claims for n in c.nets), [t for c in claims for t in c.totals]
    totals = [t for t in totals if t.currency == nets[0].currency] or totals
    currencies = {money.currency for money in (*nets, *totals)}
    if len(currencies) > 1:
        return Excess(None, None)
    (net,) = nets
    most = max(abs(t.minor) for t in totals) if totals else max(c.largest for c in claims)
    claimed = abs(net.minor)
    return Excess(Money(claimed, net.currency), Money(most, net.currency)) if claimed > most else None


def _added(amounts: Iterable[Money]) -> tuple[Money, ...]:
    """One sum for each currency."""
    sums: dict[str, int] = {}
    for minor, currency in amounts:
        sums[currency] = sums.get(currency, 0) + minor
    return tuple(Money(minor, currency) for currency, minor in sorted(sums.items()))


# -- what one contract claims ------------------------------------------------------------------------------------------


def claims_of(found: Ledger) -> Claims:
    """What a contract claims of each invoice that stands, by number."""
    claims: Claims = {}
    for parts in _standing(found).values():
        number, claim = parts[0].number, _claim(parts)
        claims[number] = tuple(sorted((*claims[number], claim), key=_by_identity)) if number in claims else (claim,)
    return claims


def renewed(before: Claims, found: Ledger, numbers: Collection[str] | None) -> Claims:
    """The claims after these invoice numbers (None: all) were looked at anew; the very same where none has changed."""
    if numbers is not None and not numbers:
        return before
    now = claims_of(found)
    if numbers is None:
        return before if now == before else dict(sorted(now.items()))
    if all(now.get(number) == before.get(number) for number in numbers):
        return before
    rest = {number: claims for number, claims in before.items() if number not in numbers}
    return dict(sorted((rest | now).items()))


def _standing(found: Ledger) -> dict[str, list[Invoice]]:
    """The parts of each invoice that stand, by identity."""
    parts: dict[str, list[Invoice]] = {}
    for invoices in found.by_milestone.values():
        for invoice in invoices:
            if invoice.stands:
                parts.setdefault(invoice.identity, []).append(invoice)
    return parts


def _claim(parts: Sequence[Invoice]) -> InvoiceClaim:
    first = parts[0]
    if len(parts) == 1:
        return InvoiceClaim(
            first.identity.partition("\x1f")[0], tuple(sorted(first.known_as)), first.business_unit, (first.net,),
            abs(first.net.minor), () if first.total is None else (first.total,),
        )  # fmt: skip
    totals: dict[str, Money] = {}
    for total in (part.total for part in parts if part.total is not None):
        known = totals.get(total.currency, total)
        totals[total.currency] = max(known, total, key=lambda money: abs(money.minor))
    return InvoiceClaim(
        supplier=first.identity.partition("\x1f")[0], identifiers=tuple(sorted(first.known_as)),
        business_unit=first.business_unit, nets=_added(part.net for part in parts),
        largest=max(abs(part.net.minor) for part in parts), totals=tuple(totals[c] for c in sorted(totals)),
    )  # fmt: skip


def _by_identity(claim: InvoiceClaim) -> tuple[str, str]:
    return claim.supplier, claim.business_unit or ""


def claimed_twice(found: Ledger) -> dict[str, dict[str, str]]:
    """Per milestone the invoices (by identity) of which this contract alone claims more than the total, with a sentence
    each."""
    faults, claims = _faults_within(found), dict[str, dict[str, str]]()
    for name, invoices in found.by_milestone.items() if faults else ():
        for invoice in invoices:
            if invoice.stands and invoice.identity in faults:
                claims.setdefault(name, {})[invoice.identity] = faults[invoice.identity]
    return claims


def _faults_within(found: Ledger) -> dict[str, str]:
    faults = {}
    for identity, parts in _standing(found).items():
        if len(parts) > 1 and (excess := exceeds([_claim(parts)])):
            faults[identity] = f"invoice {parts[0].number} is claimed {_how_much(excess)}"
    return faults


def _how_much(excess: Excess) -> str:
    if excess.claimed is None or excess.most is None:
        return SEVERAL_CURRENCIES
    return f"with {format_amount(*excess.claimed)} of {format_amount(*excess.most)} {excess.most.currency}"


# -- what all contracts claim ------------------------------------------------------------------------------------------


class Elsewhere(NamedTuple):
    """What is to be known of one invoice number: each contract's excess by identity, and the groups of contracts whose
    claims are of one invoice although some of them share no identifier with each other."""

    told: dict[str, dict[Identity, InvoiceClaimedElsewhere]]
    chains: list[frozenset[str]]


_Claimed = tuple[str, InvoiceClaim]  # a contract and what it claims


def claimed_elsewhere(number: str, claims: Mapping[str, Sequence[InvoiceClaim]]) -> Elsewhere:
    """Which contracts' claims of invoices of one number add up to more than the total, all of them together.

    Claims are of one invoice where they share an identifier of the supplier, directly or through others (rule C3). A
    claim without a business unit may be any unit's, and stands beside each: doubt holds.
    """
    told: dict[str, dict[Identity, InvoiceClaimedElsewhere]] = {}
    chains: list[frozenset[str]] = []
    if len(claims) < 2:
        return Elsewhere(told, chains)
    for same in _same_supplier([(contract, claim) for contract in sorted(claims) for claim in claims[contract]]):
        contracts = frozenset(contract for contract, _ in same)
        if len(contracts) > 1:
            if not frozenset.intersection(*(frozenset(claim.identifiers) for _, claim in same)):
                chains.append(contracts)
            for contract, identity, body in _told(number, same):
                told.setdefault(contract, {})[identity] = body
    return Elsewhere(told, chains)


def _same_supplier(claims: Iterable[_Claimed]) -> list[list[_Claimed]]:
    """Claims that share an identifier are of one supplier."""
    groups: list[tuple[set[str], list[_Claimed]]] = []
    for one in claims:
        known, joined, apart = set(one[1].identifiers), [one], []
        for identifiers, members in groups:
            if identifiers.isdisjoint(known):
                apart.append((identifiers, members))
            else:
                known, joined = known | identifiers, members + joined
        groups = [*apart, (known, joined)]
    return [members for _, members in groups]


def _told(number: str, same: list[_Claimed]) -> Iterator[tuple[str, Identity, InvoiceClaimedElsewhere]]:
    """What each contract is told, of claims of one supplier."""
    nets: dict[str, tuple[Money, ...]] = {}
    for contract, claim in sorted(same, key=lambda one: one[0]):
        nets[contract] = _added((*nets.get(contract, ()), *claim.nets))
    found: dict[tuple[str, Identity], tuple[Money | None, set[str]]] = {}
    for excess, group in _excesses(same):
        first = list(islice(sorted({contract for contract, _ in group}), SHOWN_MOST + 2))
        for contract, claim in group:
            key = (contract, (claim.supplier, claim.business_unit))
            most, others = found.setdefault(key, (excess.most, set()))
            others.update(other for other in first if other != contract)
    for (contract, identity), (most, others) in found.items():
        shown = tuple(ClaimElsewhere(other, nets[other]) for other in sorted(others)[:SHOWN_MOST])
        more = len(others) > SHOWN_MOST
        yield contract, identity, InvoiceClaimedElsewhere(identity[0], number, identity[1], most, shown, more)


def _excesses(same: list[_Claimed]) -> Iterator[tuple[Excess, list[_Claimed]]]:
    """Claims of several contracts, of one business unit, that add up to more than the total."""
    units: Sequence[str | None] = sorted({claim.business_unit for _, claim in same if claim.business_unit is not None})
    for unit in units or [None]:
        group = [(contract, claim) for contract, claim in same if claim.business_unit in (None, unit)]
        excess = exceeds([claim for _, claim in group]) if len({contract for contract, _ in group}) > 1 else None
        if excess is not None:
            yield excess, group


def sentence(told: InvoiceClaimedElsewhere) -> str:
    """What a contract is told, for people."""
    others = ", ".join(f"{other.contract} ({_shown(other.nets)})" for other in told.claims)
    limit = f"for more than its total of {_shown([told.most])}" if told.most else SEVERAL_CURRENCIES
    return f"invoice {told.number} is claimed {limit}, also by {others}{' and others' if told.more else ''}"


def _shown(amounts: Iterable[Money]) -> str:
    return " and ".join(f"{format_amount(*amount)} {amount.currency}" for amount in amounts)
