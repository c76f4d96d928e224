"""The crosswalk: from the address a fact bears to the milestone it belongs to. Never a guess."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from functools import lru_cache

from contracts_schema import facts as f
from contracts_schema.fact_fields import Body
from contracts_schema.plan import Milestone, Plan, decode_plan


class Place(Enum):
    """Where a fact stands when it belongs to no single milestone."""

    EVERYWHERE = "every milestone of the contract"
    UNKNOWN = "unknown"
    AMBIGUOUS = "ambiguous"


Home = str | Place
Key = tuple[str, str]  # source and key


class Index:
    """One plan, indexed by milestone id and by key. Built once a version, since plans never change."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.milestones: dict[str, Milestone] = {m.id: m for m in plan.milestones}
        self.by_key: dict[tuple[str, str], list[str]] = {}
        for milestone in plan.milestones:
            for source, keys in milestone.refs.items():
                for key in keys:
                    self.by_key.setdefault((source, key), []).append(milestone.id)
        self.stand_ins: dict[str, list[str]] = {}
        self.dependents: dict[str, set[str]] = {}
        for milestone in plan.milestones:
            if milestone.contingency_for is not None:
                self.stand_ins.setdefault(milestone.contingency_for, []).append(milestone.id)
            for name in precursors(milestone):
                for one in [name] if name in self.milestones else successors(plan, name):
                    self.dependents.setdefault(one, set()).add(milestone.id)
        self.contract_keys = {(source, key) for source, keys in plan.refs.items() for key in keys}

    @property
    def is_separable(self) -> bool:
        """Whether no money rule joins the milestones: each then depends on its own facts and its precursors alone."""
        plan = self.plan
        return not (plan.retention or plan.advance or plan.value_cap is not None or self.stand_ins)

    @property
    def keys(self) -> set[tuple[str, str]]:
        """Every key that the plan claims, for a milestone or for the contract."""
        return self.by_key.keys() | self.contract_keys

    def claims(self, key: Key) -> bool:
        """Whether the plan claims this key, for a milestone or for the contract."""
        return key in self.by_key or key in self.contract_keys

    def home(self, address: f.Address, body: Body) -> Home:
        """The milestone of a fact: by our own ids, by the first key that one claims, or as the only taker."""
        if address.contract is not None:
            return self._by_id(address.milestone, body)
        source = address.source or ""
        for key in address.keys:
            claimed = self.by_key.get((source, key))
            if claimed:
                return claimed[0] if len(claimed) == 1 else Place.AMBIGUOUS
        if any((source, key) in self.contract_keys for key in address.keys):
            return self._only_taker(body)
        return Place.UNKNOWN

    def doubtful(self, address: f.Address) -> Sequence[str]:
        """Every milestone that an unreadable message may have been about (rule A11)."""
        if address.milestone is not None:
            return [address.milestone] if address.milestone in self.milestones else []
        if address.contract is not None:
            return list(self.milestones)
        source = address.source or ""
        for key in address.keys:
            claimed = self.by_key.get((source, key))
            if claimed:
                return claimed
        return list(self.milestones) if any((source, key) in self.contract_keys for key in address.keys) else []

    def _by_id(self, milestone: str | None, body: Body) -> Home:
        if milestone is None:
            return Place.EVERYWHERE if type(body) in f.CONTRACT_WIDE else self._only_taker(body)
        return milestone if milestone in self.milestones else Place.UNKNOWN

    def _only_taker(self, body: Body) -> Home:
        takers = [m.id for m in self.plan.milestones if can_take(m, body)]
        if len(takers) == 1:
            return takers[0]
        return Place.AMBIGUOUS if takers else Place.UNKNOWN


def successors(plan: Plan, replaced: str) -> list[str]:
    """The milestones that replace one that is no longer in the plan (rule E3)."""
    return [m.id for m in plan.milestones if replaced in m.replaces]


def precursors(milestone: Milestone) -> list[str]:
    """Milestones whose completion the milestone looks at."""
    on_time = [r.removeprefix("on_time:") for r in milestone.requires if r.startswith("on_time:")]
    return [*milestone.after, *on_time]


def can_take(milestone: Milestone, body: Body) -> bool:
    """Whether the milestone requires the proof that the fact is; what is no proof any milestone can take (rule A10)."""
    match body:
        case f.Assessed():
            return "met" in milestone.requires
        case f.GoodsReceived():
            return "received" in milestone.requires
        case f.SignOffGiven() | f.SignOffWithdrawn():
            return "signed_off" in milestone.requires
        case f.InvoiceReceived():
            return "invoiced" in milestone.requires
        case f.EvidenceAttached() | f.EvidenceRemoved():
            return f"evidence:{body.name}" in milestone.requires
        case f.MeasureReported():
            return any(r.startswith(tuple(f"measure:{body.name}{sign}" for sign in "<>=")) for r in milestone.requires)
        case _:
            return True


@lru_cache(maxsize=4_096)
def index_of(plan: bytes) -> Index:
    """The index of an encoded plan."""
    return Index(decode_plan(plan))
