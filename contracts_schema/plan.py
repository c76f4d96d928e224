"""The milestone plan: one version of a contract as decisions use it. Amounts are minor units of its currency.

`registration.py` makes it from the document that people write; the core never sees that document.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder

Kind = Literal["project", "deliverable", "payment"]
ContractStatus = Literal["draft", "active", "suspended", "terminated", "closed"]
Refs = dict[str, tuple[str, ...]]


class LateDamages(Struct, frozen=True):
    """Percent of base for each day late, up to a cap in percent (rule C6)."""

    percent_per_day: str
    cap_percent: str


class Opening(Struct, frozen=True):
    """What was released before Milepost (rule B8)."""

    released: int
    as_of: date
    reference: str
    approved_by: str


class Milestone(Struct, frozen=True):
    """A milestone of the plan. `value` is None where nothing is payable; `requires` lists the proof a release needs."""

    id: str
    title: str
    kind: Kind
    value: int | None = None
    due: date | None = None
    tolerance_days: int = 0
    quantity: str | None = None
    unit: str | None = None
    owner: str | None = None
    after: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    deliverables: tuple[dict[str, str], ...] = ()
    refs: Refs = {}
    contingency_for: str | None = None
    late_damages: LateDamages | None = None
    replaces: tuple[str, ...] = ()
    opening: Opening | None = None


class RetentionStep(Struct, frozen=True):
    """`rate_percent` is kept until progress reaches `until_percent`; where the step begins, `returns_percent` of what
    was kept so far goes back (rule C4)."""

    rate_percent: str
    until_percent: str | None = None
    returns_percent: str | None = None


class Retention(Struct, frozen=True):
    """Retention over the progress of the whole contract (rule C4); `cap` in minor units."""

    steps: tuple[RetentionStep, ...]
    cap: int | None = None
    release_on: str | None = None
    defects_days: int = 0


class Advance(Struct, frozen=True):
    """An advance payment and the percent of each payment that pays it back (rule C5)."""

    amount: int
    recoup_percent: str


class Authority(Struct, frozen=True):
    """Who may sign in a role, up to a value in minor units, in a period of days (rule D4)."""

    person: str
    role: str
    up_to: int | None = None
    from_: date | None = None
    until: date | None = None


class SignOff(Struct, frozen=True):
    """How many persons sign, in which roles; no roles means any (rule B1)."""

    quorum: int = 1
    roles: tuple[str, ...] = ()
    due_working_days: int | None = None
    authority: tuple[Authority, ...] = ()


class Rate(Struct, frozen=True):
    """One unit of `from_` in the contract's currency, from a day on (rule D3)."""

    from_: str
    rate: str
    valid_from: date


class Amendment(Struct, frozen=True):
    """Why and since when a later version counts (rule B3)."""

    id: str
    state: Literal["proposed", "approved", "rejected"]
    rationale: str
    requested_by: str
    approved_by: str | None = None
    effective_from: date | None = None


class Plan(Struct, frozen=True, dict=True):
    """One registered version of a contract."""

    contract: str
    version: int
    title: str
    buyer: str
    supplier: str
    currency: str
    milestones: tuple[Milestone, ...]
    buyer_name: str | None = None
    supplier_name: str | None = None
    supplier_identifiers: tuple[str, ...] = ()
    timezone: str = "UTC"
    calendar: str | None = None
    status: ContractStatus = "active"
    finance: str | None = None
    value_cap: int | None = None
    rounding_band: int = 1
    unallocated: int = 0
    refs: Refs = {}
    retention: Retention | None = None
    advance: Advance | None = None
    sign_off: SignOff = SignOff()
    compliance: tuple[str, ...] = ()
    hold_on_conflict: tuple[str, ...] = ("completion",)
    authority: dict[str, tuple[str, ...]] = {}
    rates: tuple[Rate, ...] = ()
    amendment: Amendment | None = None
    registered_at: datetime | None = None


_encoder = Encoder()
_decoder = Decoder(Plan)


def encode_plan(plan: Plan) -> bytes:
    """The bytes in which a plan is kept inside its `contract.registered` fact."""
    return _encoder.encode(plan)


def decode_plan(raw: bytes) -> Plan:
    """The inverse of `encode_plan`."""
    return _decoder.decode(raw)
