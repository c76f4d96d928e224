"""From what one vendor object says to facts and doubts with ids of their own.

Most vendors give no event ids. A fact's id is therefore made of the source, the object, its time and a hash of what is
said: a repeat of the same bytes has the same id, and a change there and back again is three events (A, B, A).
A vendor's field that changes without meaning anything to us makes no new fact.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from contracts_schema.facts import Address, AnyBody, Doubt, Fact
from contracts_schema.own_facts import DocumentRenewed

if TYPE_CHECKING:
    from collections.abc import Iterable

_encode = msgspec.json.Encoder(order="deterministic").encode


class Part(NamedTuple):
    """One thing that a document says: under which keys (most specific first), and what."""

    keys: tuple[str, ...]
    body: AnyBody


class Origin(NamedTuple):
    """Who says something about which object at what time (microseconds since 1970, UTC), as read by which mapper.

    `document` is set where the parts are one set, of which a newer version of the object may lack some (rule F9).
    """

    source: str
    thing: str
    time: int
    mapper: int
    document: str | None = None


def facts(origin: Origin, parts: Iterable[Part]) -> tuple[Fact, ...]:
    """The facts of one object. Where a document has no part, that is said: older parts are void (rule F9)."""
    found = tuple(_fact(origin, part) for part in parts)
    return found or empty(origin)


def empty(origin: Origin) -> tuple[Fact, ...]:
    """What is to be said of a version of a document that has no part; nothing where the object is no document."""
    return () if origin.document is None else (_fact(origin, Part((), DocumentRenewed(origin.document))),)


def _fact(origin: Origin, part: Part) -> Fact:
    said = _encode((origin.source, origin.document, part.keys, part.body))
    return Fact(
        source=origin.source,
        id=f"{origin.thing}@{origin.time}#{sha256(said).hexdigest()[:24]}",
        address=Address(source=origin.source, keys=part.keys) if part.keys else Address(),
        time=origin.time,
        body=part.body,
        document=origin.document,
        mapper=origin.mapper,
    )


def doubts(origin: Origin, addresses: Iterable[tuple[str, ...]], raw: bytes) -> tuple[Doubt, ...]:
    """One doubt for each address that could still be read of an unreadable object, and one about what older versions of
    the document say elsewhere; `raw` is the record's value.

    Its id knows no time: the same bytes sent again are the same doubt, which dates from its first arrival (rule A11).
    """
    digest = sha256(raw).digest()
    about = Doubt(
        origin.source, f"{origin.thing}#unreadable-{digest.hex()[:24]}", Address(), origin.time, digest,
        document=origin.document,
    )  # fmt: skip
    found = tuple(_doubt(origin, keys, digest) for keys in dict.fromkeys(addresses))
    return found if origin.document is None else (*found, about)


def _doubt(origin: Origin, keys: tuple[str, ...], digest: bytes) -> Doubt:
    about = sha256(_encode((origin.source, keys, digest))).hexdigest()[:24]
    address = Address(source=origin.source, keys=keys)
    return Doubt(origin.source, f"{origin.thing}#unreadable-{about}", address, origin.time, digest)
