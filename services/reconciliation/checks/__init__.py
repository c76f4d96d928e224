"""Checks: one small function per blocking hold reason. A check answers with its findings; none means all is well.

`CHECKS` joins each reason with its check, in order of precedence. DECISIONS.md has a row for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from contracts_schema.reasons import HoldReason as R
from services.reconciliation.case import Case, Finding
from services.reconciliation.checks import contract, invoice, people, proof, source

Check = Callable[[Case], Iterator[Finding]]

CHECKS: tuple[tuple[R, Check], ...] = (
    (R.CONTRACT_NOT_ACTIVE, contract.active),
    (R.NOT_IN_FORCE, contract.milestone_in_force),
    (R.SOURCE_UNREADABLE, source.readable),
    (R.SOURCE_CONTRADICTS_ITSELF, source.consistent),
    (R.MANUAL_HOLD, people.no_manual_hold),
    (R.SOURCES_DISAGREE, source.in_agreement),
    (R.VALUE_DIFFERS, contract.value_as_registered),
    (R.CURRENCIES_DIFFER, contract.one_currency),
    (R.NOT_MET, proof.met),
    (R.PRECURSOR_OPEN, proof.precursors_met),
    (R.NOT_RECEIVED, proof.something_accepted),
    (R.EVIDENCE_MISSING, proof.evidence_attached),
    (R.EVIDENCE_CHANGED, people.signed_evidence_unchanged),
    (R.SIGN_OFF_MISSING, people.signed_off),
    (R.DUTIES_NOT_SEPARATED, people.duties_separated),
    (R.NOT_INVOICED, invoice.invoiced),
    (R.WRONG_SUPPLIER, invoice.from_the_supplier),
    (R.INVOICE_EXCEEDS_VALUE, invoice.within_value),
    (R.INVOICE_CLAIMED_TWICE, invoice.claimed_once),
    (R.COMPLIANCE_EXPIRED, contract.documents_valid),
)
