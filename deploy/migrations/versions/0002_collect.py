"""Where the collectors stand, what they have told, and what hinders them. Moments are microseconds since 1970."""

from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = (
    """
    create table collect_place (
        source   text collate "C" not null,
        kind     text collate "C" not null,
        position bigint not null,
        swept_to bigint not null,
        swept_at bigint not null,
        primary key (source, kind)
    ) with (fillfactor = 40)
    """,
    # One row an object that the system has; it goes when the object does. Fingerprint and `at` change with the object.
    """
    create table collect_told (
        source      text collate "C" not null,
        kind        text collate "C" not null,
        number      bigint not null,
        fingerprint bytea not null,
        created     text not null,
        at          bigint not null,
        primary key (source, kind, number)
    ) with (fillfactor = 80)
    """,
    """
    create table collect_standing (
        source   text collate "C" primary key,
        at       bigint not null,
        sentence text
    )
    """,
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)
