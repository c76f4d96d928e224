"""Defects planted into the product as it runs, each of which the simulation must find: they prove that it can fail.

`python tests/simulation/planted.py` tries all of them and prints the table of the README.
"""

import sys
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parents[1]))

from simulation.store import SimBatch
from simulation.wanted import SimWanted
from simulation.world import run

from connectors.memory import MemoryBatch
from contracts_schema.errors import TransientError
from services.gate import intake
from services.gate.intake import Door
from services.gate.loop import Tenure
from services.reconciliation.merge import Seen
from services.reconciliation.state import decode_state
from services.runtime import lanes
from services.runtime.hallway import Hallway
from services.runtime.holdings import Holdings
from services.runtime.known import KnownStates
from services.runtime.leases import Leases
from services.runtime.relay import ROWS, Relay
from services.runtime.worker import Worker

SEEDS = 500


async def passes_everything(self, owner, ranges):
    self._moves += ranges


async def does_nothing(self, *told):
    return None


async def offsets_first(self, readings, owner, ranges, now):
    """The offsets in one transaction, the work in the next."""
    async with self.store.batch() as batch:
        await batch.fence(owner, ranges)
    return await whole(self, readings, owner, [], now)


async def deletes_first(self, lane):
    rows = await self._store.outbox(lane, ROWS[lane])
    records = await self._lanes.render(lane, rows) if rows else []
    await self._store.published(lane, [row.id for row in rows])
    if records:
        await self._publish(lane, records)
    return len(rows)


async def takes_silence_for_yes(self, lane, records):
    try:
        await publish(self, lane, records)
    except TransientError:
        return


async def loads_without_lock(self, contracts):
    self.held.update(contracts)
    return await MemoryBatch.load(self, contracts)


@asynccontextmanager
async def always_wanted(self, subject, generation):
    yield True


def believes_older(memory, command, *, ours):
    """Any command is the newest."""
    memory.milestones.pop(command.milestone, None)
    memory.upto, memory.beyond = 0, []
    return accept(memory, command, ours=ours)


def holds_before_all(rows, *, behind):
    return sorted(rows, key=lambda row: not row.urgent)


whole, publish, accept = Hallway._carry, Relay._publish, intake.accept
PLANTED = {
    "the store's fence lets everybody pass": (MemoryBatch, "fence", passes_everything),
    "offsets are committed before the work": (Hallway, "_carry", offsets_first),
    "after a lost fence a worker reads on": (Worker, "_seek_anew", does_nothing),
    "partitions are given back while a batch runs": (Holdings, "revoked", does_nothing),
    "a contract is loaded without its lock": (SimBatch, "load", loads_without_lock),
    "a state that another worker changed is taken for known": (KnownStates, "take", lambda self, contract, raw: (
        self._known[contract][1] if contract in self._known else decode_state(raw))),
    "an event counts each time it comes": (Seen, "told", lambda self, identity: []),
    "a relay sends without asking for its lease": (Leases, "holds", lambda self, name: True),
    "rows are deleted before they are confirmed": (Relay, "_send_oldest", deletes_first),
    "what the broker did not confirm counts as sent": (Relay, "_publish", takes_silence_for_yes),
    "holds overtake inside a contract": (lanes, "holds_first", holds_before_all),
    "the gate's fence believes older commands": (intake, "accept", believes_older),
    "after a lost fence the gate reads on": (Door, "_seek_anew", does_nothing),
    "the gate acts without its lease": (Tenure, "may_act", lambda self: True),
    "a release goes out while a hold comes in": (SimWanted, "releasing", always_wanted),
}  # fmt: skip


def found(name, seeds=SEEDS):
    """The first seed that finds this defect, and what it says; (None, "") where none does."""
    with patch.object(*PLANTED[name]):
        for seed in range(seeds):
            try:
                run(seed)
            except Exception as broken:  # noqa: BLE001 -- any end but a good one counts
                return seed, str(broken)
    return None, ""


if __name__ == "__main__":
    for defect in PLANTED:
        at, sentence = found(defect)
        print(f"| {defect} | {at} | {sentence[:120]} |", flush=True)
