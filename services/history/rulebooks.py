"""The rules by which a logged revision was decided, as its rulebook has kept them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from contracts_schema.rows import Rulebook
from services.reconciliation.policy import RULES_VERSION, Rules, read_rules

Books = Mapping[str, Rulebook]  # rulebooks by hash, as far as the store has them


def is_whole(book: Rulebook) -> bool:
    """Whether the content is the one that the hash stands for."""
    return book.hash == "sha256:" + hashlib.sha256(book.content).hexdigest()


def rules_of(book: Rulebook) -> Rules:
    """The rules in a rulebook. They keep its hash, also where this program would write the content with more fields."""
    rules = read_rules(book.content)
    rules.__dict__["_rulebook"] = book
    return rules


class Shelf:
    """Rules by the hash of their rulebook, read once."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._read: dict[str, Rules] = {}

    def rules(self, digest: str) -> Rules | None:
        """The rules of a rulebook; None where it is not there, or not whole."""
        if digest not in self._read and digest in self._books and is_whole(self._books[digest]):
            self._read[digest] = rules_of(self._books[digest])
        return self._read.get(digest)

    def present(self, digest: str) -> Rules | None:
        """The same, where they are of the version by which this program decides; of others it cannot decide again."""
        rules = self.rules(digest)
        return rules if rules is not None and rules.version == RULES_VERSION else None
