"""States and the log are compressed with lz4, where this Postgres was built with it: a third less work in the database.

What is written from now on is; what stands there is read as before, and newly compressed when it is written again.
"""

from alembic import op

revision = "0011"
down_revision = "0010"

# A command for the log as a whole does not reach its parts.
SET = """
    do $$ declare place record; begin
        for place in
            select c.oid::regclass as named, case c.relname when 'contract' then 'state' else 'entry' end as body
            from pg_class c left join pg_inherits i on i.inhrelid = c.oid
            where c.oid in ('contract'::regclass, 'revision'::regclass) or i.inhparent = 'revision'::regclass
        loop
            execute format('alter table %s alter column %I set compression lz4', place.named, place.body);
        end loop;
    exception when feature_not_supported or invalid_parameter_value then
        raise notice 'this Postgres was built without lz4: what it stores is compressed as before';
    end $$
"""


def upgrade() -> None:
    op.execute(SET)


def downgrade() -> None:
    """Older code reads what is compressed so; nothing is taken back, and no batch has to wait for it."""
