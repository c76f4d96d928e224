"""Kept records that say something else now than when they were used, put in the place of what they said then.

A record and its facts in the log are told to belong together by marks, sixteen bytes a fact, that were kept with the
record: vendors give no event ids, and the ids that mappers make are made of what is said, so a record that says
something else has other ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b

from msgspec import Struct
from msgspec.structs import replace

from contracts_schema.facts import Address, Fact
from services.history.grounds import says
from services.reconciliation.calendar import moment_of, show_moment
from services.reconciliation.log import LogEntry
from services.reconciliation.state import packed
from services.reconciliation.subject import subject_of

MARK = 16  # bytes
NOTHING = ("nothing",)
LAST = moment_of(datetime.max.replace(tzinfo=UTC))  # a record's timestamp may lie beyond what can be shown


class FactDifference(Struct, frozen=True):
    """A fact of a revision whose record says something else now; `was` is `nothing` where it did not give it then."""

    contract: str
    revision: int
    fact: str
    was: str
    now: tuple[str, ...]


class Remapped(Struct, frozen=True):
    """A record (`id`: where it lies) that says something else now: marks of what it said, those of what is gone of it,
    and what it says newly, with the contract that each fact goes to (None: to none, or it is about a document, of which
    all may have a part)."""

    id: str
    said: frozenset[bytes]
    gone: frozenset[bytes]
    news: tuple[tuple[str | None, Fact], ...]


Otherwise = Mapping[bytes, Sequence[Remapped]]  # by the mark of each fact that the record gave


def mark_of(fact: Fact) -> bytes:
    """What two facts share that are one event and say the same; which revision of a mapper read them is no matter."""
    event = blake2b(f"{fact.source}\x1f{fact.id}".encode(), digest_size=MARK // 2)
    said = blake2b(packed((fact.address, fact.body, fact.version, fact.time)), digest_size=MARK // 2)
    return event.digest() + said.digest()


def marks_of(facts: Iterable[Fact]) -> frozenset[bytes]:
    """The marks of a record's facts, without what is said of a document as a whole: that stands in no log as such."""
    return frozenset(mark_of(fact) for fact in facts if fact.address != Address())


def put_in_place(entries: Sequence[LogEntry], otherwise: Otherwise, told: list[FactDifference]) -> Iterator[LogEntry]:
    """The revisions with what records say now where they had said something else; each record once."""
    subjects, used = _subjects_gone(entries, otherwise), set[str]()
    for entry in entries:
        facts: list[Fact] = []
        for fact in entry.facts:
            mark = mark_of(fact)
            records = otherwise.get(mark, ())
            gone = [record for record in records if mark in record.gone]
            if gone:
                told.append(_gone(entry, fact, gone[0]))
            else:
                facts.append(fact)
            for record in records:
                if record.id not in used:
                    used.add(record.id)
                    facts += _mine(entry.contract, record)
                    told += _more(entry, record, subjects.get(record.id, set()))
        yield replace(entry, facts=tuple(facts))


def _subjects_gone(entries: Iterable[LogEntry], otherwise: Otherwise) -> dict[str, set[str]]:
    """By record, the subjects on which it no longer says what stands in the log."""
    found: dict[str, set[str]] = {}
    for fact in (fact for entry in entries for fact in entry.facts):
        for record in otherwise.get(mark := mark_of(fact), ()):
            if mark in record.gone:
                found.setdefault(record.id, set()).add(subject_of(fact))
    return found


def _mine(contract: str, record: Remapped) -> list[Fact]:
    """What a record says newly of a contract that had a part of it; what is about a document is about each of them."""
    return [
        replace(fact, address=Address(contract)) if fact.address == Address() else fact
        for home, fact in record.news
        if home == contract or fact.address == Address()
    ]


def _gone(entry: LogEntry, fact: Fact, record: Remapped) -> FactDifference:
    """What stands in the place of a fact: the record's word on the same subject, or whatever else it says newly."""
    news = [new for _, new in record.news]
    same = [new for new in news if subject_of(new) == subject_of(fact)]
    now = tuple(statement(new) for new in same or news)
    return FactDifference(entry.contract, entry.revision, f"{fact.source}/{fact.id}", statement(fact), now or NOTHING)


def _more(entry: LogEntry, record: Remapped, subjects: set[str]) -> Iterator[FactDifference]:
    """What a record says beside what it said then, where no fact that is gone is told with it."""
    news = _mine(entry.contract, record)
    if subjects - {subject_of(fact) for _, fact in record.news}:
        return
    for fact in news:
        if subject_of(fact) not in subjects:
            name = f"{fact.source}/{fact.id}"
            yield FactDifference(entry.contract, entry.revision, name, NOTHING[0], (statement(fact),))


def statement(fact: Fact) -> str:
    """A fact in words: its kind, where it belongs, when it was said, and what."""
    address = fact.address
    place = address.keys[0] if address.keys else "/".join(filter(None, (address.contract, address.milestone)))
    said = ", ".join(filter(None, (says(fact.body), None if fact.version is None else f"version {fact.version}")))
    return f"{fact.kind} {place} of {show_moment(min(fact.time, LAST))}: {said}"
