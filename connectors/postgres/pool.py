"""Connections to Postgres: bounded, each call with a deadline, made anew by themselves after the server came back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
from msgspec import Struct

from connectors.postgres_errors import DRIVER_ERRORS, answers
from contracts_schema.errors import ConfigurationError, TransientError

Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"

# A process that is stopped in the middle of a batch must not hold contracts for ever: the server ends its transaction.
BEGIN = "begin isolation level read committed; set local idle_in_transaction_session_timeout = {}"

CLOSE_S = 5.0


class PostgresSettings(Struct, frozen=True):
    """How to reach the server. Times in seconds: to connect, for one statement, and for a transaction in which nothing
    happens. `statement_cache` is 0 behind PgBouncer's transaction pooling. A `dsn` that is a function is asked for each
    new connection, so that a password may be exchanged while we run. `archive`: the folder with logs that have left it.
    """

    dsn: str | Callable[[], str]
    connections: int = 8
    connect_s: float = 10.0
    statement_s: float = 30.0
    idle_s: float = 60.0
    statement_cache: int = 200
    name: str = "milepost"
    archive: Path | None = None


class Database:
    """The pool, and every way to speak through it."""

    def __init__(self, settings: PostgresSettings) -> None:
        self._settings = settings
        self._begin = BEGIN.format(int(settings.idle_s * 1000))
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._let_in = False

    async def open(self) -> None:
        """Connect once. Raises TransientError or ConfigurationError."""
        wanted = self._settings
        try:
            with answers():
                self._pool = await asyncpg.create_pool(
                    connect=self._connect,
                    min_size=0,
                    max_size=wanted.connections,
                    timeout=wanted.connect_s,
                    command_timeout=wanted.statement_s,
                    statement_cache_size=wanted.statement_cache,
                    server_settings={"application_name": wanted.name},
                    reset=_nothing_to_reset,
                )
            await self.fetch("select 1")
        except ValueError:
            # The driver's sentence may quote a part of the DSN, and with it the password.
            raise ConfigurationError(
                ["postgres.dsn cannot be read; write postgresql://user@host:5432/database"]
            ) from None

    async def _connect(self, *_: object, **options: Any) -> asyncpg.Connection[asyncpg.Record]:
        """A new connection for the pool. Whom the server let in before, it lets in again once the password is exchanged
        on both sides: until then that is worth another try."""
        wanted = self._settings.dsn
        try:
            made: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
                wanted if isinstance(wanted, str) else wanted(), **options
            )
        except (asyncpg.InvalidAuthorizationSpecificationError, ConfigurationError) as refused:
            if self._let_in:
                raise TransientError(f"Postgres refuses the login: {type(refused).__name__}") from refused
            raise
        self._let_in = True
        return made

    async def close(self) -> None:
        """End every connection; what runs on one has `CLOSE_S` to end by itself."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(CLOSE_S):
                await pool.close()
        except DRIVER_ERRORS:
            pool.terminate()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """One connection for the block."""
        pool = self._pool
        if pool is None:
            raise TransientError("Postgres: the store is not open")
        with answers():
            connection = await pool.acquire(timeout=self._settings.connect_s)
        try:
            yield connection
        finally:  # the store may have been closed meanwhile
            with answers():
                await pool.release(connection)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """One transaction for the block: committed at its end, rolled back when an error leaves it."""
        async with self.connection() as connection:
            await _run(connection, self._begin)
            try:
                yield connection
            except BaseException:
                with suppress(TransientError):  # the connection is gone, and the transaction with it
                    await _run(connection, "rollback")
                raise
            # Where the connection breaks here, the fence of the next batch shows whether it was committed.
            if await _run(connection, "commit") != "COMMIT":
                raise TransientError("Postgres rolled the batch back: a statement of it had failed")

    async def fetch(self, query: str, *args: Any) -> list[asyncpg.Record]:
        """One statement on a connection of its own."""
        async with self.connection() as connection:
            with answers():
                return await connection.fetch(query, *args)

    async def fetchval(self, query: str, *args: Any) -> Any:
        """The first value of the first row; None without a row."""
        rows = await self.fetch(query, *args)
        return rows[0][0] if rows else None

    async def execute(self, query: str, *args: Any) -> int:
        """One statement; how many rows it changed."""
        async with self.connection() as connection:
            with answers():
                status = await connection.execute(query, *args)
        return int(status.rpartition(" ")[2])


async def _run(connection: Connection, statement: str) -> str:
    """Begin or end a transaction. A connection on which that fails is thrown away: nobody knows what is open on it."""
    try:
        with answers():
            return await connection.execute(statement)
    except BaseException:
        with suppress(asyncpg.InterfaceError):  # the pool may have let go of it already
            connection.terminate()
        raise


async def _nothing_to_reset(_: object) -> None:
    """We set nothing beyond a transaction, so giving a connection back costs no round trip."""
