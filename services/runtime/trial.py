"""`milepost try`: the same mappers, core and hallway in memory. Lines in, what would be published out."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec
from msgspec.json import decode as decode_json
from msgspec.json import encode as encode_json

from contracts_schema.errors import ConfigurationError
from contracts_schema.facts import Address
from contracts_schema.records import Record
from contracts_schema.rows import LogRow, OffsetRange, Partition
from services.ports import Store
from services.reconciliation.calendar import moment_of
from services.reconciliation.issue import conflict_line
from services.reconciliation.log import read_entry
from services.reconciliation.merge import Merged
from services.reconciliation.notices.wire import notice_of
from services.reconciliation.policy import Rules
from services.reconciliation.state import decode_state
from services.reconciliation.view import MilestoneStanding, standings
from services.reconciliation.wire import amount
from services.runtime.gathered import Report
from services.runtime.hallway import Hallway

OWNER = "try"
WAKES_AT_A_TIME = 1000


class Clock(msgspec.Struct, frozen=True):
    """A line that lets the time pass, in microseconds."""

    moment: int


def read_lines(lines: Iterable[bytes]) -> list[Record | Clock]:
    """The records and clocks of an input, one JSON object a line.

    Raises:
        ConfigurationError: with a sentence for every line that is neither.
    """
    found: list[Record | Clock] = []
    faults = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(_line(number, line))
        except ValueError as error:
            faults.append(f"line {number}: {error}")
    if faults:
        raise ConfigurationError(faults)
    return found


def _line(number: int, raw: bytes) -> Record | Clock:
    try:
        line = decode_json(raw)
    except ValueError:
        raise ValueError("it is no JSON object") from None
    if not isinstance(line, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 -- one family for the caller
    if line.keys() == {"clock"}:
        return Clock(_moment(line["clock"], "clock"))
    unknown = line.keys() - {"topic", "key", "headers", "value", "value_base64", "timestamp"}
    if unknown or not isinstance(line.get("topic"), str):
        raise ValueError(f"it is no record: {f'unknown {sorted(unknown)}' if unknown else 'topic is missing'}")
    headers = line.get("headers") or {}
    if not isinstance(headers, dict) or not all(isinstance(v, str | None) for v in headers.values()):
        raise ValueError("headers is not an object of texts")
    return Record(
        topic=line["topic"], partition=0, offset=number, timestamp=_moment(line.get("timestamp"), "timestamp") // 1000,
        key=None if line.get("key") is None else str(line["key"]).encode(), value=_value(line),
        headers=tuple((name, None if v is None else v.encode()) for name, v in headers.items()),
    )  # fmt: skip


def _moment(value: Any, field: str) -> int:
    """ISO 8601 with its zone, or milliseconds since 1970 (rule F7)."""
    if type(value) is int:
        return value * 1000
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(f"{field} {value!r} is neither ISO 8601 with a zone nor milliseconds")
    return moment_of(moment)


def _value(line: dict[str, Any]) -> bytes | None:
    if "value_base64" in line:
        try:
            return base64.b64decode(line["value_base64"], validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise ValueError("value_base64 is no base64") from None
    value = line.get("value")
    if value is None:
        return None
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else encode_json(value)


async def run(
    lines: list[Record | Clock], hallway: Hallway, store: Store, rules: Rules, *, notices: bool = False
) -> AsyncIterator[dict[str, Any]]:
    """What each line leads to, in order, then every milestone's position; with what people are told, if asked for."""
    partitions = {Partition(line.topic, 0) for line in lines if isinstance(line, Record)}
    await store.take(OWNER, OWNER, partitions)
    for number, line in enumerate(lines, 1):
        if isinstance(line, Clock):
            reports = await _wake(hallway, line.moment, line.moment)
        else:
            now = line.timestamp * 1000
            moved = OffsetRange(OWNER, Partition(line.topic, 0), line.offset, line.offset + 1, now)
            reports = [await hallway.carry([line], OWNER, [moved], now), *await _wake(hallway, 0, now)]
        for report in reports:
            for told in tell(report, number):
                yield told
            for row in await store.revisions(report.said.notices) if notices else ():
                for line_of_notice in notice_lines(row, number):
                    yield line_of_notice
    async for _, raw in await store.states():
        state = decode_state(raw)
        for standing in standings(state, rules):
            yield position_line(state.contract, standing)


async def _wake(hallway: Hallway, frontier: int, now: int) -> list[Report]:
    reports = []
    while (report := await hallway.wake(frontier, WAKES_AT_A_TIME, now)).woken:
        reports.append(report)
    return reports


def tell(report: Report, number: int) -> Iterator[dict[str, Any]]:
    """One transaction's output lines; `number` is the input line that led to it."""
    for _, sentence in report.quarantined:
        yield {"type": "quarantined", "record": number, "error": sentence}
    for _ in report.ignored:
        yield {"type": "ignored", "record": number}
    parked = [o.address for o in report.outcomes if o.merged is Merged.PARKED and o.address is not None]
    for address in (*parked, *report.ambiguous):
        yield {"type": "parked", "record": number, "ref": _ref(address)}
    for origin in report.unparked:
        yield {"type": "unparked", "record": int(origin.rpartition("/")[2])}
    for row in report.said.commands:
        yield {"type": "command", "record": number, "command": decode_json(row.value or b"null")}


def notice_lines(row: LogRow, number: int) -> Iterator[dict[str, Any]]:
    """What people were told in a revision."""
    entry = read_entry(row)
    for told in entry.notices:
        yield {"type": "notice", "record": number, "notice": notice_of(entry, told, row.head)}


def _ref(address: Address) -> dict[str, Any]:
    if address.contract is not None:
        return {"contract": address.contract, "milestone": address.milestone}
    return {"source": address.source, "keys": list(address.keys)}


def position_line(contract: str, standing: MilestoneStanding) -> dict[str, Any]:
    """A milestone's final position."""
    p, currency, case = standing.position, standing.currency, standing.case
    authority = case.plan.authority if case else {}
    return {
        "type": "position", "contract": contract, "milestone": p.milestone, "status": standing.status,
        "action": standing.action, "value": amount(p.value, currency),
        "released_to_date": amount(p.released, currency), "held": amount(p.held, currency),
        "reasons": [r.code for r in p.reasons], "conflicts": [conflict_line(c, authority) for c in p.conflicts],
        "exceptions": list(p.exceptions),
    } | ({} if p.carried is None else {"carried": amount(p.carried, currency)})  # fmt: skip
