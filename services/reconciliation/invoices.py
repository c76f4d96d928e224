"""Invoices of a contract: one invoice told by several sources and in several parts is one invoice (rule C3)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from fractions import Fraction
from typing import NamedTuple

from contracts_schema import facts as f
from contracts_schema.money import DECIMALS, Money
from contracts_schema.plan import Plan
from services.reconciliation.policy import Rules
from services.reconciliation.standing import Standing, of
from services.reconciliation.state import Slot
from services.reconciliation.subject import invoice_number
from services.reconciliation.words import Conflict, Word, believed, conflict

Exact = int | Fraction  # whole where nothing divides it: whole numbers are much faster


class Invoice(NamedTuple):
    """The part of one invoice that falls on one milestone, in the word of the highest authority that has spoken.

    `worth` is the net in minor units of the contract's currency (exact, None without a rate). `counts` says whether it
    adds to what is invoiced; `payable` whether released money may settle it. `known_as` are all identifiers of the
    supplier, from every part of the invoice. `contradicted_by` are sources that changed its terms (rule A3).
    """

    identity: str
    number: str
    supplier: str
    supplier_identifiers: tuple[str, ...]
    business_unit: str | None
    issued_on: date
    state: str
    net: Money
    total: Money | None
    credits: tuple[str, ...]
    worth: Exact | None
    right_supplier: bool
    source_keys: tuple[str, ...]
    issuers: tuple[tuple[str, str], ...]
    facts: tuple[str, ...]
    conflict: Conflict | None
    known_as: frozenset[str]
    contradicted_by: tuple[str, ...]

    @property
    def stands(self) -> bool:
        """Open and paid invoices stand (rule C3)."""
        return self.state in ("open", "paid")


def oldest_first(invoice: Invoice) -> tuple[date, str, str, str]:
    """The order in which invoices are paid and told (rule E2), whichever came first."""
    return invoice.issued_on, invoice.number, invoice.business_unit or "", invoice.identity


class Ledger(NamedTuple):
    """All invoices of a contract by milestone, and the subjects of those that cannot be told apart."""

    by_milestone: Mapping[str, list[Invoice]]
    ambiguous: frozenset[int]


NO_INVOICES = Ledger({}, frozenset())
_Part = tuple[str, Slot]


def ledger(placed: Mapping[str, Standing], plan: Plan, rules: Rules, numbers: Collection[str] | None = None) -> Ledger:
    """Group the invoice facts of all milestones into invoices; `numbers` limits the work to some of them."""
    by_number = _by_number(placed, numbers)
    if not by_number:
        return NO_INVOICES
    found: dict[str, list[Invoice]] = {}
    ambiguous: set[int] = set()
    for number, group in by_number.items():
        told, aside = _with_a_say(group, plan, rules)
        for same_supplier in _by_supplier(told, plan):
            units, homeless = _by_unit(same_supplier)
            ambiguous |= {id(slot) for _, slot in homeless}
            for unit, same in units.items():
                identifiers = _known_as((slot for _, slot in same), plan)
                shown = [part for part in aside if _may_be(part[1], identifiers, unit)]
                _add(found, number, identifiers, unit, same, shown, plan, rules)
    return Ledger(found, frozenset(ambiguous))


def _with_a_say(parts: list[_Part], plan: Plan, rules: Rules) -> tuple[list[_Part], list[_Part]]:
    """The words of those who are believed about invoices, and those of others (rule A8)."""
    told: list[_Part] = []
    aside: list[_Part] = []
    for part in parts:
        (aside if rules.rank(plan, "invoice", part[1].source) is None else told).append(part)
    return told, aside


def _may_be(slot: Slot, identifiers: frozenset[str], unit: str | None) -> bool:
    """Whether a word from one who has no say is of this invoice. It is shown where it differs; what it says of supplier
    or unit makes no two invoices one (rule A8)."""
    said = slot.body.business_unit
    same_unit = unit is None or said == unit or not isinstance(said, str)
    return same_unit and not identifiers.isdisjoint(identifiers_of(slot.body))


def _by_number(placed: Mapping[str, Standing], numbers: Collection[str] | None) -> dict[str, list[_Part]]:
    by_number: dict[str, list[_Part]] = {}
    for milestone, standing in placed.items():
        for slot in of(standing, "invoice.received"):
            number = invoice_number(slot.body.number)
            if numbers is None or number in numbers:
                by_number.setdefault(number, []).append((milestone, slot))
    return by_number


def numbers_at(placed: Mapping[str, Standing], milestones: Collection[str]) -> set[str]:
    """Every invoice number that the decision of these milestones looks at: their own, and those they credit."""
    numbers: set[str] = set()
    for milestone in milestones:
        for slot in of(placed[milestone], "invoice.received"):
            numbers.add(invoice_number(slot.body.number))
            numbers.update(map(invoice_number, _credited(slot)))
    return numbers


def sharing_invoices(placed: Mapping[str, Standing], milestones: Collection[str]) -> set[str]:
    """These milestones and all that share an invoice with them, as a part of it or as a credit (rules C3, D8)."""
    found, before = set(milestones), -1
    while len(found) != before:
        before, numbers = len(found), numbers_at(placed, found)
        found |= {m for m in placed.keys() - found if numbers and not numbers.isdisjoint(numbers_at(placed, (m,)))}
    return found


def _credited(slot: Slot) -> tuple[str, ...]:
    return slot.body.credits if isinstance(slot.body.credits, tuple) else ()


def identifiers_of(body: f.InvoiceReceived) -> frozenset[str]:
    """Every identifier under which the invoice knows its supplier."""
    more = body.supplier_identifiers if isinstance(body.supplier_identifiers, tuple) else ()
    return frozenset((body.supplier, *more))


def _known_as(slots: Iterable[Slot], plan: Plan) -> frozenset[str]:
    """Every identifier by which these words know their supplier: all of the contract's where one of them is (B7)."""
    known = frozenset(name for slot in slots for name in identifiers_of(slot.body))
    ours = frozenset((plan.supplier, *plan.supplier_identifiers))
    return known | ours if known & ours else known


