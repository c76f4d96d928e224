"""Where collectors stand, in Postgres, on the connections of a pool of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import TracebackType

import asyncpg

from connectors.postgres.pool import Database, PostgresSettings
from contracts_schema.collected import Place, Standing, Told

PLACE = "select position, swept_to, swept_at from collect_place where source = $1 and kind = $2"
TOLD = """
    select number, fingerprint, created, at from collect_told
    where source = $1 and kind = $2 and number = any($3::bigint[])
"""
TOLD_BETWEEN = """
    select number, fingerprint, created, at from collect_told
    where source = $1 and kind = $2 and number > $3 and ($4::bigint is null or number <= $4) order by number
"""
# One statement, so that a place is never kept without what was told up to it.
KEEP = """
    with gone as (
        delete from collect_told where source = $1 and kind = $2 and number = any($10::bigint[])
    ), kept as (
        insert into collect_told (source, kind, number, fingerprint, created, at)
        select $1, $2, * from unnest($6::bigint[], $7::bytea[], $8::text[], $9::bigint[])
        on conflict (source, kind, number)
        do update set fingerprint = excluded.fingerprint, created = excluded.created, at = excluded.at
    )
    insert into collect_place (source, kind, position, swept_to, swept_at) values ($1, $2, $3, $4, $5)
    on conflict (source, kind) do update set position = excluded.position, swept_to = excluded.swept_to,
        swept_at = excluded.swept_at
"""
SAY = """
    insert into collect_standing (source, at, sentence)
    values ($1, (extract(epoch from clock_timestamp()) * 1000000)::bigint, $2)
    on conflict (source) do update set at = excluded.at, sentence = excluded.sentence
"""


class PostgresCursor:
    """Every call raises TransientError or ConfigurationError as the store does. `async with` opens and closes it."""

    def __init__(self, settings: PostgresSettings) -> None:
        self._database = Database(settings)

    async def __aenter__(self) -> PostgresCursor:
        await self._database.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._database.close()

    async def place(self, source: str, kind: str) -> Place:
        """How far this kind of object has been read."""
        rows = await self._database.fetch(PLACE, source, kind)
        return Place(*rows[0]) if rows else Place()

    async def told(self, source: str, kind: str, numbers: Collection[int]) -> Mapping[int, Told]:
        """What was last told of these objects."""
        return _told(await self._database.fetch(TOLD, source, kind, list(numbers)))

    async def told_between(self, source: str, kind: str, after: int, to: int | None) -> Mapping[int, Told]:
        """What was told of all objects above `after` and up to `to`."""
        return _told(await self._database.fetch(TOLD_BETWEEN, source, kind, after, to))

    async def keep(self, source: str, kind: str, place: Place, told: Mapping[int, Told | None]) -> None:
        """Keep a place, and what was told."""
        new = sorted((number, *one) for number, one in told.items() if one is not None)
        columns: list[list[object]] = [[row[n] for row in new] for n in range(4)]
        gone = [number for number, one in told.items() if one is None]
        await self._database.execute(KEEP, source, kind, *place, *columns, gone)

    async def say(self, source: str, sentence: str | None) -> None:
        """Keep that a source was asked now, and what hinders it."""
        await self._database.execute(SAY, source, sentence)

    async def standings(self) -> Sequence[Standing]:
        """Every source that was ever asked, by name."""
        rows = await self._database.fetch("select source, at, sentence from collect_standing order by source")
        return [Standing(*row) for row in rows]


def _told(rows: Sequence[asyncpg.Record]) -> dict[int, Told]:
    return {number: Told(fingerprint, created, at) for number, fingerprint, created, at in rows}
