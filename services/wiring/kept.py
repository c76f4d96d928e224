"""Maps kept records anew, for `milepost replay`: a page at a time, and only what says something else now is held."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from msgspec import Struct

from contracts_schema.records import Record
from contracts_schema.rows import KeptRow
from services.history.remapped import Otherwise, Remapped, mark_of, marks_of, statement
from services.ports import Store
from services.reconciliation.calendar import show_moment
from services.runtime.keeping import kept_records
from services.runtime.reading import Reader, Reading
from services.runtime.routing import contracts_of, keys_of

PAGE = 10  # rows; one has up to all that a batch takes of a partition


class KeptRecords(Struct, frozen=True):
    """How many kept records were mapped anew, and from when to when they are."""

    records: int = 0
    since: str | None = None
    until: str | None = None


class Reread(Struct, frozen=True):
    """A record that says something now and could not be read then, or (`kept`) the other way round; and a kept one that
    said nothing then and says something of a contract now."""

    id: str
    was: str
    now: tuple[str, ...]
    kept: bool = False


class _Changed(Struct, frozen=True):
    """A record that says something else now, before it is known whom it concerns."""

    id: str
    said: frozenset[bytes]
    reading: Reading


async def map_anew(store: Store, reader: Reader) -> tuple[KeptRecords, Otherwise, list[Reread]]:
    """Map every kept record anew: how many there are, and those that say something else now."""
    number, times = 0, list[int]()
    otherwise, told = dict[bytes, list[Remapped]](), list[Reread]()
    async for rows in _pages(store):
        changed: list[_Changed] = []
        for row in rows:
            for record, said in kept_records(row):
                number += 1
                moment = max(0, min(record.timestamp * 1000, row.newest))
                times = [min(moment, *times), max(moment, *times)] if times else [moment, moment]
                changed += _compared(row, record, said, reader)
        for remapped, reading in await _placed(store, changed):
            told += _told(remapped, reading)
            for mark in remapped.said:
                otherwise.setdefault(mark, []).append(remapped)
    since, until = map(show_moment, times) if times else (None, None)
    return KeptRecords(number, since, until), otherwise, told


async def _pages(store: Store) -> AsyncIterator[Sequence[KeptRow]]:
    after = ("", "", 0, -1)
    while rows := await store.kept(after, PAGE):
        yield rows
        after = rows[-1].place


def _compared(row: KeptRow, record: Record, said: frozenset[bytes], reader: Reader) -> list[_Changed]:
    """The record, where it says something else now."""
    reading = reader.read(record)
    return [] if marks_of(reading.facts) == said else [_Changed(f"{row.cluster}/{record.origin}", said, reading)]


async def _placed(store: Store, changed: Sequence[_Changed]) -> list[tuple[Remapped, Reading]]:
    """The same with the contracts that claim what they say now."""
    if not changed:
        return []
    keys = {key for one in changed for fact in one.reading.facts for key in keys_of(fact)}
    async with store.batch() as batch:  # claims are read in a transaction; nothing is written in it
        claims = await batch.claims(keys)
    found = []
    for one in changed:
        new = [fact for fact in one.reading.facts if mark_of(fact) not in one.said]
        news = tuple((home, fact) for fact in new for home in contracts_of(fact, claims, ()) or (None,))
        gone = one.said - marks_of(one.reading.facts)
        found.append((Remapped(one.id, one.said, gone, news), one.reading))
    return found


def _told(remapped: Remapped, reading: Reading) -> list[Reread]:
    """What concerns no fact of the log, or leaves nothing in it."""
    if remapped.said and reading.set_aside is not None:
        return [Reread(remapped.id, "it was used", (f"it cannot be read: {reading.set_aside.sentence}",), kept=True)]
    now = tuple(statement(fact) for home, fact in remapped.news if home is not None)
    return [Reread(remapped.id, "it said nothing", now, kept=True)] if now and not remapped.said else []
