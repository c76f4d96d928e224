"""What the gate says on the finance system's topic: canonical events whose ids are made of what they say. Pure.

An id counts the answers given to a command, so that there and back again is three events, and a gate that died before
its answer was committed gives the same one again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from msgspec.json import encode

from contracts_schema.payables import Bill
from contracts_schema.rows import PublishRow
from services.gate.memory import BillMemory, Kept, Result, State
from services.gate.remember import Seen
from services.reconciliation.calendar import show_moment

DETAIL_MAX = 2000
# The state of a command is that of its worst invoice, in this order.
WORST: tuple[State, ...] = ("unknown", "rejected", "waiting", "applied", "already_applied")
_DONE = frozenset({"applied", "already_applied"})


class Voice(NamedTuple):
    """Who speaks: the finance system, and the topic on which its answers arrive."""

    finance: str
    topic: str


def settled(kept: Kept, contract: str, milestone: str, now: int, voice: Voice) -> PublishRow | None:
    """The answer to a command, where there is one and it differs from the last. Changes `kept`."""
    result = together(kept)
    if result is None or (kept.told is not None and _same(kept.told, result)):
        return None
    kept.told, kept.answers = result, kept.answers + 1
    kept.told_at = max(now, kept.told_at + 1)
    return acknowledged(voice, contract, milestone, kept.command_id, result, str(kept.answers), kept.told_at)


def together(kept: Kept) -> Result | None:
    """The result over all invoices of a command; None while one has not been looked at."""
    if not kept.wishes:
        return Result("applied", "it names no invoice, so there is nothing to do")
    numbers = list(dict.fromkeys(wish.number for wish in kept.wishes))
    if any(number not in kept.results for number in numbers):
        return None
    worst = min((kept.results[n] for n in numbers), key=lambda r: WORST.index(r.state))
    ordered = sorted(numbers, key=lambda n: WORST.index(kept.results[n].state))
    told = [_told(n, kept.results[n]) for n in ordered if kept.results[n].detail]
    return Result(worst.state, "; ".join(told)[:DETAIL_MAX])


def worse(one: Result | None, other: Result) -> Result:
    """The worse of two results."""
    return other if one is None or WORST.index(other.state) < WORST.index(one.state) else one


def _told(number: str, result: Result) -> str:
    """The sentence about one invoice. A code of an exception stays in front, where it is looked for."""
    code, colon, rest = result.detail.partition(": ")
    if colon and code.isupper():
        return f"{code}: invoice {number}: {rest}"
    return f"invoice {number}: {result.detail}"


def _same(told: Result, result: Result) -> bool:
    return told == result or (told.state in _DONE and result.state in _DONE)


def acknowledged(
    voice: Voice, contract: str, milestone: str, command_id: str, result: Result, observation: str, now: int
) -> PublishRow:  # fmt: skip
    """A `command.acknowledged` event."""
    told: dict[str, Any] = {"contract": contract, "milestone": milestone, "command_id": command_id}
    told |= {"state": result.state, "detail": result.detail or None}
    identity = f"{command_id}\0{result.state}\0{observation}"
    return _event(voice, "command.acknowledged", identity, contract, told, now)


def observed(
    voice: Voice, contract: str, milestone: str, bill: Bill, seen: Seen, memory: BillMemory, now: int
) -> PublishRow:  # fmt: skip
    """A `hold.observed` event; `memory.tellings` has been counted up before."""
    told = {
        "contract": contract, "milestone": milestone, "invoice": bill.number, "holder": seen.holder, "held": seen.held,
        "by": seen.by, "reason": seen.reason,
    }  # fmt: skip
    counted = (seen.holder, str(seen.held), str(memory.tellings))
    identity = "\0".join((voice.finance, bill.id, contract, milestone, *counted))
    return _event(voice, "hold.observed", identity, contract, told, now)


def _event(voice: Voice, kind: str, identity: str, key: str, told: Mapping[str, Any], now: int) -> PublishRow:
    data = {name: value for name, value in told.items() if value is not None}
    headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", hashlib.sha256(f"{kind}\0{identity}".encode()).hexdigest().encode()),
        ("ce_source", b"milepost-gate"),
        ("ce_type", f"milepost.{kind}.v1".encode()),
        ("ce_time", show_moment(now).encode()),
        ("content-type", b"application/json"),
        ("milepost-source", voice.finance.encode()),
    )
    return PublishRow(voice.topic, key.encode(), headers, encode(data), key)
