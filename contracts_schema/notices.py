"""Notices: what people are told in time, and the form in which it goes over the wire (`milestone.notices`)."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Literal

from msgspec import Struct
from msgspec.json import encode

from contracts_schema.commands import Amount, Chain

Severity = Literal["green", "amber", "red"]
SEVERITIES: tuple[Severity, ...] = ("green", "amber", "red")  # mildest first
Likelihood = Literal["possible", "likely", "happened"]
LIKELIHOODS: tuple[Likelihood, ...] = ("possible", "likely", "happened")
Told = Literal["opened", "raised", "cleared"]


class NoticeKind(StrEnum):
    """What a notice is about. Each kind is found by one function and has one row in DECISIONS.md."""

    SIGN_OFF_DUE = "SIGN_OFF_DUE"
    SIGN_OFF_OVERDUE = "SIGN_OFF_OVERDUE"
    SIGN_OFF_FLAGGED = "SIGN_OFF_FLAGGED"
    AT_RISK = "AT_RISK"
    LATE = "LATE"
    HOLD_AGEING = "HOLD_AGEING"
    CONFLICT_AGEING = "CONFLICT_AGEING"
    DISPUTE_UNANSWERED = "DISPUTE_UNANSWERED"
    DOCUMENT_EXPIRING = "DOCUMENT_EXPIRING"
    OVER_RELEASED = "OVER_RELEASED"
    OVER_RECEIVED = "OVER_RECEIVED"
    PAID_WITHOUT_RELEASE = "PAID_WITHOUT_RELEASE"
    PAID_WHILE_HELD = "PAID_WHILE_HELD"
    HELD_TOO_LATE = "HELD_TOO_LATE"
    WITHDRAWN = "WITHDRAWN"


class Notice(Struct, frozen=True):
    """Something that a person should know or do, said when it opens, when its severity or its step rises, and when it
    clears. Drop a `revision` at or below one already seen of the same `notice`.

    `milestone` is null where the cause concerns the whole contract. `owner` must act; at each step up it is told to the
    next one, `told_to`. `since` is the day from which working days count.
    """

    notice: str
    state: Told
    kind: str
    contract: str
    milestone: str | None
    cause: str
    severity: Severity
    step: int
    owner: str
    told_to: str
    amount: Amount
    since: str
    detail: str
    clears_when: str
    facts: tuple[str, ...]
    at: str
    revision: int
    rulebook: str
    chain: Chain


def notice_id(contract: str, milestone: str | None, kind: str, cause: str, opened: int) -> str:
    """The same from the opening of a notice, at that revision, until it clears; one that opens again is another."""
    return hashlib.sha256(encode([contract, milestone, kind, cause, opened])).hexdigest()[:32]
