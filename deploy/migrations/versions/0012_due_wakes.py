"""What is due is found in the order in which it is taken: among a million wakes that took seconds a look."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.execute("create index if not exists wake_due on wake (moment, contract)")
    op.execute("drop index if exists wake_moment")


def downgrade() -> None:
    op.execute("create index if not exists wake_moment on wake (moment)")
    op.execute("drop index if exists wake_due")
