"""What auditors and operators read from the store, without locking anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import date

from connectors.archive import Archive
from connectors.postgres.pool import Database
from connectors.postgres.rows import microseconds, parked_row, partition_state, quarantined
from contracts_schema.rows import (
    KeptRow,
    LeaseState,
    LogRow,
    ParkedRow,
    Partition,
    PartitionState,
    Quarantined,
    Review,
    Rulebook,
)

PAGE = 500
LOG = "select contract, revision, entry, previous, head from revision where contract = $1 order by revision"
REVISIONS = """
    select contract, revision, entry, previous, head from revision
    where (contract, revision) in (select * from unnest($1::text[], $2::bigint[])) order by 1, 2
"""
QUARANTINE = """
    select id, source, cluster, topic, partition, record_offset, recorded, key, headers, fault, sentence, size, sha256
    from quarantine where state = 'open' order by arrival desc limit $1
"""
PARKED = """
    select p.* from parked p
    where not exists (
        select from json_array_elements(p.keys::json) k join crosswalk c on c.source = k->>0 and c.key = k->>1
    )
    order by p.since, p.arrival limit $1
"""
# By the index of keys first, because few of very many rows are found; then by the row's own keys, which are exact.
STRANDED = """
    select p.* from parked p
    where (p.source, p.subject) in (
        select k.source, k.subject from parked_key k join crosswalk c on c.source = k.key_source and c.key = k.key
    ) and exists (
        select from json_array_elements(p.keys::json) k join crosswalk c on c.source = k->>0 and c.key = k->>1
    )
    order by p.since, p.arrival limit $1
"""
COUNTS = """
    select day, outcome, sum(records)::bigint from control_total where day >= $1 group by day, outcome order by 1, 2
"""
KEPT = """
    select cluster, topic, partition, first_offset, next_offset, newest, records from kept_records
    where (cluster, topic, partition, first_offset) > ($1, $2, $3::int, $4::bigint) order by 1, 2, 3, 4 limit $5
"""
WAKES = "select contract, min(moment), cause from wake group by contract, cause order by 2, 1, 3 limit $1"


TALLY = """
    select 'contracts', count(*) from contract
    union all select 'quarantine', count(*) from quarantine where state = 'open'
    union all select 'parked', count(*) from parked
"""
LEASES = """
    select name, owner, epoch, expires_at - clock_timestamp() from lease where expires_at > clock_timestamp() order by 1
"""


class PostgresReads:
    """The reading half of the store."""

    def __init__(self, database: Database, archive: Archive | None = None) -> None:
        self._database = database
        self._archive = archive

    async def state(self, contract: str) -> bytes | None:
        """The encoded state of one contract."""
        state: bytes | None = await self._database.fetchval("select state from contract where id = $1", contract)
        return state

    async def states_of(self, contracts: Collection[str]) -> Mapping[str, bytes]:
        """The encoded states of those that exist."""
        rows = await self._database.fetch("select id, state from contract where id = any($1::text[])", list(contracts))
        return {row["id"]: row["state"] for row in rows}

    async def states(self) -> AsyncIterator[tuple[str, bytes]]:
        """All contracts with their encoded states, by id, a page at a time."""
        return self._states()

    async def _states(self) -> AsyncIterator[tuple[str, bytes]]:
        query = "select id, state from contract where id > $1 order by id limit $2"
        after: str | None = ""
        while after is not None:
            rows = await self._database.fetch(query, after, PAGE)
            for name, state in rows:
                yield name, state
            after = rows[-1][0] if len(rows) == PAGE else None

    async def contracts(self, after: str, limit: int) -> Sequence[tuple[str, int]]:
        """Ids and revisions behind `after`, by id."""
        query = "select id, revision from contract where id > $1 order by id limit $2"
        return [(name, revision) for name, revision in await self._database.fetch(query, after, limit)]

    async def log(self, contract: str) -> Sequence[LogRow]:
        """The revisions of one contract, oldest first; those that were archived too."""
        rows = [LogRow(*row) for row in await self._database.fetch(LOG, contract)]
        kept = {row.revision: row for row in [*await self._archived(contract), *rows]}
        return [kept[number] for number in sorted(kept)]

    async def revisions(self, wanted: Collection[tuple[str, int]]) -> Sequence[LogRow]:
        """Those of the wanted revisions that exist, sorted."""
        names, numbers = [name for name, _ in wanted], [number for _, number in wanted]
        rows = [LogRow(*row) for row in await self._database.fetch(REVISIONS, names, numbers)]
        missing = set(wanted).difference((row.contract, row.revision) for row in rows) if self._archive else set()
        for contract in sorted({contract for contract, _ in missing}):
            rows += [row for row in await self._archived(contract) if (contract, row.revision) in missing]
        return sorted(rows, key=lambda row: (row.contract, row.revision)) if missing else rows

    async def _archived(self, contract: str) -> Sequence[LogRow]:
        """Read after the database, so that nothing is missed that leaves it just now."""
        return await asyncio.to_thread(self._archive.read, contract) if self._archive else ()

    async def rulebook(self, digest: str) -> Rulebook | None:
        """A rulebook by its hash."""
        content = await self._database.fetchval("select content from rulebook where hash = $1", digest)
        return None if content is None else Rulebook(digest, content)

    async def quarantine(self, limit: int) -> Sequence[Quarantined]:
        """Open records, newest first, without their values."""
        return [quarantined(row) for row in await self._database.fetch(QUARANTINE, limit)]

    async def quarantined(self, record: str) -> tuple[Quarantined, str] | None:
        """One record with its value and its state."""
        rows = await self._database.fetch("select * from quarantine where id = $1", record)
        return (quarantined(rows[0]), rows[0]["state"]) if rows else None

    async def parked(self, limit: int) -> Sequence[ParkedRow]:
        """Parked under keys that nobody claims, oldest first."""
        return [parked_row(row) for row in await self._database.fetch(PARKED, limit)]

    async def stranded(self, limit: int) -> Sequence[ParkedRow]:
        """Parked although somebody claims one of the keys, oldest first."""
        return [parked_row(row) for row in await self._database.fetch(STRANDED, limit)]

    async def kept(self, after: tuple[str, str, int, int], limit: int) -> Sequence[KeptRow]:
        """Records kept for replay behind a place, in order."""
        rows = await self._database.fetch(KEPT, *after, limit)
        return [KeptRow(cluster, Partition(topic, number), *rest) for cluster, topic, number, *rest in rows]

    async def wakes(self, limit: int) -> Sequence[Review]:
        """The wake list, earliest first."""
        return [Review(*row) for row in await self._database.fetch(WAKES, limit)]

    async def counts(self, since: date) -> Mapping[date, Mapping[str, int]]:
        """Control totals by day and outcome."""
        found: dict[date, dict[str, int]] = {}
        for day, outcome, records in await self._database.fetch(COUNTS, since):
            found.setdefault(day, {})[outcome] = records
        return found

    async def tally(self) -> Mapping[str, int]:
        """How many contracts, open quarantined records and parked facts there are."""
        return {name: int(count) for name, count in await self._database.fetch(TALLY)}

    async def leases(self) -> Sequence[LeaseState]:
        """Leases that have not expired, by name."""
        rows = await self._database.fetch(LEASES)
        return [LeaseState(name, owner, epoch, microseconds(left)) for name, owner, epoch, left in rows]

    async def partitions(self) -> Sequence[PartitionState]:
        """Every partition ever taken."""
        query = "select * from kafka_offset order by cluster, topic, partition"
        return [partition_state(row) for row in await self._database.fetch(query)]
