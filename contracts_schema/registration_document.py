"""The registration document that people write, in YAML or JSON: its fields and their plain forms.

What one field can show is checked here; `registration_faults.py` checks the whole; `registration.py` makes the plan.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, WithJsonSchema

from contracts_schema.records import IDENTIFIER, is_identifier


def _plain_date(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        with suppress(ValueError):  # no such day
            return date.fromisoformat(value)
    if isinstance(value, date):
        return value
    raise ValueError("is not a date of the form 2026-12-31")


def _percent(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,6})?", value) or Fraction(value) > 100:
        raise ValueError('is not a percentage from 0 to 100 such as "33.34"')
    return value


def _figure(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", value):
        raise ValueError('is not a decimal string such as "0.92"')
    return value


def _identifier(value: object) -> object:
    if not is_identifier(value):
        raise ValueError("is not a text of 1 to 300 visible characters")
    return value


# What the validators ask for, as the published schema says it.
_PERCENT_SCHEMA = {
    "anyOf": [
        {"type": "string", "pattern": r"^[0-9]{1,3}(\.[0-9]{1,6})?$"},
        {"type": "integer", "minimum": 0, "maximum": 100},
    ]
}
_FIGURE_SCHEMA = {"type": "string", "pattern": r"^[0-9]{1,12}(\.[0-9]{1,9})?$"}

Id = Annotated[str, BeforeValidator(_identifier), WithJsonSchema({"type": "string", "pattern": IDENTIFIER})]
Text = Annotated[str, Field(max_length=4000)]
Day = Annotated[date, BeforeValidator(_plain_date)]
Percent = Annotated[str, BeforeValidator(_percent), WithJsonSchema(_PERCENT_SCHEMA)]
Figure = Annotated[str, BeforeValidator(_figure), WithJsonSchema(_FIGURE_SCHEMA)]
AMOUNT, CURRENCY = r"^-?[0-9]{1,15}(\.[0-9]{1,4})?$", "^[A-Z]{3}$"
Amount = Annotated[str, Field(pattern=AMOUNT)]
Refs = dict[Id, list[Id]]
ConflictField = Literal["completion", "due", "forecast", "baseline", "value", "received", "invoice"]


class Document(BaseModel):
    """Base of the document's parts: fields that do not exist are refused, nothing is coerced."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Party(Document):
    """Buyer or supplier: our id for them, a name, and every other identifier they are known by (rule B7)."""

    id: Id
    name: Text | None = None
    identifiers: list[Id] = []


class LateDamages(Document):
    """Percent of what is earned for each day late, up to a cap in percent (rule C6)."""

    percent_per_day: Percent
    cap_percent: Percent


class Opening(Document):
    """What was released before Milepost, and who vouches for it (rule B8)."""

    released: Amount
    as_of: Day
    reference: Text
    approved_by: Id


class Deliverable(Document):
    """Something to be handed over, and when it counts as accepted."""

    name: Text
    acceptance: Text = ""


class MilestoneDocument(Document):
    """One milestone of the document; DEFAULT_REQUIRES stands where `requires` is left out (rule B1)."""

    id: Id
    title: Text
    kind: Literal["project", "deliverable", "payment"]
    value: Amount | None = None
    percent: Percent | None = None
    due: Day | None = None
    quantity: Figure | None = None
    unit: Id | None = None
    tolerance_days: Annotated[StrictInt, Field(ge=0, le=3650)] = 0
    owner: Id | None = None
    after: list[Id] = []
    requires: list[Id] | None = None
    deliverables: list[Deliverable] = []
    refs: Refs = {}
    contingency_for: Id | None = None
    late_damages: LateDamages | None = None
    replaces: list[Id] = []
    opening: Opening | None = None

    @property
    def payable(self) -> bool:
        """Whether money is due for it at all."""
        return self.value is not None or self.percent is not None


class RetentionStep(Document):
    """One step of the retention: its rate until progress reaches a percentage (rule C4)."""

    rate_percent: Percent
    until_percent: Percent | None = None
    returns_percent: Percent | None = None


class Retention(Document):
    """What is kept of each payment, how much at most, and when it ends (rule C4)."""

    steps: Annotated[list[RetentionStep], Field(min_length=1)]
    cap: Amount | None = None
    release_on: Id | None = None
    defects_days: Annotated[StrictInt, Field(ge=0, le=36500)] = 0


class Advance(Document):
    """An advance payment, and the percent of each payment that pays it back (rule C5)."""

    amount: Amount
    recoup_percent: Percent


class Authority(Document):
    """Who may sign in a role, up to a value, in a period of days (rule D4)."""

    person: Id
    role: Id
    up_to: Amount | None = None
    from_: Annotated[Day | None, Field(alias="from")] = None
    until: Day | None = None


class SignOff(Document):
    """How many persons sign, in which roles, within how many working days (rules B1, D4)."""

    quorum: Annotated[StrictInt, Field(ge=1, le=20)] = 1
    roles: list[Id] = []
    due_working_days: Annotated[StrictInt, Field(ge=0, le=365)] | None = None
    authority: list[Authority] = []


class Rate(Document):
    """One unit of another currency in the contract's, from a day on (rule D3)."""

    from_: Annotated[Id, Field(alias="from")]
    rate: Figure
    valid_from: Day


class Amendment(Document):
    """Why a later version exists, who approved it, and when it begins (rule B3)."""

    id: Id
    state: Literal["proposed", "approved", "rejected"]
    rationale: Text
    requested_by: Id
    approved_by: Id | None = None
    effective_from: Day | None = None


class Registration(Document):
    """The document of one version of a contract."""

    contract: Id
    version: Annotated[StrictInt, Field(ge=1, le=1_000_000)]
    title: Text
    buyer: Party
    supplier: Party
    currency: Annotated[str, Field(pattern=CURRENCY)]
    timezone: Id = "UTC"
    calendar: Id | None = None
    status: Literal["draft", "active", "suspended", "terminated", "closed"] = "active"
    finance: Id | None = None
    value_cap: Amount | None = None
    rounding_band: Amount | None = None
    refs: Refs = {}
    retention: Retention | None = None
    advance: Advance | None = None
    sign_off: SignOff = SignOff()
    compliance: list[Id] = []
    hold_on_conflict: list[ConflictField] = ["completion"]
    authority: dict[ConflictField, list[Id]] = {}
    rates: list[Rate] = []
    amendment: Amendment | None = None
    milestones: Annotated[list[MilestoneDocument], Field(min_length=1, max_length=10_000)]


def registration_schema() -> dict[str, Any]:
    """JSON Schema of the registration document."""
    return Registration.model_json_schema(by_alias=True)
