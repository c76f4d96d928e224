"""The store in Postgres, as the ports want it: batches, partitions, leases, outbox.

Reading stands in reads.py, whom pseudonyms mean in persons.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from types import TracebackType

from connectors.archive import Archive
from connectors.postgres.batch import PostgresBatch
from connectors.postgres.persons import PostgresPersons
from connectors.postgres.pool import Database, PostgresSettings
from connectors.postgres.reads import PostgresReads
from connectors.postgres.rows import epoch_microseconds, microseconds
from connectors.schema import FLOOR, faults_of_schema
from contracts_schema.rows import Backlog, FenceLost, Lane, OutboxRow, Partition, Rulebook, Taken

TAKE = """
    insert into kafka_offset as old (cluster, topic, partition, owner, epoch, attempts)
    select $1, topic, number, $2, 1, 1 from unnest($3::text[], $4::int[]) as p (topic, number) order by 2, 3
    on conflict (cluster, topic, partition)
    do update set owner = excluded.owner, epoch = old.epoch + 1, attempts = old.attempts + 1
    returning topic, partition, next_offset, attempts
"""
GIVE_BACK = """
    with mine as (
        select cluster, topic, partition from kafka_offset where cluster = $1 and owner = $2 and attempts > 0
        and (topic, partition) in (select * from unnest($3::text[], $4::int[]))
        order by topic, partition for update
    )
    update kafka_offset as o set attempts = o.attempts - 1 from mine
    where (o.cluster, o.topic, o.partition) = (mine.cluster, mine.topic, mine.partition)
"""
# What changed in the future did so before the server's clock was set back. The server's timeouts go by that clock, too:
# set back they are put off by as much, and stay so when it is set forward again. How long a transaction may stand is
# known of those who are what we are: a gate waits for finance in one.
END_STALLED = """
    select count(pg_terminate_backend(pid)) from pg_stat_activity
    where datname = current_database() and usename = current_user and application_name like 'milepost %'
    and wait_event = 'ClientRead' and state <> 'idle' and (
        (state = 'active' or application_name = current_setting('application_name'))
        and clock_timestamp() - state_change > $1 * interval '1 second'
        or state_change > clock_timestamp() + interval '1 second')
"""
ATTEMPT = """
    update kafka_offset set tried_offset = $5, tries = case when tried_offset = $5 then tries + 1 else 1 end,
        attempts = greatest(attempts, 3)
    where cluster = $2 and topic = $3 and partition = $4 and owner = $1 returning tries
"""
READ_PAST = """
    with known as (
        select o.cluster, o.topic, o.partition, r.moment
        from kafka_offset o join unnest($2::text[], $3::int[], $4::bigint[]) as r (topic, partition, moment)
            using (topic, partition)
        where o.cluster = $1 and o.read_to < r.moment order by 2, 3 for update of o skip locked
    )
    update kafka_offset o set read_to = greatest(o.read_to, known.moment) from known
    where (o.cluster, o.topic, o.partition) = (known.cluster, known.topic, known.partition)
"""
FORGET_PARTITIONS = """
    delete from kafka_offset
    where cluster = $1 and (topic, partition) in (select * from unnest($2::text[], $3::int[]))
"""
# One that ends further away than any lease is long was given before the server's clock was set back: it is cut short.
LEASE = """
    insert into lease as old (name, owner, epoch, expires_at)
    values ($1, $2, 1, clock_timestamp() + $3 * interval '1 second')
    on conflict (name) do update set expires_at = excluded.expires_at,
        owner = case when old.expires_at <= clock_timestamp() then excluded.owner else old.owner end,
        epoch = old.epoch + (old.owner <> excluded.owner and old.expires_at <= clock_timestamp())::int
    where old.owner = excluded.owner or old.expires_at <= clock_timestamp()
        or old.expires_at > clock_timestamp() + interval '10 minutes'
    returning case when owner = $2 then epoch end
"""
KEEP_RULEBOOK = """
    with last as (select hash, used from rulebook order by used desc limit 1), kept as (
        insert into rulebook (hash, content, used)
        values ($1, $2, coalesce((select used from last), 0) + 1)
        on conflict (hash) do update set used = excluded.used
    ), woken as (
        insert into wake (contract, moment, cause, from_other)
        select id, 0, $3, true from contract where not exists (select from last where hash = $1) returning contract
    )
    select (select hash from last), (select count(*) from woken)
