"""Checks: one small function per blocking hold reason. A check answers with its findings; none means all is well.

`CHECKS` joins each reason with its check, in order of precedence. DECISIONS.md has a row for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from contracts_schema.reasons import HoldReason as R
from services.reconciliation.case import CONFLICTING, Case, Finding
from services.reconciliation.checks import contract, invoice, people, proof, source
from services.reconciliation.standing import EVERY_KIND, Kinds

Check = Callable[[Case], Iterator[Finding]]


class Row(NamedTuple):
    """A reason with its check, and the kinds of facts that it looks at: until one of them comes, at the milestone or at
    one that it comes after, the check finds what it last found."""

    reason: R
    check: Check
    looks_at: Kinds


_COMPLETION = frozenset({"milestone.assessed"})
_INVOICES = frozenset({"invoice.received"})
_SIGNATURES = frozenset({"sign_off.given"}) | _COMPLETION  # a milestone that went back ends earlier ones


CHECKS: tuple[Row, ...] = (
    Row(R.CONTRACT_NOT_ACTIVE, contract.active, frozenset({"contract.registered"})),
    Row(R.NOT_IN_FORCE, contract.milestone_in_force, frozenset({"milestone.activated"})),
    Row(R.SOURCE_UNREADABLE, source.readable, EVERY_KIND),
    Row(R.SOURCE_CONTRADICTS_ITSELF, source.consistent, EVERY_KIND),
    Row(R.MANUAL_HOLD, people.no_manual_hold, frozenset({"hold.placed"})),
    Row(R.SOURCES_DISAGREE, source.in_agreement, CONFLICTING),
    Row(R.VALUE_DIFFERS, contract.value_as_registered, frozenset({"value.agreed"})),
    Row(R.CURRENCIES_DIFFER, contract.one_currency, _INVOICES | {"value.agreed"}),
    Row(R.NOT_MET, proof.met, _COMPLETION | {"measure.reported"}),
    Row(R.PRECURSOR_OPEN, proof.precursors_met, _COMPLETION | {"milestone.activated"}),
    Row(R.NOT_RECEIVED, proof.something_accepted, frozenset({"goods.received"})),
    Row(R.EVIDENCE_MISSING, proof.evidence_attached, frozenset({"evidence.attached"})),
    Row(R.EVIDENCE_CHANGED, people.signed_evidence_unchanged, _SIGNATURES | {"evidence.attached"}),
    Row(R.SIGN_OFF_MISSING, people.signed_off, _SIGNATURES),
    Row(R.DUTIES_NOT_SEPARATED, people.duties_separated, _SIGNATURES | _INVOICES | {"delivery.claimed", "hold.placed"}),
    Row(R.NOT_INVOICED, invoice.invoiced, _INVOICES),
    Row(R.WRONG_SUPPLIER, invoice.from_the_supplier, _INVOICES),
    Row(R.INVOICE_EXCEEDS_VALUE, invoice.within_value, _INVOICES),
    Row(R.INVOICE_CLAIMED_TWICE, invoice.claimed_once, _INVOICES | {"invoice.claimed_elsewhere"}),
    Row(R.COMPLIANCE_EXPIRED, contract.documents_valid, frozenset({"compliance.document"})),
)
REASONS = tuple(row.reason for row in CHECKS)


@lru_cache(maxsize=1024)
def checks_for(kinds: Kinds) -> tuple[tuple[R, Check], ...]:
    """The checks that look at facts of these kinds, each with its reason."""
    return tuple((row.reason, row.check) for row in CHECKS if not kinds.isdisjoint(row.looks_at))
