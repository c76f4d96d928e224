"""A contract's complete evidence as files: its log with the chain, the same in words, rulebooks, and what proves it.

The same contract gives the same bytes: nothing in it depends on when, where or by whom it was made.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import json
from msgspec.json import encode

from contracts_schema.facts import ContractRegistered
from contracts_schema.rows import LogRow
from services.history.naming import named, plan_of
from services.history.rulebooks import Books
from services.reconciliation.calendar import show_moment
from services.reconciliation.log import LogEntry
from services.reconciliation.wire import command_of

FORMAT = 1
PROVEN = {"facts": 6, "decisions": 7}  # lists of a revision that the pack says in words, with their place in an entry
Log = Sequence[tuple[LogRow, LogEntry]]


def pack(contract: str, log: Log, books: Books, texts: Mapping[str, str]) -> dict[str, bytes]:
    """Every file of the pack, the manifest included; `texts` are those that are made elsewhere: account, script."""
    files = {name: text.encode() for name, text in texts.items()}
    files["log.jsonl"] = _lines(_row(row) for row, _ in log)
    files["facts.jsonl"] = _lines(_part(e, x) for _, e in log for x in e.facts)
    files["decisions.jsonl"] = _lines(_part(e, x) for _, e in log for x in e.decisions)
    files["commands.jsonl"] = _lines(command_of(e, d, row.head) for row, e in log for d in e.decisions if d.said)
    for name in sorted({entry.rulebook for _, entry in log} & books.keys()):
        files[f"rulebooks/{name.removeprefix('sha256:')}.json"] = books[name].content
    for _, entry in log:
        for fact in entry.facts:
            if isinstance(fact.body, ContractRegistered):
                name = f"registrations/revision-{entry.revision}-version-{fact.body.version}.json"
                files[name] = json.format(encode(plan_of(fact.body)), indent=2) + b"\n"
    return dict(sorted(files.items())) | {"manifest.json": _manifest(contract, log, files)}


def _manifest(contract: str, log: Log, files: Mapping[str, bytes]) -> bytes:
    content = {
        "format": FORMAT,
        "contract": contract,
        "revisions": len(log),
        "head": log[-1][0].head.hex() if log else "",
        "proven": PROVEN,
        "files": {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)},
    }
    return json.format(encode(content), indent=2) + b"\n"


def _row(row: LogRow) -> dict[str, Any]:
    return {
        "revision": row.revision, "previous": row.previous.hex(), "head": row.head.hex(),
        "raw": base64.b64encode(row.entry).decode(),
    }  # fmt: skip


def _part(entry: LogEntry, part: Any) -> dict[str, Any]:
    return {"revision": entry.revision, "at": show_moment(entry.moment), "content": named(part)}


def _lines(rows: Iterable[Any]) -> bytes:
    return b"".join(encode(row) + b"\n" for row in rows)