def _by_supplier(parts: list[_Part], plan: Plan) -> list[list[_Part]]:
    """Parts that share an identifier of the supplier are of one supplier; the contract's identifiers are one set."""
    groups: list[tuple[frozenset[str], list[_Part]]] = []
    for part in parts:
        known = _known_as((part[1],), plan)
        joined = [part]
        apart = []
        for identifiers, members in groups:
            if identifiers & known:
                known, joined = known | identifiers, members + joined
            else:
                apart.append((identifiers, members))
        groups = [*apart, (known, joined)]
    return [members for _, members in groups]


def _by_unit(parts: list[_Part]) -> tuple[dict[str | None, list[_Part]], list[_Part]]:
    """Parts by business unit; one without a unit matches the only one stated, of several it is ambiguous."""
    units: dict[str | None, list[_Part]] = {}
    silent: list[_Part] = []
    for part in parts:
        unit = part[1].body.business_unit
        if isinstance(unit, str):
            units.setdefault(unit, []).append(part)
        else:
            silent.append(part)
    if silent and len(units) > 1:
        return units, silent
    if silent:
        units.setdefault(next(iter(units), None), []).extend(silent)
    return units, []


def _add(
    found: dict[str, list[Invoice]], number: str, identifiers: frozenset[str], unit: str | None,
    parts: list[_Part], aside: list[_Part], plan: Plan, rules: Rules,
) -> None:  # fmt: skip
    by_milestone: dict[str, list[Slot]] = {}
    for milestone, slot in parts:
        by_milestone.setdefault(milestone, []).append(slot)
    for milestone, slots in by_milestone.items():
        shown = [slot for name, slot in aside if name == milestone]
        invoice = _invoice(number, identifiers, unit, slots, shown, plan, rules)
        found.setdefault(milestone, []).append(invoice)


def _invoice(
    number: str, identifiers: frozenset[str], unit: str | None, slots: list[Slot], aside: list[Slot], plan: Plan,
    rules: Rules,
) -> Invoice:  # fmt: skip
    told, slots = slots, _newest_at_each_address(slots)
    by_source: dict[str, list[Slot]] = {}
    for slot in (*slots, *_newest_at_each_address(aside)):
        by_source.setdefault(slot.source, []).append(slot)
    words = [_net_word(source, group) for source, group in by_source.items()]
    chosen = believed(words, rules, plan, "invoice")
    assert chosen is not None  # noqa: S101 -- `slots` are of those who are believed
    group = by_source[chosen.source]
    body = max(group, key=lambda s: s.order).body
    currency, minor = body.net.currency, dict(chosen.value)[body.net.currency]
    one_currency = len(chosen.value) == 1  # parts in several are worth what nobody can say (rule D3)
    ours = identifiers & {plan.supplier, *plan.supplier_identifiers}
    return Invoice(
        identity=identity_of(plan.supplier if ours else min(identifiers), number, unit), number=number,
        supplier=body.supplier,
        supplier_identifiers=tuple(sorted(identifiers_of(body))), business_unit=unit, issued_on=body.issued_on,
        state=body.state, net=Money(minor, currency), total=_total(slots, currency),
        credits=_credited(max(group, key=lambda s: s.order)),
        worth=worth(minor, currency, body.issued_on, plan) if one_currency else None, right_supplier=bool(ours),
        source_keys=tuple(sorted({s.address.keys[-1] for s in slots if s.address.keys})),
        issuers=tuple(sorted({(s.source, s.body.by) for s in slots if isinstance(s.body.by, str)})),
        facts=chosen.facts, conflict=conflict("invoice", chosen, words), known_as=identifiers,
        contradicted_by=_changing_terms(told, slots) if len(told) > len(slots) else (),
    )  # fmt: skip


