"""How red a notice is: a risk matrix of likelihood and amount, out of the policy."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import ceil

from contracts_schema.notices import LIKELIHOODS, SEVERITIES
from contracts_schema.plan import Plan
from services.reconciliation.policy import NoticePolicy


def severity(policy: NoticePolicy, limits: tuple[int, int], likelihood: int, amount: int) -> int:
    """The severity, 0 is green, of a likelihood (0 is possible) and an amount in minor units."""
    medium, large = limits
    size = 0 if amount < medium or amount <= 0 else 1 if amount < large else 2
    row = policy.matrix[LIKELIHOODS[likelihood]]
    return SEVERITIES.index(row[size])


def limits_of(policy: NoticePolicy, plan: Plan) -> tuple[int, int]:
    """From how many minor units on an amount is medium, and large."""
    stated = policy.amounts.get(plan.currency)
    return stated or _shares(_total(plan), policy.medium_percent, policy.large_percent)


@lru_cache(maxsize=4_096)
def _shares(total: int, medium: str, large: str) -> tuple[int, int]:
    return ceil(total * Fraction(medium) / 100), ceil(total * Fraction(large) / 100)


def _total(plan: Plan) -> int:
    """The contract's value: what its milestones come to, without those that only stand in. Added up once a plan."""
    known = plan.__dict__.get("_total")
    if known is None:
        known = plan.__dict__["_total"] = sum(m.value or 0 for m in plan.milestones if m.contingency_for is None)
    return int(known)
