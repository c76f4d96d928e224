"""What a finance system shows of an invoice, and what the gate keeps of its own work: spoken by every finance dialect,
by the gate and by every store alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from enum import Enum
from typing import Literal, NamedTuple

from msgspec import Struct

from contracts_schema.rows import PublishRow

Holder = Literal["ours", "other"]


class Payable(Struct, frozen=True):
    """One payable line (an instalment) of an invoice. `gross` in minor units.

    `holder` says whose block it is where it is blocked, `by` which user's; `lifted_by` who lifted the last block.
    `state`: `in_payment` once a payment of it can no longer be stopped, `paid` once nothing is owed. `payment` names
    that payment. `drafts` counts payments that a block would delete.
    """

    id: str
    gross: int
    blocked: bool
    maturity: date | None = None
    holder: Holder | None = None
    by: str | None = None
    lifted_by: Holder | None = None
    state: Literal["open", "in_payment", "paid"] = "open"
    payment: str | None = None
    drafts: int = 0


class Bill(Struct, frozen=True):
    """One invoice as a finance system shows it. `net` (untaxed) and `gross` in minor units of `currency`.

    `suppliers` are all identifiers of the supplier, `keys` the crosswalk keys under which a contract may claim it.
    """

    id: str
    number: str | None
    suppliers: tuple[str, ...]
    currency: str
    net: int
    gross: int
    state: Literal["open", "paid", "cancelled"]
    lines: tuple[Payable, ...]
    keys: tuple[str, ...] = ()
    business_unit: str | None = None


class CallState(Enum):
    """How a call that changes something ended. Only reading back tells what is true."""

    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Called(NamedTuple):
    """The end of one call, with a sentence where it was not `DONE`."""

    state: CallState
    sentence: str = ""


class Task(NamedTuple):
    """An invoice that is to be looked at: `tries` counts the looks since something last changed."""

    subject: str
    tries: int


class Listing(NamedTuple):
    """A contract whose milestone names an invoice."""

    subject: str
    contract: str
    milestone: str


class InvoiceRow(Struct, frozen=True):
    """What the gate remembers of an invoice. `generation` rises with every command that names it."""

    subject: str
    memory: bytes
    generation: int
    tries: int


class Refusal(Struct, frozen=True):
    """A command that was not believed: where it stood, what it called itself, and why it was refused."""

    origin: str
    command_id: str
    sentence: str
    at: int = 0


class Intake(Struct):
    """What one batch of commands changes: memories by contract, the listings of milestones whose command is new,
    subjects to look at now (those in `urgent`, which a hold names, before all others), answers to publish, refusals.
    """

    memories: dict[str, bytes] = {}
    listings: dict[tuple[str, str], tuple[str, ...]] = {}
    wake: set[str] = set()
    urgent: set[str] = set()
    answers: Sequence[PublishRow] = ()
    refusals: Sequence[Refusal] = ()


class Finished(Struct):
    """What one look at an invoice changes. `again_s`: when to look again (None: not before a command names it).

    `finding` is what people should know of it; empty where there is nothing.
    """

    memory: bytes
    tries: int
    again_s: float | None
    memories: dict[str, bytes] = {}
    answers: Sequence[PublishRow] = ()
    finding: str = ""


class Finding(Struct, frozen=True):
    """Something about an invoice in finance that people should know: unclaimed, lifted by hand, too late, split.

    `memory` is what the gate remembers of the invoice, with every single difference.
    """

    finance: str
    subject: str
    finding: str
    since: int
    memory: bytes = b""
