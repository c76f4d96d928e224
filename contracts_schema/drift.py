"""Drift: the ways in which finance does not stand as it was told to, and what people can do about each."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class DriftKind(StrEnum):
    """What differs, the gravest first."""

    PAID_WITHOUT_RELEASE = "PAID_WITHOUT_RELEASE"
    PAID_WHILE_HELD = "PAID_WHILE_HELD"
    HELD_TOO_LATE = "HELD_TOO_LATE"
    PAID_OUTSIDE_CONTROL = "PAID_OUTSIDE_CONTROL"
    LIFTED_BY_HAND = "LIFTED_BY_HAND"
    CANCELLED_AFTER_RELEASE = "CANCELLED_AFTER_RELEASE"
    AMENDED_AFTER_RELEASE = "AMENDED_AFTER_RELEASE"
    UNCLAIMED = "UNCLAIMED"
    AMBIGUOUS = "AMBIGUOUS"
    COMMAND_REFUSED = "COMMAND_REFUSED"
    COMMAND_REJECTED = "COMMAND_REJECTED"
    UNANSWERED = "UNANSWERED"
    NOT_AS_WANTED = "NOT_AS_WANTED"
    NOT_TO_BE_SPLIT = "NOT_TO_BE_SPLIT"
    HELD_BY_OTHERS = "HELD_BY_OTHERS"
    FINANCE_SILENT = "FINANCE_SILENT"


K = DriftKind
ADVICE: dict[DriftKind, str] = {
    K.PAID_WITHOUT_RELEASE: "ask accounts payable who paid and why; recover the money, or complete the missing proof",
    K.PAID_WHILE_HELD: "ask accounts payable who paid and why; recover what exceeds the release, or complete the proof",
    K.HELD_TOO_LATE: "stop or recall the payment at the bank if it can be; else recover it, or clear what holds",
    K.PAID_OUTSIDE_CONTROL: "find the way on which it was paid past the block, and close it",
    K.LIFTED_BY_HAND: (
        "talk to who lifted it: waive the reason, or block it again; policy.reassert_holds lets the gate block it again"
    ),
    K.CANCELLED_AFTER_RELEASE: "see whether it was paid; let the supplier send a new invoice for what stays released",
    K.AMENDED_AFTER_RELEASE: "compare the old invoice with the new one, and hold the milestone while that is open",
    K.UNCLAIMED: "give it a key that a milestone claims (order line, project), or free it by hand if it is not ours",
    K.AMBIGUOUS: "let accounts payable cancel the double, or give each invoice its own number",
    K.COMMAND_REFUSED: "find out who writes to the topic of commands; after a restore, take over what finance has seen",
    K.COMMAND_REJECTED: "read the detail: finance can never do it; correct the invoice, then the next command is tried",
    K.UNANSWERED: "see that the gate runs and reads its topic (`milepost status`); commands are never lost, only late",
    K.NOT_AS_WANTED: "read the detail: finance refused the call, or the gate only observes (finance.<name>.mode)",
    K.NOT_TO_BE_SPLIT: "split the line by a payment term with a retention line, or ask the supplier for a credit note",
    K.HELD_BY_OTHERS: "ask the department that blocked it; Milepost never lifts another's block",
    K.FINANCE_SILENT: "see that the finance system answers, and that the gate's key is still good",
}


class Difference(Struct, frozen=True):
    """One difference. `invoice`: its number, or finance's own id; `places`: the milestones (contract/milestone) that
    name it; `amount` in minor units of `currency`, gross as finance shows it; `since` (µs) when it was first seen.
    """

    kind: DriftKind
    invoice: str
    detail: str
    places: tuple[str, ...] = ()
    amount: int | None = None
    currency: str | None = None
    since: int = 0


def place(contract: str, milestone: str) -> str:
    """A milestone as it is written on the command line, with `%` and `/` inside its parts percent-encoded."""
    return "/".join(part.replace("%", "%25").replace("/", "%2F") for part in (contract, milestone))
