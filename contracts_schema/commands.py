"""What Milepost says: commands, decision records and snapshots, in the form in which they go over the wire."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType
from msgspec.json import encode

Action = Literal["hold", "release"]


class Amount(Struct, frozen=True):
    """Money on the wire: a decimal string with exactly the currency's number of decimals."""

    amount: str
    currency: str


class TargetLine(Struct, frozen=True):
    """One invoice: of `net`, `payable_to_date` may be paid. `state` is `free` when all of it may (rule E2)."""

    invoice: str
    supplier: str
    supplier_identifiers: tuple[str, ...]
    business_unit: str | None
    source_keys: tuple[str, ...]
    net: Amount
    total: Amount | None
    payable_to_date: Amount
    state: Literal["hold", "part", "free"]


class ReasonLine(Struct, frozen=True):
    """One open hold reason, with what it holds, since when, what clears it and who can."""

    code: str
    amount: Amount
    since: str
    detail: str
    clears_when: str
    owner: str
    facts: tuple[str, ...]


class ConflictWord(Struct, frozen=True):
    """What one system says about a field, and when it said so."""

    source: str
    value: Any
    time: str | None


class ConflictLine(Struct, frozen=True):
    """A field about which systems differ. The first word is the one that counts."""

    field: str
    values: tuple[ConflictWord, ...]
    resolve: str


class Chain(Struct, frozen=True):
    """The contract's hash chain: its length, and the hash of the revision that decided."""

    height: int
    head: str


class Command(Struct, frozen=True):
    """A hold or release. Amounts are cumulative, "set to": a repeat does no harm.

    Drop a `sequence` at or below one already seen of the same contract. What finance must do stands in `targets`.
    """

    command_id: str
    action: Action
    contract: str
    milestone: str
    sequence: int
    value: Amount
    released_to_date: Amount
    held: Amount
    targets: tuple[TargetLine, ...]
    reasons: tuple[ReasonLine, ...]
    decided_at: str
    revision: int
    rulebook: str
    chain: Chain
    basis: tuple[str, ...]
    finance: str | None = None
    carried: Amount | UnsetType = UNSET


class DecisionRecord(Struct, frozen=True):
    """A changed decision with its full explanation."""

    contract: str
    milestone: str
    revision: int
    at: str
    status: str
    value: Amount
    released_to_date: Amount
    held: Amount
    reasons: tuple[ReasonLine, ...]
    conflicts: tuple[ConflictLine, ...]
    exceptions: tuple[str, ...]
    facts: tuple[str, ...]
    rulebook: str
    chain: Chain
    command_id: str | None
    carried: Amount | UnsetType = UNSET


class Dates(Struct, frozen=True):
    """The dates of a milestone, kept apart; `due` is the registered one."""

    baseline: str | None
    due: str | None
    forecast: str | None
    met_on: str | None


class InvoiceLine(Struct, frozen=True):
    """An invoice at the milestone."""

    invoice: str
    supplier: str
    business_unit: str | None
    issued_on: str
    state: str
    net: Amount


class Snapshot(Struct, frozen=True):
    """The canonical milestone as it stands. Drop a `revision` at or below one already seen of the same key."""

    contract: str
    milestone: str
    revision: int
    title: str
    kind: str
    status: str
    owner: str | None
    dates: Dates
    value: Amount
    released_to_date: Amount
    held: Amount
    reasons: tuple[str, ...]
    exceptions: tuple[str, ...]
    invoices: tuple[InvoiceLine, ...]
    conflicts: tuple[ConflictLine, ...]
    action: Action | None
    carried: Amount | UnsetType = UNSET


class QuarantineRecord(Struct, frozen=True):
    """What could not be used: where it came from, why, and the first 64 KiB of it (base64)."""

    source: str
    cluster: str
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: str | None
    headers: tuple[tuple[str, str | None], ...]
    fault: str
    sentence: str
    size: int
    sha256: str
    value_base64: str


def command_id(
    *, contract: str, milestone: str, sequence: int, action: Action, value: Amount, released_to_date: Amount,
    held: Amount, targets: tuple[TargetLine, ...], carried: Amount | None,
) -> str:  # fmt: skip
    """SHA-256 of the RFC 8785 JSON of what a command tells finance to do: neither reasons nor times are part of it.

    Keys are plain ASCII and all values strings, integers or null, for which sorted UTF-8 keys and minimal escapes are
    what RFC 8785 asks for.
    """
    content: dict[str, Any] = {
        "action": action, "contract": contract, "held": held, "milestone": milestone,
        "released_to_date": released_to_date, "sequence": sequence, "targets": targets, "value": value,
    }  # fmt: skip
    if carried is not None:
        content["carried"] = carried
    return hashlib.sha256(encode(content, order="sorted")).hexdigest()
