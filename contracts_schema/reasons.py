"""Hold reasons and exceptions, in order of precedence. Every hold names at least one reason."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class HoldReason(StrEnum):
    """Why money is held. Each has one check or money rule and one row in DECISIONS.md."""

    CONTRACT_NOT_ACTIVE = "CONTRACT_NOT_ACTIVE"
    NOT_IN_FORCE = "NOT_IN_FORCE"
    SOURCE_UNREADABLE = "SOURCE_UNREADABLE"
    SOURCE_CONTRADICTS_ITSELF = "SOURCE_CONTRADICTS_ITSELF"
    MANUAL_HOLD = "MANUAL_HOLD"
    SOURCES_DISAGREE = "SOURCES_DISAGREE"
    VALUE_DIFFERS = "VALUE_DIFFERS"
    CURRENCIES_DIFFER = "CURRENCIES_DIFFER"
    NOT_MET = "NOT_MET"
    PRECURSOR_OPEN = "PRECURSOR_OPEN"
    NOT_RECEIVED = "NOT_RECEIVED"
    EVIDENCE_MISSING = "EVIDENCE_MISSING"
    EVIDENCE_CHANGED = "EVIDENCE_CHANGED"
    SIGN_OFF_MISSING = "SIGN_OFF_MISSING"
    DUTIES_NOT_SEPARATED = "DUTIES_NOT_SEPARATED"
    NOT_INVOICED = "NOT_INVOICED"
    WRONG_SUPPLIER = "WRONG_SUPPLIER"
    INVOICE_EXCEEDS_VALUE = "INVOICE_EXCEEDS_VALUE"
    INVOICE_CLAIMED_TWICE = "INVOICE_CLAIMED_TWICE"
    COMPLIANCE_EXPIRED = "COMPLIANCE_EXPIRED"
    OVER_RELEASED = "OVER_RELEASED"
    PARTLY_ACCEPTED = "PARTLY_ACCEPTED"
    DISPUTED = "DISPUTED"
    PARTLY_INVOICED = "PARTLY_INVOICED"
    RETENTION = "RETENTION"
    ADVANCE_RECOUPED = "ADVANCE_RECOUPED"
    LATE_DAMAGES = "LATE_DAMAGES"
    CAP_REACHED = "CAP_REACHED"


class ExceptionCode(StrEnum):
    """What people must look at; it takes no money back (rule D11)."""

    UNDECIDED = "UNDECIDED"
    OVER_RELEASED = "OVER_RELEASED"
    OVER_RECEIVED = "OVER_RECEIVED"
    PAID_WITHOUT_RELEASE = "PAID_WITHOUT_RELEASE"
    PAID_WHILE_HELD = "PAID_WHILE_HELD"
    HELD_TOO_LATE = "HELD_TOO_LATE"
    WITHDRAWN = "WITHDRAWN"


class Remedy(NamedTuple):
    """What clears a reason, and who can."""

    clears_when: str
    owner: str


R = HoldReason
PARTIAL = (
    R.PARTLY_ACCEPTED, R.DISPUTED, R.PARTLY_INVOICED, R.RETENTION, R.ADVANCE_RECOUPED, R.LATE_DAMAGES, R.CAP_REACHED,
)  # fmt: skip
BLOCKING = tuple(reason for reason in HoldReason if reason not in PARTIAL)

# Proofs of which rule C1 says that nothing is earned while they are missing.
PROOFS = frozenset({R.NOT_MET, R.EVIDENCE_MISSING, R.EVIDENCE_CHANGED, R.SIGN_OFF_MISSING})

# Two persons may waive these (rule D6); everything else is a claim, an amount or a person's word.
WAIVABLE = frozenset(
    {
        R.SOURCE_UNREADABLE, R.SOURCE_CONTRADICTS_ITSELF, R.SOURCES_DISAGREE, R.VALUE_DIFFERS, R.NOT_MET,
        R.PRECURSOR_OPEN, R.EVIDENCE_MISSING, R.EVIDENCE_CHANGED, R.SIGN_OFF_MISSING, R.DUTIES_NOT_SEPARATED,
        R.COMPLIANCE_EXPIRED,
    }
)  # fmt: skip

REMEDIES: dict[HoldReason, Remedy] = {
    R.CONTRACT_NOT_ACTIVE: Remedy("a version of the contract with status active is registered", "register"),
    R.NOT_IN_FORCE: Remedy("the contingency milestone is activated, or its activation ends", "operator"),
    R.SOURCE_UNREADABLE: Remedy("the same source sends a newer message about it that can be read", "source"),
    R.SOURCE_CONTRADICTS_ITSELF: Remedy("the source sends a newer version", "source"),
    R.MANUAL_HOLD: Remedy("a person lifts the hold", "operator"),
    R.SOURCES_DISAGREE: Remedy("the systems agree again", "owner of the field"),
    R.VALUE_DIFFERS: Remedy("the order says the registered value, or an amendment registers the new one", "contract"),
    R.CURRENCIES_DIFFER: Remedy("order and invoices use the contract's currency, or a rate is registered", "contract"),
    R.NOT_MET: Remedy(
        "the system of record reports the milestone as met (of a bonus, the date or figure it needs)", "project"
    ),
    R.PRECURSOR_OPEN: Remedy("every precursor is met", "project"),
    R.NOT_RECEIVED: Remedy("the ERP records accepted goods", "receiving"),
    R.EVIDENCE_MISSING: Remedy("the document is attached", "milestone owner"),
    R.EVIDENCE_CHANGED: Remedy("the present document is signed", "signers"),
    R.SIGN_OFF_MISSING: Remedy("enough entitled persons sign", "signers"),
    R.DUTIES_NOT_SEPARATED: Remedy("another person signs or acts instead", "operator"),
    R.NOT_INVOICED: Remedy("the supplier's invoice arrives", "supplier"),
    R.WRONG_SUPPLIER: Remedy("the other supplier's invoice is cancelled or assigned elsewhere", "accounts payable"),
    R.INVOICE_EXCEEDS_VALUE: Remedy("a credit note lowers the invoices to the value", "supplier"),
    R.INVOICE_CLAIMED_TWICE: Remedy("the parts of the invoice add up to no more than its total", "accounts payable"),
    R.COMPLIANCE_EXPIRED: Remedy("a document that is valid today is given", "supplier"),
    R.OVER_RELEASED: Remedy("later proofs, invoices or amendments make up for what is out", "accounts payable"),
    R.PARTLY_ACCEPTED: Remedy("the rest is accepted", "receiving"),
    R.DISPUTED: Remedy("the dispute is resolved", "who opened it, or the operator"),
    R.PARTLY_INVOICED: Remedy("the rest is invoiced", "supplier"),
    R.RETENTION: Remedy("retention is returned, or its milestone is met and the defects period has passed", "contract"),
    R.ADVANCE_RECOUPED: Remedy("never: it was paid in advance", "contract"),
    R.LATE_DAMAGES: Remedy("never, unless the due date is amended", "contract"),
    R.CAP_REACHED: Remedy("an amendment raises the cap", "contract"),
}


def clearing(clears_when: str) -> str:
    """What clears a reason, as a sentence goes on: `clears when ...`, or that it never does."""
    never = clears_when.startswith("never")
    return f"never clears{clears_when.removeprefix('never')}" if never else f"clears when {clears_when}"
