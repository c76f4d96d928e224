"""What a decision comes to: a milestone's position, its open reasons, and what finance must do with each invoice."""

from __future__ import annotations

from typing import Literal, NamedTuple

from contracts_schema.money import Money
from contracts_schema.reasons import ExceptionCode, HoldReason
from services.reconciliation.words import Conflict


class Target(NamedTuple):
    """What finance must do with one invoice: of `net`, `payable` minor units may be paid to date."""

    invoice: str
    supplier: str
    supplier_identifiers: tuple[str, ...]
    business_unit: str | None
    source_keys: tuple[str, ...]
    net: Money
    total: Money | None
    payable: Money
    state: Literal["hold", "part", "free"]
    identity: str = ""


class Reason(NamedTuple):
    """One open hold reason: what it holds in minor units, why, and the facts that raised it."""

    code: HoldReason
    amount: int
    detail: str
    facts: tuple[str, ...]


class Position(NamedTuple):
    """The decision for one milestone. Amounts in minor units of the contract's currency."""

    milestone: str
    value: int
    released: int
    held: int
    allowed: int
    carried: int | None
    reasons: tuple[Reason, ...]
    conflicts: tuple[Conflict, ...]
    exceptions: tuple[ExceptionCode, ...]
    targets: tuple[Target, ...]
