"""`policy.notices` of the configuration: when people are told, how red, and whom next. Every fault is named.

What is left out keeps its careful default, also inside `hold_days`, `escalate_after` and `matrix`.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from contracts_schema.money import decimals, parse_amount
from contracts_schema.notices import LIKELIHOODS, SEVERITIES, Likelihood, NoticeKind, Severity
from contracts_schema.reasons import HoldReason
from services.reconciliation.policy import NoticePolicy

DEFAULT = "default"
_CAREFUL = NoticePolicy()


def _reason(name: str) -> str:
    if name not in {DEFAULT, *HoldReason}:
        raise ValueError(f"is no hold reason; {DEFAULT} stands for all that are not named")
    return name


def _kind(name: str) -> str:
    if name not in {DEFAULT, *NoticeKind}:
        raise ValueError(f"is no kind of notice; {DEFAULT} stands for all that are not named")
    return name


ReasonName = Annotated[str, AfterValidator(_reason)]
KindName = Annotated[str, AfterValidator(_kind)]
Days = Annotated[int, Field(ge=0, le=1_000)]
Percent = Annotated[str, Field(pattern=r"^[0-9]{1,2}(\.[0-9]{1,4})?$")]
Row = tuple[Severity, Severity, Severity]


class NoticeSettings(BaseModel):
    """Days are working days of the contract's calendar; amounts are decimal strings of their currency."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    sign_off_reminder_days: Days = _CAREFUL.sign_off_reminder_days
    conflict_days: Days = _CAREFUL.conflict_days
    dispute_days: Days = _CAREFUL.dispute_days
    document_days: Days = _CAREFUL.document_days
    hold_days: dict[ReasonName, Days] = {}
    escalate_after: dict[KindName, list[Days]] = {}
    escalate_to: list[Annotated[str, Field(min_length=1, max_length=100)]] = list(_CAREFUL.escalate_to)
    medium_percent: Percent = _CAREFUL.medium_percent
    large_percent: Percent = _CAREFUL.large_percent
    amounts: dict[str, tuple[str, str]] = {}
    matrix: dict[Likelihood, Row] = {}

    @field_validator("escalate_after")
    @classmethod
    def _rising(cls, value: dict[str, list[int]]) -> dict[str, list[int]]:
        _raise(_step_faults(value))
        return value

    @field_validator("amounts")
    @classmethod
    def _of_currencies(cls, value: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
        _raise(fault for currency, limits in value.items() for fault in _amount_faults(currency, limits))
        return value

    @field_validator("matrix")
    @classmethod
    def _never_milder(cls, value: dict[Likelihood, Row]) -> dict[Likelihood, Row]:
        _raise(_matrix_faults({**_CAREFUL.matrix, **_by_name(value)}))
        return value

    @field_validator("large_percent")
    @classmethod
    def _above_medium(cls, value: str, others: ValidationInfo) -> str:
        medium = others.data.get("medium_percent", "0")
        if Fraction(medium) >= Fraction(value):
            raise ValueError(f"is not above medium_percent {medium}")
        return value

    def policy(self) -> NoticePolicy:
        """The same for the core, whole."""
        return NoticePolicy(
            self.sign_off_reminder_days, self.conflict_days, self.dispute_days, self.document_days,
            hold_days=_CAREFUL.hold_days | self.hold_days,
            escalate_after=_CAREFUL.escalate_after | {k: tuple(v) for k, v in self.escalate_after.items()},
            escalate_to=tuple(self.escalate_to), medium_percent=self.medium_percent, large_percent=self.large_percent,
            amounts={currency: _minor(currency, limits) for currency, limits in self.amounts.items()},
            matrix=_CAREFUL.matrix | _by_name(self.matrix),
        )  # fmt: skip


def _by_name(matrix: dict[Likelihood, Row]) -> dict[str, tuple[str, str, str]]:
    return {str(likelihood): row for likelihood, row in matrix.items()}


def _raise(faults: Iterator[str]) -> None:
    found = "; ".join(faults)
    if found:
        raise ValueError(found)


def _step_faults(value: dict[str, list[int]]) -> Iterator[str]:
    for name, days in value.items():
        if any(later <= earlier for earlier, later in pairwise(days)) or 0 in days:
            yield f"{name}: {days} does not rise from 1 on"


def _amount_faults(currency: str, limits: tuple[str, str]) -> Iterator[str]:
    try:
        decimals(currency)
        medium, large = _minor(currency, limits)
    except ValueError as error:
        yield f"{currency}: {error}"
        return
    if not 0 < medium < large:
        yield f"{currency}: medium {limits[0]} and large {limits[1]} do not rise from above zero"


def _minor(currency: str, limits: tuple[str, str]) -> tuple[int, int]:
    return parse_amount(limits[0], currency), parse_amount(limits[1], currency)


def _matrix_faults(matrix: dict[str, tuple[str, str, str]]) -> Iterator[str]:
    ranks = [[SEVERITIES.index(cell) for cell in matrix[likelihood]] for likelihood in LIKELIHOODS]
    for likelihood, row in zip(LIKELIHOODS, ranks, strict=True):
        if row != sorted(row):
            yield f"{likelihood}: a larger amount is milder"
    for (before, row), (likelihood, likelier) in pairwise(zip(LIKELIHOODS, ranks, strict=True)):
        if any(b > a for b, a in zip(row, likelier, strict=True)):
            yield f"{likelihood}: milder than {before}"
