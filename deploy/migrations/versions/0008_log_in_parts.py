"""The log lies in parts, by hash of the contract.

It is the one table that grows with every record. In parts its indexes stay small, several parts are vacuumed at a time,
and what archiving frees is used again.

Its rows are copied while workers go on writing. A log is written at its end alone, so what comes meanwhile stands,
contract by contract, above what was copied (`revision_later`). Workers wait only while the last of that is copied;
whoever archives waits from the beginning, so that nothing leaves the log.
"""

from alembic import op

revision = "0008"
down_revision = "0007"

PARTS = 16
STORED = "with (toast_tuple_target = 8160)"  # each part has to say so itself

IN_PARTS = (
    "create table revision_moved (like revision) partition by hash (contract)",
    *(
        f"create table revision_{part:02} partition of revision_moved"
        f" for values with (modulus {PARTS}, remainder {part}) {STORED}"
        for part in range(PARTS)
    ),
)
WHOLE = (f"create table revision_moved (like revision) {STORED}",)
MOVE = (
    """
    create view revision_later as
    select r.* from contract c
    cross join lateral (select coalesce(max(m.revision), 0) as moved from revision_moved m where m.contract = c.id) m
    join revision r on r.contract = c.id and r.revision > m.moved
    where c.revision > m.moved
    """,
    "lock table archived in share mode",
    "insert into revision_moved select * from revision",
    "alter table revision_moved add primary key (contract, revision)",
    "analyze revision_moved",
    """
    do $$ begin
        if current_setting('transaction_isolation') <> 'read committed' then
            raise exception 'what comes while the log is copied can only be seen in isolation read committed';
        end if;
        if (select count(*) from revision)
           <> (select count(*) from revision_moved) + (select count(*) from revision_later) then
            raise exception 'the log does not agree with the states of its contracts: it would not be copied whole';
        end if;
    end $$
    """,
    "insert into revision_moved select * from revision_later",
    "lock table revision in access exclusive mode",
    "insert into revision_moved select * from revision_later",
    """
    do $$ declare given record; begin
        for given in select privilege_type, case grantee when 0 then 'public' else grantee::regrole::text end as grantee
                     from pg_class, aclexplode(relacl) where oid = 'revision'::regclass and grantee <> relowner loop
            execute format('grant %s on revision_moved to %s', given.privilege_type, given.grantee);
        end loop;
    end $$
    """,
    "drop view revision_later",
    "drop table revision",
    "alter table revision_moved rename to revision",
    "alter index revision_moved_pkey rename to revision_pkey",
    # A statement that names a part fires the triggers of the part alone.
    """
    do $$ declare part regclass; begin
        for part in select 'revision'::regclass
                    union all select inhrelid::regclass from pg_inherits where inhparent = 'revision'::regclass loop
            execute format('create trigger append_only before update or delete or truncate on %s
                            for each statement execute function refuse_change(''archived'')', part);
        end loop;
    end $$
    """,
)


def upgrade() -> None:
    if not in_parts():
        for statement in (*IN_PARTS, *MOVE):
            op.execute(statement)


def downgrade() -> None:
    if in_parts():
        for statement in (*WHOLE, *MOVE):
            op.execute(statement)


def in_parts() -> bool:
    """Whether that is done already."""
    query = "select relkind = 'p' from pg_class where oid = 'revision'::regclass"
    return bool(op.get_bind().exec_driver_sql(query).scalar())
