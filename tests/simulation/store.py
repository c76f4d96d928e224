"""The store as Postgres keeps it at READ COMMITTED, over the tables of the memory store: rows locked until the commit,
reads of what was committed last, numbers given out before it. One `Server`, and a `SimStore` for each process.
"""

from contextlib import asynccontextmanager
from itertools import count
from zlib import crc32

from simulation.locks import Locks
from simulation.wire import Calm, Wired, transaction

from connectors.memory import MemoryBatch, MemoryStore, system_clock
from connectors.memory_tables import Tables
from connectors.wakes import net_wakes
from contracts_schema.rows import Changes, OutboxRow, Review

BUCKETS = 1024


class SimTables(Tables):
    """The tables, with every wake a row of its own: what another batch adds meanwhile is not taken with the others."""

    def __init__(self):
        super().__init__()
        self.wakes = {}  # id -> (contract, moment, cause, whether another contract's batch)
        self._wake_ids = count(1)
        self.on_commit = []  # called with (moves, changes) of each batch that was committed

    def wake(self, contract, moment, cause, *, foreign=True):
        self.wakes[next(self._wake_ids)] = (contract, moment, cause, foreign)

    def reviews(self):
        earliest = {}
        for contract, moment, cause, _ in self.wakes.values():
            earliest[contract, cause] = min(moment, earliest.get((contract, cause), moment))
        return [Review(c, moment, why) for moment, c, why in sorted((m, c, why) for (c, why), m in earliest.items())]

    def numbers(self, wanted):
        """Ids for rows of the outbox, as a sequence gives them out: before the commit."""
        return [next(self._numbers) for _ in range(wanted)]

    def commit(self, batch, moment):
        """Let one batch take effect."""
        changes = batch.changes
        self.move(batch.moves)
        outbox, changes.outbox = changes.outbox, []
        self.apply(changes, batch.held, batch.taken, moment)
        changes.outbox = outbox
        for number, (lane, body) in zip(batch.numbers, outbox, strict=True):
            self.outbox[number] = (OutboxRow(number, lane, body), moment)
        self.outbox = dict(sorted(self.outbox.items()))
        for told in self.on_commit:
            told(batch.moves, changes)

    def _wake(self, changes, own, taken):
        net = net_wakes(changes.wakes, own)
        done = {number for key in net.replaced for number in taken.get(key, ())}
        replaced = set(net.replaced)
        for number, (contract, _, cause, foreign) in list(self.wakes.items()):
            if number in done or (not foreign and (contract, cause) in replaced):
                del self.wakes[number]
        for contract, moment, cause, foreign in net.new:
            self.wake(contract, moment, cause, foreign=foreign)


class Server:
    """What all processes share: committed tables and the locks of open transactions."""

    def __init__(self, clock=system_clock):
        self.tables, self.locks, self.clock = SimTables(), Locks(), clock


