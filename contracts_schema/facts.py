"""Facts: what a source states. A mapper turns each vendor message into zero or more of them.

A fact is addressed by our own ids (`contract`, `milestone`) or by keys of the source's, most specific first. It is
ordered by `(version, time, mapper, id)` within its subject, and newest wins (rule A1). Fields that a source may leave
out (`UNSET`) keep what was known; `None` clears it (rule A4).
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from contracts_schema.fact_fields import Body, Figure, Moment, Name, Percent, Quantity, Text
from contracts_schema.money import Money
from contracts_schema.own_facts import (
    CommandsAdopted,
    DocumentRenewed,
    InvoiceClaimedElsewhere,
    KeysClaimedElsewhere,
    MessageRedriven,
    MessageUnreadable,
)

Status = Literal["scheduled", "met", "partiallyMet", "notMet"]
STATUSES: tuple[Status, ...] = ("notMet", "scheduled", "partiallyMet", "met")  # least first (rule D12)


class Address(Struct, frozen=True, array_like=True):
    """Where a fact belongs: our own ids, or the keys of the system `source`, most specific first."""

    contract: str | None = None
    milestone: str | None = None
    source: str | None = None
    keys: tuple[str, ...] = ()


class Scheduled(Body, tag="milestone.scheduled", frozen=True):
    """Dates of a milestone; each may be left out, `None` means that the source has none any more."""

    due: date | UnsetType | None = UNSET
    forecast: date | UnsetType | None = UNSET
    baseline: date | UnsetType | None = UNSET


class Assessed(Body, tag="milestone.assessed", frozen=True):
    """How far a milestone is, in OCDS's words; `status: None` means that the source no longer has a word."""

    status: Status | None
    percent: Percent | UnsetType | None = UNSET
    met_on: date | UnsetType | None = UNSET


class ValueAgreed(Body, tag="value.agreed", frozen=True):
    """What the ERP's order says the milestone (or the line) is worth, net of tax."""

    value: Money


class DeliveryClaimed(Body, tag="delivery.claimed", frozen=True):
    """The supplier's word that something was delivered: a claim, never proof."""

    delivered_on: date
    quantity: Quantity | None = None
    unit: Name | None = None
    by: Name | None = None


class GoodsReceived(Body, tag="goods.received", frozen=True):
    """Cumulative quantities of one order line."""

    received: Quantity
    accepted: Quantity
    rejected: Quantity
    unit: Name
    received_on: date
    ordered: Quantity | UnsetType | None = UNSET
    short: Quantity | UnsetType | None = UNSET
    by: Name | UnsetType | None = UNSET


class EvidenceAttached(Body, tag="evidence.attached", frozen=True):
    """A document that proves something, bound by the SHA-256 of its bytes."""

    name: Name
    sha256: Name
    uri: Name | None = None
    by: Name | None = None


class EvidenceRemoved(Body, tag="evidence.removed", frozen=True):
    """A document was taken away again."""

    name: Name
    sha256: Name | None = None
    uri: Name | None = None
    by: Name | None = None


class SignOffGiven(Body, tag="sign_off.given", frozen=True):
    """A person accepts the milestone in a role, having seen `evidence` (name to SHA-256)."""

    by: Name
    role: Name
    signed_at: Moment
    evidence: dict[Name, Name]


class SignOffWithdrawn(Body, tag="sign_off.withdrawn", frozen=True):
    """A person takes a sign-off back."""

    by: Name
    role: Name
    signed_at: Moment | None = None
    evidence: dict[Name, Name] | None = None


class InvoiceReceived(Body, tag="invoice.received", frozen=True):
    """An invoice, or the part of one that falls on this milestone. `net` may be negative: a credit note."""

    number: Name
    supplier: Name
    net: Money
    issued_on: date
    state: Literal["open", "cancelled", "credited", "paid"]
    supplier_identifiers: tuple[Name, ...] | UnsetType | None = UNSET
    business_unit: Name | UnsetType | None = UNSET
    gross: Money | UnsetType | None = UNSET
    total: Money | UnsetType | None = UNSET
    credits: tuple[Name, ...] | UnsetType | None = UNSET
    by: Name | UnsetType | None = UNSET


class MeasureReported(Body, tag="measure.reported", frozen=True):
    """An objective figure for an incentive, for one period."""

    name: Name
    value: Figure
    period: Name


class DisputeOpened(Body, tag="dispute.opened", frozen=True):
    """Somebody disputes `amount` of the milestone; without an amount all of it."""

    dispute: Name
    reason: Text
    by: Name
    amount: Money | None = None


class DisputeResolved(Body, tag="dispute.resolved", frozen=True):
    """A dispute is over."""

    dispute: Name
    reason: Text
    by: Name
    amount: Money | None = None
    outcome: Text | None = None


class HoldPlaced(Body, tag="hold.placed", frozen=True):
    """A person's hold; the machine never lifts it."""

    hold: Name
    reason: Text
    by: Name


class HoldLifted(Body, tag="hold.lifted", frozen=True):
    """A person lifts a person's hold."""

    hold: Name
    by: Name
    reason: Text = ""


