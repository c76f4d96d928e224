"""Why a milestone stands where it stands, for people: what is held by what, since when, and who can clear it.

Pure: from a contract's state to an account of each milestone; `sentences.py` says it in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from contracts_schema import commands as c
from contracts_schema.reasons import PARTIAL, PROOFS, ExceptionCode, HoldReason
from services.reconciliation.calendar import show_moment
from services.reconciliation.case import Case
from services.reconciliation.crosswalk import index_of
from services.reconciliation.issue import conflict_line
from services.reconciliation.log import HeldBy
from services.reconciliation.money import allowances
from services.reconciliation.notices.flags import sign_off_flags
from services.reconciliation.policy import Rules
from services.reconciliation.position import Position
from services.reconciliation.state import LastCommand, MilestoneState, State
from services.reconciliation.view import MilestoneStanding, standings
from services.reconciliation.wire import amount, reason_line, target_line

REMOVED = "It is no longer in the plan in force; its last command stands."
UNDECIDED = (
    "The contract is frozen: this version of Milepost cannot decide it. Facts are kept, the last command stands."
)


class Outlook(Struct, frozen=True):
    """What is released once all of `when` have cleared, if nothing else changes."""

    releases: c.Amount
    when: tuple[str, ...]


class CommandSaid(Struct, frozen=True):
    """The milestone's last command, and what finance has answered to it."""

    command_id: str
    action: str
    sequence: int
    revision: int
    released_to_date: c.Amount
    held: c.Amount
    answer: str | None
    answer_detail: str | None


class Account(Struct, frozen=True):
    """Everything about one milestone."""

    contract: str
    milestone: str
    revision: int
    as_of: str
    title: str
    kind: str
    status: str
    owner: str | None
    dates: c.Dates
    requires: tuple[str, ...]
    value: c.Amount
    released_to_date: c.Amount
    held: c.Amount
    carried: c.Amount | None
    reasons: tuple[c.ReasonLine, ...]
    outlook: tuple[Outlook, ...]
    waived: tuple[str, ...]
    conflicts: tuple[c.ConflictLine, ...]
    exceptions: tuple[str, ...]
    targets: tuple[c.TargetLine, ...]
    last_command: CommandSaid | None
    replaced_by: tuple[str, ...]
    notes: tuple[str, ...]


def accounts(state: State, rules: Rules, milestone: str | None = None) -> list[Account]:
    """The account of every milestone, or of one; also of those that a later version replaced or removed."""
    if state.frozen is not None:  # deciding is what failed: only what was decided before can be shown
        found = [_as_last_said(state, name, known, UNDECIDED) for name, known in state.milestones.items()]
        return [account for account in found if milestone in (None, account.milestone)]
    found = [_account(state, standing) for standing in standings(state, rules)]
    shown = {account.milestone for account in found}
    found += [
        _as_last_said(state, name, known, REMOVED) for name, known in state.milestones.items() if name not in shown
    ]
    return [account for account in found if milestone in (None, account.milestone)]


def _account(state: State, standing: MilestoneStanding) -> Account:
    p, currency, case = standing.position, standing.currency, standing.case
    known = state.milestones[p.milestone]
    reasons = tuple(
        reason_line(HeldBy(r.code, r.amount, known.since.get(r.code, state.moment), r.detail, r.facts), currency)
        for r in p.reasons
    )
    authority = case.plan.authority if case else {}
    return Account(
        contract=state.contract, milestone=p.milestone, revision=state.revision, as_of=show_moment(state.moment),
        title=case.milestone.title if case else "", kind=case.milestone.kind if case else "payment",
        status=standing.status, owner=case.milestone.owner if case else None, dates=_dates(case),
        requires=case.milestone.requires if case else (), value=amount(p.value, currency),
        released_to_date=amount(p.released, currency), held=amount(p.held, currency),
        carried=None if p.carried is None else amount(p.carried, currency), reasons=reasons,
        outlook=tuple(_outlook(p, case, currency)), waived=tuple(_waived(case)) if case else (),
        conflicts=tuple(conflict_line(x, authority) for x in p.conflicts), exceptions=tuple(p.exceptions),
        targets=tuple(target_line(t) for t in p.targets), last_command=_command(case, known.last, currency),
        replaced_by=known.replaced_by, notes=(*_notes(state, p.milestone), *_flags(case)),
    )  # fmt: skip


