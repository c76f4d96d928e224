"""Drift as the log tells it: what was commanded, against what finance says it did (rules D11, E5).

What only a look at the invoice can tell (lifted by hand, blocked by others, split) comes from the gate; `joined` puts
both together, each difference once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec import Struct

from contracts_schema.commands import Amount
from contracts_schema.drift import ADVICE, Difference, place
from contracts_schema.drift import DriftKind as K
from contracts_schema.money import parse_amount
from contracts_schema.payables import Finding, Refusal
from contracts_schema.reasons import ExceptionCode as E
from services.reconciliation.calendar import show_moment
from services.reconciliation.exceptions import paid_to_date, paid_without_rate
from services.reconciliation.position import Target
from services.reconciliation.subject import invoice_number
from services.reconciliation.wire import amount
from services.reporting.answers import NO_ANSWER, open_commands
from services.reporting.dossier import Dossier
from services.reporting.payable import last_said
from services.reporting.sheet import days

# Kinds with which the gate has told already why a command is not done.
_SAYS_WHY = frozenset(K) - {K.UNCLAIMED, K.HELD_BY_OTHERS, K.LIFTED_BY_HAND, K.AMENDED_AFTER_RELEASE}
_EXCEPTIONS = {
    E.PAID_WITHOUT_RELEASE: K.PAID_WITHOUT_RELEASE, E.PAID_WHILE_HELD: K.PAID_WHILE_HELD,
    E.HELD_TOO_LATE: K.HELD_TOO_LATE,
}  # fmt: skip


class Drift(Struct, frozen=True):
    """One finding: what differs, since when and for how long, how much money is concerned, and what to do."""

    kind: K
    since: str
    age_days: str
    finance: str | None
    milestones: tuple[str, ...]
    invoice: str | None
    amount: Amount | None
    detail: str
    advice: str


def from_log(dossier: Dossier, now: int, patience: int) -> Iterator[Drift]:
    """What the log of one contract tells. `patience` (µs): how long a command may stay without an answer."""
    for name in dossier.cases:
        yield from _payments(dossier, name, now)
        yield from _changed_invoices(dossier, name, now)
        yield from _blocks(dossier, name, now)
    for line, answer in open_commands(dossier):
        said = line.decided.said
        if said is None or (answer.state == NO_ANSWER and now - line.moment <= patience) or answer.state == "waiting":
            continue
        kind = K.COMMAND_REJECTED if answer.state == "rejected" else K.UNANSWERED
        detail = f"{said.action} {said.sequence} ({said.command_id[:12]}): {answer.state}"
        concerned = (line.decided.released if said.action == "release" else line.decided.held, line.decided.currency)
        where = place(dossier.contract, line.decided.milestone)
        detail += f": {answer.detail}" if answer.detail else ""
        yield _drift(kind, line.moment, now, line.finance, (where,), None, concerned, detail)


def _payments(dossier: Dossier, milestone: str, now: int) -> Iterator[Drift]:
    """What was paid beyond the release, or could not be stopped."""
    position, case = dossier.standings[milestone].position, dossier.cases[milestone]
    currency, paid = dossier.plan.currency, paid_to_date(case)
    for code in position.exceptions:
        if code in _EXCEPTIONS:
            since = _since(dossier, milestone, code)
            over = max(0, paid - position.released) if code is not E.HELD_TOO_LATE else position.held
            shown = amount(position.released, currency).amount
            others = "".join(f" and {amount(*money).amount} {money.currency}" for money in paid_without_rate(case))
            detail = f"{amount(paid, currency).amount}{others} was paid, {shown} is released"
            where, finance = place(dossier.contract, milestone), dossier.lines[milestone][-1].finance
            yield _drift(_EXCEPTIONS[code], since, now, finance, (where,), None, (over, currency), detail)


def _since(dossier: Dossier, milestone: str, code: str) -> int:
    """When an exception that stands now was first seen, without a break."""
    since = dossier.state.moment
    for line in reversed(dossier.lines[milestone]):
        if code not in line.decided.exceptions:
            break
        since = line.moment
    return since


def _changed_invoices(dossier: Dossier, milestone: str, now: int) -> Iterator[Drift]:
    """Invoices of which a command let something be paid, and that no longer stand, or not with the same net."""
    freed: dict[str, Target] = {}
    since: dict[str, int] = {}
    finance = None
    for line in dossier.lines.get(milestone, ()):
        if line.decided.said is None:
            continue
        finance = line.finance
        current = {target.identity: target for target in line.decided.said.targets}
        for identity, before in freed.items():
            same = identity in current and current[identity].net == before.net
            since = {k: v for k, v in since.items() if k != identity} if same else {identity: line.moment, **since}
        freed = {t.identity: t for t in current.values() if t.payable.minor > 0} | freed
    states = {invoice.identity: invoice for invoice in dossier.cases[milestone].invoices}
    for identity, moment in since.items():
        before, invoice = freed[identity], states.get(identity)
        if invoice is None:
            continue  # it stands at another milestone now
        kind = K.AMENDED_AFTER_RELEASE if invoice.stands else K.CANCELLED_AFTER_RELEASE
        shown = amount(*before.net)
        detail = (
            f"released of a net of {shown.amount} {shown.currency}; it is {invoice.state} with {_net(invoice.net)} now"
        )
        where = place(dossier.contract, milestone)
        yield _drift(kind, moment, now, finance, (where,), before.invoice, before.payable, detail)


def _blocks(dossier: Dossier, milestone: str, now: int) -> Iterator[Drift]:
    """Blocks as finance says that they stand: ours taken away, or somebody else's (rule E5)."""
    last = last_said(dossier, milestone)
    targets = {} if last is None else {invoice_number(t.invoice): t for t in last[1].targets}
    for slot in dossier.cases[milestone].of("hold.observed", "hold_observed"):
        seen = slot.body
        kind = {("ours", False): K.LIFTED_BY_HAND, ("other", True): K.HELD_BY_OTHERS}.get((seen.holder, seen.held))
        if kind is None:
            continue
        target = targets.get(invoice_number(seen.invoice or ""))
        detail = f"{seen.reason or 'as finance shows it'} (user {seen.by or 'unknown'})"
        where = place(dossier.contract, milestone)
        concerned = None if target is None else target.net
        yield _drift(kind, slot.order[1], now, slot.source, (where,), seen.invoice, concerned, detail)


