"""Pseudonyms in the place of persons, before anything is merged: in facts, in plans, and in the rulebook's people.

It is a choice of the house that holds for a store from its first record on: identities that were kept plain and their
pseudonyms would be two persons.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from contracts_schema.facts import AnyBody, Fact
from contracts_schema.persons import NAMING, body_with, one_form, pseudonym_of

NOBODY: Mapping[str, str] = {}
KNOWN_MOST = 100_000  # identities whose pseudonyms are kept in the process
# Ids that are made here end with a hash over what is said, persons among it: without the key it could be guessed whom.
_MADE_ID = re.compile(r"(.*[#/])[0-9a-f]{24,32}", re.DOTALL)


class Hidden(NamedTuple):
    """Facts without persons, and the identities that pseudonyms stand for in them."""

    facts: tuple[Fact, ...]
    persons: Mapping[str, str]


class Pseudonyms:
    """Makes pseudonyms with one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._known: dict[str, str] = {}

    @property
    def fingerprint(self) -> str:
        """Tells this key from another one, and nothing else about it."""
        return hmac.digest(self._key, b"\0fingerprint", "sha256").hex()[:32]

    def of(self, identity: str) -> str:
        """The pseudonym of an identity."""
        known = self._known.get(identity)
        if known is None:
            if len(self._known) >= KNOWN_MOST:
                self._known.clear()
            known = self._known[identity] = pseudonym_of(self._key, one_form(identity))
        return known

    def hide(self, facts: tuple[Fact, ...]) -> Hidden:
        """The facts with pseudonyms in the place of persons."""
        if NAMING.isdisjoint([type(fact.body) for fact in facts]):  # most name nobody
            return Hidden(facts, NOBODY)
        persons: dict[str, str] = {}

        def of(identity: str) -> str:
            pseudonym = self.of(identity)
            if pseudonym != identity:
                persons[pseudonym] = identity
            return pseudonym

        hidden = tuple([self._with(fact, body_with(fact.body, of)) for fact in facts])
        return Hidden(hidden, persons)

    def _with(self, fact: Fact, body: AnyBody) -> Fact:
        if body is fact.body:
            return fact
        made = _MADE_ID.fullmatch(fact.id)
        if made is None:
            return replace(fact, body=body)
        keyed = hmac.digest(self._key, fact.id.encode(), "sha256").hex()[:24]
        return replace(fact, id=f"{made[1]}{keyed}", body=body)

    def people(self, people: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
        """The configuration's `people`, of which each identity may be plain or have its source in front."""
        return {
            self.of(person): [form for identity in known for form in self.forms(identity)]
            for person, known in people.items()
        }

    def forms(self, identity: str) -> list[str]:
        """An identity of `people` as it is looked for: as a whole, and behind each source that it may name."""
        colons = [at for at, sign in enumerate(identity) if sign == ":"]
        return [self.of(identity), *(f"{identity[:at]}:{self.of(identity[at + 1 :])}" for at in colons)]