def _dates(case: Case | None) -> c.Dates:
    if case is None:
        return c.Dates(None, None, None, None)
    days = (case.baseline.value, case.milestone.due, case.forecast.value, case.completion.met_on)
    return c.Dates(*(day.isoformat() if day else None for day in days))


def _outlook(p: Position, case: Case | None, currency: str) -> Iterator[Outlook]:
    """What each part of the held amount waits for: the blocking reasons together, each partial one by itself.

    While a proof is missing nothing is earned, and no partial reason takes anything off; what they will take is worked
    out as if every proof of the contract were there.
    """
    blocking = tuple(r for r in p.reasons if r.code not in PARTIAL and r.code is not HoldReason.OVER_RELEASED)
    codes = tuple(str(r.code) for r in blocking)
    unknown = {HoldReason.NOT_RECEIVED, HoldReason.NOT_INVOICED}.intersection(r.code for r in blocking)
    if case is not None and not unknown and any(r.code in PROOFS for r in blocking):
        proven = allowances(case.contract, dict.fromkeys(case.contract.cases, True))[p.milestone]
        cuts = [(cut.reason, cut.amount) for cut in proven.cuts]
        yield from _parts(max(0, proven.allowed - p.released), cuts, codes, currency)
    else:
        first = blocking[0].amount if blocking else 0
        yield from _parts(first, [(r.code, r.amount) for r in p.reasons if r.code in PARTIAL], codes, currency)


def _parts(
    first: int, cuts: Sequence[tuple[HoldReason, int]], codes: tuple[str, ...], currency: str
) -> Iterator[Outlook]:
    if first > 0:
        yield Outlook(amount(first, currency), codes)
    for code, cut in cuts:
        if cut > 0:
            yield Outlook(amount(cut, currency), (*codes, str(code)))


def _waived(case: Case) -> Iterator[str]:
    for code, cause in sorted(case.waived):
        yield f"{code} ({cause})" if cause else str(code)


def _command(case: Case | None, last: LastCommand | None, currency: str) -> CommandSaid | None:
    if last is None:
        return None
    answers = case.of("command.acknowledged", "command") if case else []
    answer = next((s.body for s in answers if s.body.command_id == last.command_id), None)
    return CommandSaid(
        last.command_id, last.action, last.sequence, last.revision, amount(last.released, currency),
        amount(last.held, currency), answer.state if answer else None, answer.detail if answer else None,
    )  # fmt: skip


def _flags(case: Case | None) -> Iterator[str]:
    """What is odd about the sign-off; it changes no amount."""
    for flag in sign_off_flags(case) if case is not None else ():
        yield f"Sign-off: {flag}."


def _notes(state: State, milestone: str) -> Iterator[str]:
    if state.plans[state.in_force].clash:
        yield f"Version {state.in_force} was registered twice with different content."
    for slot in state.slots.values():
        if slot.parked and slot.address.milestone == milestone:
            yield f"{slot.kind} of {slot.source} waits: {slot.parked}."


def _as_last_said(state: State, name: str, known: MilestoneState, note: str) -> Account:
    """A milestone that is not decided any more, or cannot be: its last command stands (rule E3)."""
    plan = index_of(state.plans[state.in_force].plan).plan
    milestone = next((m for m in plan.milestones if m.id == name), None)
    last, currency = known.last, plan.currency
    value, released, held = (last.value, last.released, last.held) if last else (0, known.released, 0)
    return Account(
        contract=state.contract, milestone=name, revision=state.revision, as_of=show_moment(state.moment),
        title=milestone.title if milestone else "", kind=milestone.kind if milestone else "payment",
        status="scheduled", owner=milestone.owner if milestone else None, dates=c.Dates(None, None, None, None),
        requires=milestone.requires if milestone else (), value=amount(value, currency),
        released_to_date=amount(released, currency), held=amount(held, currency), carried=None, reasons=(), outlook=(),
        waived=(), conflicts=(), exceptions=(ExceptionCode.UNDECIDED,) if state.frozen else (), targets=(),
        last_command=_command(None, last, currency), replaced_by=known.replaced_by, notes=(note,),
    )  # fmt: skip
