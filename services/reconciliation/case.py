"""The case of one milestone: everything that its checks and money rules look at, worked out once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import NamedTuple

from contracts_schema.plan import Milestone, Plan
from contracts_schema.reasons import HoldReason
from services.reconciliation.calendar import day_of
from services.reconciliation.crosswalk import Index, successors
from services.reconciliation.invoices import (
    Exact,
    Invoice,
    Ledger,
    claimed_twice,
    counts,
    ledger,
    numbers_at,
    seen_numbers,
    sharing_invoices,
)
from services.reconciliation.policy import Rules
from services.reconciliation.receipt import Receipt, receipt
from services.reconciliation.signatures import valid_signatures
from services.reconciliation.standing import Standing, of, place
from services.reconciliation.state import MilestoneState, Slot, State
from services.reconciliation.words import (
    Completion,
    Conflict,
    Day,
    Word,
    believed,
    completion,
    conflict,
    scheduled,
)

_NO_WAIVERS: frozenset[tuple[str, str]] = frozenset()


class Finding(NamedTuple):
    """One cause of a hold reason. A waiver may name the cause; none means the reason as a whole (rule D6)."""

    cause: str
    detail: str
    facts: tuple[str, ...] = ()


class Case:
    """One milestone of one contract at one moment, in the words of those who are believed.

    `invoiced` is the sum of the nets of all invoices that count, exact, in minor units of the contract's currency;
    `signatures` are the valid ones with their persons (rule D4); `conflicts` are the fields about which systems differ.
    """

    def __init__(self, contract: ContractCase, milestone: Milestone, standing: Standing) -> None:
        plan, rules = contract.plan, contract.rules
        self.contract = contract
        self.plan = plan
        self.rules = rules
        self.milestone = milestone
        self.standing = standing
        self.today = contract.today
        self.value = milestone.value or 0
        self.state = contract.state.milestones.get(milestone.id) or MilestoneState()
        self.completion: Completion = completion(standing, milestone, plan, rules)
        self.receipt: Receipt = receipt(standing, milestone, plan, rules)
        self.due: Day = scheduled(standing, "due", plan, rules)
        self.forecast: Day = scheduled(standing, "forecast", plan, rules)
        self.baseline: Day = scheduled(standing, "baseline", plan, rules)
        self.agreed = _agreed_values(standing, plan, rules)
        self.invoices: list[Invoice] = contract.ledger.by_milestone.get(milestone.id, [])
        self.counting = [i for i in self.invoices if counts(i, contract.seen)]
        self.invoiced: Exact = sum(i.worth for i in self.counting if i.worth is not None)
        self.waived = _waivers(self) if "reason.waived" in standing else _NO_WAIVERS
        self.signatures: list[tuple[str, Slot]] = []
        if self.requires("signed_off"):
            signed = self.of("sign_off.given", "sign_off")
            self.signatures = valid_signatures(signed, plan, rules, self.value, self.completion.went_back)
        self.conflicts: list[Conflict] = _conflicts(self)

    def requires(self, proof: str) -> bool:
        """Whether a release needs this proof."""
        return proof in self.milestone.requires

    def of(self, kind: str, authority: str) -> list[Slot]:
        """The slots of a kind whose sources have authority over it (rule A8)."""
        return [s for s in of(self.standing, kind) if self.rules.rank(self.plan, authority, s.source) is not None]

    def is_waived(self, reason: HoldReason, finding: Finding) -> bool:
        """Whether two persons have waived this reason for this cause, and the waiver has not ended."""
        return (reason, "") in self.waived or (reason, finding.cause) in self.waived

    @property
    def met(self) -> bool:
        """Whether the system of record says that the milestone is met."""
        return self.completion.status == "met"


class Agreed(NamedTuple):
    """What systems say the milestone is worth: minor units by currency, of every source, and the word that counts."""

    words: tuple[Word, ...]
    chosen: Word | None

    def conflict(self, case: Case) -> Conflict | None:
        """The registered value is a word of its own: who differs from it is in conflict (rule A9)."""
        registered = Word("register", ((case.plan.currency, case.value),), 0, ())
        return conflict("value", registered, self.words) if self.words else None


def _agreed_values(standing: Standing, plan: Plan, rules: Rules) -> Agreed:
    slots = of(standing, "value.agreed")
    if not slots:
        return Agreed((), None)
    by_source: dict[str, list[Slot]] = {}
    for slot in slots:
        by_source.setdefault(slot.source, []).append(slot)
    words = []
    for source, group in by_source.items():
        sums: dict[str, int] = {}
        for slot in group:
            money = slot.body.value
            sums[money.currency] = sums.get(money.currency, 0) + money.minor
        newest = max(s.order[1] for s in group)
        words.append(Word(source, tuple(sorted(sums.items())), newest, tuple(s.fact for s in group)))
    return Agreed(tuple(words), believed(words, rules, plan, "value"))


def _conflicts(case: Case) -> list[Conflict]:
    """Every field about which systems differ (rule A9)."""
    found = [
        case.completion.conflict, case.due.conflict, case.forecast.conflict, case.baseline.conflict,
        case.agreed.conflict(case), case.receipt.conflict, *[i.conflict for i in case.invoices],
    ]  # fmt: skip
    return [c for c in found if c is not None]


def _waivers(case: Case) -> frozenset[tuple[str, str]]:
    slots = case.of("reason.waived", "waiver")
    return frozenset(
        (s.body.code, s.body.cause or "")
        for s in slots
        if (s.body.until is None or case.today <= s.body.until)
        and case.rules.person(s.source, s.body.by) != case.rules.person(s.source, s.body.approved_by)
    )


class ContractCase:
    """A contract at one moment: its plan in force and the cases of the milestones to decide, in plan order.

    `only` limits them to some milestones and those that share an invoice with them; None means all. The case of any
    other, a precursor's say, is worked out when it is looked at.
    """

    def __init__(
        self, state: State, index: Index, moment: int, rules: Rules, only: Collection[str] | None = None
    ) -> None:
        self.state = state
        self.index = index
        self.plan = index.plan
        self.rules = rules
        self.moment = moment
        self.today: date = day_of(moment, self.plan.timezone)
        self.placed = place(state, index)
        self.only = None if only is None else sharing_invoices(self.placed, only)
        numbers = None if self.only is None else numbers_at(self.placed, self.only)
        self.ledger: Ledger = ledger(self.placed, self.plan, rules, numbers)
        self.seen: Mapping[str, bool] = seen_numbers(self.ledger)
        self.claims: Mapping[str, Mapping[str, str]] = claimed_twice(self.ledger)
        self._cases: dict[str, Case] = {}
        wanted = index.milestones if self.only is None else [m for m in index.milestones if m in self.only]
        self.cases: dict[str, Case] = {name: self.case(name) for name in wanted}

    def case(self, name: str) -> Case:
        """The case of one milestone of the plan."""
        case = self._cases.get(name)
        if case is None:
            case = self._cases[name] = Case(self, self.index.milestones[name], self.placed[name])
        return case

    def stand_in(self, milestone: str) -> Case | None:
        """The activated contingency milestone that has taken over from this one (rule D1)."""
        for name in self.index.stand_ins.get(milestone, ()):
            if is_activated(self.case(name)):
                return self.case(name)
        return None

    def is_met(self, milestone: str) -> bool:
        """Whether a precursor is met, by itself, by its stand-in, or by all that replace it (rules D1, D2)."""
        if milestone not in self.index.milestones:
            heirs = successors(self.plan, milestone)
            return bool(heirs) and all(self.case(name).met for name in heirs)
        return (self.stand_in(milestone) or self.case(milestone)).met


def is_activated(case: Case) -> bool:
    """Whether a person has put the contingency milestone in force."""
    return bool(case.of("milestone.activated", "activation"))


def in_force(case: Case) -> bool:
    """Whether the milestone pays at all: no unactivated contingency, and none that has taken over (rule D1)."""
    if case.milestone.contingency_for is not None and not is_activated(case):
        return False
    return case.contract.stand_in(case.milestone.id) is None
