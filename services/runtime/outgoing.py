"""What goes out: commands as they are committed, everything else rendered when it is published.

No record may block its lane, so every one fits. Where one would be too large, lists that only explain (facts, basis,
conflicts, invoices of a snapshot) are cut to their first hundred, ten, none; the log has all of them. Targets are never
cut: a command that is too large with nothing left to cut is not written (see `work.py`). A quarantine record shows at
most 64 KiB of the value, and a bounded part of key and headers.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.json import encode
from msgspec.msgpack import Decoder, Encoder
from msgspec.structs import replace

from contracts_schema.commands import Command, DecisionRecord, QuarantineRecord, Snapshot
from contracts_schema.notices import Notice
from contracts_schema.rows import Lane, LogRow, PublishRow, Quarantined
from services.reconciliation.log import LogEntry
from services.reconciliation.notices.wire import notice_of
from services.reconciliation.policy import Rules
from services.reconciliation.state import State
from services.reconciliation.view import snapshot, standings
from services.reconciliation.wire import command_of, decision_of

SHOWN_BYTES_MAX = 65_536  # of a quarantined value; the whole of it stays in the store
SHOWN_HEADERS_MAX = 100
RECORD_BYTES = 1_000_000  # key, headers and value of a record together
CUTS = (100, 10, 0)  # how much is left of lists that only explain
EXPLAINING = ("facts", "basis", "conflicts", "invoices")


class Topics(Struct, frozen=True):
    """Names of the topics that Milepost writes, and the lanes of those that are left empty here."""

    commands: str = "finance.commands"
    decisions: str = "milestone.decisions"
    snapshots: str = "milestone.snapshots"
    quarantine: str = "milepost.quarantine"
    notices: str = "milestone.notices"
    left_out: frozenset[Lane] = frozenset()


_encoder = Encoder()
_rows = Decoder(list[PublishRow])
_revisions = Decoder(list[tuple[str, int]])
_milestones = Decoder(list[tuple[str, str]])
_JSON = (("content-type", b"application/json"),)


def commands_of(row: LogRow, entry: LogEntry) -> list[Command]:
    """The commands of one revision, in order."""
    return [command_of(entry, decided, row.head) for decided in entry.decisions if decided.said is not None]


def size_of(row: PublishRow) -> int:
    """Bytes of key, headers and value."""
    return len(row.key) + len(row.value or b"") + sum(len(name) + len(value) for name, value in row.headers)


def fitted(row_of: Callable[[Any], PublishRow], record: Any, limit: int) -> PublishRow:
    """The record as a row of at most `limit` bytes, if cutting what only explains can make it so."""
    row = row_of(record)
    for most in CUTS:
        if size_of(row) <= limit:
            break
        row = row_of(_cut(record, most))
    return row


def _cut(record: Any, most: int) -> Any:
    known = {name: getattr(record, name)[:most] for name in EXPLAINING if hasattr(record, name)}
    if hasattr(record, "reasons") and ("facts" in known or "basis" in known):
        known["reasons"] = tuple(replace(reason, facts=reason.facts[:most]) for reason in record.reasons)
    return replace(record, **known)


def command_row(command: Command, topic: str) -> PublishRow:
    """A command as a CloudEvent in binary mode, keyed by contract."""
    headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", command.command_id.encode()),
        ("ce_source", b"milepost"),
        ("ce_type", f"milepost.payment.{command.action}.v1".encode()),
        ("ce_subject", subject(command.contract, command.milestone).encode()),
        ("ce_time", command.decided_at.encode()),
        *_JSON,
    )
    return PublishRow(
        topic, command.contract.encode(), headers, encode(command), command.contract, command.action == "hold"
    )


def subject(contract: str, milestone: str) -> str:
    """`contract/milestone`, with `%` and `/` inside either percent-encoded."""
    return "/".join(part.replace("%", "%25").replace("/", "%2F") for part in (contract, milestone))


def quarantine_row(entry: Quarantined, topic: str) -> PublishRow:
    """The quarantine record of an entry: its first 64 KiB as base64, headers and key as text."""
    record = QuarantineRecord(
        source=entry.source, cluster=entry.cluster, topic=entry.topic, partition=entry.partition, offset=entry.offset,
        timestamp=entry.timestamp, key=_text(entry.key),
        headers=tuple((k[:1000], _text(v)) for k, v in entry.headers[:SHOWN_HEADERS_MAX]),
        fault=entry.fault, sentence=entry.sentence, size=entry.size, sha256=entry.sha256,
        value_base64=base64.b64encode((entry.value or b"")[:SHOWN_BYTES_MAX]).decode(),
    )  # fmt: skip
    return PublishRow(topic, entry.source.encode(), _JSON, encode(record))


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else raw[:1000].decode("utf-8", "backslashreplace")


class Said(Struct):
    """What one commit has to say, lane by lane."""

    commands: list[PublishRow] = []
    revisions: list[tuple[str, int]] = []
    milestones: dict[tuple[str, str], None] = {}
    quarantine: list[PublishRow] = []
    notices: list[tuple[str, int]] = []

    def rows(self, left_out: Collection[Lane] = ()) -> list[tuple[Lane, bytes]]:
        """The outbox rows: one a lane, packed."""
        lanes = (
            (Lane.COMMANDS, self.commands),
            (Lane.DECISIONS, self.revisions),
            (Lane.SNAPSHOTS, list(self.milestones)),
            (Lane.QUARANTINE, self.quarantine),
            (Lane.NOTICES, self.notices),
        )
        return [(lane, _encoder.encode(content)) for lane, content in lanes if content and lane not in left_out]


def packed_rows(body: bytes) -> list[PublishRow]:
    """The records of a row of the lanes that are committed as they are published."""
    return _rows.decode(body)


def packed_revisions(body: bytes) -> list[tuple[str, int]]:
    """The (contract, revision) pairs of a row of the lanes of decisions and notices."""
    return _revisions.decode(body)


def packed_milestones(body: bytes) -> list[tuple[str, str]]:
    """The (contract, milestone) pairs of a row of the snapshots lane."""
    return _milestones.decode(body)


def decision_rows(entries: Sequence[tuple[LogEntry, bytes]], topic: str, limit: int = RECORD_BYTES) -> list[PublishRow]:
    """Every changed decision of these revisions (each with its hash), keyed by contract."""

    def row_of(record: DecisionRecord) -> PublishRow:
        return PublishRow(topic, record.contract.encode(), _JSON, encode(record), record.contract)

    return [fitted(row_of, decision_of(e, d, head), limit) for e, head in entries for d in e.decisions]


def notice_rows(entries: Sequence[tuple[LogEntry, bytes]], topic: str, limit: int = RECORD_BYTES) -> list[PublishRow]:
    """Every notice that people were told in these revisions (each with its hash), keyed by contract."""

    def row_of(record: Notice) -> PublishRow:
        return PublishRow(topic, record.contract.encode(), _JSON, encode(record), record.contract)

    return [fitted(row_of, notice_of(entry, told, head), limit) for entry, head in entries for told in entry.notices]


def snapshot_rows(
    wanted: Sequence[tuple[str, str]], states: Mapping[str, State], rules: Rules, topic: str, limit: int = RECORD_BYTES
) -> list[PublishRow]:
    """The newest snapshot of each milestone; a tombstone for one that is no longer in the plan."""
    shown: dict[tuple[str, str], Snapshot | None] = {}
    for contract in {c for c, _ in wanted}:
        if contract in states:
            state = states[contract]
            shown.update({(contract, s.position.milestone): snapshot(state, s) for s in standings(state, rules)})

    def row_of(found: Snapshot) -> PublishRow:
        key = subject(found.contract, found.milestone).encode()
        return PublishRow(topic, key, _JSON, encode(found), found.contract)

    rows = []
    for contract, milestone in dict.fromkeys(wanted):
        found = shown.get((contract, milestone))
        gone = PublishRow(topic, subject(contract, milestone).encode(), _JSON, None, contract)
        rows.append(gone if found is None else fitted(row_of, found, limit))
    return rows
