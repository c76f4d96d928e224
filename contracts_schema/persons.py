"""Persons: which fields of facts and plans name one, and the pseudonym that can stand in its place.

A pseudonym (GDPR article 4(5)) is `person-` and twenty hexadecimal digits of HMAC-SHA256 over the identity: whoever has
the key makes the same of the same identity, so that one person stays one, whatever comes first and whoever reads it;
nobody else can tell whom it means. The one table with names is beside the log and can be erased.

Organisations (`supplier`, `buyer`) are not persons here, roles are none either. Texts (reasons, rationales, titles) are
kept as they were said and should name nobody.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from contracts_schema import facts as f
from contracts_schema import plan as p
from contracts_schema.reasons import HoldReason

S = TypeVar("S", bound=Struct)
DIGITS = 20
PSEUDONYM = re.compile(rf"person-[0-9a-f]{{{DIGITS}}}(?![0-9a-f])")

# The fields that name a person. A milestone's `owner` is one: whoever must act is named there, and a role that stands
# there becomes a pseudonym that does no harm.
PERSONS: Mapping[type[Struct], tuple[str, ...]] = {
    f.DeliveryClaimed: ("by",),
    f.GoodsReceived: ("by",),
    f.EvidenceAttached: ("by",),
    f.EvidenceRemoved: ("by",),
    f.SignOffGiven: ("by",),
    f.SignOffWithdrawn: ("by",),
    f.InvoiceReceived: ("by",),
    f.DisputeOpened: ("by",),
    f.DisputeResolved: ("by",),
    f.HoldPlaced: ("by",),
    f.HoldLifted: ("by",),
    f.ReasonWaived: ("by", "approved_by"),
    f.MilestoneActivated: ("by",),
    f.HoldObserved: ("by",),
    p.Milestone: ("owner",),
    p.Opening: ("approved_by",),
    p.Authority: ("person",),
    p.Amendment: ("requested_by", "approved_by"),
}
NAMING = frozenset(PERSONS) | {f.ContractRegistered}  # facts of other types name nobody


def one_form(identity: str) -> str:
    """An identity as it is compared: NFC (Unicode Standard Annex 15), without blanks at its ends. Whoever writes it
    otherwise is still one person (rule D5)."""
    if identity.isascii() and identity[:1] > " " and identity[-1:] > " ":
        return identity
    return unicodedata.normalize("NFC", identity).strip()


def pseudonym_of(key: bytes, identity: str) -> str:
    """The pseudonym of an identity; what is a pseudonym already stays as it is."""
    if PSEUDONYM.fullmatch(identity):
        return identity
    return f"person-{hmac.digest(key, identity.encode('utf-8', 'surrogatepass'), 'sha256').hex()[:DIGITS]}"


def body_with(body: f.AnyBody, of: Callable[[str], str]) -> f.AnyBody:
    """The body with `of` each person in the person's place; the very same where that changes nothing."""
    if type(body) is f.ContractRegistered:
        plan = p.encode_plan(plan_with(p.decode_plan(body.plan), of))
        return body if plan == body.plan else replace(body, plan=plan)
    if type(body) is f.ReasonWaived and body.code == HoldReason.DUTIES_NOT_SEPARATED and body.cause is not None:
        body = _changed(body, {"cause": of(body.cause)})  # of this reason the cause is the person
    return _with(body, of)


def plan_with(plan: p.Plan, of: Callable[[str], str]) -> p.Plan:
    """The plan with `of` each person in the person's place."""
    authority = tuple([_with(entitled, of) for entitled in plan.sign_off.authority])
    return replace(
        plan,
        milestones=tuple([_milestone_with(milestone, of) for milestone in plan.milestones]),
        sign_off=replace(plan.sign_off, authority=authority),
        amendment=None if plan.amendment is None else _with(plan.amendment, of),
    )


def _milestone_with(milestone: p.Milestone, of: Callable[[str], str]) -> p.Milestone:
    opening = milestone.opening
    return _with(milestone if opening is None else replace(milestone, opening=_with(opening, of)), of)


def _with(part: S, of: Callable[[str], str]) -> S:
    named = {field: getattr(part, field) for field in PERSONS.get(type(part), ())}
    return _changed(part, {field: of(who) for field, who in named.items() if isinstance(who, str)})  # or left out


def _changed(part: S, fields: Mapping[str, str]) -> S:
    """The part with these fields; the very same where they are so already."""
    return part if all(getattr(part, field) == who for field, who in fields.items()) else replace(part, **fields)


def with_names(text: str, names: Mapping[str, str]) -> str:
    """A text with names in place of those pseudonyms that are known."""
    return PSEUDONYM.sub(lambda found: names.get(found[0], found[0]), text)
