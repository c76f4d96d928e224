"""The case of one milestone: everything that its checks and money rules look at, worked out once.

A case is made of parts, each of which looks at facts of some kinds (`PARTS`). When facts come, only the parts that look
at facts of their kind are worked out anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache
from typing import NamedTuple, Protocol

from contracts_schema.plan import Milestone, Plan
from contracts_schema.reasons import HoldReason
from services.reconciliation.agreed import Agreed, agreed
from services.reconciliation.crosswalk import Index
from services.reconciliation.invoices import Exact, Invoice, Ledger, counts, identity_of, oldest_first
from services.reconciliation.policy import Rules
from services.reconciliation.receipt import Receipt, receipt
from services.reconciliation.signatures import valid_signatures
from services.reconciliation.standing import EVERY_KIND, Kinds, Standing, of
from services.reconciliation.state import MilestoneState, Slot, State
from services.reconciliation.words import (
    Completion,
    Conflict,
    Day,
    completion,
    scheduled,
)

_NO_WAIVERS: frozenset[tuple[str, str]] = frozenset()


class Finding(NamedTuple):
    """One cause of a hold reason. A waiver may name the cause; none means the reason as a whole (rule D6)."""

    cause: str
    detail: str
    facts: tuple[str, ...] = ()


class Whole(Protocol):
    """What a case may look at of its contract: the other milestones, and the invoices of all."""

    state: State
    index: Index
    plan: Plan
    rules: Rules
    today: date
    cases: dict[str, Case]
    ledger: Ledger
    seen: Mapping[str, bool]
    claims: Mapping[str, Mapping[str, str]]

    @property
    def settled(self) -> Mapping[str, Mapping[str, int]]:
        """By milestone that something was carried to: what of each of its invoices was paid before."""

    def stand_in(self, milestone: str) -> Case | None:
        """The contingency milestone that has taken over from this one: of several the one that was activated last."""

    def is_met(self, milestone: str) -> bool:
        """Whether a precursor is met, by itself or by what stands for it."""


class Case:
    """One milestone of one contract at one moment, in the words of those who are believed.

    `invoiced` is the sum of the nets of all invoices that count, exact, in minor units of the contract's currency. Of
    invoices claimed twice (rule D8) `claims` are those that this contract alone claims so, with a sentence each, and
    `elsewhere` those that others claim too, with what says so; both by identity. `signatures` are the valid ones with
    their persons (rule D4); `conflicts` are the fields about which systems differ. `found` is what each check last
    found, waived or not.
    """

    completion: Completion
    receipt: Receipt
    due: Day
    forecast: Day
    baseline: Day
    agreed: Agreed
    invoices: list[Invoice]
    counting: list[Invoice]
    invoiced: Exact
    claims: Mapping[str, str]
    elsewhere: Mapping[str, Slot]
    waived: frozenset[tuple[str, str]]
    signatures: list[tuple[str, Slot]]
    conflicts: list[Conflict]

    def __init__(self, contract: Whole, milestone: Milestone, standing: Standing) -> None:
        self.contract = contract
        self.plan: Plan = contract.plan
        self.rules: Rules = contract.rules
        self.milestone = milestone
        self.standing = standing
        self.today: date = contract.today
        self.value = milestone.value or 0
        self.state = contract.state.milestones.get(milestone.id) or MilestoneState()
        self.found: dict[HoldReason, list[Finding]] = {}
        self.renew(EVERY_KIND)

    def renew(self, kinds: Kinds) -> None:
        """Work out anew what looks at facts of these kinds."""
        for work_out in _parts_for(kinds):
            work_out(self)

    def requires(self, proof: str) -> bool:
        """Whether a release needs this proof."""
        return proof in self.milestone.requires

    def of(self, kind: str, authority: str) -> list[Slot]:
        """The slots of a kind whose sources have authority over it (rule A8)."""
        slots = self.standing.get(kind)
        return [s for s in slots if self.rules.rank(self.plan, authority, s.source) is not None] if slots else []

    def is_waived(self, reason: HoldReason, finding: Finding) -> bool:
        """Whether two persons have waived this reason for this cause, and the waiver has not ended."""
        return (reason, "") in self.waived or (reason, finding.cause) in self.waived

    @property
    def met(self) -> bool:
        """Whether the system of record says that the milestone is met."""
        return self.completion.status == "met"


def is_activated(case: Case) -> bool:
    """Whether a person has put the contingency milestone in force."""
    return activated_at(case) is not None


def activated_at(case: Case) -> tuple[int, str] | None:
    """When a person last did, and in which event; None for never."""
    return max(((s.order[1], s.order[3]) for s in case.of("milestone.activated", "activation")), default=None)


def in_force(case: Case) -> bool:
    """Whether the milestone pays at all: of a milestone and its contingencies one does (rule D1)."""
    instead = case.milestone.contingency_for
    if instead is not None:
        return case.contract.stand_in(instead) is case
    return case.contract.stand_in(case.milestone.id) is None


def _conflicts(case: Case) -> None:
    """Every field about which systems differ (rule A9)."""
    about_value = case.agreed.conflict(case.value, case.plan.currency)
    found = [
        case.completion.conflict, case.due.conflict, case.forecast.conflict, case.baseline.conflict, about_value,
        case.receipt.conflict, *[i.conflict for i in case.invoices],
    ]  # fmt: skip
    case.conflicts = [c for c in found if c is not None]


def _waivers(case: Case) -> frozenset[tuple[str, str]]:
    slots = case.of("reason.waived", "waiver")
    return frozenset(
        (s.body.code, s.body.cause or "")
        for s in slots
        if (s.body.until is None or case.today <= s.body.until)
        and case.rules.person(s.source, s.body.by) != case.rules.person(s.source, s.body.approved_by)
    )


def _completion(case: Case) -> None:
    case.completion = completion(case.standing, case.milestone, case.plan, case.rules)


def _receipt(case: Case) -> None:
    case.receipt = receipt(case.standing, case.milestone, case.plan, case.rules)


def _days(case: Case) -> None:
    case.due = scheduled(case.standing, "due", case.plan, case.rules)
    case.forecast = scheduled(case.standing, "forecast", case.plan, case.rules)
    case.baseline = scheduled(case.standing, "baseline", case.plan, case.rules)


def _agreed(case: Case) -> None:
    case.agreed = agreed(case.standing, case.plan, case.rules)


def _invoices(case: Case) -> None:
    contract = case.contract
    case.invoices = sorted(contract.ledger.by_milestone.get(case.milestone.id, ()), key=oldest_first)
    case.counting = [i for i in case.invoices if counts(i, contract.seen)]
    case.invoiced = sum(i.worth for i in case.counting if i.worth is not None)
    case.claims = contract.claims.get(case.milestone.id, {})


def _elsewhere(case: Case) -> None:
    told = of(case.standing, "invoice.claimed_elsewhere")
    case.elsewhere = {
        identity_of(s.body.supplier, s.body.number, s.body.business_unit): s for s in told if s.body.claims
    }


def _waived(case: Case) -> None:
    case.waived = _waivers(case) if "reason.waived" in case.standing else _NO_WAIVERS


def _signatures(case: Case) -> None:
    signed = case.of("sign_off.given", "sign_off") if case.requires("signed_off") else []
    went_back = case.completion.went_back
    case.signatures = valid_signatures(signed, case.plan, case.rules, case.value, went_back) if signed else []


# Facts of these kinds may differ from another system's (rule A9).
CONFLICTING: Kinds = frozenset(
    {"milestone.assessed", "milestone.scheduled", "value.agreed", "goods.received", "invoice.received"}
)
# The kinds of facts that each part of a case looks at. Parts come after those that they are made of.
PARTS: tuple[tuple[Kinds, Callable[[Case], None]], ...] = (
    (frozenset({"milestone.assessed"}), _completion),
    (frozenset({"goods.received"}), _receipt),
    (frozenset({"milestone.scheduled"}), _days),
    (frozenset({"value.agreed"}), _agreed),
    (frozenset({"invoice.received"}), _invoices),
    (frozenset({"invoice.claimed_elsewhere"}), _elsewhere),
    (frozenset({"reason.waived"}), _waived),
    (frozenset({"sign_off.given", "milestone.assessed"}), _signatures),
    (CONFLICTING, _conflicts),
)


@lru_cache(maxsize=1024)
def _parts_for(kinds: Kinds) -> tuple[Callable[[Case], None], ...]:
    return tuple(work_out for looks_at, work_out in PARTS if not kinds.isdisjoint(looks_at))
