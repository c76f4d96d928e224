"""The contract's log: one entry a revision, append-only and hash-chained. State, commands and decision records can all
be made again from it, so it is the one thing that must never be lost."""

from __future__ import annotations

import hashlib

from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder

from contracts_schema.commands import Action, ConflictLine
from contracts_schema.facts import Fact
from contracts_schema.notices import Severity, Told
from contracts_schema.rows import LogRow
from services.reconciliation.position import Target


class HeldBy(Struct, frozen=True, array_like=True):
    """An open reason: code, minor units that it holds, since when (µs), why, and the facts that raised it."""

    code: str
    amount: int
    since: int
    detail: str
    facts: tuple[str, ...]


class Said(Struct, frozen=True, array_like=True):
    """The command that a decision led to."""

    action: Action
    sequence: int
    command_id: str
    targets: tuple[Target, ...]


class Decided(Struct, frozen=True, array_like=True):
    """One changed decision, in minor units."""

    milestone: str
    status: str
    currency: str
    value: int
    released: int
    held: int
    allowed: int
    carried: int | None
    reasons: tuple[HeldBy, ...]
    conflicts: tuple[ConflictLine, ...]
    exceptions: tuple[str, ...]
    basis: tuple[str, ...]
    said: Said | None = None


class ToldNotice(Struct, frozen=True, array_like=True):
    """What people were told: a notice that opened, rose or cleared. `opened` is the revision in which it opened,
    `amount` in minor units, `since` the day (ordinal) since which it stands."""

    kind: str
    milestone: str | None
    cause: str
    state: Told
    opened: int
    severity: Severity
    step: int
    owner: str
    told_to: str
    amount: int
    currency: str
    since: int
    detail: str
    facts: tuple[str, ...] = ()


class LogEntry(Struct, frozen=True, array_like=True):
    """One revision: its moment (µs), its cause, the facts applied in it, every decision that changed, and the notices
    that people were told."""

    contract: str
    revision: int
    moment: int
    cause: str
    rulebook: str
    finance: str | None
    facts: tuple[Fact, ...]
    decisions: tuple[Decided, ...]
    unparked: tuple[str, ...] = ()
    notices: tuple[ToldNotice, ...] = ()


_encoder = Encoder()
_decoder = Decoder(LogEntry)


def append(entry: LogEntry, previous: bytes) -> LogRow:
    """The row that holds the entry and binds it to everything before it."""
    raw = _encoder.encode(entry)
    return LogRow(entry.contract, entry.revision, raw, previous, hashlib.sha256(previous + raw).digest())


def read_entry(row: LogRow) -> LogEntry:
    """The entry of a row."""
    return _decoder.decode(row.entry)


def is_chained(row: LogRow, previous: bytes) -> bool:
    """Whether the row follows `previous` and its hash is that of its content."""
    return row.previous == previous and row.head == hashlib.sha256(previous + row.entry).digest()
