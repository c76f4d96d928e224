"""What a batch writes, as one statement of several parts: only those that have rows, so one round trip for all.

Every part takes its rows as arrays. Rows that two batches may write at once (parked facts, totals) are sorted, so that
the batches wait for each other in one order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from connectors.postgres.pool import Connection
from connectors.postgres.rows import encode_headers, encode_keys, readable
from connectors.wakes import net_wakes
from contracts_schema.rows import Changes, ParkedRow, Quarantined

Columns = list[list[Any]]
TakenWakes = Mapping[tuple[str, str], Collection[int]]  # row ids of wakes, by contract and cause

STATES = """
    states as (
        insert into contract (id, revision, state)
        select * from unnest({}::text[], {}::bigint[], {}::bytea[]) on conflict (id)
        do update set revision = excluded.revision, state = excluded.state
    )"""
LOG = """
    logged as (
        insert into revision (contract, revision, entry, previous, head)
        select * from unnest({}::text[], {}::bigint[], {}::bytea[], {}::bytea[], {}::bytea[])
    )"""
OUTBOX = """
    sent as (
        insert into outbox (lane, body)
        select lane, body from unnest({}::smallint[], {}::bytea[]) with ordinality as r (lane, body, n) order by n
    )"""
CLAIMED = """
    claimed as (
        insert into crosswalk (source, key, contract)
        select * from unnest({}::text[], {}::text[], {}::text[]) on conflict do nothing
    )"""
UNCLAIMED = """
    unclaimed as (
        delete from crosswalk
        where (source, key, contract) in (select * from unnest({}::text[], {}::text[], {}::text[]))
    )"""
PARKED = """
    kept as (
        insert into parked as old (source, subject, keys, fact, ordering, recorded, origin, reason, since)
        select * from unnest({}::text[], {}::text[], {}::text[], {}::bytea[], {}::bytea[], {}::bigint[], {}::text[],
                             {}::text[], {}::bigint[])
        on conflict (source, subject) do update set
            arrival = default, keys = excluded.keys, fact = excluded.fact, ordering = excluded.ordering,
            recorded = excluded.recorded, origin = excluded.origin, reason = excluded.reason, since = excluded.since
        where (excluded.ordering, excluded.recorded, excluded.fact) > (old.ordering, old.recorded, old.fact)
        returning source, subject
    )"""
PARKED_KEYS = """
    keyed as (
        insert into parked_key (key_source, key, source, subject)
        select k.* from unnest({}::text[], {}::text[], {}::text[], {}::text[]) as k (key_source, key, source, subject)
        join kept using (source, subject) order by 1, 2, 3, 4 on conflict do nothing
    )"""
UNPARKED = """
    unparked as (
        delete from parked where (source, subject) in (select * from unnest({}::text[], {}::text[]))
    )"""
UNKEYED = """
    unkeyed as (
        delete from parked_key where (source, subject) in (select * from unnest({}::text[], {}::text[]))
    )"""
QUARANTINE = """
    quarantined as (
        insert into quarantine as old (id, source, cluster, topic, partition, record_offset, recorded, key, headers,
                                       value, fault, sentence, size, sha256)
        select * from unnest({}::text[], {}::text[], {}::text[], {}::text[], {}::int[], {}::bigint[], {}::bigint[],
                             {}::bytea[], {}::bytea[], {}::bytea[], {}::text[], {}::text[], {}::bigint[], {}::text[])
        on conflict (id) do update set
            arrival = default, at = default, state = 'open', fault = excluded.fault, sentence = excluded.sentence
        where old.state = 'redriven'
    )"""
INVOICES = """
    invoiced as (
        update invoice_claim c set claims = r.claims
        from unnest({}::bytea[], {}::bytea[]) as r (key, claims) where c.key = r.key
    )"""
UNINVOICED = """
    uninvoiced as (
        delete from invoice_claim where key = any({}::bytea[])
    )"""
DOCUMENTS = """
    documented as (
        update vendor_document d set content = r.content, held = r.held, heard = clock_timestamp()
        from unnest({}::bytea[], {}::bytea[], {}::bool[]) as r (key, content, held) where d.key = r.key
    )"""
# Read again from the beginning, as after partitions were forgotten, records are kept once.
KEPT = """
    preserved as (
        insert into kept_records (cluster, topic, partition, first_offset, next_offset, newest, records)
        select * from unnest({}::text[], {}::text[], {}::int[], {}::bigint[], {}::bigint[], {}::bigint[], {}::bytea[])
        on conflict (cluster, topic, partition, first_offset) do update set
            next_offset = excluded.next_offset, newest = excluded.newest, records = excluded.records
    )"""
PERSONS = """
    met as (
        insert into person (pseudonym, name) select * from unnest({}::text[], {}::text[]) on conflict do nothing
    )"""
OWN_WAKES = """
    replaced as (
        delete from wake
        where (contract, cause) in (select * from unnest({}::text[], {}::text[])) and not from_other
    )"""
TAKEN_WAKES = """
    taken as (
        delete from wake where id = any({}::bigint[])
    )"""
WAKES = """
    waked as (
        insert into wake (contract, moment, cause, from_other)
        select * from unnest({}::text[], {}::bigint[], {}::text[], {}::bool[])
    )"""
COUNTS = """
    counted as (
        insert into control_total as old (day, outcome, shard, records)
        select (clock_timestamp() at time zone 'utc')::date, outcome, pg_backend_pid() % 8, records
        from unnest({}::text[], {}::bigint[]) as r (outcome, records)
        on conflict (day, outcome, shard) do update set records = old.records + excluded.records
    )"""


async def write_changes(connection: Connection, changes: Changes, held: Collection[str], taken: TakenWakes) -> None:
    """Write `changes`; `held` are contracts whose rows this transaction has locked, `taken` the wakes it has taken."""
    parked = newest(changes.parked)
    unparked = sorted(set(changes.unparked))
    again = not parked.keys().isdisjoint(unparked)
    if again:  # one statement cannot delete a row and insert it anew
        await run(connection, unpark(unparked))
    parts = [
        *keep(changes),
        *wake(changes, {*held, *(row.contract for row in changes.states)}, taken),
        *([] if again else unpark(unparked)),
        *park([parked[subject] for subject in sorted(parked)]),
        (COUNTS, columns(sorted(changes.counts.items()), 2)),
    ]
    await run(connection, parts)


async def run(connection: Connection, parts: Iterable[tuple[str, Columns]]) -> None:
    """All parts that have rows, as one statement."""
    texts: list[str] = []
    args: list[list[Any]] = []
    for text, rows in parts:
        if rows[0]:
            texts.append(text.format(*(f"${len(args) + n}" for n in range(1, len(rows) + 1))))
            args += rows
    if texts:
        await connection.execute(f"with {', '.join(texts)} select", *args)


def keep(changes: Changes) -> list[tuple[str, Columns]]:
    """States, log, claims of keys and of invoices, documents, outbox, quarantine, persons, records kept for replay."""
    newest_states = {row.contract: row for row in changes.states}
    states = [(name, row.revision, row.state) for name, row in sorted(newest_states.items())]
    log = [(row.contract, row.revision, row.entry, row.previous, row.head) for row in changes.log]
    return [
        (STATES, columns(states, 3)),
        (LOG, columns(log, 5)),
        (CLAIMED, columns(sorted(changes.claimed), 3)),
        (UNCLAIMED, columns(sorted(set(changes.unclaimed).difference(changes.claimed)), 3)),
        (INVOICES, columns([(key, claims) for key, claims in changes.invoices if claims], 2)),
        (UNINVOICED, columns([(key,) for key, claims in changes.invoices if not claims], 1)),
        (DOCUMENTS, columns(changes.documents, 3)),
        (OUTBOX, columns([(int(lane), body) for lane, body in changes.outbox], 2)),
        (QUARANTINE, columns([quarantine_columns(row) for row in first_of_id(changes.quarantine)], 14)),
        (PERSONS, columns(sorted((pseudonym, readable(name)) for pseudonym, name in changes.persons), 2)),
        (KEPT, columns([(*row.place, row.next, row.newest, row.records) for row in changes.kept], 7)),
    ]


def wake(changes: Changes, own: Collection[str], taken: TakenWakes) -> list[tuple[str, Columns]]:
    """Wakes of `own` contracts replace what they had and what was taken; those of others come on top."""
    net = net_wakes(changes.wakes, own)
    done = sorted(number for key in net.replaced for number in taken.get(key, ()))
    return [
        (OWN_WAKES, columns(net.replaced, 2)),
        (TAKEN_WAKES, columns([(number,) for number in done], 1)),
        (WAKES, columns(net.new, 4)),
    ]


def park(rows: list[ParkedRow]) -> list[tuple[str, Columns]]:
    """Parked facts with their keys; a fact older than the one kept changes nothing."""
    keys = [(*key, row.source, row.subject) for row in rows for key in row.keys]
    parts = [(PARKED, columns([parked_columns(row) for row in rows], 9))]
    return [*parts, (PARKED_KEYS, columns(keys, 4))]


def unpark(subjects: list[tuple[str, str]]) -> list[tuple[str, Columns]]:
    """Take facts off the parking."""
    return [(UNPARKED, columns(subjects, 2)), (UNKEYED, columns(subjects, 2))]


def newest(rows: Iterable[ParkedRow]) -> dict[tuple[str, str], ParkedRow]:
    """The newest row of each subject: one statement may touch a row only once."""
    found: dict[tuple[str, str], ParkedRow] = {}
    for row in sorted(rows, key=lambda row: (row.order, row.timestamp, row.fact)):
        found[row.source, row.subject] = row
    return found


def first_of_id(rows: Iterable[Quarantined]) -> list[Quarantined]:
    """Each id once."""
    return list({row.id: row for row in reversed(list(rows))}.values())[::-1]


def parked_columns(row: ParkedRow) -> tuple[Any, ...]:
    """A parked fact as the columns of its table."""
    keys, origin, reason = encode_keys(row.keys), readable(row.origin), readable(row.reason)
    return (row.source, row.subject, keys, row.fact, row.order, row.timestamp, origin, reason, row.since)


def quarantine_columns(row: Quarantined) -> tuple[Any, ...]:
    """A record that was set aside as the columns of its table."""
    headers = encode_headers([(readable(name), value) for name, value in row.headers])
    place = (row.id, row.source, row.cluster, row.topic, row.partition, row.offset, row.timestamp)
    return (*place, row.key, headers, row.value, row.fault, readable(row.sentence), row.size, row.sha256)


def columns(rows: Collection[tuple[Any, ...]], width: int) -> Columns:
    """Rows turned into columns; `width` empty ones where there are no rows."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]
