"""What the simulation found in the product, each by itself: the seed is in the name of nothing, the fault is here."""

from contextlib import asynccontextmanager

import pytest
from gate_desk import COMMANDS, VOICE, a_desk, command, invoice, target
from msgspec.structs import replace

from connectors.memory_feed import MemoryFeed, MemoryTopics
from connectors.memory_gate import MemoryWanted
from contracts_schema.errors import TransientError
from contracts_schema.rows import Partition
from services.gate.intake import Door
from services.gate.memory import contract_memory
from services.runtime.outgoing import command_row

P0 = Partition(COMMANDS, 0)


class InDoubt(MemoryWanted):
    """Commits the first batch and does not say so."""

    doubts = 1

    @asynccontextmanager
    async def intake(self):
        async with super().intake() as batch:
            yield batch
        if self.doubts:
            self.doubts -= 1
            raise TransientError("the connection is gone")


async def test_commands_behind_a_batch_of_the_gate_that_was_in_doubt_are_taken_in():
    topics, wanted = MemoryTopics({COMMANDS: 1}), InDoubt("ap-eu")
    door = Door(wanted, VOICE, "gate-1", None, alone=True)

    async def assigned(partitions):
        return await door.assigned("memory", partitions)

    def send(sequence):
        row = command_row(command(sequence, [target(payable=sequence)]), COMMANDS)
        topics.append(COMMANDS, row.key, row.value, row.headers)

    feed = MemoryFeed(topics, assigned, door.revoked)
    await feed.assign([P0])
    send(1)
    with pytest.raises(TransientError):
        await door.pump(feed, 10, 0)
    send(2)
    assert await door.pump(feed, 10, 0) == 0  # the fence: the first of the two was taken in before
    assert await door.pump(feed, 10, 0) == 1
    assert contract_memory(wanted.contracts["C-1"]).upto == 2


async def test_an_unclaimed_invoice_whose_block_was_not_answered_is_looked_at_again_soon():
    wanted = MemoryWanted("ap-eu", {("erp-eu", "purchase.line:1"): {"C-1"}})
    async with a_desk(wanted=wanted, first_s=2, most_s=300, settled_s=900) as desk:
        desk.ledger.faults.append("error_before")
        desk.ledger.post(replace(invoice(), keys=("purchase.line:1",)))
        await desk.turn()
        assert not desk.ledger.line("inv:INV-1", "1").held
        assert wanted.invoices["n:INV-1"].due - await wanted.now() < 3_000_000
