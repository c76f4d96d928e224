"""Vendor documents, and the contracts that have had parts of them (rule F9).

A document's facts are one set, but its lines may speak to several contracts, and a newer version reaches only those
that it still speaks to. So what is known of each document lies in a row of its own: the newest edition, the contracts
that have had a part, and the messages about it that could not be read. A batch locks the documents it hears of before
any contract, and what a contract would miss is routed to it with the rest, in the same commit.

Where contracts are locked already, as when they are woken, no document is waited for; others that have to hear of it
are woken (`DOCUMENTS`) and find it themselves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from hashlib import blake2b

from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder
from msgspec.structs import replace

from contracts_schema.facts import Address, Fact
from contracts_schema.own_facts import DocumentRenewed, MessageUnreadable
from contracts_schema.rows import DocumentRow
from services.reconciliation.merge import document_key
from services.reconciliation.state import Arrival

DOCUMENTS = "documents"
DOUBTS_MOST = 8  # the newest are kept for contracts that come to hear of the document later

Lock = Callable[[Collection[bytes]], Awaitable[Mapping[bytes, bytes]]]
Reached = Mapping[str, Mapping[str, int]]  # document, contract: the newest edition of which it has a part


class Known(Struct, frozen=True, array_like=True):
    """What is known of one document: its newest edition (µs), who has had a part of it, and doubts about it."""

    edition: int = 0
    holders: tuple[str, ...] = ()
    doubts: tuple[Fact, ...] = ()


class Heard(Struct):
    """What one batch hears of a document, with the record that says the newest of it."""

    edition: int = 0
    timestamp: int = 0
    origin: str = ""
    doubts: tuple[Fact, ...] = ()


class Told(Struct):
    """What is to be written of the documents, and contracts that are to look for themselves."""

    rows: list[DocumentRow] = []
    woken: set[str] = set()


_encoder = Encoder()
_decoder = Decoder(Known)


def document_of(fact: Fact) -> str | None:
    """The document that a fact is a part of; None where no part of it can be lost, because it speaks under its own key
    alone (`name@created`, rule F8)."""
    if fact.document is None or "@" in fact.document:
        return None
    return document_key(fact.source, fact.document)


def is_about_document(fact: Fact) -> bool:
    """Whether a fact is about a document as a whole and has no address of its own."""
    return fact.document is not None and fact.address.contract is None and not fact.address.keys


def heard_in(arrivals: Iterable[Arrival]) -> dict[str, Heard]:
    """What these records say of documents; nothing where no fact is a part of one."""
    heard: dict[str, Heard] = {}
    for arrival in arrivals:
        for fact in arrival.facts:
            if fact.document is not None and (document := document_of(fact)) is not None:
                _note(heard.setdefault(document, Heard()), fact, arrival)
    return heard


def _note(heard: Heard, fact: Fact, arrival: Arrival) -> None:
    if fact.edition >= heard.edition:
        heard.edition, heard.timestamp, heard.origin = fact.edition, arrival.timestamp, arrival.origin
    if type(fact.body) is MessageUnreadable:
        heard.doubts += (fact,)


def reached_by(arrivals: Mapping[str, Iterable[Arrival]]) -> Reached:
    """Which contracts these records reach with parts of a document, and the newest edition that each hears of."""
    reached: dict[str, dict[str, int]] = {}
    for contract, said in arrivals.items():
        for document, heard in heard_in(said).items():
            reached.setdefault(document, {})[contract] = heard.edition
    return reached


async def locked(lock: Lock, heard: Collection[str]) -> dict[str, Known]:
    """What is known of these documents; those that could not be locked are left out."""
    documents = {_key_of(document): document for document in heard}
    rows = await lock(documents.keys())
    return {
        document: _decoder.decode(rows[key]) if rows[key] else Known()
        for key, document in documents.items()
        if key in rows
    }


def tell(
    known: Mapping[str, Known], heard: Mapping[str, Heard], reached: Reached, arrivals: dict[str, list[Arrival]],
    scope: Collection[str] | None = None,
) -> Told:  # fmt: skip
    """Say first to each contract what it would miss: a newer edition than it hears of, and what could not be read.

    `arrivals` are changed in place. `scope` are the contracts that can be told (None: all); others are woken.
    """
    told = Told([], set())
    for document, before in known.items():
        here, said = reached.get(document, {}), heard[document]
        after = _joined(before, said, here)
        for contract in after.holders:
            news = tuple(_news(document, contract, before, after, here.get(contract)))
            if news and scope is not None and contract not in scope:
                told.woken.add(contract)
            elif news:
                _say_first(arrivals.setdefault(contract, []), Arrival(news, said.timestamp, said.origin))
        if after != before:
            told.rows.append(DocumentRow(_key_of(document), _encoder.encode(after), bool(after.holders)))
    return told


def _joined(before: Known, said: Heard, here: Collection[str]) -> Known:
    doubts = {doubt.id: doubt for doubt in (*said.doubts, *before.doubts)}  # a doubt dates from its first arrival
    newest = sorted(doubts.values(), key=lambda doubt: (doubt.time, doubt.id))[-DOUBTS_MOST:]
    return Known(max(before.edition, said.edition), tuple(sorted({*before.holders, *here})), tuple(newest))


def _news(document: str, contract: str, before: Known, after: Known, heard: int | None) -> Iterator[Fact]:
    """What a contract would miss; `heard` is the edition of which a part reaches it now, None where none does."""
    address = Address(contract)
    for doubt in after.doubts:
        if contract not in before.holders or doubt not in before.doubts:
            yield replace(doubt, address=address)
    if after.edition > (before.edition if heard is None else heard):
        source, _, name = document.partition("\x1f")
        body, edition = DocumentRenewed(name), after.edition
        yield Fact(source, f"{name}@{edition}#renewed", address, edition, body, document=name, edition=edition)


def _say_first(arrivals: list[Arrival], news: Arrival) -> None:
    """Nothing is released on what is void before it is said, not even by a review in between."""
    if arrivals and arrivals[0].timestamp < news.timestamp:
        news = replace(news, timestamp=arrivals[0].timestamp)
    arrivals.insert(0, news)


def _key_of(document: str) -> bytes:
    return blake2b(document.encode(), digest_size=16).digest()


def heard_again(
    waiting: Iterable[tuple[str, Fact]], states: Mapping[str, Mapping[str, int]]
) -> tuple[dict[str, Heard], Reached]:
    """What contracts that are woken know of documents: by facts that waited for them, and by their own states. They are
    told at their last moment, before any review."""
    arrivals: dict[str, list[Arrival]] = {}
    for contract, fact in waiting:
        arrivals.setdefault(contract, []).append(Arrival((fact,), 0, ""))
    heard = heard_in(arrival for found in arrivals.values() for arrival in found)
    reached = {document: dict(contracts) for document, contracts in reached_by(arrivals).items()}
    for contract, documents in states.items():
        for document, edition in documents.items():
            if "@" not in document:
                said, here = heard.setdefault(document, Heard()), reached.setdefault(document, {})
                said.edition = max(said.edition, edition)
                here[contract] = max(edition, here.get(contract, 0))
    return heard, reached
