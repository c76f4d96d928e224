"""The store in Postgres: the truth, and the boundary of effectively once."""

from connectors.postgres.pool import PostgresSettings
from connectors.postgres.store import PostgresStore

__all__ = ["PostgresSettings", "PostgresStore"]
