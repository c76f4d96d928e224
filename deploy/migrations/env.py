"""Where alembic finds the connection that `milepost db upgrade` opened; it opens none itself."""

from alembic import context

connection = context.config.attributes.get("connection")
if connection is None:
    raise SystemExit("run `milepost db upgrade`: it holds the lock that keeps two upgrades apart")

context.configure(connection=connection, transaction_per_migration=False)
with context.begin_transaction():
    context.run_migrations()
