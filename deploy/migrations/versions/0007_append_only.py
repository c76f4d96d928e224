"""What is recorded cannot be changed, by nobody; and the oldest program that may work on this schema.

The log, bytes in quarantine, rulebooks and what the gate refused: triggers refuse a change to the owner of the tables
too. The log of a contract leaves its table by one way alone, the function
`archive_log`: whole, up to the very head that the caller has read and kept elsewhere, and with a row that says so.

`schema_floor` names the newest schema that a program must know to work here. A migration that only adds leaves it, so
that programs of before may be started again; one that takes away, or goes with another form of what is stored, sets it
to itself.
"""

from alembic import op

revision = "0007"
down_revision = "0006"

UP = (
    """
    create table if not exists archived (
        contract text collate "C" not null,
        revision bigint not null,
        head     bytea not null,
        at       timestamptz not null default clock_timestamp(),
        primary key (contract, revision)
    )
    """,
    """
    create or replace function refuse_change() returns trigger language plpgsql as $$
    begin
        if tg_op = 'DELETE' and tg_argv[0] = 'archived' and current_setting('milepost.archiving', true) = 'on' then
            return null;
        end if;
        raise exception 'table % is append-only: % is refused', tg_table_name, tg_op using errcode = '23001';
    end $$
    """,
    # A statement that names a partition fires the triggers of the partition alone.
    """
    do $$ declare part regclass; begin
        for part in select 'revision'::regclass
                    union all select inhrelid::regclass from pg_inherits where inhparent = 'revision'::regclass loop
            execute format('drop trigger if exists append_only on %s', part);
            execute format('create trigger append_only before update or delete or truncate on %s
                            for each statement execute function refuse_change(''archived'')', part);
        end loop;
    end $$
    """,
    "drop trigger if exists append_only on archived",
    """
    create trigger append_only before update or delete or truncate on archived
    for each statement execute function refuse_change()
    """,
    "drop trigger if exists append_only on gate_refusal",
    """
    create trigger append_only before update or delete or truncate on gate_refusal
    for each statement execute function refuse_change()
    """,
    "drop trigger if exists append_only on quarantine",
    """
    create trigger append_only before delete or truncate on quarantine
    for each statement execute function refuse_change()
    """,
    "drop trigger if exists append_only_bytes on quarantine",
    """
    create trigger append_only_bytes before update on quarantine for each row
    when ((old.id, old.source, old.cluster, old.topic, old.partition, old.record_offset, old.recorded, old.key,
           old.headers, old.value, old.size, old.sha256) is distinct from
          (new.id, new.source, new.cluster, new.topic, new.partition, new.record_offset, new.recorded, new.key,
           new.headers, new.value, new.size, new.sha256))
    execute function refuse_change()
    """,
    "drop trigger if exists append_only on rulebook",
    """
    create trigger append_only before delete or truncate on rulebook
    for each statement execute function refuse_change()
    """,
    "drop trigger if exists append_only_content on rulebook",
    """
    create trigger append_only_content before update on rulebook for each row
    when ((old.hash, old.content, old.since) is distinct from (new.hash, new.content, new.since))
    execute function refuse_change()
    """,
    # `newest` is the head up to which the caller has kept the log: a log that has grown meanwhile stays.
    """
    create or replace function archive_log(wanted text, newest bytea) returns bigint language plpgsql as $$
    declare gone bigint;
    begin
        perform from contract where id = wanted for update;
        insert into archived (contract, revision, head)
            select r.contract, r.revision, r.head from revision r
            where r.contract = wanted and r.head = newest
              and not exists (select from revision n where n.contract = wanted and n.revision > r.revision);
        if not found then
            raise exception 'the log of % does not end with this head: read it again', wanted using errcode = '40001';
        end if;
        perform set_config('milepost.archiving', 'on', true);
        delete from revision where contract = wanted;
        get diagnostics gone = row_count;
        perform set_config('milepost.archiving', '', true);
        return gone;
    end $$
    """,
    "revoke execute on function archive_log(text, bytea) from public",
    "create table if not exists schema_floor (revision text not null)",
    "create unique index if not exists schema_floor_once on schema_floor ((true))",
    "insert into schema_floor values ('0007') on conflict do nothing",
)

DOWN = (
    "drop table if exists schema_floor",
    "drop function if exists archive_log(text, bytea)",
    "drop trigger if exists append_only_content on rulebook",
    "drop trigger if exists append_only on rulebook",
    "drop trigger if exists append_only_bytes on quarantine",
    "drop trigger if exists append_only on quarantine",
    "drop trigger if exists append_only on gate_refusal",
    # It is the only witness of what was archived, so it goes only while it is empty.
    """
    do $$ begin
        if to_regclass('archived') is not null and not exists (select from archived) then drop table archived; end if;
    end $$
    """,
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
