"""Whom pseudonyms mean, where the configuration asks for pseudonyms: the one table that names persons.

It is beside the log, so that a row can be erased and every chain still holds. One row, `key`, says with which key the
pseudonyms of this store are made.
"""

from alembic import op

revision = "0010"
down_revision = "0009"

UP = """
    create table if not exists person (
        pseudonym  text collate "C" primary key,
        name       text not null,
        first_seen timestamptz not null default clock_timestamp()
    )
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute("drop table if exists person")