def _newest_at_each_address(slots: list[Slot]) -> list[Slot]:
    """A source that names supplier or unit otherwise, or leaves the unit out, still speaks of the same invoice: at one
    address its newest word counts, and nothing is added twice (rules A1, C3)."""
    newest: dict[tuple[str, f.Address], Slot] = {}
    for slot in slots:
        place = (slot.source, slot.address)
        if place not in newest or slot.order > newest[place].order:
            newest[place] = slot
    return list(newest.values())


def _changing_terms(told: list[Slot], newest: list[Slot]) -> tuple[str, ...]:
    """The sources that say other terms at one address than before and give no number to it: by another name of the
    supplier it is still the same document (rules A3, C3)."""
    terms: dict[tuple[str, f.Address], set[bytes]] = {}
    for slot in told:
        if slot.terms is not None:
            terms.setdefault((slot.source, slot.address), set()).add(slot.terms)
    changed = {s.source for s in newest if s.order[0] < 0 and len(terms[(s.source, s.address)]) > 1}
    return tuple(sorted(changed))


def identity_of(supplier: str, number: str, unit: str | None) -> str:
    """What tells an invoice from all others of the contract."""
    return f"{supplier}\x1f{number}\x1f{unit or ''}"


def _net_word(source: str, slots: list[Slot]) -> Word:
    """A source's word on an invoice: its parts at this milestone add up (rule F4)."""
    nets: dict[str, int] = {}
    for slot in slots:
        net = slot.body.net
        nets[net.currency] = nets.get(net.currency, 0) + net.minor
    value = tuple(sorted(nets.items()))
    return Word(source, value, max(s.order[1] for s in slots), tuple(s.fact for s in slots))


def _total(slots: Iterable[Slot], currency: str) -> Money | None:
    """The largest total that any source states, of a credit note the one that credits most; one in the currency of the
    net goes before others, with which it cannot be compared (rule D8)."""
    stated = (s.body.total for s in slots if isinstance(s.body.total, Money))
    return max(stated, key=lambda total: (total.currency == currency, abs(total.minor), total), default=None)


def worth(minor: Exact, currency: str, day: date, plan: Plan) -> Exact | None:
    """Exact minor units of the contract's currency, by the rate of a day: of an invoice that of its issue (D3)."""
    if currency == plan.currency:
        return minor
    rates = [r for r in plan.rates if r.from_ == currency and r.valid_from <= day]
    if not rates:
        return None
    rate = max(rates, key=lambda r: r.valid_from)
    return minor * Fraction(rate.rate) * Fraction(10) ** (DECIMALS[plan.currency] - DECIMALS[currency])


def counts(invoice: Invoice, seen: Mapping[str, bool]) -> bool:
    """Whether an invoice adds to what is invoiced. `seen` tells of each number of the supplier's whether one stands.

    A credit note counts until its credited invoices have been seen and no longer stand (rule C3).
    """
    if not (invoice.stands and invoice.right_supplier and invoice.worth is not None):
        return False
    is_credit = (invoice.total or invoice.net).minor < 0
    return not (invoice.credits and is_credit) or any(seen.get(invoice_number(n), True) for n in invoice.credits)


def seen_numbers(found: Ledger) -> dict[str, bool]:
    """Each invoice number of the contract's supplier, and whether an invoice of that number stands anywhere."""
    seen: dict[str, bool] = {}
    for invoices in found.by_milestone.values():
        for invoice in invoices:
            if invoice.right_supplier:
                seen[invoice.number] = seen.get(invoice.number, False) or invoice.stands
    return seen
