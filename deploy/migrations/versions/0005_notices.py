"""A lane of the outbox for notices."""

from alembic import op

revision = "0005"
down_revision = "0004"

# Given again, each leaves the same: a check is dropped where it is there, and made anew.
UP = (
    "alter table outbox drop constraint if exists outbox_lane_check",
    "alter table outbox add constraint outbox_lane_check check (lane between 0 and 4)",
)
# Notices that wait to be published go with their lane; they can be made again from the log.
DOWN = (
    "delete from outbox where lane = 4",
    "alter table outbox drop constraint if exists outbox_lane_check",
    "alter table outbox add constraint outbox_lane_check check (lane between 0 and 3)",
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
