"""Which contracts have parts of a vendor's document, and how new it is known to be (rule F9).

One row a document (`key`, a digest of source and document): its lock, and what is known of it (opaque bytes). A row
that no contract holds is forgotten like a parked fact, so it says when it was last heard of. Contracts that were there
before are looked at once, which writes the documents that they have parts of.
"""

from alembic import op

revision = "0006"
down_revision = "0005"

UP = (
    """
    create table if not exists vendor_document (
        key     bytea primary key,
        content bytea not null,
        held    boolean not null default false,
        heard   timestamptz not null default clock_timestamp()
    ) with (fillfactor = 70)
    """,
    "create index if not exists vendor_document_loose on vendor_document (heard) where not held",
    """
    insert into wake (contract, moment, cause, from_other)
    select id, 0, 'documents', true from contract
    """,
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    op.execute("drop table if exists vendor_document")
