"""Whom pseudonyms mean: the one table of the store that names persons, and that can be erased.

One row is no person: it says with which key the pseudonyms of this store are made (`KEY`, which is no pseudonym).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from connectors.postgres.pool import Database
from connectors.postgres.rows import epoch_microseconds
from contracts_schema.rows import PersonRow

KEY = "key"
ROWS = "select pseudonym, name, first_seen from person where"


class PostgresPersons:
    """The part of the store that knows persons."""

    _database: Database

    async def person_key(self, fingerprint: str | None) -> str | None:
        """The key of this store's pseudonyms; the first that is given stays."""
        if fingerprint is not None:
            told = "insert into person (pseudonym, name) values ($1, $2) on conflict do nothing"
            await self._database.execute(told, KEY, fingerprint)
        known: str | None = await self._database.fetchval("select name from person where pseudonym = $1", KEY)
        return known

    async def persons(self, after: str, limit: int) -> Sequence[PersonRow]:
        """Who is known, behind a pseudonym."""
        query = f"{ROWS} pseudonym <> $1 and pseudonym > $2 order by pseudonym limit $3"
        return [_row(*row) for row in await self._database.fetch(query, KEY, after, limit)]

    async def persons_of(self, pseudonyms: Collection[str]) -> Sequence[PersonRow]:
        """Those whose names are known, sorted."""
        query = f"{ROWS} pseudonym <> $1 and pseudonym = any($2::text[]) order by pseudonym"
        return [_row(*row) for row in await self._database.fetch(query, KEY, list(pseudonyms))]

    async def erase_persons(self, pseudonyms: Collection[str]) -> int:
        """Forget them; how many were known."""
        query = "delete from person where pseudonym <> $1 and pseudonym = any($2::text[])"
        return await self._database.execute(query, KEY, list(pseudonyms))


def _row(pseudonym: str, name: str, first_seen: datetime) -> PersonRow:
    return PersonRow(pseudonym, name, epoch_microseconds(first_seen))
