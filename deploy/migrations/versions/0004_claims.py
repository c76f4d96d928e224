"""What contracts claim of invoices, so that none is claimed twice across contracts (rule D8).

One row an invoice number and identifier of its supplier (`key`, a digest of both): its lock, and what every contract
claims under it (opaque bytes). Contracts that were there before are looked at once, which writes their claims.
"""

from alembic import op

revision = "0004"
down_revision = "0003"

TABLES = (
    """
    create table if not exists invoice_claim (
        key    bytea primary key,
        claims bytea not null
    ) with (fillfactor = 70)
    """,
    """
    insert into wake (contract, moment, cause, from_other)
    select id, 0, 'upgrade', true from contract
    """,
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)


def downgrade() -> None:
    op.execute("drop table if exists invoice_claim")
