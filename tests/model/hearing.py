"""What the model hears: each record read once, judged for plausibility and permission, and kept in order of arrival.

The translation of bytes is the mappers' own; whether a fact is let in is judged here a second time (rule A11).
"""

from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from contracts_schema import facts as f
from contracts_schema.errors import MessageError, Unreadable
from contracts_schema.reasons import WAIVABLE
from contracts_schema.records import REDRIVE_HEADER
from mappers.translate import Translator

DAY = 86_400_000_000


class Doubt(NamedTuple):
    """A message that could not be used: who sent it, about what, when, and of which kind it would have been."""

    source: str
    address: f.Address
    time: int
    scope: str | None
    verdict: tuple
    record: bytes
    document: str | None = None  # of what an older version of it says (F9)


class Heard(NamedTuple):
    """What one record gives: facts, or doubts; and what a redriven record settles."""

    facts: tuple[f.Fact, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    settles: tuple = ()


class Ear:
    """Reads records of canonical and vendor sources alike."""

    def __init__(self, sources, people):
        self.sources = {source.topic: source for source in sources.values()}
        self.translator = Translator(sources)
        self.alias = {identity: person for person, known in people.items() for identity in known}

    def hear(self, record):
        """The facts or the doubts of a record (rule A11); nothing where it is refused or says nothing."""
        source = self.sources[record.topic]
        told_at, digest = record.timestamp * 1000, sha256(record.value or b"").digest()
        try:
            facts = self.translator.translate(record, source)
        except Unreadable as error:
            return Heard(doubts=tuple(
                Doubt(d.source, d.address, dated(d.time, told_at), d.scope, (digest,), digest, d.document)
                for d in error.doubts))  # fmt: skip
        except MessageError:
            return Heard()
        if any(implausible(fact, told_at) for fact in facts):
            return Heard(doubts=tuple(doubt_of(fact, told_at, digest) for fact in facts))
        if any(self.not_allowed(fact) for fact in facts):
            return Heard()
        redriven = any(name == REDRIVE_HEADER for name, _ in record.headers)
        settles = ((digest,), *(verdict_of(fact) for fact in facts)) if redriven else ()
        return Heard(tuple(facts), (), settles)

    def not_allowed(self, fact):
        """Understood and refused: a waiver by one person or of what cannot be waived (D6), a dispute that names an
        amount and no milestone, or less than nothing (D7)."""
        body = fact.body
        if isinstance(body, f.ReasonWaived):
            same = self.person(fact.source, body.by) == self.person(fact.source, body.approved_by)
            return same or body.code not in {str(code) for code in WAIVABLE}
        if isinstance(body, f.DisputeOpened) and body.amount is not None:
            return body.amount.minor < 0 or (fact.address.contract is not None and fact.address.milestone is None)
        return False

    def person(self, source, name):
        """The person behind a name (D5)."""
        return self.alias.get(f"{source}:{name}") or self.alias.get(name, name)


def implausible(fact, told_at):
    """An actual date more than a day ahead of the event's own time, or that time of its record's (A11)."""
    if fact.time > told_at + DAY:
        return True
    said = getattr(fact.body, f.ACTUAL_DATES.get(fact.kind, ""), None)
    own = datetime.fromtimestamp(fact.time / 1_000_000, UTC) + timedelta(days=1)
    if isinstance(said, datetime):
        return said > own
    return isinstance(said, date) and said > own.date()


def doubt_of(fact, told_at, digest):
    """The doubt of an implausible fact (A11)."""
    return Doubt(fact.source, fact.address, dated(fact.time, told_at), fact.kind, verdict_of(fact), digest)


def dated(time, told_at):
    """An implausible time is replaced by the record's (A11)."""
    return time if time <= told_at + DAY else told_at


def verdict_of(fact):
    """What a verdict belongs to: source, id and content (A11)."""
    return (fact.source, fact.id, repr((fact.address, fact.body, fact.version)))
