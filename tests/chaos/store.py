"""What the database shows of the work, asked past program and proxies, as soon as it answers."""

import asyncio
import contextlib

import asyncpg
from chaos.site import Site

AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

DONE = {
    "worker": "select coalesce(sum(next_offset), 0)::bigint from kafka_offset",
    "gate": "select coalesce(sum(next_offset), 0)::bigint from gate_offset",
    "collect": "select coalesce(max(at), 0) from collect_told",
}

ACTIVITY = """
    select pid, application_name, state, wait_event, clock_timestamp() - xact_start as lasts,
        pg_blocking_pids(pid) as waits_for, left(query, 200) as query
    from pg_stat_activity where datname = current_database() order by xact_start
"""


class Store:
    """Asks; while the database is away it asks again."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._connection: asyncpg.Connection | None = None
        self._busy = asyncio.Lock()

    async def rows(self, query: str, *args: object) -> list[asyncpg.Record]:
        """The rows of one query, however long the database is away."""
        async with self._busy:
            while True:
                try:
                    if self._connection is None or self._connection.is_closed():
                        self._connection = await self._site.connect()
                    return await self._connection.fetch(query, *args)
                except AWAY:
                    self.end()
                    await asyncio.sleep(0.05)

    def end(self) -> None:
        """Let go of the connection, before the database goes."""
        if self._connection is not None:
            self._connection.terminate()
        self._connection = None

    async def value(self, query: str, *args: object) -> object:
        return (await self.rows(query, *args))[0][0]

    async def done(self, kind: str) -> int:
        """A number that rises as processes of this kind get on."""
        return int(await self.value(DONE[kind]))

    async def owned(self, pid: int) -> int:
        """How many partitions the worker with this pid has, by the store."""
        return int(await self.value("select count(*) from kafka_offset where owner like $1", f"%/{pid}/%"))

    async def acting(self) -> str:
        """Who has the lease of finance."""
        rows = await self.rows("select owner from lease where name = 'gate/ap-eu'")
        return rows[0][0] if rows else ""

    async def write_activity(self, when: str) -> None:
        """What the database is doing when something does not come about, if it is there to be asked."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(10):
                rows = await self.rows(ACTIVITY)
                with (self._site.folder / "activity.txt").open("a") as file:
                    file.write("\n".join([f"-- {when}", *(str(dict(row)) for row in rows), ""]))
