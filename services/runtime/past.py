"""Accounts of the past: as a milestone was known at a moment, and as it was in the business world on a day. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from msgspec import Struct, structs
from msgspec.structs import replace

from contracts_schema import commands as c
from services.history.business import AsOf
from services.history.fold import Fold
from services.history.grounds import Ground, grounds
from services.reconciliation.calendar import show_moment
from services.reconciliation.crosswalk import index_of
from services.reconciliation.log import Decided, Said
from services.reconciliation.policy import Rules
from services.reconciliation.state import State
from services.reconciliation.wire import amount, reason_line, target_line
from services.runtime.explain import Account, accounts


class LeftOut(Struct, frozen=True):
    """A fact that is about a later day than the one asked for."""

    fact: str
    kind: str
    about: str


class Told(Struct, frozen=True):
    """What finance had really been told by the end of the day asked for."""

    action: str
    sequence: int
    released_to_date: c.Amount
    held: c.Amount


class Explained(Struct, frozen=True):
    """One milestone's account with what it rests on. `told`: what commands said by then, where a past day is asked
    for; `left_out`: facts that are about a later day."""

    account: Account
    grounds: tuple[Ground, ...]
    told: Told | None = None
    left_out: tuple[LeftOut, ...] = ()


def as_json(one: Explained) -> dict[str, Any]:
    """The account's own fields, and beside them what it rests on."""
    more = {} if one.told is None else {"told": one.told}
    left_out = {"left_out": one.left_out} if one.left_out else {}
    return {**structs.asdict(one.account), "grounds": one.grounds, **more, **left_out}


def explained(state: State, rules: Rules, milestone: str | None = None) -> list[Explained]:
    """Every milestone, or one, as it stands in a state."""
    why = grounds(state, rules) if state.frozen is None else {}
    return [Explained(a, why.get(a.milestone, ())) for a in accounts(state, rules, milestone)]


def known_at(fold: Fold, rules: Rules, moment: int, milestone: str | None = None) -> list[Explained]:
    """As it was known, with a version in force: amounts, reasons, conflicts and targets as they had been decided last,
    word for word."""
    note = f"As it was known at {show_moment(moment)}: after revision {fold.state.revision}."
    index, found = index_of(fold.state.plans[fold.state.in_force].plan), []
    for one in explained(fold.state, rules, milestone):
        name = one.account.milestone
        account = one.account
        if name in index.milestones and name in fold.decided:
            account = _as_decided(account, fold.decided[name], fold.said.get(name))
        found.append(replace(one, account=replace(account, notes=(note, *account.notes))))
    return found


def _as_decided(account: Account, decided: Decided, said: Said | None) -> Account:
    currency = decided.currency
    return replace(
        account, status=decided.status, value=amount(decided.value, currency),
        released_to_date=amount(decided.released, currency), held=amount(decided.held, currency),
        carried=None if decided.carried is None else amount(decided.carried, currency),
        reasons=tuple(reason_line(r, currency) for r in decided.reasons), conflicts=decided.conflicts,
        exceptions=decided.exceptions, targets=tuple(target_line(t) for t in said.targets) if said else (),
    )  # fmt: skip


def on_day(found: AsOf, then: Fold, day: date, milestone: str | None = None) -> list[Explained]:
    """As it was in the business world; `then` is what had been decided and said by the end of that day."""
    note = (
        f"As it was on {day.isoformat()} ({found.zone}) with all that is known today: had every fact been known on the "
        "day that it is about, and today's rules been in use."
    )
    made = []
    for one in explained(found.state, found.rules, milestone):
        account = replace(one.account, notes=(note, *one.account.notes), last_command=None)
        left_out = tuple(_left_out(found, account.milestone))
        made.append(Explained(account, one.grounds, _told(then, account.milestone), left_out))
    return made


def _told(then: Fold, milestone: str) -> Told | None:
    known = then.state.milestones.get(milestone)
    if known is None or known.last is None:
        return None
    currency = then.decided[milestone].currency
    last = known.last
    return Told(last.action, last.sequence, amount(last.released, currency), amount(last.held, currency))


def _left_out(found: AsOf, milestone: str) -> Iterator[LeftOut]:
    for fact, about in found.left_out:
        if fact.address.milestone in (None, milestone):
            yield LeftOut(f"{fact.source}/{fact.id}", fact.kind, about.isoformat())


def grounds_sentences(one: Explained) -> list[str]:
    """What a milestone's account rests on, in sentences."""
    counting = [g for g in one.grounds if g.counts]
    lines = ["  It rests on:" if counting else "  Nobody has said anything about it."]
    lines += [_sentence(g) for g in counting]
    rest = [g for g in one.grounds if not g.counts]
    lines += ["  Said and not used:"] * bool(rest) + [_sentence(g) for g in rest]
    if one.left_out:
        lines.append("  Not counted, because it is about a later day:")
        lines += [f"    {x.kind} of {x.about} ({x.fact})" for x in one.left_out]
    return lines


def told_sentences(one: Explained) -> Sequence[str]:
    """What finance had really been told by then."""
    if one.told is None:
        return ["  By then finance had been told nothing."]
    t = one.told
    amounts = f"{t.released_to_date.currency} {t.released_to_date.amount} released, {t.held.amount} held"
    return [f"  By then finance had really been told: {t.action}, sequence {t.sequence}: {amounts}."]


def _sentence(g: Ground) -> str:
    version = f", version {g.version}" if g.version is not None else ""
    return f"    {g.source} ({g.role or 'unknown'}) {g.kind} at {g.said_at}{version}: {g.says}. {g.why} [{g.fact}]"