class SimBatch(MemoryBatch):
    """One open transaction. Its locks are Postgres's: row by row, in the order of the statements."""

    def __init__(self, server, opened, on_fence):
        super().__init__(server.tables)
        self._on_fence = on_fence
        self._locks, self._opened = server.locks, opened
        self.moves, self.held, self.taken, self.changes, self.numbers = [], set(), {}, Changes(), []
        opened.apply = lambda: server.tables.commit(self, server.clock())

    async def fence(self, owner, ranges):
        await super().fence(owner, ranges)
        await self._opened.lock(*sorted(_row(moved.cluster, moved.partition) for moved in ranges))
        self._moves = []
        await super().fence(owner, ranges)  # what another transaction has committed meanwhile counts
        self.moves = self._moves
        self._on_fence(self._opened)

    async def lock_keys(self, shared, exclusive):
        alone = {crc32("\0".join(key).encode()) % BUCKETS for key in exclusive}
        for bucket in sorted(alone.union(crc32("\0".join(key).encode()) % BUCKETS for key in shared)):
            await self._opened.lock(("key", bucket), shared=bucket not in alone)

    async def lock_free_keys(self, keys):
        self._opened.refuse_ended()
        locks = {key: ("key", crc32("\0".join(key).encode()) % BUCKETS) for key in sorted(set(keys))}
        return {key for key, lock in locks.items() if self._locks.try_take(self._opened, lock, shared=True)}

    async def lock_documents(self, keys):
        await self._opened.lock(*(("document", key) for key in sorted(set(keys))))
        return await super().lock_documents(keys)

    async def lock_free_documents(self, keys):
        self._opened.refuse_ended()
        free = [key for key in sorted(set(keys)) if self._locks.try_take(self._opened, ("document", key))]
        return await super().lock_documents(free)

    async def load(self, contracts):
        self.held.update(contracts)
        await self._opened.lock(*(("contract", name) for name in sorted(contracts) if name in self._tables.states))
        return await super().load(contracts)

    async def due(self, moment, limit):
        self._opened.refuse_ended()
        rows = sorted((when, contract) for contract, when, _, _ in self._tables.wakes.values() if when <= moment)
        known = [contract for _, contract in rows if contract in self._tables.states]
        locked = [c for c in known if self._locks.try_take(self._opened, ("contract", c))][:limit]
        found = {}
        for number, (contract, when, cause, _) in self._tables.wakes.items():
            if contract in locked and when <= moment:
                found.setdefault((contract, cause), []).append((when, number))
        first = sorted((min(rows)[0], *key) for key, rows in found.items())[:limit]
        self.held.update(locked)
        self.taken.update(((c, why), [number for _, number in found[c, why]]) for _, c, why in first)
        return [Review(contract, when, cause) for when, contract, cause in first]

    async def lock_invoices(self, keys):
        await self._opened.lock(*(("invoice", key) for key in sorted(set(keys))))
        return await super().lock_invoices(keys)

    async def write(self, changes):
        await self._opened.lock(*(("contract", row.contract) for row in sorted(changes.states, key=_contract)))
        await super().write(changes)
        self.changes, self.numbers = changes, self._tables.numbers(len(changes.outbox))


class SimStore(MemoryStore):
    """The store of one process, over its wire."""

    def __init__(self, server=None, wire=None):
        server = server or Server()
        super().__init__(server.clock)
        self.server, self.wire = server, wire or Calm()
        self._tables = server.tables
        self.on_fence = lambda opened: None  # called with each transaction that has moved partitions on

    @asynccontextmanager
    async def batch(self):
        async with transaction(self.server.locks, self.wire, "batch") as opened:
            yield Wired(SimBatch(self.server, opened, self.on_fence), self.wire, "batch")

    async def take(self, owner, cluster, partitions):
        async with self._row_locks(cluster, partitions):
            return await super().take(owner, cluster, partitions)

    async def give_back(self, owner, cluster, partitions):
        async with self._row_locks(cluster, partitions):
            return await super().give_back(owner, cluster, partitions)

    async def attempt(self, owner, cluster, partition, offset):
        async with self._row_locks(cluster, [partition]):
            return await super().attempt(owner, cluster, partition, offset)

    async def read_past(self, cluster, moments):
        async with self._row_locks(cluster, []) as opened:
            free = [p for p in sorted(moments) if self.server.locks.try_take(opened, _row(cluster, p))]
            await super().read_past(cluster, {p: moments[p] for p in free})

    async def forget_partitions(self, cluster, partitions):
        async with self._row_locks(cluster, partitions):
            return await super().forget_partitions(cluster, partitions)

    @asynccontextmanager
    async def _row_locks(self, cluster, partitions):
        """A transaction of one statement."""
        opened = self.server.locks.begin(self.wire.name)
        try:
            await opened.lock(*sorted(_row(cluster, p) for p in set(partitions)))
            yield opened
        finally:
            opened.end()


def _row(cluster, partition):
    return ("offset", cluster, *partition)


def _contract(row):
    return row.contract
