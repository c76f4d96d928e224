"""Checks: one small function per blocking hold reason. A check answers with its findings; none means all is well.

`CHECKS` joins each reason with its check, in order of precedence. DECISIONS.md has a row for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from contracts_schema.reasons import HoldReason as R
from services.reconciliation.case import Case, Finding
from services.reconciliation.checks import contract, invoice, people, proof, source

Check = Callable[[Case], Iterator[Finding]]


class Row(NamedTuple):
    """A reason with its check. `needs` is the kind of fact without which the check can find nothing."""

    reason: R
    check: Check
    needs: str | None = None


CHECKS: tuple[Row, ...] = (
    Row(R.CONTRACT_NOT_ACTIVE, contract.active),
    Row(R.NOT_IN_FORCE, contract.milestone_in_force),
    Row(R.SOURCE_UNREADABLE, source.readable, "message.unreadable"),
    Row(R.SOURCE_CONTRADICTS_ITSELF, source.consistent),
    Row(R.MANUAL_HOLD, people.no_manual_hold, "hold.placed"),
    Row(R.SOURCES_DISAGREE, source.in_agreement),
    Row(R.VALUE_DIFFERS, contract.value_as_registered, "value.agreed"),
    Row(R.CURRENCIES_DIFFER, contract.one_currency),
    Row(R.NOT_MET, proof.met),
    Row(R.PRECURSOR_OPEN, proof.precursors_met),
    Row(R.NOT_RECEIVED, proof.something_accepted),
    Row(R.EVIDENCE_MISSING, proof.evidence_attached),
    Row(R.EVIDENCE_CHANGED, people.signed_evidence_unchanged, "sign_off.given"),
    Row(R.SIGN_OFF_MISSING, people.signed_off),
    Row(R.DUTIES_NOT_SEPARATED, people.duties_separated),
    Row(R.NOT_INVOICED, invoice.invoiced),
    Row(R.WRONG_SUPPLIER, invoice.from_the_supplier, "invoice.received"),
    Row(R.INVOICE_EXCEEDS_VALUE, invoice.within_value, "invoice.received"),
    Row(R.INVOICE_CLAIMED_TWICE, invoice.claimed_once, "invoice.received"),
    Row(R.COMPLIANCE_EXPIRED, contract.documents_valid),
)
