"""One run: processes, topics, store and finance in one loop, what is said, what goes wrong, and what must then hold.

safety: records come, everything may fail    ->    healed: nothing fails any more, and soon all is as it must be
"""

import asyncio
from collections import Counter
from hashlib import blake2b
from random import Random

from builders import START, micros
from msgspec.json import decode
from simulation import checks
from simulation.broker import Group
from simulation.fate import Fate
from simulation.finance import Ledger, a_bill
from simulation.load import invoices, load
from simulation.loop import virtual_time
from simulation.machines import DAY_US, Machines
from simulation.process import TOLD
from simulation.store import Server

from connectors.memory_feed import MemoryTopics
from connectors.memory_gate import MemoryWanted
from contracts_schema.rows import Partition
from services.gate.memory import contract_memory

OUT = ("milestone.decisions", "milestone.snapshots", "milepost.quarantine", "milestone.notices")
EVERYBODY = ("w1", "w2", "g1", "g2")
HEALED_S = 150.0  # within which all must be well again


class Broken(AssertionError):
    """Something that must always hold did not."""


class World:
    """Everything of one run. `telling` is called with each line of the trace; `names` are the processes: workers (w…)
    with their relays, and gates (g…)."""

    def __init__(self, loop, fate, records, contracts, telling=None, names=EVERYBODY):
        self.loop, self.fate, self.records, self.names = loop, fate, records, names
        self._telling, self._hash = telling, blake2b(digest_size=16)
        self.batch, parts = fate.batch, fate.parts
        self.skew_us, self.down_until, self.faults, self._carried = 0, 0.0, [], Counter()
        self.server = Server(self.clock)
        self.server.tables.on_commit.append(self._committed)
        topics = dict.fromkeys((*(source.topic for source in TOLD.values()), *OUT), parts) | {"finance.commands": 2}
        self.topics = MemoryTopics(topics, "sim", self.clock)
        self.inputs = [Partition(source.topic, n) for source in TOLD.values() for n in range(parts)]
        self.outs = [Partition("finance.commands", n) for n in range(2)]
        self.workers, self.gates = Group(self, self.inputs), Group(self, self.outs)
        self.wanted = MemoryWanted("ap", self.server.tables.crosswalk, self.clock)
        self.ledger = Ledger()
        self.bills = [a_bill(number, key) for number, key in invoices(contracts)]
        self.machines = Machines(self)

    # -- what all of it shares -------------------------------------------------------------------------------------

    def clock(self):
        """Microseconds since 1970."""
        return micros(START) + round(self.loop.now * 1e6) + self.skew_us

    def pass_days(self, days):
        """The calendar moves on; leases do not notice."""
        self.skew_us += days * DAY_US
        leases = self.server.tables.leases
        for name, (owner, epoch, until) in leases.items():
            leases[name] = (owner, epoch, until and until + days * DAY_US)

    def trace(self, *told):
        line = f"{self.loop.now:.6f} {' '.join(map(str, told))}"
        self._hash.update(line.encode())
        if self._telling:
            self._telling(line)

    @property
    def digest(self):
        """The hash of everything that happened."""
        return self._hash.hexdigest()

    def blame(self, fault):
        """Note that something does not hold."""
        self.trace("BROKEN", fault)
        self.faults.append(fault)

    def holds_lease(self, name, owner):
        holder, _, until = self.server.tables.leases.get(name, ("", 0, 0))
        return holder == owner and until > self.clock()

    def commands(self):
        """Every record of the topic of commands, partition by partition."""
        return [decode(record.value) for place in self.outs for record in self.topics.records[place]]

    def may_free(self, bill):
        """Whether the newest commands that gates have taken in pay all of this invoice."""
        known = [contract_memory(raw) for raw in self.wanted.contracts.values()]
        newest = {kept.command_id for memory in known for kept in memory.milestones.values()}
        return checks.pays(bill, {c["command_id"]: c for c in self.commands() if c["command_id"] in newest}.values())

    def taken_in(self):
        self.trace("taken in", *sorted(self.wanted.offsets.items()))

    def _committed(self, moves, changes):
        for moved in moves:
            if moved.first != self._carried[moved.partition]:
                self.blame(f"{moved} was carried out of turn: {self._carried[moved.partition]} comes next")
            self._carried[moved.partition] = moved.next
        self.trace("commit", *(f"{m.partition.topic}/{m.partition.number}:{m.next}" for m in moves),
                   *(f"{row.contract}/{row.revision}/{row.head.hex()[:8]}" for row in changes.log))  # fmt: skip

    # -- a run -----------------------------------------------------------------------------------------------------

    async def live(self):
        """All of it. Raises Broken with everything that did not hold."""
        for bill in self.bills[::2]:
            self.ledger.post(bill)
        try:
            for name in self.names:
                await self.machines.start(name)
            await self._tell()
            await self._heal()
        finally:
            self.faults += await self.machines.end()
        if not self.faults:
            self.faults += await checks.ends(self)
        if self.faults:
            raise Broken("; ".join(self.faults[:5]))

    async def _tell(self):
        """Send every record, and let happen what happens meanwhile."""
        rng = self.fate.rng
        pace_s = rng.choice((0.02, 0.1, 0.4))
        for record in self.records:
            self.topics.append(record.topic, record.key, record.value, record.headers)
            if rng.random() < 0.1:
                self.ledger.post(self.bills[1::2][rng.randrange(len(self.bills) // 2)])
            pause_s = rng.random() * pace_s
            await asyncio.sleep(pause_s)
            for name in self.fate.events(pause_s):
                self.machines.happen(name)
        for _ in range(rng.choice((1, 5))):
            await asyncio.sleep(0.2)
            for name in self.fate.events(0.2):
                self.machines.happen(name)

    async def _heal(self):
        """From here on nothing goes wrong; whoever lives has a bounded time to bring everything in order."""
        self.fate.healed, self.down_until = True, 0.0
        self.trace("healed")
        for bill in self.bills:
            self.ledger.post(bill)
        for process in self.machines.living:
            process.frozen_until = 0.0
        until, left = self.loop.now + HEALED_S, ["not looked at"]
        while left and not self.faults:
            if self.loop.now > until:
                raise Broken(f"{HEALED_S:.0f} s after the last fault: {'; '.join(left[:5])}")
            await asyncio.sleep(0.25)
            left = checks.unsettled(self)


class Ran:
    """What came of one run."""

    def __init__(self, world, seconds):
        self.digest, self.fired, self.seconds = world.digest, world.fate.fired, seconds
        self.commands, self.records = len(world.commands()), sum(len(world.topics.records[p]) for p in world.inputs)


def run(seed, telling=None):
    """One run by its seed. Raises Broken, or whatever a defect of the simulation raises."""
    rng = Random(seed)
    contracts, count = rng.choice((1, 2, 2)), rng.choice((6, 12, 20))
    return play(Fate(seed), load(seed, contracts, count), contracts, telling, seed=seed)


def play(fate, records, contracts, telling=None, names=EVERYBODY, seed=0):
    """A run of these records under this fate."""
    with virtual_time(seed) as loop:
        world = World(loop, fate, records, contracts, telling, names)
        loop.run_until_complete(world.live())
        return Ran(world, loop.now)
