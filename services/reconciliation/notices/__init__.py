"""Notices: people are told in time, once for each cause. One small function finds the causes of one kind.

The tables join each kind with its function; `KINDS` says who must act, what clears it, and how likely harm is at first:
each step up makes it likelier. DECISIONS.md has a row for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from contracts_schema.notices import NoticeKind as K
from contracts_schema.reasons import REMEDIES, ExceptionCode, HoldReason
from services.reconciliation.case import Case
from services.reconciliation.contract_case import ContractCase
from services.reconciliation.notices import ageing, findings, flags, papers, schedule
from services.reconciliation.notices.concern import HAPPENED, LIKELY, POSSIBLE, Concern, Since
from services.reconciliation.position import Position

Find = Callable[[Case, Position, Since], Iterable[Concern]]
FindOne = Callable[[Case, Position, Since], Concern]
FindInAll = Callable[[ContractCase], Iterable[Concern]]


class Kind(NamedTuple):
    """What all notices of a kind have in common."""

    owner: str
    clears_when: str
    likelihood: int


KINDS: dict[K, Kind] = {
    K.SIGN_OFF_DUE: Kind("signers", "enough entitled persons sign, or the day passes (SIGN_OFF_OVERDUE)", POSSIBLE),
    K.SIGN_OFF_OVERDUE: Kind("signers", "enough entitled persons sign", LIKELY),
    K.SIGN_OFF_FLAGGED: Kind("operator", "it is signed anew after it was met and by others, or withdrawn", POSSIBLE),
    K.AT_RISK: Kind("project", "it is met or expected in time again, or the day passes (LATE)", LIKELY),
    K.LATE: Kind("project", "it is met, or an amendment moves its due date", HAPPENED),
    K.HOLD_AGEING: Kind("operator", "the hold reason goes", POSSIBLE),
    K.CONFLICT_AGEING: Kind("owner of the field", "the systems agree again", POSSIBLE),
    K.DISPUTE_UNANSWERED: Kind("operator", "the dispute is resolved", LIKELY),
    K.DOCUMENT_EXPIRING: Kind("supplier", "a document that is valid for longer is given, or nothing is held", POSSIBLE),
    K.OVER_RELEASED: Kind("accounts payable", "later proofs, invoices or amendments make up for what is out", HAPPENED),
    K.OVER_RECEIVED: Kind("receiving", "the receipt is corrected", POSSIBLE),
    K.PAID_WITHOUT_RELEASE: Kind("accounts payable", "the payment is taken back, or a release covers it", HAPPENED),
    K.PAID_WHILE_HELD: Kind("accounts payable", "the payment is taken back, or a release covers it", HAPPENED),
    K.HELD_TOO_LATE: Kind("accounts payable", "finance answers that command otherwise", HAPPENED),
    K.WITHDRAWN: Kind("contract", "the milestone comes back, or another replaces it", HAPPENED),
}
BECOMES: dict[K, K] = {K.SIGN_OFF_DUE: K.SIGN_OFF_OVERDUE, K.AT_RISK: K.LATE}  # when its day has passed
OF_A_MILESTONE: tuple[tuple[K, Find], ...] = (
    (K.SIGN_OFF_FLAGGED, flags.sign_off_flagged),
    (K.AT_RISK, schedule.at_risk),
    (K.LATE, schedule.late),
    (K.DISPUTE_UNANSWERED, ageing.dispute_unanswered),
)
OF_REASONS: tuple[tuple[K, Find], ...] = ((K.HOLD_AGEING, ageing.hold_ageing),)
OF_A_TERM: tuple[tuple[K, Find], ...] = (
    (K.SIGN_OFF_DUE, schedule.sign_off_due),
    (K.SIGN_OFF_OVERDUE, schedule.sign_off_overdue),
)
OF_CONFLICTS: tuple[tuple[K, Find], ...] = ((K.CONFLICT_AGEING, ageing.conflict_ageing),)
OF_AN_EXCEPTION: dict[ExceptionCode, tuple[K, FindOne]] = {
    ExceptionCode.OVER_RELEASED: (K.OVER_RELEASED, findings.over_released),
    ExceptionCode.OVER_RECEIVED: (K.OVER_RECEIVED, findings.over_received),
    ExceptionCode.PAID_WITHOUT_RELEASE: (K.PAID_WITHOUT_RELEASE, findings.paid_without_release),
    ExceptionCode.PAID_WHILE_HELD: (K.PAID_WHILE_HELD, findings.paid_while_held),
    ExceptionCode.HELD_TOO_LATE: (K.HELD_TOO_LATE, findings.held_too_late),
}
OF_A_CONTRACT: tuple[tuple[K, FindInAll], ...] = (
    (K.HOLD_AGEING, ageing.holds_of_all),
    (K.DISPUTE_UNANSWERED, ageing.disputes_of_all),
    (K.DOCUMENT_EXPIRING, papers.documents),
)
# Kinds of facts after which a milestone's notices may be others although its decision is the same.
LOOKS_AT = frozenset(
    {"milestone.assessed", "milestone.scheduled", "sign_off.given", "dispute.opened", "payment.made", "goods.received",
     "delivery.claimed", "hold.placed", "invoice.received", "reason.waived"}
)  # fmt: skip
# The same of the whole contract, where such facts are about one milestone: those about all of it decide all of it.
LOOKS_AT_IN_ALL = frozenset({"compliance.document", "message.unreadable", "reason.waived"})


def concerns_of(case: Case, position: Position, since: Since) -> list[tuple[K, Concern]]:
    """Every cause of a notice about one milestone. What cannot be is not looked for: this runs with every decision."""
    found = [(kind, concern) for kind, find in OF_A_MILESTONE for concern in find(case, position, since)]
    if position.reasons:
        found += [(kind, concern) for kind, find in OF_REASONS for concern in find(case, position, since)]
        if case.plan.sign_off.due_working_days is not None and "SIGN_OFF_MISSING" in since:
            found += [(kind, concern) for kind, find in OF_A_TERM for concern in find(case, position, since)]
    if position.conflicts:
        found += [(kind, concern) for kind, find in OF_CONFLICTS for concern in find(case, position, since)]
    for code in position.exceptions:
        kind, find_one = OF_AN_EXCEPTION[code]
        found.append((kind, find_one(case, position, since)))
    return found


def concerns_of_all(contract: ContractCase) -> list[tuple[K, Concern]]:
    """Every cause of a notice about the whole contract. All of its milestones have been decided."""
    return [(kind, concern) for kind, find in OF_A_CONTRACT for concern in find(contract)]


def clears_when(kind: K, cause: str) -> str:
    """What clears a notice; of a hold that ages what clears its reason."""
    return REMEDIES[HoldReason(cause)].clears_when if kind is K.HOLD_AGEING else KINDS[kind].clears_when
