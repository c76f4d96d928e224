"""Wires `milepost notices`: what is open, as it stands now."""

from __future__ import annotations

from datetime import date

from msgspec import Struct

from contracts_schema.commands import Amount
from contracts_schema.notices import SEVERITIES, Severity, notice_id
from services.reconciliation.crosswalk import index_of
from services.reconciliation.notices import clears_when
from services.reconciliation.notices.now import Shown, notices_now
from services.reconciliation.policy import Rules
from services.reconciliation.state import State
from services.reconciliation.wire import amount
from services.settings import Settings
from services.wiring import doors
from services.wiring.looking import states_of


class NoticeLine(Struct, frozen=True):
    """One open notice: `since` is the day from which working days count, `opened` the revision that told of it."""

    notice: str
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
    opened: int
    detail: str
    clears_when: str
    facts: tuple[str, ...]


def _line(state: State, n: Shown) -> NoticeLine:
    currency = index_of(state.plans[state.in_force].plan).plan.currency
    return NoticeLine(
        notice_id(state.contract, n.milestone, n.kind, n.cause, n.opened), n.kind, state.contract, n.milestone, n.cause,
        n.severity, n.step, n.owner, n.told_to, amount(n.amount, currency), date.fromordinal(n.since).isoformat(),
        n.opened, n.detail, clears_when(n.kind, n.cause), n.facts,
    )  # fmt: skip


async def open_notices(settings: Settings, contract: str | None, limit: int) -> list[NoticeLine]:
    """Open notices of one contract or of all: the reddest first, of equals the oldest."""
    rules, found = settings.rules(), list[NoticeLine]()
    async with doors.open_store(settings) as store:
        async for state in states_of(store, contract):
            found += lines_of(state, rules)
    found.sort(key=lambda line: (-SEVERITIES.index(line.severity), line.since, line.contract))
    return found[:limit]


def lines_of(state: State, rules: Rules) -> list[NoticeLine]:
    """Open notices of one contract."""
    return [_line(state, notice) for notice in notices_now(state, rules)]