def _net(money: tuple[int, str]) -> str:
    return amount(*money).amount


def from_gate(finance: str, differences: Collection[Difference], now: int) -> Iterator[Drift]:
    """What the gate found at one invoice."""
    for d in differences:
        concerned = None if d.amount is None or d.currency is None else (d.amount, d.currency)
        yield _drift(d.kind, d.since, now, finance, d.places, d.invoice or None, concerned, d.detail)


def from_text(finding: Finding, now: int) -> Drift:
    """A finding of which an earlier version of the gate kept nothing but its text."""
    invoice = finding.subject.partition(":")[2]
    return _drift(K.NOT_AS_WANTED, finding.since, now, finding.finance, (), invoice, None, finding.finding)


def from_refusal(refusal: Refusal, now: int) -> Drift:
    """A command that was not believed."""
    return _drift(
        K.COMMAND_REFUSED, refusal.at, now, None, (), None, None, f"{refusal.sentence} (record {refusal.origin})"
    )


def _drift(
    kind: K, since: int, now: int, finance: str | None, places: tuple[str, ...], invoice: str | None,
    concerned: tuple[int, str] | None, detail: str,
) -> Drift:  # fmt: skip
    money = None if concerned is None else amount(*concerned)
    return Drift(
        kind, show_moment(since), days(max(0, now - since)), finance, places, invoice, money, detail, ADVICE[kind]
    )


def joined(from_logs: Sequence[Drift], from_gates: Sequence[Drift]) -> list[Drift]:
    """All findings, the gravest first, then the oldest. What the gate says of an invoice stands for what the log says
    of its milestone: it knows which invoice and how much of it."""
    told = {(where, d.kind) for d in from_gates for where in d.milestones}
    explained = {where for d in from_gates if d.kind in _SAYS_WHY for where in d.milestones}
    fresh = [d for d in from_logs if not _is_told(d, told, explained)]
    rank = {kind: n for n, kind in enumerate(K)}
    return sorted((*fresh, *from_gates), key=lambda d: (rank[d.kind], d.since, d.milestones, d.invoice or ""))


def _is_told(d: Drift, told: Collection[tuple[str, K]], explained: Collection[str]) -> bool:
    (where,) = d.milestones
    answered = d.kind in (K.COMMAND_REJECTED, K.UNANSWERED) and not d.detail.endswith(NO_ANSWER)
    return (where, d.kind) in told or (answered and where in explained)


def totals(found: Sequence[Drift]) -> Mapping[tuple[K, str], Amount]:
    """What is concerned by kind and currency; never added across currencies."""
    sums: dict[tuple[K, str], int] = {}
    for d in found:
        if d.amount is not None:
            key = (d.kind, d.amount.currency)
            sums[key] = sums.get(key, 0) + parse_amount(d.amount.amount, d.amount.currency)
    return {key: amount(minor, key[1]) for key, minor in sums.items()}
