"""What persons do over the API, as the commands of the same name do. `by` is the login, and cannot be given."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct, structs

from contracts_schema.records import IDENTIFIER
from services.console.desk import Act

Id = Annotated[str, Meta(min_length=1, max_length=300, pattern=IDENTIFIER)]
Text = Annotated[str, Meta(min_length=1, max_length=2000)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Day = Annotated[str, Meta(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]


class Said(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """About which contract, and which milestone of it; without one about all. The same `event` again is a repeat."""

    kind: ClassVar[str]
    command: ClassVar[str]
    moments: ClassVar[tuple[str, ...]] = ()
    contract: Id
    milestone: Id | None = None
    event: Id | None = None

    def act(self, by: str) -> Act:
        """The same as what a person does, under their name."""
        fields = structs.asdict(self) | {"by": by}
        about = {name: fields.pop(name) for name in ("contract", "milestone", "event")}
        return Act(self.kind, fields=fields, moments=self.moments, amount=fields.pop("amount", None), **about)


class PlaceHold(Said, frozen=True, kw_only=True):
    """Hold a milestone, or all of a contract. The machine never lifts it."""

    kind, command = "hold.placed", "hold place"
    hold: Id
    reason: Text


class LiftHold(Said, frozen=True, kw_only=True):
    """Lift a hold, at the same place where it was placed."""

    kind, command = "hold.lifted", "hold lift"
    hold: Id
    reason: str = ""


class OpenDispute(Said, frozen=True, kw_only=True):
    """Dispute a milestone, or an `amount` of it in the contract's currency."""

    kind, command = "dispute.opened", "dispute open"
    dispute: Id
    reason: Text
    amount: str | None = None


class ResolveDispute(Said, frozen=True, kw_only=True):
    """Resolve a dispute, at the same place where it was opened."""

    kind, command = "dispute.resolved", "dispute resolve"
    dispute: Id
    reason: Text


class Waive(Said, frozen=True, kw_only=True):
    """Waive one hold reason: two persons, and a ticket."""

    kind, command = "reason.waived", "waive"
    code: Id
    approved_by: Id
    ticket: Text
    cause: Id | None = None
    until: Day | None = None
    reason: Text | None = None


class Sign(Said, frozen=True, kw_only=True):
    """Accept a milestone in a role, having seen its evidence: names and SHA-256."""

    kind, command, moments = "sign_off.given", "sign", ("signed_at",)
    milestone: Id
    role: Id
    evidence: dict[str, Sha256] = {}


class AttachEvidence(Said, frozen=True, kw_only=True):
    """Attach a document to a milestone, by its SHA-256."""

    kind, command = "evidence.attached", "evidence attach"
    milestone: Id
    name: Id
    sha256: Sha256
    uri: str | None = None


ACTS: tuple[type[Said], ...] = (PlaceHold, LiftHold, OpenDispute, ResolveDispute, Waive, Sign, AttachEvidence)
FORMS: dict[Literal["place", "lift"], type[Said]] = {"place": PlaceHold, "lift": LiftHold}
WAITS = ("no verdict yet", "parked", "deferred", "sent")  # outcomes that may still become another


def status_of(outcome: str, good: bool) -> int:
    """200 where it counts, 202 where that is still open, 409 where it does not."""
    if outcome in WAITS:
        return 202
    return 200 if good else 409


def path_of(act: type[Said]) -> str:
    """Where it is done: `hold place` at `/hold/place`."""
    return "/" + act.command.replace(" ", "/")
