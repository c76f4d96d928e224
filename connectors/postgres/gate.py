"""What the gate keeps, in Postgres: commands are taken in with their offsets, looks are written with their answers.

Two advisory locks for each invoice. One is held for a whole look. The other is held around the call that frees, and
taken by whoever takes in a command that names the invoice: so no release goes out once a later hold was taken in.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from zlib import crc32

from msgspec.msgpack import Decoder, Encoder

from connectors.postgres.batch import CLAIMS, columns_of
from connectors.postgres.pool import Connection, Database
from connectors.postgres.rows import epoch_microseconds
from connectors.postgres_errors import answers
from contracts_schema.payables import Finding, Finished, Intake, InvoiceRow, Listing, Refusal, Task
from contracts_schema.rows import FenceLost, OffsetRange, Partition, PublishRow

Key = tuple[str, str]

LOOKING = 0x6D71  # classes of our advisory locks; the second number stands for the invoice
RELEASING = 0x6D72

TAKE = """
    insert into gate_offset as old (finance, cluster, topic, partition, owner)
    select $1, $2, topic, number, $3 from unnest($4::text[], $5::int[]) as p (topic, number) order by 3, 4
    on conflict (finance, cluster, topic, partition) do update set owner = excluded.owner
    returning topic, partition, next_offset
"""
STANDS = "select topic, partition, next_offset from gate_offset where finance = $1 and cluster = $2"
FENCE = """
    with held as (
        select o.cluster, o.topic, o.partition, r.next
        from gate_offset o
        join unnest($3::text[], $4::text[], $5::int[], $6::bigint[], $7::bigint[])
            as r (cluster, topic, partition, first, next) using (cluster, topic, partition)
        where o.finance = $1 and o.owner = $2 and coalesce(o.next_offset, 0) <= r.first
        order by 1, 2, 3 for update of o
    )
    update gate_offset o set next_offset = held.next from held
    where o.finance = $1 and (o.cluster, o.topic, o.partition) = (held.cluster, held.topic, held.partition)
    returning o.topic
"""
ENSURE_CONTRACTS = """
    insert into gate_contract (finance, contract, memory)
    select $1, name, '' from unnest($2::text[]) as c (name) order by name on conflict do nothing
"""
LOCK_CONTRACTS = """
    select contract, memory from gate_contract where finance = $1 and contract = any($2::text[])
    order by contract for update
"""
MEMORIES = "select contract, memory from gate_contract where finance = $1 and contract = any($2::text[])"
REMEMBER = """
    update gate_contract c set memory = r.memory from unnest($2::text[], $3::bytea[]) as r (contract, memory)
    where c.finance = $1 and c.contract = r.contract
"""
UNLIST = """
    delete from gate_listing
    where finance = $1 and (contract, milestone) in (select * from unnest($2::text[], $3::text[]))
"""
LIST = """
    insert into gate_listing (finance, subject, contract, milestone)
    select $1, r.* from unnest($2::text[], $3::text[], $4::text[]) as r (subject, contract, milestone)
    on conflict do nothing
"""
NAME = """
    insert into gate_invoice as old (finance, subject, generation, due)
    select $1, subject, 1, clock_timestamp() - urgent::int * interval '1 day'
    from unnest($2::text[], $3::bool[]) as s (subject, urgent) order by subject
    on conflict (finance, subject)
    do update set generation = old.generation + 1, tries = 0, due = least(old.due, excluded.due)
"""
# The generation rises, so that a look that has begun before does not put off what was seen meanwhile.
WAKE = """
    insert into gate_invoice as old (finance, subject, due)
    select $1, subject, clock_timestamp() from unnest($2::text[]) as s (subject) order by subject
    on conflict (finance, subject) do update set due = clock_timestamp(), generation = old.generation + 1
"""
# What is due further ahead than any pause is long was put off before the server's clock was set back.
DUE = """
    select subject, tries from gate_invoice
    where finance = $1 and (due <= clock_timestamp() or due > clock_timestamp() + interval '20 minutes')
    order by due limit $2
"""
ENSURE_INVOICE = "insert into gate_invoice (finance, subject) values ($1, $2) on conflict do nothing"
INVOICE = "select subject, memory, generation, tries from gate_invoice where finance = $1 and subject = $2"
FINISH = """
    update gate_invoice set
        memory = $3,
        tries = case when generation = $4 then $5 else 0 end,
        due = case when generation = $4 then clock_timestamp() + $6 * interval '1 second' else clock_timestamp() end,
        since = case when finding = $7 then since else clock_timestamp() end,
        finding = $7
    where finance = $1 and subject = $2
"""
SAY = """
    insert into gate_answer (finance, body)
    select $1, body from unnest($2::bytea[]) with ordinality as r (body, n) order by n