class ReasonWaived(Body, tag="reason.waived", frozen=True):
    """Two people waive one hold reason (for one `cause`, or as a whole), with a ticket, until a day."""

    code: Name
    by: Name
    approved_by: Name
    ticket: Name
    cause: Name | None = None
    until: date | None = None
    reason: Text | None = None


class ComplianceDocument(Body, tag="compliance.document", frozen=True):
    """A document that must be valid on the day of release; both days count."""

    name: Name
    valid_from: date
    valid_until: date


class MilestoneActivated(Body, tag="milestone.activated", frozen=True):
    """A contingency milestone takes the place of the one it stands in for."""

    by: Name
    rationale: Text


class CommandAcknowledged(Body, tag="command.acknowledged", frozen=True):
    """What the finance gate did with a command."""

    command_id: Name
    state: Literal["applied", "already_applied", "waiting", "rejected", "superseded", "unknown"]
    detail: Text | None = None


class PaymentMade(Body, tag="payment.made", frozen=True):
    """Money left."""

    payment: Name
    amount: Money
    paid_on: date
    invoice: Name | None = None


class HoldObserved(Body, tag="hold.observed", frozen=True):
    """A block as finance shows it: ours, or somebody else's."""

    holder: Literal["ours", "other"]
    held: bool
    invoice: Name | None = None
    by: Name | None = None
    reason: Text | None = None


class ContractRegistered(Body, tag="contract.registered", frozen=True):
    """A version of the milestone plan; `plan` is the encoded `contracts_schema.plan.Plan`."""

    version: int
    plan: bytes


AnyBody = (
    Scheduled
    | Assessed
    | ValueAgreed
    | DeliveryClaimed
    | GoodsReceived
    | EvidenceAttached
    | EvidenceRemoved
    | SignOffGiven
    | SignOffWithdrawn
    | InvoiceReceived
    | MeasureReported
    | DisputeOpened
    | DisputeResolved
    | HoldPlaced
    | HoldLifted
    | ReasonWaived
    | ComplianceDocument
    | MilestoneActivated
    | CommandAcknowledged
    | PaymentMade
    | HoldObserved
    | ContractRegistered
    | MessageUnreadable
    | MessageRedriven
    | DocumentRenewed
    | InvoiceClaimedElsewhere
    | KeysClaimedElsewhere
    | CommandsAdopted
)
ABOUT_MESSAGES = (MessageUnreadable, MessageRedriven)  # said about a message by its reader
# What Milepost says itself; no source can say it.
BY_MILEPOST = (*ABOUT_MESSAGES, DocumentRenewed, InvoiceClaimedElsewhere, KeysClaimedElsewhere, CommandsAdopted)
# What may name the contract alone and then counts for every milestone of it.
CONTRACT_WIDE = frozenset[type[Body]](
    {ComplianceDocument, HoldPlaced, HoldLifted, DisputeOpened, DisputeResolved, ReasonWaived, ContractRegistered,
     *BY_MILEPOST}
)  # fmt: skip

# Fields of a kind that are Money on the wire; fields that state an actual date (rule A11).
MONEY_FIELDS: dict[str, tuple[str, ...]] = {
    "value.agreed": ("value",),
    "invoice.received": ("net", "gross", "total"),
    "dispute.opened": ("amount",),
    "dispute.resolved": ("amount",),
    "payment.made": ("amount",),
}
ACTUAL_DATES: dict[str, str] = {
    "milestone.assessed": "met_on",
    "delivery.claimed": "delivered_on",
    "goods.received": "received_on",
    "sign_off.given": "signed_at",
    "sign_off.withdrawn": "signed_at",
    "payment.made": "paid_on",
}
_KINDS = {body: str(body.__struct_config__.tag) for body in Body.__subclasses__()}


class Fact(Struct, frozen=True, array_like=True):
    """One statement of one source.

    `time` is the source's own time in microseconds since 1970 (UTC); `version` orders statements of one subject where
    the source counts them. `document` names the vendor document of which the fact is a part: parts that a newer
    version of it no longer has are void (rule F9); `edition` is the newest time of any fact of that version, set when
    the record is translated. `mapper` is the revision of the mapper that read it. A fact that has a document and no
    address is about the document as a whole.
    """

    source: str
    id: str
    address: Address
    time: int
    body: AnyBody
    version: int | None = None
    document: str | None = None
    mapper: int = 1
    edition: int = 0

    @property
    def kind(self) -> str:
        """The canonical name of the fact, for example `goods.received`."""
        return _KINDS[type(self.body)]


class Doubt(Struct, frozen=True, array_like=True):
    """What could be read of an unreadable message: who spoke when about what (rule A11).

    `scope` is the canonical kind (None: any message of the source ends the doubt); `digest` identifies the content.
    With `document` it has no address: whatever an older version of that document said is in doubt, wherever it stands.
    """

    source: str
    id: str
    address: Address
    time: int
    digest: bytes
    scope: str | None = None
    document: str | None = None
