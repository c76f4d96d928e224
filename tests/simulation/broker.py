"""The broker: groups that move partitions about, feeds that repeat themselves, sends that arrive in part or twice."""

import asyncio
import contextlib
from collections import Counter

from connectors.memory_feed import MemoryFeed, MemoryPublisher
from contracts_schema.errors import TransientError

DRAIN_S = 1.0
SESSION_S = 1.5


class Member:
    """A feed in a group, with the process that it belongs to."""

    def __init__(self, process, feed):
        self.process, self.feed = process, feed
        self.moving = None

    def let_go(self):
        """The group takes everything; whatever was being positioned is given up."""
        if self.moving is not None:
            self.moving.cancel()
        self.moving = self.process.spawn(self._let_go())
        return self.moving

    async def _let_go(self):
        """As the feed on Kafka does it: a batch that outlasts this is left to the fence."""
        had = bool(self.feed.behind())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await self.feed.revoke()
                if had:
                    self.process.refuse_open_batch()

    def get(self, partitions):
        self.moving = self.process.spawn(self.feed.assign(partitions))


class Group:
    """The members of one group and which partitions each has. Nobody tells a zombie."""

    def __init__(self, world, partitions):
        self._world, self._partitions = world, list(partitions)
        self.members = []
        self._busy = asyncio.Lock()

    async def join(self, process, feed):
        self.members.append(Member(process, feed))
        await self.rebalance()

    async def gone(self, process):
        """A member that died is missed after a while."""
        await asyncio.sleep(SESSION_S)
        if any(member.process is process for member in self.members):
            self.members = [member for member in self.members if member.process is not process]
            await self.rebalance()

    async def rebalance(self, zombies=()):
        """Deal all partitions anew. `zombies` lose theirs and are not told: they go on with what they had."""
        async with self._busy:
            told = [m for m in self.members if m.process not in zombies and not m.process.is_dead]
            waiting = [member.let_go() for member in told]
            if waiting:
                await asyncio.wait(waiting, timeout=DRAIN_S * 2)
            told = [member for member in told if not member.process.is_dead]
            dealt = list(self._partitions)
            self._world.fate.rng.shuffle(dealt)
            for n, member in enumerate(told):
                member.get(sorted(dealt[n :: len(told)]))


class SimFeed(MemoryFeed):
    """A feed over a wire. Its polls may fail, and it may hand out again what it handed out before."""

    def __init__(self, topics, on_assigned, on_revoked, wire):
        super().__init__(topics, on_assigned, on_revoked)
        self._wire = wire

    async def poll(self, limit, timeout_s):
        if timeout_s <= 0 or self._paused or not any(map(self._waiting, self._next)):
            return await super().poll(limit, timeout_s)
        await self._wire.moment("feed.poll")
        return await super().poll(limit, 0)  # nothing is awaited between here and the worker's batch

    def replay(self, rng):
        """Go back in one partition by itself."""
        if self._next:
            partition = rng.choice(sorted(self._next))
            self._next[partition] = rng.randint(0, self._next[partition])


class SimPublisher(MemoryPublisher):
    """Sends over a wire: what goes wrong leaves nothing, a part, or all of it in the topic, once or twice."""

    def __init__(self, topics, wire, rng, on_send):
        super().__init__(topics)
        self._wire, self._rng, self._on_send = wire, rng, on_send

    async def publish(self, rows):
        self._on_send(rows)
        await self._wire.moment("publish<")
        arrived = rows
        try:
            await self._wire.moment("publish~")
        except TransientError:
            arrived = self._part_of(rows)
            raise
        except asyncio.CancelledError:
            arrived = self._part_of(rows) if self._wire.is_dead else ()  # else the run is over
            raise
        finally:
            for _ in range(1 if self._rng.randrange(40) else 2):
                await super().publish(arrived)
        await self._wire.moment("publish>")

    def _part_of(self, rows):
        """Of each key as many of the first ones as happened to arrive."""
        counts = Counter(row.key for row in rows)
        left = {key: self._rng.randint(0, n) for key, n in counts.items()}
        arrived = []
        for row in rows:
            left[row.key] -= 1
            arrived += [row] if left[row.key] >= 0 else []
        return arrived