"""
REFUSE = """
    insert into gate_refusal (finance, origin, command_id, sentence)
    select $1, r.* from unnest($2::text[], $3::text[], $4::text[]) as r (origin, command_id, sentence)
    on conflict do nothing
"""
LISTINGS = "select contract, milestone from gate_listing where finance = $1 and subject = $2 order by 1, 2"
FINDINGS = """
    select finance, subject, finding, since, memory from gate_invoice
    where finance = $1 and finding <> '' order by since, subject
"""
REFUSALS = "select origin, command_id, sentence, at from gate_refusal where finance = $1 order by id desc limit $2"

_encoder = Encoder()
_row = Decoder(PublishRow)


def lock_of(finance: str, subject: str) -> int:
    """The number that stands for an invoice among our advisory locks; two invoices may share one, which only waits."""
    return crc32(f"{finance}\0{subject}".encode()) - 2**31


class PostgresIntake:
    """One transaction that takes in commands."""

    def __init__(self, connection: Connection, finance: str) -> None:
        self._connection = connection
        self._finance = finance

    async def fence(self, owner: str, ranges: Sequence[OffsetRange]) -> None:
        """Move each partition on. Raises FenceLost if one is not this owner's, or further already."""
        columns = zip(*((r.cluster, *r.partition, r.first, r.next) for r in ranges), strict=True)
        with answers():
            moved = await self._connection.fetch(FENCE, self._finance, owner, *map(list, columns))
        if len(moved) != len(ranges):
            raise FenceLost(f"{len(ranges) - len(moved)} of {len(ranges)} partitions belong to another gate now")

    async def load(self, contracts: Collection[str]) -> Mapping[str, bytes]:
        """The memories of these contracts, each locked, also where it is new."""
        names = sorted(contracts)
        with answers():
            await self._connection.execute(ENSURE_CONTRACTS, self._finance, names)
            rows = await self._connection.fetch(LOCK_CONTRACTS, self._finance, names)
        return {contract: memory for contract, memory in rows if memory}

    async def write(self, intake: Intake) -> None:
        """Write everything, after any release on its way for an invoice that is named."""
        finance, connection = self._finance, self._connection
        woken = sorted(intake.wake)
        places = sorted(intake.listings)
        named = [(subject, *place) for place in places for subject in intake.listings[place]]
        with answers():
            for number in sorted({lock_of(finance, subject) for subject in woken}):
                await connection.execute("select pg_advisory_xact_lock($1, $2)", RELEASING, number)
            await connection.execute(REMEMBER, finance, list(intake.memories), list(intake.memories.values()))
            await connection.execute(UNLIST, finance, [c for c, _ in places], [m for _, m in places])
            await connection.execute(LIST, finance, *_columns(named, 3))
            await connection.execute(NAME, finance, woken, [subject in intake.urgent for subject in woken])
            await _say(connection, finance, intake.answers)
            refused = [(r.origin, _plain(r.command_id), _plain(r.sentence)) for r in intake.refusals]
            await connection.execute(REFUSE, finance, *_columns(refused, 3))


class PostgresLook:
    """One transaction in which one invoice is looked at."""

    def __init__(self, connection: Connection, finance: str, row: InvoiceRow) -> None:
        self.row = row
        self._connection = connection
        self._finance = finance

    async def listings(self) -> Sequence[Listing]:
        """The milestones that name the invoice."""
        with answers():
            rows = await self._connection.fetch(LISTINGS, self._finance, self.row.subject)
        return [Listing(self.row.subject, contract, milestone) for contract, milestone in rows]

    async def memories(self, contracts: Collection[str], *, lock: bool) -> Mapping[str, bytes]:
        """The memories of these contracts."""
        with answers():
            rows = await self._connection.fetch(LOCK_CONTRACTS if lock else MEMORIES, self._finance, sorted(contracts))
        return {contract: memory for contract, memory in rows if memory}

    async def finish(self, finished: Finished) -> None:
        """Write what came of it; due at once where a command has named the invoice meanwhile."""
        memories, row = finished.memories, self.row
        with answers():
            await self._connection.execute(REMEMBER, self._finance, list(memories), list(memories.values()))
            await self._connection.execute(
                FINISH, self._finance, row.subject, finished.memory, row.generation, finished.tries,
                finished.again_s, _plain(finished.finding),
            )  # fmt: skip
            await _say(self._connection, self._finance, finished.answers)


