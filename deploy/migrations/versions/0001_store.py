"""The store: offsets, contracts, log, crosswalk, parked facts, outbox, quarantine, wakes, leases, rulebooks, totals.

States and log entries are opaque bytes. Texts compare as bytes (collation C), so that the order of locks is the same
on every server. Moments are microseconds since 1970, as everywhere in Milepost.
"""

from alembic import op

revision = "0001"
down_revision = None

TABLES = (
    # Rows are updated in place once a batch, so pages keep room for the new versions.
    """
    create table kafka_offset (
        cluster      text collate "C" not null,
        topic        text collate "C" not null,
        partition    integer not null,
        next_offset  bigint,
        owner        text not null,
        epoch        bigint not null,
        attempts     integer not null,
        tried_offset bigint,
        tries        integer not null default 0,
        read_to      bigint not null default 0,
        primary key (cluster, topic, partition)
    ) with (fillfactor = 40)
    """,
    # toast_tuple_target: states of a few KB stay in the row, uncompressed.
    """
    create table contract (
        id       text collate "C" primary key,
        revision bigint not null,
        state    bytea not null
    ) with (fillfactor = 70, toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0.05)
    """,
    """
    create table revision (
        contract text collate "C" not null,
        revision bigint not null,
        entry    bytea not null,
        previous bytea not null,
        head     bytea not null,
        primary key (contract, revision)
    ) with (toast_tuple_target = 8160)
    """,
    """
    create table crosswalk (
        source   text collate "C" not null,
        key      text collate "C" not null,
        contract text collate "C" not null,
        primary key (source, key, contract)
    )
    """,
    """
    create table parked (
        source   text collate "C" not null,
        subject  text collate "C" not null,
        arrival  bigint not null generated always as identity,
        keys     text not null,
        fact     bytea not null,
        ordering bytea not null,
        recorded bigint not null,
        origin   text not null,
        reason   text not null,
        since    bigint not null,
        primary key (source, subject)
    )
    """,
    "create index parked_since on parked (since)",
    # May hold keys that a newer fact of the subject no longer has; `parked.keys` has the last word.
    """
    create table parked_key (
        key_source text collate "C" not null,
        key        text collate "C" not null,
        source     text collate "C" not null,
        subject    text collate "C" not null,
        primary key (key_source, key, source, subject)
    )
    """,
    "create index parked_key_subject on parked_key (source, subject)",
    """
    create table outbox (
        id      bigint primary key generated always as identity,
        lane    smallint not null check (lane between 0 and 3),
        body    bytea not null,
        created timestamptz not null default clock_timestamp()
    ) with (autovacuum_vacuum_scale_factor = 0.01, toast_tuple_target = 8160)
    """,
    "alter table outbox alter column body set storage external",
    "create index outbox_lane on outbox (lane, id)",
    """
    create table quarantine (
        id            text collate "C" primary key,
        arrival       bigint not null generated always as identity,
        source        text not null,
        cluster       text not null,
        topic         text not null,
        partition     integer not null,
        record_offset bigint not null,
        recorded      bigint not null,
        key           bytea,
        headers       bytea not null,
        value         bytea,
        fault         text not null,
        sentence      text not null,
        size          bigint not null,
        sha256        text not null,
        at            timestamptz not null default clock_timestamp(),
        state         text not null default 'open' check (state in ('open', 'redriven', 'discarded'))
    )
    """,
    "create index quarantine_open on quarantine (arrival) where state = 'open'",
    # A contract's own batch replaces its own rows. Whoever wakes another's contract (`from_other`) adds a row, waits
    # for nobody, and the row stays until a batch has taken it: no batch removes a wake that it has not seen.
    """
    create table wake (
        id            bigint primary key generated always as identity,
        contract      text collate "C" not null,
        cause         text collate "C" not null,
        moment        bigint not null,
        from_other boolean not null
    ) with (autovacuum_vacuum_scale_factor = 0.01)
    """,
    "create index wake_moment on wake (moment)",
    "create index wake_contract on wake (contract, cause)",
    """
    create table lease (
        name       text primary key,
        owner      text not null,
        epoch      bigint not null,
        expires_at timestamptz not null
    )
    """,
    """
    create table rulebook (
        hash    text primary key,
        content bytea not null,
        since   timestamptz not null default clock_timestamp(),
        used    bigint not null
    )
    """,
    # Several rows a day and outcome (`shard`), so that workers do not wait for each other's commit.
    """
    create table control_total (
        day     date not null,
        outcome text collate "C" not null,
        shard   smallint not null,
        records bigint not null,
        primary key (day, outcome, shard)
    ) with (fillfactor = 40)
    """,
)

APPEND_ONLY = (
    """
    create function refuse_change() returns trigger language plpgsql as $$
    begin
        raise exception 'table % is append-only: % is refused', tg_table_name, tg_op using errcode = '23001';
    end $$
    """,
    """
    create trigger append_only before update or delete or truncate on revision
    for each statement execute function refuse_change()
    """,
)


def upgrade() -> None:
    for statement in (*TABLES, *APPEND_ONLY):
        op.execute(statement)
