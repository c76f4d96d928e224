"""One batch: one transaction, few round trips. The order of the calls is the order of locks, so that none deadlocks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from zlib import crc32

from connectors.postgres.pool import Connection
from connectors.postgres.rows import parked_row
from connectors.postgres.writes import write_changes
from connectors.postgres_errors import answers
from contracts_schema.rows import Changes, FenceLost, OffsetRange, ParkedRow, Review

Key = tuple[str, str]

BUCKETS = 1024
KEY_LOCKS = 0x6D70  # the class of our advisory locks; the second number is the bucket

FENCE = """
    with held as (
        select o.cluster, o.topic, o.partition, r.next, r.read_to
        from kafka_offset o
        join unnest($2::text[], $3::text[], $4::int[], $5::bigint[], $6::bigint[], $7::bigint[])
            as r (cluster, topic, partition, first, next, read_to) using (cluster, topic, partition)
        where o.owner = $1 and coalesce(o.next_offset, 0) <= r.first
        order by 1, 2, 3 for update of o
    )
    update kafka_offset o
    set next_offset = held.next, read_to = greatest(o.read_to, held.read_to),
        attempts = 0, tried_offset = null, tries = 0
    from held
    where (o.cluster, o.topic, o.partition) = (held.cluster, held.topic, held.partition)
    returning o.topic
"""
LOCK_KEYS = """
    select case when exclusive then pg_advisory_xact_lock($1, bucket)
                else pg_advisory_xact_lock_shared($1, bucket) end
    from unnest($2::int[], $3::bool[]) as wanted (bucket, exclusive)
"""
LOCK_FREE_KEYS = """
    select bucket from unnest($2::int[]) as wanted (bucket) where pg_try_advisory_xact_lock_shared($1, bucket)
"""
CLAIMS = """
    select c.source, c.key, c.contract
    from unnest($1::text[], $2::text[]) as k (source, key) join crosswalk c using (source, key)
    order by 3
"""
LOAD = "select id, state from contract where id = any($1::text[]) order by id for update"
PARKED_UNDER = """
    select p.* from parked p
    where (p.source, p.subject) in (
        select k.source, k.subject
        from unnest($1::text[], $2::text[]) as wanted (key_source, key) join parked_key k using (key_source, key)
    )
    order by p.arrival
"""
PARKED_KEYS = """
    select w.source, w.key from unnest($1::text[], $2::text[]) as w (source, key)
    where exists (select from parked_key k where k.key_source = w.source and k.key = w.key)
"""
# Under a key that nobody claims yet a row is written to lock it; what another batch wrote while we waited is returned.
LOCK_INVOICES = """
    insert into invoice_claim as held (key, claims)
    select key, '' from unnest($1::bytea[]) with ordinality as wanted (key, n) order by n
    on conflict (key) do update set claims = held.claims returning key, claims
"""
LOCK_DOCUMENTS = """
    insert into vendor_document as known (key, content)
    select key, '' from unnest($1::bytea[]) with ordinality as wanted (key, n) order by n
    on conflict (key) do update set content = known.content returning key, content
"""
# An insert waits for whoever is changing the row that is there, so only rows that are not there are written.
LOCK_FREE_DOCUMENTS = """
    with fresh as (
        insert into vendor_document (key, content)
        select key, '' from unnest($1::bytea[]) with ordinality as wanted (key, n)
        where not exists (select from vendor_document d where d.key = wanted.key) order by n
        on conflict (key) do nothing returning key, content
    ), free as (
        select key, content from vendor_document where key = any($1::bytea[]) for update skip locked
    )
    select key, content from fresh union all select key, content from free
"""
LOOK_AT_INVOICES = "select key, claims from invoice_claim where key = any($1::bytea[])"
LOCK_DUE = """
    select c.id from wake w join contract c on c.id = w.contract
    where w.moment <= $1 order by w.moment, w.contract limit $2 for update of c skip locked
"""
TAKE_DUE = """
    select contract, min(moment) as moment, cause, array_agg(id) as ids from wake
    where contract = any($1::text[]) and moment <= $2
    group by contract, cause order by 2, 1, 3 limit $3
