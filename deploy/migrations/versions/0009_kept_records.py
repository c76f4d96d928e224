"""Records kept for replay, where `worker.keep_records_days` asks for it.

One row a batch and partition. The records are packed and compressed already, so the server does not try again. Age is
the newest record's time (µs), never later than the server's clock; by it rows are deleted.
"""

from alembic import op

revision = "0009"
down_revision = "0008"

UP = (
    """
    create table if not exists kept_records (
        cluster      text collate "C" not null,
        topic        text collate "C" not null,
        partition    integer not null,
        first_offset bigint not null,
        next_offset  bigint not null,
        newest       bigint not null,
        records      bytea not null,
        primary key (cluster, topic, partition, first_offset)
    )
    """,
    "alter table kept_records alter column records set storage external",
    "create index if not exists kept_records_age on kept_records (newest)",
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    op.execute("drop table if exists kept_records")
