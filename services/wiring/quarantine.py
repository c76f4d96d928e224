"""Wires `milepost quarantine`: what could not be used, looked at, judged anew or discarded."""

from __future__ import annotations

import base64

from msgspec import Struct

from contracts_schema.errors import Refused
from contracts_schema.records import REDRIVE_HEADER
from contracts_schema.rows import Partition, Quarantined
from services.ports import Store
from services.reconciliation.calendar import show_moment
from services.settings import Settings
from services.wiring import doors
from services.wiring.sending import read_past


class Line(Struct, frozen=True):
    """One quarantined record in a list."""

    id: str
    source: str
    recorded: str
    fault: str
    sentence: str
    size: int


class View(Struct, frozen=True):
    """One quarantined record. `value` is its text, or None where it is none, `value_base64` its bytes; both are None
    where they were not asked for."""

    id: str
    state: str
    source: str
    cluster: str
    topic: str
    partition: int
    offset: int
    recorded: str
    key: str | None
    headers: tuple[tuple[str, str | None], ...]
    fault: str
    sentence: str
    size: int
    sha256: str
    value: str | None
    value_base64: str | None


class Redriven(Struct, frozen=True):
    """What became of one record that was sent again; `record` is where it lies now."""

    id: str
    outcome: str
    sentence: str
    record: str = ""

    @property
    def good(self) -> bool:
        """Whether it can be used now, or was not waited for."""
        return self.outcome in ("used", "sent", "redriven before")


async def listed(settings: Settings, limit: int) -> list[Line]:
    """Open records, newest first."""
    async with doors.open_store(settings) as store:
        return [
            Line(q.id, q.source, show_moment(q.timestamp * 1000), q.fault, q.sentence, q.size)
            for q in await store.quarantine(limit)
        ]


async def shown(settings: Settings, record: str) -> tuple[View, bytes]:
    """One record, and its bytes."""
    async with doors.open_store(settings) as store:
        entry, state = await _find(store, record)
    value = entry.value
    view = View(
        id=entry.id, state=state, source=entry.source, cluster=entry.cluster, topic=entry.topic,
        partition=entry.partition, offset=entry.offset, recorded=show_moment(entry.timestamp * 1000),
        key=_text(entry.key), headers=tuple((name, _text(v)) for name, v in entry.headers), fault=entry.fault,
        sentence=entry.sentence, size=entry.size, sha256=entry.sha256, value=_whole_text(value),
        value_base64=None if value is None else base64.b64encode(value).decode(),
    )  # fmt: skip
    return view, value or b""


async def redrive(settings: Settings, records: list[str], timeout_s: float | None) -> list[Redriven]:
    """Send the very bytes of these records again, to be judged anew (rule A11), and say what became of each.

    They are sent in the order in which they first came. First a record is sent, then marked: where that is interrupted
    it may be sent twice, which does what once does.
    """
    async with doors.open_store(settings) as store:
        found = [await _find(store, record) for record in records]
        entries = sorted(found, key=lambda pair: (pair[0].topic, pair[0].partition, pair[0].offset))
        largest = max((entry.size + _around(entry) for entry, _ in entries), default=0)
        async with doors.open_teller(settings, largest) as teller:
            return [await _redrive(store, teller, entry, state, timeout_s) for entry, state in entries]


async def _redrive(
    store: Store, teller: doors.Teller, entry: Quarantined, state: str, timeout_s: float | None
) -> Redriven:
    if state != "open":
        return Redriven(entry.id, f"{state} before", "nothing was sent")
    if teller.cluster != entry.cluster:
        return Redriven(entry.id, "refused", f"it came from cluster {entry.cluster}; this one is {teller.cluster}")
    headers = (*(h for h in entry.headers if h[0] != REDRIVE_HEADER), (REDRIVE_HEADER, entry.id.encode()))
    same = entry.partition if entry.key is None else None  # a record without a key keeps its place in the order too
    partition, offset = await teller.tell(entry.topic, entry.key, headers, entry.value, same)
    await store.settle_quarantine(entry.id, "redriven")
    return await _became(store, entry, teller.cluster, partition, offset, timeout_s)


async def _became(
    store: Store, entry: Quarantined, cluster: str, partition: Partition, offset: int, timeout_s: float | None
) -> Redriven:
    record = f"{partition.topic}/{partition.number}/{offset}"
    if timeout_s is None:
        return Redriven(entry.id, "sent", "sent, and not waited for", record)
    if not await read_past(store, cluster, partition, offset, timeout_s):
        return Redriven(entry.id, "no verdict yet", f"no worker has read it within {timeout_s:g} s", record)
    again = await store.quarantined(f"{cluster}/{record}")
    if again is not None:
        return Redriven(entry.id, "quarantined again", again[0].sentence, record)
    return Redriven(entry.id, "used", "it can be read and used now", record)


async def discard(settings: Settings, records: list[str]) -> list[Redriven]:
    """Mark records as of no use. Their bytes stay; a doubt that one raised stays too."""
    async with doors.open_store(settings) as store:
        entries = [await _find(store, record) for record in records]
        found = []
        for entry, state in entries:
            done = await store.settle_quarantine(entry.id, "discarded")
            found.append(Redriven(entry.id, "discarded" if done else f"{state} before", ""))
    return found


async def _find(store: Store, record: str) -> tuple[Quarantined, str]:
    """A record by its id, `cluster/topic/partition/offset`; the cluster may be left out.

    Raises:
        Refused: there is none.
    """
    clusters = sorted({s.cluster for s in await store.partitions()})
    for name in (record, *(f"{cluster}/{record}" for cluster in clusters)):
        found = await store.quarantined(name)
        if found is not None:
            return found
    raise Refused(f"no record {record!r} is in quarantine")


def _around(entry: Quarantined) -> int:
    return len(entry.key or b"") + sum(len(name) + len(value or b"") for name, value in entry.headers)


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode("utf-8", "backslashreplace")


def _whole_text(raw: bytes | None) -> str | None:
    try:
        return None if raw is None else raw.decode()
    except UnicodeDecodeError:
        return None
