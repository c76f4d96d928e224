"""From the log's words on notices to those that go over the wire."""

from __future__ import annotations

from datetime import date

from contracts_schema.commands import Chain
from contracts_schema.notices import Notice, NoticeKind, notice_id
from services.reconciliation.calendar import show_moment
from services.reconciliation.log import LogEntry, ToldNotice
from services.reconciliation.notices import clears_when
from services.reconciliation.wire import amount


def notice_of(entry: LogEntry, told: ToldNotice, head: bytes) -> Notice:
    """A notice as it was told in a revision, whose hash is `head`."""
    return Notice(
        notice=notice_id(entry.contract, told.milestone, told.kind, told.cause, told.opened), state=told.state,
        kind=told.kind, contract=entry.contract, milestone=told.milestone, cause=told.cause, severity=told.severity,
        step=told.step, owner=told.owner, told_to=told.told_to, amount=amount(told.amount, told.currency),
        since=date.fromordinal(told.since).isoformat(), detail=told.detail,
        clears_when=clears_when(NoticeKind(told.kind), told.cause), facts=told.facts, at=show_moment(entry.moment),
        revision=entry.revision, rulebook=entry.rulebook, chain=Chain(entry.revision, head.hex()),
    )  # fmt: skip