class PostgresWanted:
    """One finance system's part (port `Wanted`). The database is opened and closed by whoever made it."""

    def __init__(self, database: Database, finance: str) -> None:
        self._database = database
        self._finance = finance

    async def take(self, owner: str, cluster: str, partitions: Collection[Partition]) -> Mapping[Partition, int | None]:
        """Make `owner` the only one who may move these partitions on; waits for a batch that moves one just now."""
        wanted = sorted(set(partitions))
        topics, numbers = [p.topic for p in wanted], [p.number for p in wanted]
        rows = await self._database.fetch(TAKE, self._finance, cluster, owner, topics, numbers)
        return {Partition(topic, number): following for topic, number, following in rows}

    async def stands(self, cluster: str) -> Mapping[Partition, int | None]:
        """The next offset of each partition that any gate has taken."""
        rows = await self._database.fetch(STANDS, self._finance, cluster)
        return {Partition(topic, number): following for topic, number, following in rows}

    @asynccontextmanager
    async def intake(self) -> AsyncIterator[PostgresIntake]:
        """One transaction; it commits when the block ends and rolls back when an error leaves it."""
        async with self._database.transaction() as connection:
            yield PostgresIntake(connection, self._finance)

    async def due(self, limit: int) -> Sequence[Task]:
        """What is due, the longest due first."""
        return [Task(*row) for row in await self._database.fetch(DUE, self._finance, limit)]

    @asynccontextmanager
    async def look(self, subject: str) -> AsyncIterator[PostgresLook]:
        """One look; a second one at the same invoice waits until this one has ended."""
        await self._database.execute(ENSURE_INVOICE, self._finance, subject)
        async with self._database.transaction() as connection:
            with answers():
                number = lock_of(self._finance, subject)
                await connection.execute("select pg_advisory_xact_lock($1, $2)", LOOKING, number)
                rows = await connection.fetch(INVOICE, self._finance, subject)
            yield PostgresLook(connection, self._finance, InvoiceRow(*rows[0]))

    @asynccontextmanager
    async def releasing(self, subject: str, generation: int) -> AsyncIterator[bool]:
        """Around a release: no command that names the invoice is taken in while it lasts."""
        async with self._database.transaction() as connection:
            with answers():
                number = lock_of(self._finance, subject)
                await connection.execute("select pg_advisory_xact_lock($1, $2)", RELEASING, number)
                row = await connection.fetchrow(INVOICE, self._finance, subject)
            yield row is not None and row["generation"] == generation

    async def wake(self, subjects: Collection[str]) -> None:
        """Make these due now."""
        await self._database.execute(WAKE, self._finance, sorted(subjects))

    async def listed(self, subjects: Collection[str]) -> Collection[str]:
        """Those that some command names."""
        query = "select distinct subject from gate_listing where finance = $1 and subject = any($2::text[])"
        return {row[0] for row in await self._database.fetch(query, self._finance, sorted(subjects))}

    async def claimed(self, keys: Collection[Key]) -> Mapping[Key, tuple[str, ...]]:
        """Which contracts claim these keys."""
        found: dict[Key, list[str]] = {}
        for source, key, contract in await self._database.fetch(CLAIMS, *columns_of(set(keys))):
            found.setdefault((source, key), []).append(contract)
        return {key: tuple(contracts) for key, contracts in found.items()}

    async def answers(self, limit: int) -> Sequence[tuple[int, PublishRow]]:
        """The oldest answers, in order."""
        query = "select id, body from gate_answer where finance = $1 order by id limit $2"
        return [(number, _row.decode(body)) for number, body in await self._database.fetch(query, self._finance, limit)]

    async def answered(self, ids: Collection[int]) -> None:
        """Delete answers."""
        await self._database.execute("delete from gate_answer where id = any($1::bigint[])", list(ids))

    async def findings(self) -> Sequence[Finding]:
        """What people should know, oldest first."""
        rows = await self._database.fetch(FINDINGS, self._finance)
        return [
            Finding(name, subject, told, epoch_microseconds(at), memory) for name, subject, told, at, memory in rows
        ]

    async def refusals(self, limit: int) -> Sequence[Refusal]:
        """Refused commands, newest first."""
        rows = await self._database.fetch(REFUSALS, self._finance, limit)
        return [Refusal(origin, command, sentence, epoch_microseconds(at)) for origin, command, sentence, at in rows]

    async def now(self) -> int:
        """The database's clock in microseconds since 1970."""
        return epoch_microseconds(await self._database.fetchval("select clock_timestamp()"))


async def _say(connection: Connection, finance: str, rows: Sequence[PublishRow]) -> None:
    if rows:
        await connection.execute(SAY, finance, [_encoder.encode(row) for row in rows])


def _columns(rows: Sequence[tuple[str, ...]], width: int) -> list[list[str]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]


def _plain(text: str) -> str:
    """The text without what Postgres cannot keep."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