"""
FORGET = """
    with old as (
        select source, subject from parked where since < $1 order by since limit $2 for update skip locked
    ), unkeyed as (
        delete from parked_key where (source, subject) in (select source, subject from old)
    )
    delete from parked where (source, subject) in (select source, subject from old)
"""
FORGET_DOCUMENTS = """
    delete from vendor_document where key in (
        select key from vendor_document where not held and heard < to_timestamp($1::bigint / 1e6)
        order by heard limit $2 for update skip locked
    )
"""
FORGET_KEPT = """
    delete from kept_records where (cluster, topic, partition, first_offset) in (
        select cluster, topic, partition, first_offset from kept_records where newest < $1
        order by newest limit $2 for update skip locked
    )
"""
BACKLOG = "select lane, count(*), clock_timestamp() - min(created) from outbox group by lane"
SETTINGS = {
    "fsync": "turn fsync on: without it a power failure loses committed payments",
    "synchronous_commit": "set synchronous_commit to on: without it a crash loses what was answered as committed",
    "full_page_writes": "turn full_page_writes on: without it a crash can tear a page",
}


class PostgresStore(PostgresReads, PostgresPersons):
    """The store. `async with` opens and closes it.

    Every call raises TransientError where the server does not answer or asks to do it again, ConfigurationError where
    the schema or a permission is missing.
    """

    def __init__(self, settings: PostgresSettings) -> None:
        super().__init__(Database(settings), Archive(settings.archive) if settings.archive else None)
        self._settings = settings

    async def open(self) -> None:
        """Connect. Raises TransientError or ConfigurationError."""
        await self._database.open()

    async def close(self) -> None:
        """End all connections."""
        await self._database.close()

    async def __aenter__(self) -> PostgresStore:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @asynccontextmanager
    async def batch(self) -> AsyncIterator[PostgresBatch]:
        """One transaction; it commits when the block ends and rolls back when an error leaves it."""
        async with self._database.transaction() as connection:
            yield PostgresBatch(connection)

    async def take(self, owner: str, cluster: str, partitions: Collection[Partition]) -> Mapping[Partition, Taken]:
        """Make `owner` the only one who may move these partitions on; waits for a batch that moves one just now."""
        wanted = sorted(set(partitions))
        topics, numbers = [p.topic for p in wanted], [p.number for p in wanted]
        rows = await self._database.fetch(TAKE, cluster, owner, topics, numbers)
        return {Partition(topic, number): Taken(following, tries) for topic, number, following, tries in rows}

    async def give_back(self, owner: str, cluster: str, partitions: Collection[Partition]) -> None:
        """Let go of partitions in good order: one attempt less, where this owner has taken them last."""
        topics, numbers = [p.topic for p in partitions], [p.number for p in partitions]
        await self._database.execute(GIVE_BACK, cluster, owner, topics, numbers)

    async def attempt(self, owner: str, cluster: str, partition: Partition, offset: int) -> int:
        """Count one more attempt at this offset. Raises FenceLost if the partition is not this owner's."""
        tries = await self._database.fetchval(ATTEMPT, owner, cluster, *partition, offset)
        if tries is None:
            raise FenceLost(f"{partition.topic}/{partition.number} at {offset}")
        return int(tries)

    async def read_past(self, cluster: str, moments: Mapping[Partition, int]) -> None:
        """Move `read_to` of known partitions forward, never back; one that a batch moves just now is left to it."""
        topics, numbers = [p.topic for p in moments], [p.number for p in moments]
        if moments:
            await self._database.execute(READ_PAST, cluster, topics, numbers, list(moments.values()))

    async def forget_partitions(self, cluster: str, partitions: Collection[Partition]) -> int:
        """Delete partitions that are read no more, so that the frontier does not wait for them."""
        topics, numbers = [p.topic for p in partitions], [p.number for p in partitions]
        return await self._database.execute(FORGET_PARTITIONS, cluster, topics, numbers)

    async def frontier(self) -> int:
        """The least `read_to` of all known partitions."""
        return int(await self._database.fetchval("select coalesce(min(read_to), 0) from kafka_offset"))

    async def now(self) -> int:
        """The database's clock in microseconds since 1970."""
        return epoch_microseconds(await self._database.fetchval("select clock_timestamp()"))

    async def keep_rulebook(self, rulebook: Rulebook, cause: str) -> int | None:
        """Store a rulebook; where it is not the one last used, every contract is woken: how many there are."""
        ((last, woken),) = await self._database.fetch(KEEP_RULEBOOK, rulebook.hash, rulebook.content, cause)
        return None if last == rulebook.hash else int(woken)

    async def outbox(self, lane: Lane, limit: int) -> Sequence[OutboxRow]:
        """The oldest rows of a lane, in order."""
        query = "select id, body from outbox where lane = $1 order by id limit $2"
        return [OutboxRow(number, lane, body) for number, body in await self._database.fetch(query, lane, limit)]

    async def published(self, lane: Lane, ids: Collection[int]) -> None:
        """Delete rows of this lane."""
        query = "delete from outbox where lane = $1 and id = any($2::bigint[])"
        await self._database.execute(query, lane, list(ids))

    async def backlog(self) -> Mapping[Lane, Backlog]:
        """Rows and age of the oldest, of each lane that is not empty."""
        rows = await self._database.fetch(BACKLOG)
        return {Lane(lane): Backlog(waiting, microseconds(age)) for lane, waiting, age in rows}

    async def lease(self, name: str, owner: str, seconds: float) -> int | None:
        """Take or renew a lease; its epoch, or None while somebody else holds it."""
        epoch: int | None = await self._database.fetchval(LEASE, name, owner, seconds)
        return epoch

    async def release(self, name: str, owner: str) -> None:
        """Let a lease of this owner expire now."""
        query = "update lease set expires_at = '-infinity' where name = $1 and owner = $2"
        await self._database.execute(query, name, owner)

    async def forget_parked(self, before: int, limit: int) -> int:
        """Delete what was parked before a moment (µs), oldest first."""
        return await self._database.execute(FORGET, before, limit)

    async def forget_documents(self, before: int, limit: int) -> int:
        """Delete those that nobody holds and that were not heard of since a moment (µs), oldest first."""
        return await self._database.execute(FORGET_DOCUMENTS, before, limit)

    async def forget_kept(self, before: int, limit: int) -> int:
        """Delete kept records older than a moment (µs), oldest first."""
        return await self._database.execute(FORGET_KEPT, before, limit)

    async def wake_all(self, moment: int, cause: str) -> int:
        """Wake every contract."""
        query = "insert into wake (contract, moment, cause, from_other) select id, $1, $2, true from contract"
        return await self._database.execute(query, moment, cause)

    async def archive_log(self, contract: str, head: bytes) -> int:
        """Delete a contract's log, which was kept elsewhere up to this head; how many revisions there were.

        Raises:
            TransientError: the log has grown meanwhile.
            ConfigurationError: only the owner of the tables may do it.
        """
        return int(await self._database.fetchval("select archive_log($1, $2)", contract, head))

    async def settle_quarantine(self, record: str, state: str) -> bool:
        """Mark an open record as redriven or discarded."""
        query = "update quarantine set state = $2 where id = $1 and state = 'open'"
        return await self._database.execute(query, record, state) == 1

    async def end_stalled(self) -> int:
        """End sessions of ours that have stood still in a transaction for `idle_s`; how many there were.

        The server's own timeout does not end them all: between two messages of one statement a session is not idle, and
        a clock that was set back puts the timeout off. The locks of a process that was stopped then would stay for as
        long as it stands still.
        """
        return int(await self._database.fetchval(END_STALLED, self._settings.idle_s))

    async def check(self) -> Sequence[str]:
        """What forbids to start: settings that lose commits, a standby, a schema that is not this program's."""
        rows = await self._database.fetch("select name, setting from pg_settings where name = any($1)", list(SETTINGS))
        faults = [f"Postgres has {name} = off; {SETTINGS[name]}" for name, setting in rows if setting == "off"]
        if await self._database.fetchval("select pg_is_in_recovery()"):
            faults.append("Postgres is a standby and takes no writes: let postgres.dsn name the primary")
        present, floor = None, None
        if await self._database.fetchval("select to_regclass('alembic_version')"):
            present = [row[0] for row in await self._database.fetch("select version_num from alembic_version")]
        if await self._database.fetchval("select to_regclass('schema_floor')"):
            floor = await self._database.fetchval(FLOOR)
        return [*faults, *faults_of_schema(present, floor)]
