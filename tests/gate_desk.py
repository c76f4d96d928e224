"""What tests of the gate share: commands as the relay sends them, and a gate on a simulated finance system."""

import asyncio
import itertools
from contextlib import asynccontextmanager

from msgspec import UNSET
from msgspec.json import decode, encode

from connectors.finance.http import HttpFinance, Invoice, Line
from connectors.finance.simulator import Ledger, serving
from connectors.finance.web import WebSettings
from connectors.memory import MemoryStore
from connectors.memory_feed import MemoryFeed, MemoryPublisher, MemoryTopics
from connectors.memory_gate import MemoryWanted
from contracts_schema.commands import Amount, Chain, Command, TargetLine, command_id
from contracts_schema.money import format_amount
from contracts_schema.records import Record
from services.gate.answers import Voice
from services.gate.drive import Driver, Manner
from services.gate.informed import Informed
from services.gate.intake import Door
from services.gate.loop import Gate, Pace, Tenure
from services.gate.scan import Scan
from services.runtime.outgoing import command_row

COMMANDS, ANSWERS = "finance.commands", "finance.events"
VOICE = Voice("ap-eu", ANSWERS)
SUPPLIER = "SUP-1001"
_offsets = itertools.count()


def eur(minor):
    return Amount(format_amount(minor, "EUR"), "EUR")


def target(invoice="INV-1", payable=0, net=100_00, ids=(), supplier=SUPPLIER, unit=None, currency="EUR"):
    state = "hold" if payable <= 0 else "free" if payable == net else "part"
    amounts = [Amount(format_amount(minor, currency), currency) for minor in (net, payable)]
    return TargetLine(invoice, supplier, (supplier,), unit, tuple(ids), amounts[0], None, amounts[1], state)


def command(sequence=1, targets=(), contract="C-1", milestone="M1", action=None, finance="ap-eu", carried=None,
            value=1000_00, revision=None):  # fmt: skip
    targets = tuple(targets)
    released = sum(int(t.payable_to_date.amount.replace(".", "")) for t in targets)
    action = action or ("release" if released else "hold")
    said = {
        "contract": contract, "milestone": milestone, "sequence": sequence, "action": action, "value": eur(value),
        "released_to_date": eur(released), "held": eur(max(0, value - released)), "targets": targets,
    }  # fmt: skip
    carried = None if carried is None else eur(carried)
    return Command(
        command_id=command_id(**said, carried=carried), **said, reasons=(), decided_at="2026-03-01T00:00:00Z",
        revision=revision or sequence, rulebook="sha256:0", chain=Chain(1, "00"), basis=(), finance=finance,
        carried=UNSET if carried is None else carried,
    )  # fmt: skip


def record(wanted, offset=None, **changes):
    """The record of a command; `changes` are fields of its JSON that somebody altered on the way."""
    row = command_row(wanted, COMMANDS)
    value = row.value if not changes else encode({**decode(row.value), **changes})
    number = next(_offsets) if offset is None else offset
    return Record(COMMANDS, 0, number, 1_772_000_000_000, row.key, row.headers, value)


def invoice(number="INV-1", gross="100.00", net=None, lines=None, supplier=SUPPLIER, **fields):
    made = lines or [Line("1", gross, held=False)]
    whole = {"id": f"inv:{number}", "currency": "EUR", "state": "open", "keys": (), **fields}
    return Invoice(number=number, suppliers=(supplier,), net=net or gross, gross=gross, lines=tuple(made), **whole)


class Desk:
    """A gate on a simulated finance system, with everything in memory, that a test drives turn by turn."""

    def __init__(self, ledger, url, wanted=None, store=None, topics=None, owner="gate-1", timeout_s=0.3, voice=VOICE,
                 proofs=None, **manner):  # fmt: skip
        self.ledger = ledger
        self.wanted = MemoryWanted(voice.finance) if wanted is None else wanted
        self.store = store or MemoryStore()
        self.topics = topics or MemoryTopics({COMMANDS: 1, voice.topic: 1})
        self.finance = HttpFinance(WebSettings(url, None, timeout_s))
        self.door = Door(self.wanted, voice, owner, proofs, alone=True)
        self.tenure = Tenure(self.store, f"gate:{voice.finance}", owner, 30)
        settings = {"sources": ("erp-eu",), "first_s": 0, "most_s": 0, "settled_s": 0, **manner}
        self.driver = Driver(self.wanted, self.finance, voice, Manner(**settings), self.tenure.may_act)
        self.scan = Scan(self.wanted, self.finance, settings["sources"])
        self.feed = MemoryFeed(self.topics, self._assigned, self.door.revoked)
        pace = Pace(poll_s=0, idle_s=0.01, scan_s=0, back_off_s=0.01)
        self.gate = Gate(
            self.door, self.driver, self.scan, self.tenure, self.wanted, self.finance, self.feed,
            MemoryPublisher(self.topics), pace, informed=Informed(self.wanted, lambda: "memory", self._ends),
        )  # fmt: skip

    async def _ends(self):
        lie = {place: len(log) for place, log in self.topics.records.items() if place.topic == COMMANDS}
        return {place: end for place, end in lie.items() if end}

    async def _assigned(self, partitions):
        mine = [partition for partition in partitions if partition.topic == COMMANDS]
        return {**dict.fromkeys(partitions, 10**9), **await self.door.assigned("memory", mine)}

    async def start(self):
        mine = [partition for partition in self.topics.records if partition.topic == COMMANDS]
        await self.feed.assign(mine)
        await self.tenure.renew()

    async def send(self, *commands):
        for wanted in commands:
            row = command_row(wanted, COMMANDS)
            self.topics.append(COMMANDS, row.key, row.value, row.headers)
        await self.gate.take_in()

    async def turn(self):
        """Let the gate act once on everything that is due, and publish what it says."""
        await self.gate.watch()
        await self.gate.act()
        while await self.gate.answer():
            pass

    async def settle(self, *commands):
        if commands:
            await self.send(*commands)
        await self.turn()

    def said(self, kind="command.acknowledged"):
        """What was published of a kind, oldest first."""
        rows = [r for p, log in self.topics.records.items() if p.topic == ANSWERS for r in log]
        return [decode(r.value) for r in rows if r.header("ce_type") == f"milepost.{kind}.v1"]

    def states(self, wanted=None):
        return [a["state"] for a in self.said() if wanted is None or a["command_id"] == wanted.command_id]


@asynccontextmanager
async def a_desk(ledger=None, **settings):
    ledger = ledger or Ledger()
    async with serving(ledger) as url:
        desk = Desk(ledger, url, **settings)
        await desk.start()
        try:
            yield desk
        finally:
            ledger.silence_s = 0
            await desk.finance.close()


async def until(question, what, seconds=10):
    """Ask until the answer is yes."""
    async with asyncio.timeout(seconds):
        while not await question():
            await asyncio.sleep(0.02)
    return what
