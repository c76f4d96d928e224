"""The upgrade of the database's schema, by alembic."""

from __future__ import annotations

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from connectors import postgres_roles
from connectors.postgres_errors import answers, family_of
from connectors.schema import FLOOR, faults_of_schema, scripts_folder, shipped_revisions
from contracts_schema.errors import ConfigurationError, MilepostError

UPGRADE_LOCK = 0x6D70_7570  # one upgrade at a time in a database
CONNECT_S = 10.0
STATEMENT_S = 6 * 3600.0  # some migrations copy the log


async def upgrade(dsn: str, lock_timeout_s: float = 10.0) -> list[str]:
    """Bring the schema up to this code, in one transaction; the revisions applied, oldest first.

    A table that a long query reads is waited for only `lock_timeout_s`: everybody else would queue behind us.

    Raises:
        ConfigurationError: the database is newer than this code, or may not be changed by this user.
        TransientError: the server does not answer, or somebody holds a lock for longer.
    """

    async def connect() -> asyncpg.Connection[asyncpg.Record]:
        with answers():
            return await asyncpg.connect(dsn, timeout=CONNECT_S, command_timeout=STATEMENT_S, statement_cache_size=0)

    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=connect, poolclass=NullPool, isolation_level="READ COMMITTED"
    )
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(_upgrade, int(lock_timeout_s * 1000))
    except DBAPIError as fault:
        raise _family_of(fault) or fault from fault
    finally:
        await engine.dispose()


def _upgrade(connection: Connection, lock_timeout_ms: int) -> list[str]:
    connection.execute(text(f"set local lock_timeout = {lock_timeout_ms}"))
    connection.execute(text(f"select pg_advisory_xact_lock({UPGRADE_LOCK})"))
    present = list(MigrationContext.configure(connection).get_current_heads())
    shipped = shipped_revisions()
    if any(revision not in shipped for revision in present):
        if faults := faults_of_schema(present, _floor(connection)):
            raise ConfigurationError(faults)
        return []
    if present == [shipped[-1]]:
        return []
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    _grant(connection)
    return shipped[shipped.index(present[0]) + 1 :] if present else shipped


def _floor(connection: Connection) -> str | None:
    if connection.scalar(text("select to_regclass('schema_floor')")) is None:
        return None
    floor: str | None = connection.scalar(text(FLOOR))
    return floor


def _grant(connection: Connection) -> None:
    """Give the roles that this server has their rights on the tables as they are now."""
    schema = connection.scalar(text("select current_schema()"))
    roles, tables = (
        [row[0] for row in connection.execute(text(query))]
        for query in (postgres_roles.PRESENT_ROLES, postgres_roles.PRESENT_TABLES)
    )
    for statement in postgres_roles.grants(roles, tables, str(schema)):
        connection.execute(text(statement))


def _family_of(fault: DBAPIError) -> MilepostError | None:
    """SQLAlchemy wraps the driver's error twice; the innermost is the one with the SQLSTATE."""
    cause: BaseException | None = fault
    while cause is not None:
        family = family_of(cause)
        if family:
            return family
        cause = cause.__cause__
    return None


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts_folder()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
