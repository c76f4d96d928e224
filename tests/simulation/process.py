"""The processes: the product's own worker with its relays and its upkeep, and the product's own gate.

A process that dies loses its memory and every open transaction; nothing it still tries reaches anybody.
"""

import asyncio

from builders import SOURCES
from simulation.broker import SimFeed, SimPublisher
from simulation.finance import SimFinance
from simulation.loop import OWNER
from simulation.store import SimStore
from simulation.wanted import SimWanted
from simulation.wire import Wire, Wired

from contracts_schema.rows import Lane
from services.gate.answers import Voice
from services.gate.drive import Driver, Manner
from services.gate.intake import Door
from services.gate.loop import Gate, Pace, Tenure
from services.gate.scan import Scan
from services.reconciliation.policy import Policy, make_rules
from services.runtime.appetite import Appetite
from services.runtime.hallway import Hallway
from services.runtime.health import Health
from services.runtime.holdings import Holdings
from services.runtime.lanes import Lanes
from services.runtime.leases import Leases
from services.runtime.outgoing import Topics
from services.runtime.reading import Reader
from services.runtime.relay import EXPLAINING, Relay
from services.runtime.upkeep import Upkeep
from services.runtime.worker import Worker

LEASE_S = 2.0
GATE_LEASE_S = 4.0
VOICE = Voice("ap", "ap.events")
GATE_LEASE = "gate/ap"
TOLD = {name: SOURCES[name] for name in ("register", "pm", "portal", "erp", "office", "ap")}
RULES = make_rules({name: source.role for name, source in TOLD.items()}, {}, Policy(), "ap")


class Mute:
    """Telemetry that tells nobody."""

    def event(self, *told, **more):
        """Nothing."""

    count = gauge = took = event


class Process:
    """One process on its machine: what it runs, and whether it still does."""

    def __init__(self, world, name):
        self.world, self.name = world, name
        self.wire = Wire(world, self)
        self.is_dead = False
        self.frozen_until = 0.0
        self.tasks = []
        self.open_batch = None

    def spawn(self, coroutine):
        """Run something as a part of this process."""
        token = OWNER.set(self)
        try:
            return self.world.loop.create_task(coroutine)
        finally:
            OWNER.reset(token)

    def run(self, part):
        """Run a part that is not to end as long as the process lives."""
        self.spawn(part.run()).add_done_callback(self._ended)

    def freeze(self, seconds):
        """As SIGSTOP: whatever it awaits comes later."""
        self.frozen_until = max(self.frozen_until, self.world.loop.now + seconds)

    def die(self):
        """As kill -9."""
        self.is_dead = True
        for task in self.tasks:
            task.cancel()
        self.world.server.locks.roll_back(self.name)

    def refuse_open_batch(self):
        """Partitions were given back: a batch that still runs was not waited for."""
        if self.open_batch is not None and not self.open_batch.over and not self.is_dead:
            self.world.blame(f"{self.name} gave its partitions back while a batch was running")

    def _ended(self, task):
        if not task.cancelled() and task.exception() is not None and not self.is_dead:
            self.world.blame(f"{self.name} ended: {task.exception()!r}")


class WorkerProcess(Process):
    """`milepost run`."""

    def __init__(self, world, name):
        super().__init__(world, name)
        inner = SimStore(world.server, self.wire)
        inner.on_fence = self._fenced
        store, topics, loop, mute = Wired(inner, self.wire, "store"), Topics(), world.loop, Mute()
        cluster, batch, health = world.topics.cluster, world.batch, Health((), clock=loop.time)
        hallway = Hallway(store, Reader(TOLD, RULES, cluster), RULES, topics, "simulated")
        holdings = Holdings(store, name, cluster, 2 * batch)
        self.feed = SimFeed(world.topics, holdings.assigned, holdings.revoked, self.wire)
        publisher = SimPublisher(world.topics, self.wire, world.fate.rng, self._sends)
        most = publisher.max_record_bytes
        lanes = Lanes(store, RULES, topics, hallway.states, hallway.revisions, most, mute)
        self.relays = [
            Relay(store, publisher, lanes, Leases(store, name, LEASE_S, loop.time), mute, health, wanted)
            for wanted in ((Lane.COMMANDS,), EXPLAINING)
        ]
        self.upkeep = Upkeep(store, self.feed, RULES, "simulated", mute, health)
        self.worker = Worker(
            store, self.feed, hallway, holdings, mute, health, self._committed, Appetite(batch, 2 * batch)
        )
        for part in (self.worker._clock, self.worker._reviews, self.upkeep._clock):
            part._local = loop.time  # they took the real clock when they were defined

    async def start(self):
        await self.upkeep.begin()
        for part in (self.worker, self.upkeep, *self.relays):
            self.run(part)
        await self.world.workers.join(self, self.feed)

    def _fenced(self, transaction):
        self.open_batch = transaction

    def _committed(self):
        for relay in self.relays:
            relay.wake()

    def _sends(self, rows):
        lane = "relay/commands" if any(row.topic == "finance.commands" for row in rows) else None
        if lane is not None and not self.world.holds_lease(lane, self.name):
            self.world.blame(f"{self.name} sends commands without the lease")


class GateProcess(Process):
    """`milepost gate`."""

    def __init__(self, world, name):
        super().__init__(world, name)
        store = Wired(SimStore(world.server, self.wire), self.wire, "store")
        wanted = SimWanted(world.wanted, world.server.locks, self.wire)
        wanted.on_intake = world.taken_in
        finance = SimFinance(world.ledger, self.wire, self._calls)
        door = Door(wanted, VOICE, name, store, alone=True)
        tenure = Tenure(store, GATE_LEASE, name, GATE_LEASE_S, world.loop.time)
        manner = Manner(("ap",), first_s=0.5, most_s=4)
        driver = Driver(wanted, finance, VOICE, manner, tenure.may_act)
        self.feed = SimFeed(world.topics, self._assigned, door.revoked, self.wire)
        publisher = SimPublisher(world.topics, self.wire, world.fate.rng, lambda rows: None)
        pace = Pace(batch=world.batch, poll_s=0.5, scan_s=3, lease_s=GATE_LEASE_S, back_off_s=0.2, back_off_most_s=2)
        self._door = door
        scan = Scan(wanted, finance, ("ap",))
        self.gate = Gate(door, driver, scan, tenure, wanted, finance, self.feed, publisher, pace)

    async def start(self):
        self.run(self.gate)
        await self.world.gates.join(self, self.feed)

    async def _assigned(self, partitions):
        return await self._door.assigned(self.world.topics.cluster, partitions)

    def _calls(self, bill, blocked):
        if not self.world.holds_lease(GATE_LEASE, self.name):
            self.world.blame(f"{self.name} calls finance without the lease")
        if not blocked and not self.world.may_free(bill):
            self.world.blame(f"{self.name} frees {bill.number}, which the newest commands do not pay")


async def ended(processes):
    """Wait until nothing of these is left."""
    tasks = [task for process in processes for task in process.tasks]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
