"""The one way from a record to facts: by the source's dialect, or as a canonical event where the record says so."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from importlib import import_module

from msgspec.structs import replace

from contracts_schema.errors import MessageError, Unreadable
from contracts_schema.facts import Fact
from contracts_schema.records import Record, Source, is_identifier
from mappers import canonical, cloudevents

# Dialect to its module: `translate(record, source)` and `normalise_key(key)`. Loaded where a source speaks it.
DIALECTS: Mapping[str, str] = {
    "tryton": "mappers.erp.tryton",
    "redmine": "mappers.project.redmine",
    "ubl": "mappers.supplier_portal.ubl",
}
BYTES_MAX = 8 * 1024 * 1024  # what the topic of a supplier portal takes
_GZIP = b"\x1f\x8b"
_UNTOLD = "if it is a CloudEvent, its header content-type must say application/cloudevents+json"


class Translator:
    """Translates the records of the configured sources. Pure: the same record gives the same facts."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self.sources = sources
        spoken = {s.dialect for s in sources.values()} & DIALECTS.keys()
        self._modules = {dialect: import_module(DIALECTS[dialect]) for dialect in spoken}

    def translate(self, record: Record, source: Source) -> tuple[Fact, ...]:
        """Facts of one record; none where it says nothing about milestones.

        Raises:
            MessageError: it cannot be used; whatever else goes wrong in a mapper is a defect of ours, and the record
                is set aside with that sentence (containment, rule A11).
        """
        if len(record.value or b"") > BYTES_MAX:
            raise Unreadable(f"it has {len(record.value or b'')} bytes; at most {BYTES_MAX} are read")
        if record.value is not None and record.value.startswith(_GZIP):
            raise Unreadable("it is a gzip file; Kafka's own compression does the same and is read")
        ours = source.dialect == "milepost" or cloudevents.is_event(record)
        try:
            if ours:
                return canonical.translate(record, source, self.read_key)
            facts: tuple[Fact, ...] = self._modules[source.dialect].translate(record, source)
        except Unreadable as fault:
            if ours or b'"specversion"' not in (record.value or b"")[:4096]:
                raise
            raise Unreadable(f"{fault.sentence}; {_UNTOLD}", fault.doubts) from None
        except MessageError:
            raise
        except Exception as defect:  # a defect in a mapper is contained: the record is quarantined
            dialect = "milepost" if ours else source.dialect
            raise Unreadable(f"a defect in the mapper of {dialect}: {type(defect).__name__}") from defect
        return _with_edition(facts)

    def read_key(self, source: str, key: str) -> str:
        """A crosswalk key as the source's own mapper normalises it (rule B5).

        Raises:
            ValueError: the key cannot be one of that source's.
        """
        known = self.sources.get(source)
        module = self._modules.get(known.dialect) if known else None
        if module is not None and ":" in key:
            normal: str = module.normalise_key(key)
            return normal
        plain = unicodedata.normalize("NFC", key).strip()
        if not is_identifier(plain):
            raise ValueError(f"key {key!r} of {source} is not a text of 1 to 300 visible characters")
        return plain


def _with_edition(facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
    """Mark parts of a vendor document with the newest time of any part of that version (rule F9)."""
    newest: dict[str, int] = {}
    for fact in facts:
        if fact.document is not None:
            newest[fact.document] = max(fact.time, newest.get(fact.document, fact.time))
    return tuple(f if f.document is None else replace(f, edition=newest[f.document]) for f in facts)
