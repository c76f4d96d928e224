"""From a record to what it states: the source it belongs to, its facts, or the reason why it is set aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

from contracts_schema.errors import MessageError, Unreadable
from contracts_schema.facts import Fact
from contracts_schema.records import REDRIVE_HEADER, Record, Source
from contracts_schema.rows import Quarantined
from mappers.translate import Translator
from services.reconciliation.admission import admit, doubt_fact, redriven_facts
from services.reconciliation.policy import Rules
from services.reconciliation.pseudonyms import NOBODY, Pseudonyms

SOURCE_HEADER = "milepost-source"


class Reading(NamedTuple):
    """What one record gives: facts (a doubt counts as one), its quarantine entry where it could not be used, and the
    identities of persons, by the pseudonyms that stand for them."""

    record: Record
    facts: tuple[Fact, ...]
    set_aside: Quarantined | None = None
    persons: Mapping[str, str] = NOBODY


class Reader:
    """Reads records of the topics that sources are bound to; with `pseudonyms` no fact of them names a person."""

    def __init__(
        self, sources: Mapping[str, Source], rules: Rules, cluster: str, pseudonyms: Pseudonyms | None = None
    ) -> None:
        self.rules = rules
        self.cluster = cluster
        self._pseudonyms = pseudonyms
        self._translator = Translator(sources)
        self._bound: dict[str, list[Source]] = {}
        for source in sources.values():
            self._bound.setdefault(source.topic, []).append(source)

    @property
    def hides(self) -> bool:
        """Whether pseudonyms stand in the place of persons."""
        return self._pseudonyms is not None

    def read(self, record: Record) -> Reading:
        """Translate one record. Whatever it holds, it ends in facts, in nothing to say, or set aside."""
        try:
            source = self._source_of(record)
        except MessageError as error:
            return Reading(record, (), self.quarantined(record, "", error))
        persons = NOBODY
        try:
            facts = self._translator.translate(record, source)
            if self._pseudonyms is not None:
                facts, persons = self._pseudonyms.hide(facts)
            admit(facts, record.timestamp * 1000, self.rules)
        except MessageError as error:
            doubts = error.doubts if isinstance(error, Unreadable) else ()
            facts = tuple(doubt_fact(d, error.sentence, record.timestamp * 1000, _digest(record)) for d in doubts)
            return Reading(record, facts, self.quarantined(record, source.name, error), persons)
        if record.has(REDRIVE_HEADER):
            facts = (*redriven_facts(facts, _digest(record), record.timestamp * 1000), *facts)
        return Reading(record, facts, None, persons)

    def quarantined(self, record: Record, source: str, error: MessageError) -> Quarantined:
        """The entry that keeps a record that cannot be used, with its bytes and a sentence."""
        value = record.value or b""
        return Quarantined(
            id=f"{self.cluster}/{record.origin}", source=source, cluster=self.cluster, topic=record.topic,
            partition=record.partition, offset=record.offset, timestamp=record.timestamp, key=record.key,
            headers=record.headers, value=record.value, fault=error.fault, sentence=error.sentence, size=len(value),
            sha256=sha256(value).hexdigest(),
        )  # fmt: skip

    def _source_of(self, record: Record) -> Source:
        """The source that a record belongs to: the one its topic is bound to, or the one that its header names."""
        bound: Sequence[Source] = self._bound.get(record.topic, ())
        if len(bound) == 1 and not record.has(SOURCE_HEADER):
            return bound[0]
        named = record.header(SOURCE_HEADER)
        for source in bound:
            if source.name == named:
                return source
        names = ", ".join(s.name for s in bound) or "no source"
        raise Unreadable(f"header {SOURCE_HEADER} says {named!r:.80}; bound to topic {record.topic}: {names}")


def _digest(record: Record) -> bytes:
    return sha256(record.value or b"").digest()
