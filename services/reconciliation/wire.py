"""From the log's words to those that go over the wire: commands and decision records."""

from __future__ import annotations

from typing import Any

from contracts_schema import commands as c
from contracts_schema.money import format_amount
from contracts_schema.reasons import REMEDIES, HoldReason
from services.reconciliation.calendar import show_moment
from services.reconciliation.log import Decided, HeldBy, LogEntry
from services.reconciliation.position import Target


def amount(minor: int, currency: str) -> c.Amount:
    """Money on the wire."""
    return c.Amount(format_amount(minor, currency), currency)


def target_line(target: Target) -> c.TargetLine:
    """A target on the wire."""
    return c.TargetLine(
        invoice=target.invoice, supplier=target.supplier, supplier_identifiers=target.supplier_identifiers,
        business_unit=target.business_unit, source_keys=target.source_keys, net=amount(*target.net),
        total=amount(*target.total) if target.total else None, payable_to_date=amount(*target.payable),
        state=target.state,
    )  # fmt: skip


def reason_line(reason: HeldBy, currency: str) -> c.ReasonLine:
    """A reason on the wire, with what clears it and who can (law 11)."""
    remedy = REMEDIES[HoldReason(reason.code)]
    return c.ReasonLine(
        code=reason.code, amount=amount(reason.amount, currency), since=show_moment(reason.since),
        detail=reason.detail, clears_when=remedy.clears_when, owner=remedy.owner, facts=reason.facts,
    )  # fmt: skip


def command_of(entry: LogEntry, decided: Decided, head: bytes) -> c.Command:
    """The command of a decision that led to one."""
    said = decided.said
    assert said is not None  # noqa: S101 -- callers ask only for decisions that said something
    return c.Command(
        command_id=said.command_id, action=said.action, sequence=said.sequence, finance=entry.finance,
        targets=tuple(target_line(t) for t in said.targets), decided_at=show_moment(entry.moment),
        basis=decided.basis, **_common(entry, decided, head),
    )  # fmt: skip


def decision_of(entry: LogEntry, decided: Decided, head: bytes) -> c.DecisionRecord:
    """The record of a changed decision."""
    return c.DecisionRecord(
        at=show_moment(entry.moment), status=decided.status, conflicts=decided.conflicts,
        exceptions=decided.exceptions, facts=tuple(f"{f.source}/{f.id}" for f in entry.facts),
        command_id=decided.said.command_id if decided.said else None, **_common(entry, decided, head),
    )  # fmt: skip


def _common(entry: LogEntry, decided: Decided, head: bytes) -> dict[str, Any]:
    currency = decided.currency
    common = {
        "contract": entry.contract, "milestone": decided.milestone, "revision": entry.revision,
        "value": amount(decided.value, currency), "released_to_date": amount(decided.released, currency),
        "held": amount(decided.held, currency), "rulebook": entry.rulebook,
        "reasons": tuple(reason_line(r, currency) for r in decided.reasons),
        "chain": c.Chain(entry.revision, head.hex()),
    }  # fmt: skip
    if decided.carried is not None:
        common["carried"] = amount(decided.carried, currency)
    return common
