"""What decisions depend on beside facts and plans: who has which role, who is one person, and the policy (a rulebook).

Its hash stands in every decision, so that a decision can be proven again years later with the same rules.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field
from msgspec.json import decode, encode

from contracts_schema.persons import one_form
from contracts_schema.plan import Plan
from contracts_schema.records import Role
from contracts_schema.rows import Rulebook

RULES_VERSION: Final = 3  # raised when the same facts may decide otherwise

# Who is believed about a field unless the contract says otherwise, highest first (rule A9).
DEFAULT_AUTHORITY: Final[Mapping[str, tuple[str, ...]]] = {
    "completion": ("project",),
    "due": ("project",),
    "forecast": ("project",),
    "baseline": ("project",),
    "value": ("erp",),
    "received": ("erp",),
    "invoice": ("finance", "erp", "supplier_portal"),
    "measure": ("erp", "operator"),
    "evidence": ("operator", "supplier_portal"),
    "sign_off": ("operator",),
    "delivery": ("supplier_portal",),
    "dispute": ("operator", "supplier_portal"),
    "hold": ("operator",),
    "waiver": ("operator",),
    "compliance": ("supplier_portal",),
    "activation": ("operator",),
    "command": ("finance",),
    "payment": ("finance",),
    "hold_observed": ("finance",),
}

# The field whose authority says whether a kind of fact is believed (rule A8).
FIELD_OF: Final[Mapping[str, str]] = {
    "milestone.assessed": "completion",
    "milestone.scheduled": "due",
    "value.agreed": "value",
    "delivery.claimed": "delivery",
    "goods.received": "received",
    "evidence.attached": "evidence",
    "evidence.removed": "evidence",
    "sign_off.given": "sign_off",
    "sign_off.withdrawn": "sign_off",
    "invoice.received": "invoice",
    "measure.reported": "measure",
    "dispute.opened": "dispute",
    "dispute.resolved": "dispute",
    "hold.placed": "hold",
    "hold.lifted": "hold",
    "reason.waived": "waiver",
    "compliance.document": "compliance",
    "milestone.activated": "activation",
    "command.acknowledged": "command",
    "payment.made": "payment",
    "hold.observed": "hold_observed",
}


class NoticePolicy(Struct, frozen=True):
    """When people are told, how red, and whom next. Days are working days of the contract's calendar.

    `hold_days` is by hold reason and `escalate_after` by kind of notice, `default` for all others: how many days a
    notice stands before it goes a step up, to the next of `escalate_to`. An amount is medium or large by percent of the
    contract's value, or from those minor units on that `amounts` gives for its currency. `matrix` gives, for each
    likelihood, the severity of a small, a medium and a large amount.
    """

    sign_off_reminder_days: int = 2
    conflict_days: int = 3
    dispute_days: int = 5
    document_days: int = 20
    hold_days: dict[str, int] = field(default_factory=lambda: {"default": 10, "MANUAL_HOLD": 5})
    escalate_after: dict[str, tuple[int, ...]] = field(
        default_factory=lambda: {
            "default": (5, 10),
            "DOCUMENT_EXPIRING": (10, 15),
            "SIGN_OFF_DUE": (),
            "SIGN_OFF_FLAGGED": (),
        }
    )
    escalate_to: tuple[str, ...] = ("operator", "management")
    medium_percent: str = "5"
    large_percent: str = "20"
    amounts: dict[str, tuple[int, int]] = {}
    matrix: dict[str, tuple[str, str, str]] = field(default_factory=lambda: dict(MATRIX))


MATRIX: Final[Mapping[str, tuple[str, str, str]]] = {
    "possible": ("green", "green", "amber"),
    "likely": ("green", "amber", "red"),
    "happened": ("amber", "red", "red"),
}


class Policy(Struct, frozen=True):
    """Choices of the house that runs Milepost; each default is the careful one."""

    reassert_holds: bool = False
    parked_days_max: int = 400
    notices: NoticePolicy = NoticePolicy()


class Rules(Struct, frozen=True, dict=True):
    """Roles of sources, the people behind identities (`source:user` or a plain name), and the policy.

    `finance` is the finance system of contracts that name none, where there is only one. `calendars` names the edition
    of the holiday calendars.
    """

    roles: dict[str, Role]
    people: dict[str, str] = {}
    policy: Policy = Policy()
    finance: str | None = None
    version: int = RULES_VERSION
    calendars: str = ""

    @property
    def rulebook(self) -> Rulebook:
        """Content and hash, made once."""
        made = self.__dict__.get("_rulebook")
        if made is None:
            content = encode(self, order="deterministic")
            made = self.__dict__["_rulebook"] = Rulebook("sha256:" + hashlib.sha256(content).hexdigest(), content)
        return made

    def person(self, source: str, identity: str) -> str:
        """The person behind an identity of a source (rule D5); the identity itself where nobody says otherwise."""
        identity = one_form(identity)
        return self.people.get(f"{source}:{identity}") or self.people.get(identity, identity)

    def rank(self, plan: Plan, field: str, source: str) -> int | None:
        """How much `source` is believed about `field` in this contract: 0 is highest, None not at all (rule A8)."""
        names = plan.authority.get(field) or DEFAULT_AUTHORITY[field]
        if source in names:
            return names.index(source)
        role = self.roles.get(source)
        return names.index(role) if role in names else None


def make_rules(
    roles: Mapping[str, Role], people: Mapping[str, list[str]], policy: Policy, finance: str | None = None,
    calendars: str = "",
) -> Rules:  # fmt: skip
    """Rules from the configuration's words (`people: {jane: ["erp-eu:17", "pm:jdoe"]}`)."""
    identities = {one_form(identity): person for person, known in people.items() for identity in known}
    return Rules(dict(roles), identities, policy, finance, calendars=calendars)


def read_rules(content: bytes) -> Rules:
    """Rules as a rulebook has kept them."""
    return decode(content, type=Rules)
