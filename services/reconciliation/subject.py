"""The subject of a fact: what it speaks about. Of one subject the newest word counts (rule A1)."""

from __future__ import annotations

import unicodedata
from hashlib import blake2b

from contracts_schema import facts as f
from contracts_schema.fact_fields import Body
from contracts_schema.own_facts import DocumentRenewed, InvoiceClaimedElsewhere, MessageRedriven, MessageUnreadable
from services.reconciliation.state import packed

# Two kinds that say the same thing's beginning and end are one subject.
FAMILY = {
    "evidence.removed": "evidence.attached",
    "sign_off.withdrawn": "sign_off.given",
    "dispute.resolved": "dispute.opened",
    "hold.lifted": "hold.placed",
}
BEGIN_AND_END = frozenset((*FAMILY, *FAMILY.values()))
# The fields that name the thing a fact speaks of; kinds that are not listed speak of the milestone itself.
_NAMED_BY: dict[type[Body], tuple[str, ...]] = {
    f.EvidenceAttached: ("name",),
    f.EvidenceRemoved: ("name",),
    f.ComplianceDocument: ("name",),
    f.SignOffGiven: ("by", "role"),
    f.SignOffWithdrawn: ("by", "role"),
    f.MeasureReported: ("name", "period"),
    f.DisputeOpened: ("dispute",),
    f.DisputeResolved: ("dispute",),
    f.HoldPlaced: ("hold",),
    f.HoldLifted: ("hold",),
    f.ReasonWaived: ("code", "cause"),
    f.CommandAcknowledged: ("command_id",),
    f.PaymentMade: ("payment",),
    f.HoldObserved: ("invoice", "holder"),
    DocumentRenewed: ("document",),
    InvoiceClaimedElsewhere: ("supplier", "number", "business_unit"),
    f.ContractRegistered: ("version",),
}
_BETWEEN = "\x1f"  # refused inside identifiers, so that parts cannot run together


def subject_of(fact: f.Fact) -> str:
    """Source, kind, address as given, and what names the thing."""
    kind, a = fact.kind, fact.address
    place = a.keys[0] if a.contract is None and a.keys else f"{a.contract or ''}{_BETWEEN}{a.milestone or ''}"
    scope = (a.source or "") if a.contract is None else ""
    about = (fact.document,) if fact.document is not None and type(fact.body) is MessageUnreadable else ()
    return _BETWEEN.join((fact.source, FAMILY.get(kind, kind), scope, place, *_thing(fact.body), *about))


def _thing(body: f.AnyBody) -> tuple[str, ...]:
    if type(body) is f.InvoiceReceived:
        unit = body.business_unit if isinstance(body.business_unit, str) else ""
        return (invoice_number(body.number), body.supplier, unit)
    if type(body) is MessageUnreadable:
        return (body.digest.hex(),)
    if type(body) is MessageRedriven:
        return (body.digests[0].hex(),)
    return tuple([str(getattr(body, field) or "") for field in _NAMED_BY.get(type(body), ())])


def name_of(body: f.AnyBody) -> str:
    """What names the thing a fact speaks of, as people call it; empty where that is the milestone itself."""
    if type(body) is f.InvoiceReceived:
        return body.number
    return " ".join(str(part) for field in _NAMED_BY.get(type(body), ()) if (part := getattr(body, field)))


def invoice_number(number: str) -> str:
    """The number as it is compared: NFC, without blanks around it (rule C3)."""
    return unicodedata.normalize("NFC", number).strip()


def content_of(fact: f.Fact) -> bytes:
    """Eight bytes that two facts share when they say the same of the same address (rule A2)."""
    return blake2b(packed((fact.address, fact.body, fact.version)), digest_size=8).digest()


def identity_of(fact: f.Fact) -> bytes:
    """Eight bytes of the event's identity: source and id, as that revision of the mapper read it."""
    return blake2b(f"{fact.source}{_BETWEEN}{fact.id}{_BETWEEN}{fact.mapper}".encode(), digest_size=8).digest()
