"""The subject of a fact: what it speaks about. Of one subject the newest word counts (rule A1)."""

from __future__ import annotations

import unicodedata
from hashlib import blake2b

from contracts_schema import facts as f
from services.reconciliation.state import packed

# Two kinds that say the same thing's beginning and end are one subject.
FAMILY = {
    "evidence.removed": "evidence.attached",
    "sign_off.withdrawn": "sign_off.given",
    "dispute.resolved": "dispute.opened",
    "hold.lifted": "hold.placed",
}
_BETWEEN = "\x1f"  # refused inside identifiers, so that parts cannot run together


def subject_of(fact: f.Fact) -> str:
    """Source, kind, address as given, and what names the thing."""
    kind, a = fact.kind, fact.address
    place = a.keys[0] if a.contract is None and a.keys else f"{a.contract or ''}{_BETWEEN}{a.milestone or ''}"
    scope = (a.source or "") if a.contract is None else ""
    return _BETWEEN.join((fact.source, FAMILY.get(kind, kind), scope, place, *_thing(fact.body)))


def _thing(body: f.AnyBody) -> tuple[str, ...]:
    match body:
        case f.EvidenceAttached() | f.EvidenceRemoved() | f.ComplianceDocument():
            return (body.name,)
        case f.SignOffGiven() | f.SignOffWithdrawn():
            return (body.by, body.role)
        case f.InvoiceReceived():
            unit = body.business_unit if isinstance(body.business_unit, str) else ""
            return (invoice_number(body.number), body.supplier, unit)
        case f.MeasureReported():
            return (body.name, body.period)
        case f.DisputeOpened() | f.DisputeResolved():
            return (body.dispute,)
        case f.HoldPlaced() | f.HoldLifted():
            return (body.hold,)
        case f.ReasonWaived():
            return (body.code, body.cause or "")
        case f.CommandAcknowledged():
            return (body.command_id,)
        case f.PaymentMade():
            return (body.payment,)
        case f.HoldObserved():
            return (body.invoice or "", body.holder)
        case f.ContractRegistered():
            return (str(body.version),)
        case f.MessageUnreadable():
            return (body.digest.hex(),)
        case _:
            return ()


def invoice_number(number: str) -> str:
    """The number as it is compared: NFC, without blanks around it (rule C3)."""
    return unicodedata.normalize("NFC", number).strip()


def content_of(fact: f.Fact) -> bytes:
    """Eight bytes that two facts share when they say the same of the same address (rule A2)."""
    return blake2b(packed((fact.address, fact.body, fact.version)), digest_size=8).digest()


def identity_of(fact: f.Fact) -> bytes:
    """Eight bytes of the event's identity: source and id, as that revision of the mapper read it."""
    return blake2b(f"{fact.source}{_BETWEEN}{fact.id}{_BETWEEN}{fact.mapper}".encode(), digest_size=8).digest()
