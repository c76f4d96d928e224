"""What is let in: a fact that can be read must also be plausible and allowed (rule A11)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from hashlib import sha256

from msgspec import structs

from contracts_schema import facts as f
from contracts_schema.errors import Refused, Unreadable
from contracts_schema.money import format_amount
from contracts_schema.own_facts import MessageRedriven, MessageUnreadable
from contracts_schema.plan import Plan, decode_plan
from contracts_schema.reasons import REMEDIES, WAIVABLE, HoldReason, clearing
from services.reconciliation.calendar import datetime_of
from services.reconciliation.policy import Rules
from services.reconciliation.subject import content_of, identity_of

_DAY = timedelta(days=1)
_DAY_US = 86_400_000_000
_EPOCH = date(1970, 1, 1).toordinal()


def admit(facts: tuple[f.Fact, ...], recorded_at: int, rules: Rules) -> None:
    """Let the facts of one record in, or none of them. `recorded_at` is the record's timestamp in µs.

    Raises:
        Unreadable: a date or the event's own time lies implausibly far ahead; every address is in doubt.
        Refused: a waiver that is not allowed, a dispute over an amount that names no milestone, or a change of the
            plan that one person asked for and approved.
    """
    for fact in facts:
        sentence = _implausible(fact, recorded_at)
        if sentence:
            raise Unreadable(sentence, [*map(_doubt, facts), *_document_doubts(facts)])
        refusal = _not_allowed(fact, rules)
        if refusal:
            raise Refused(f"{fact.kind} refused: {refusal}")


def _implausible(fact: f.Fact, recorded_at: int) -> str | None:
    if fact.time > recorded_at + _DAY_US:
        return f"its time {datetime_of(fact.time)} lies more than a day after its record ({datetime_of(recorded_at)})"
    field = f.ACTUAL_DATES.get(fact.kind)
    said = getattr(fact.body, field, None) if field else None
    if not isinstance(said, date):
        return None
    ahead = said > datetime_of(fact.time) + _DAY if isinstance(said, datetime) else _is_ahead(said, fact.time)
    return (
        f"{field} {said} lies more than a day ahead of the message's own time {datetime_of(fact.time)}"
        if ahead
        else None
    )


def _is_ahead(said: date, time: int) -> bool:
    return said.toordinal() > _EPOCH + time // _DAY_US + 1


def _doubt(fact: f.Fact) -> f.Doubt:
    """The digest lets a repeat meet the same verdict."""
    return f.Doubt(fact.source, fact.id, fact.address, fact.time, identity_of(fact) + content_of(fact), fact.kind)


def _document_doubts(facts: tuple[f.Fact, ...]) -> Iterator[f.Doubt]:
    """One for each document: what an older version of it says elsewhere is in doubt, too (rule F9)."""
    for document, fact in {fact.document: fact for fact in facts if fact.document is not None}.items():
        yield structs.replace(_doubt(fact), address=f.Address(), scope=None, document=document)


def _not_allowed(fact: f.Fact, rules: Rules) -> str | None:
    body = fact.body
    if type(body) is f.ContractRegistered:
        return approval_fault(fact.source, decode_plan(body.plan), rules)
    if type(body) is f.ReasonWaived:
        return _waiver_fault(fact.source, body, rules)
    if type(body) is f.DisputeOpened and body.amount is not None:
        if fact.address.contract is not None and fact.address.milestone is None:
            return "an amount in dispute needs the milestone it is about"
        if body.amount.minor < 0:
            return f"the amount in dispute is negative: {format_amount(*body.amount)} {body.amount.currency}"
    return None


def approval_fault(source: str, plan: Plan, rules: Rules) -> str | None:
    """Why an approval does not count: one person, under whatever names, asked for the change and approved it."""
    a = plan.amendment
    if a is None or a.approved_by is None:
        return None
    asked, approved = rules.person(source, a.requested_by), rules.person(source, a.approved_by)
    if asked != approved:
        return None
    names = f"{a.requested_by!r} and {a.approved_by!r} are one person, {asked!r}"
    return f"amendment.approved_by: {names}; nobody approves their own change (rules B3, D5)"


def _waiver_fault(source: str, body: f.ReasonWaived, rules: Rules) -> str | None:
    if rules.person(source, body.by) == rules.person(source, body.approved_by):
        alias = f", also not as {body.approved_by!r}" if body.approved_by != body.by else ""
        return f"{body.by!r} cannot approve what they asked for themselves{alias} (rule D6)"
    if body.code not in HoldReason.__members__:
        near = get_close_matches(body.code.upper(), HoldReason, 1)
        return f"{body.code!r} is no hold reason{f'; did you mean {near[0]}?' if near else ''}"
    if HoldReason(body.code) not in WAIVABLE:
        return f"{body.code} cannot be waived; it {clearing(REMEDIES[HoldReason(body.code)].clears_when)} (rule D6)"
    return None


def doubt_fact(doubt: f.Doubt, sentence: str, recorded_at: int, record: bytes = b"") -> f.Fact:
    """The fact that an unreadable message leaves behind: a doubt about each milestone it may have spoken of.

    One message may leave several, at several addresses; each is an event of its own. An implausible time is replaced by
    that of the record (µs). `record` is the SHA-256 of the record's value, by which a redrive finds it.
    """
    time = doubt.time if doubt.time <= recorded_at + _DAY_US else recorded_at
    body = MessageUnreadable(sentence[:500], doubt.digest, doubt.scope, record)
    place = _place(doubt.address) if doubt.document is None else doubt.document
    return f.Fact(
        doubt.source, f"{doubt.id}#unreadable/{place}", doubt.address, time, body, document=doubt.document
    )  # fmt: skip


def redriven_facts(facts: tuple[f.Fact, ...], record: bytes, recorded_at: int) -> tuple[f.Fact, ...]:
    """What ends the doubts of a record that was sent again and says `facts` now: one for each address (rule A11).

    Sent again once more, it gives the same facts. What is said of a document as a whole has no address, and needs none:
    older parts are void, and in doubt no more.
    """
    digests = (record, *(identity_of(fact) + content_of(fact) for fact in facts))
    name = f"{sha256(b''.join(digests)).hexdigest()[:32]}#redriven"
    body = MessageRedriven(digests)
    return tuple(
        f.Fact(fact.source, f"{name}/{place}", fact.address, recorded_at, body)
        for place, fact in {_place(fact.address): fact for fact in facts if fact.address != f.Address()}.items()
    )


def _place(address: f.Address) -> str:
    return address.keys[0] if address.keys else f"{address.contract}/{address.milestone or ''}"
