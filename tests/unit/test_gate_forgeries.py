"""Whoever can write to the topic of commands moves nothing: 100,000 forged, altered, replayed and garbled ones are each
recorded, and what is wanted is what the log says, whatever the order in which the genuine ones came between them."""

import logging
from collections import Counter
from random import Random

import pytest
from builders import Story, a_contract, a_milestone, disputed, done, invoice, met, registered, signed
from forgeries import FORGED, REPLAYED, TOPIC, record_of
from gate_desk import ANSWERS
from msgspec.json import decode

from connectors.memory_gate import MemoryWanted
from contracts_schema.rows import Partition
from services.gate.answers import Voice
from services.gate.intake import Door
from services.gate.memory import contract_memory

ATTACKS = 100_000
AT_ONCE = 2_000


@pytest.fixture(scope="module")
def story():
    """Three contracts whose milestones are held, paid in part, disputed and freed."""
    told = Story()
    for name in ("C-1", "C-2", "C-3"):
        plan = a_contract(a_milestone("M1"), a_milestone("M2", "50.00", requires=["met", "invoiced"]), contract=name)
        told.tell(registered(plan))
        for milestone, amount in (("M1", "100.00"), ("M2", "50.00")):
            number = f"{name}-{milestone}"
            told.tell(invoice(amount, number, milestone, contract=name), disputed("10.00", milestone, contract=name))
            told.tell(met(milestone, contract=name), signed("jane", milestone, contract=name))
            told.tell(disputed("0.00", milestone, contract=name))
    return told


class Gate:
    """The way in of a gate, in memory, with the story's log as its proof."""

    def __init__(self, story):
        self.wanted = MemoryWanted("ap", clock=lambda: 1_772_000_000_000_000)
        self.door = Door(self.wanted, Voice("ap", ANSWERS), "gate-1", story.store, alone=True)
        done(self.door.assigned("memory", [Partition(TOPIC, 0)]))

    def take_in(self, records):
        for first in range(0, len(records), AT_ONCE):
            done(self.door.take_in(records[first : first + AT_ONCE]))

    def wants(self):
        """What is wanted of each milestone, and whether anything still waits for an earlier command."""
        memories = {name: contract_memory(raw) for name, raw in sorted(self.wanted.contracts.items())}
        kept = {
            (name, milestone): (k.command_id, k.sequence, tuple((w.number, memory.payable(k, w)) for w in k.wishes))
            for name, memory in memories.items()
            for milestone, k in sorted(memory.milestones.items())
        }
        return kept, {name: (memory.upto, memory.beyond) for name, memory in memories.items()}


def rows_of(story):
    return [row for report in story.reports for row in report.said.commands]


def test_of_100_000_attacks_between_genuine_commands_in_any_order_none_moves_anything(story, caplog):
    caplog.set_level(logging.CRITICAL)  # each refusal is a line of the log
    rng = Random("milepost gate 20261126")
    genuine = rows_of(story)
    assert len(genuine) > 12
    in_order = Gate(story)
    in_order.take_in([record_of(row, n) for n, row in enumerate(genuine)])
    assert any(paid > 0 for _, _, wishes in in_order.wants()[0].values() for _, paid in wishes)

    attacked = Gate(story)
    places = dict(
        zip(rng.sample(range(ATTACKS + len(genuine)), len(genuine)), rng.sample(genuine, len(genuine)), strict=True)
    )
    sent, stream = Counter(), []
    for offset in range(ATTACKS + len(genuine)):
        if offset in places:
            stream.append(record_of(places[offset], offset))
            continue
        forge = rng.choice(FORGED if rng.random() < 0.8 or not sent else REPLAYED)
        row = rng.choice(genuine)
        stream.append(forge(rng, row, genuine, offset))
        sent[forge in FORGED] += 1
        if len(stream) >= AT_ONCE:
            attacked.take_in(stream)
            stream.clear()
    attacked.take_in(stream)
    assert attacked.wants() == in_order.wants()
    counts = attacked.door.counts
    assert counts["read"] == ATTACKS + len(genuine)
    assert counts["new"] + counts["repeat"] + counts["superseded"] + counts["refused"] == counts["read"]
    assert counts["refused"] == len(attacked.wanted.refused) == sent[True]
    told = Counter(decode(row.value)["state"] for row in attacked.wanted.said.values())
    assert told.keys() <= {"superseded", "waiting", "applied", "already_applied"}  # applied: those without an invoice
    assert told.total() >= counts["repeat"] + counts["superseded"]