"""


def bucket_of(key: Key) -> int:
    """The lock that stands for a key; stable over processes and versions."""
    return crc32(f"{key[0]}\0{key[1]}".encode()) % BUCKETS


class PostgresBatch:
    """One open transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._held: set[str] = set()
        self._taken: dict[tuple[str, str], list[int]] = {}

    async def fence(self, owner: str, ranges: Sequence[OffsetRange]) -> None:
        """Move each partition on. Raises FenceLost if one is not this owner's, or further already."""
        if not ranges:
            return
        columns = zip(*((r.cluster, *r.partition, r.first, r.next, r.read_to) for r in ranges), strict=True)
        with answers():
            moved = await self._connection.fetch(FENCE, owner, *map(list, columns))
        if len(moved) != len(ranges):
            raise FenceLost(f"{len(ranges) - len(moved)} of {len(ranges)} partitions belong to another worker now")

    async def lock_keys(self, shared: Collection[Key], exclusive: Collection[Key]) -> None:
        """Lock the buckets of these keys until the end, in sorted order, in one round trip."""
        alone = {bucket_of(key) for key in exclusive}
        buckets = sorted(alone.union(bucket_of(key) for key in shared))
        if buckets:
            with answers():
                await self._connection.fetch(LOCK_KEYS, KEY_LOCKS, buckets, [bucket in alone for bucket in buckets])

    async def lock_free_keys(self, keys: Collection[Key]) -> Collection[Key]:
        """Share the buckets of these keys that no other batch has, or waits to have, alone. One round trip."""
        buckets = {key: bucket_of(key) for key in keys}
        with answers():
            rows = await self._connection.fetch(LOCK_FREE_KEYS, KEY_LOCKS, sorted(set(buckets.values())))
        free = {bucket for (bucket,) in rows}
        return {key for key, bucket in buckets.items() if bucket in free}

    async def claims(self, keys: Collection[Key]) -> Mapping[Key, tuple[str, ...]]:
        """Which contracts claim each of these keys, sorted."""
        found: dict[Key, list[str]] = {}
        wanted = set(keys)
        if wanted:
            with answers():
                rows = await self._connection.fetch(CLAIMS, *columns_of(wanted))
            for source, key, contract in rows:
                found.setdefault((source, key), []).append(contract)
        return {key: tuple(contracts) for key, contracts in found.items()}

    async def lock_documents(self, keys: Collection[bytes]) -> Mapping[bytes, bytes]:
        """Lock these vendor documents until the end, in sorted order; what is known of each. One round trip."""
        with answers():
            rows = await self._connection.fetch(LOCK_DOCUMENTS, sorted(set(keys)))
        return {key: content for key, content in rows}  # noqa: C416 -- rows are no pairs to the type checker

    async def lock_free_documents(self, keys: Collection[bytes]) -> Mapping[bytes, bytes]:
        """Lock those that no other batch holds; what is known of each. Only a row that another batch is just making is
        waited for."""
        with answers():
            rows = await self._connection.fetch(LOCK_FREE_DOCUMENTS, sorted(set(keys)))
        return {key: content for key, content in rows}  # noqa: C416 -- rows are no pairs to the type checker

    async def load(self, contracts: Collection[str]) -> Mapping[str, bytes]:
        """The encoded states of those that exist, locked in sorted order."""
        if not contracts:
            return {}
        self._held.update(contracts)
        with answers():
            rows = await self._connection.fetch(LOAD, list(contracts))
        return {row["id"]: row["state"] for row in rows}

    async def parked_under(self, keys: Collection[Key]) -> Sequence[ParkedRow]:
        """Facts parked under any of these keys, in the order in which they came."""
        wanted = set(keys)
        if not wanted:
            return []
        with answers():
            rows = await self._connection.fetch(PARKED_UNDER, *columns_of(wanted))
        return [row for row in map(parked_row, rows) if wanted.intersection(row.keys)]

    async def parked_keys(self, keys: Collection[Key]) -> Collection[Key]:
        """Those of these keys under which a fact is parked."""
        wanted = set(keys)
        if not wanted:
            return set()
        with answers():
            rows = await self._connection.fetch(PARKED_KEYS, *columns_of(wanted))
        return {(source, key) for source, key in rows}

    async def due(self, moment: int, limit: int) -> Sequence[Review]:
        """Wakes whose moment has come, earliest first, of contracts that no other batch holds.

        The contracts are locked, never waited for: after `load`, this cannot deadlock. Then a second look, because a
        batch that has just ended may have removed the wake by which a contract was found.
        """
        with answers():
            held = [row[0] for row in await self._connection.fetch(LOCK_DUE, moment, limit)]
            rows = await self._connection.fetch(TAKE_DUE, held, moment, limit) if held else []
        self._held.update(held)
        self._taken.update(((contract, cause), ids) for contract, _, cause, ids in rows)
        return [Review(contract, when, cause) for contract, when, cause, _ in rows]

    async def lock_invoices(self, keys: Collection[bytes]) -> Mapping[bytes, bytes]:
        """Lock these keys until the end, in sorted order; what is claimed under each that is known. One round trip."""
        with answers():
            rows = await self._connection.fetch(LOCK_INVOICES, sorted(set(keys)))
        return {key: claims for key, claims in rows if claims}

    async def look_at_invoices(self, keys: Collection[bytes]) -> Mapping[bytes, bytes]:
        """What is claimed under these keys, as it was last committed."""
        with answers():
            rows = await self._connection.fetch(LOOK_AT_INVOICES, list(keys))
        return {key: claims for key, claims in rows if claims}

    async def write(self, changes: Changes) -> None:
        """Write everything that the batch changed, in one round trip (two where a fact is parked anew)."""
        with answers():
            await write_changes(self._connection, changes, self._held, self._taken)


def columns_of(keys: Collection[Key]) -> tuple[list[str], list[str]]:
    """Pairs as two columns, in sorted order."""
    ordered = sorted(keys)
    return [source for source, _ in ordered], [key for _, key in ordered]
