"""Checks of what the contract itself says."""

from __future__ import annotations

from collections.abc import Iterator

from contracts_schema.money import format_amount
from contracts_schema.plan import Plan
from services.reconciliation.case import Case, Finding, in_force, is_activated
from services.reconciliation.invoices import Invoice, worth


def active(case: Case) -> Iterator[Finding]:
    """Only an active contract pays."""
    if case.plan.status != "active":
        yield Finding(case.plan.status, f"the contract is {case.plan.status}")


def milestone_in_force(case: Case) -> Iterator[Finding]:
    """A contingency milestone pays once activated, and the one it stands in for then does not (rule D1)."""
    if in_force(case):
        return
    instead = case.milestone.contingency_for
    if instead is not None and not is_activated(case):
        yield Finding(instead, f"it stands in for {instead} and has not been activated")
    else:
        stand_in = case.contract.stand_in(instead or case.milestone.id)
        yield Finding(
            stand_in.milestone.id if stand_in else "",
            f"{stand_in.milestone.id if stand_in else 'a contingency milestone'} has taken over from it",
        )


def value_as_registered(case: Case) -> Iterator[Finding]:
    """The order must say the registered value, at the rate of its day; the registered one is what counts (rule D3)."""
    chosen, currency = case.agreed.chosen, case.plan.currency
    if chosen is None or case.milestone.value is None:
        return
    sums = case.agreed.worth[chosen.source]
    if sums.keys() == {currency} and sums[currency] != case.value:
        said, ours = format_amount(sums[currency], currency), format_amount(case.value, currency)
        yield Finding(chosen.source, f"{chosen.source} says {said}, registered are {ours} {currency}", chosen.facts)


def one_currency(case: Case) -> Iterator[Finding]:
    """Order and standing invoices are in the contract's currency, or there is a rate (rule D3)."""
    currency = case.plan.currency
    for word in case.agreed.words:
        if case.rules.rank(case.plan, "value", word.source) is not None:
            for other in sorted(case.agreed.worth[word.source].keys() - {currency}):
                yield Finding(other, f"{word.source} states the value in {other}, not in {currency}", word.facts)
    for invoice in case.invoices:
        if invoice.stands and invoice.worth is None:
            yield Finding(invoice.number, f"invoice {invoice.number} is in {_coins(invoice, case.plan)}", invoice.facts)


def _coins(invoice: Invoice, plan: Plan) -> str:
    """Why an invoice has no worth: it is in a currency without a rate, or told in several at once."""
    net = invoice.net
    if worth(net.minor, net.currency, invoice.issued_on, plan) is None:
        return f"{net.currency}; no rate is registered"
    return "several currencies, which do not add up"


def documents_valid(case: Case) -> Iterator[Finding]:
    """Each document the contract asks for is valid today; one never given is not (rules D10, B6)."""
    given = case.of("compliance.document", "compliance") if case.plan.compliance else []
    for name in case.plan.compliance:
        documents = [s for s in given if s.body.name == name]
        if not any(s.body.valid_from <= case.today <= s.body.valid_until for s in documents):
            known = ", ".join(f"{s.body.valid_from} to {s.body.valid_until}" for s in documents) or "never given"
            yield Finding(name, f"{name} is not valid ({known})", tuple(s.fact for s in documents))
