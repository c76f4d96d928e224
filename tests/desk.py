"""The command line on a store in memory: what is sent is carried through the hallway at once, as a worker would."""

import asyncio
import json
import sys
from contextlib import asynccontextmanager

from connectors.memory import MemoryStore, system_clock
from contracts_schema.records import Record
from contracts_schema.rows import OffsetRange, Partition
from services.cli import main
from services.runtime.hallway import Hallway
from services.runtime.outgoing import Topics
from services.settings import load
from services.wiring import doors

CLUSTER = "here"
CONFIG = """
sources:
  register: {dialect: milepost, role: register, topic: contract.events}
  pm: {dialect: milepost, role: project, topic: project.events}
  erp: {dialect: milepost, role: erp, topic: erp.events}
  office: {dialect: milepost, role: operator, topic: operator.events}
"""
PLAN = """
contract: {contract}
version: 1
title: Turbine hall
buyer: {{id: BUY-1}}
supplier: {{id: SUP-1}}
currency: EUR
milestones:
  - id: M1
    title: Factory acceptance test
    kind: payment
    value: "118500.00"
    requires: [met, signed_off]
  - id: M2
    title: Site acceptance
    kind: payment
    value: "1500.00"
    requires: [met]
"""


class Desk:
    """Runs `milepost ...` in this process. `working` is false while no worker runs; `clock` answers microseconds;
    `keeps` says whether its worker keeps records."""

    def __init__(self, folder, capsys, keeps=False):
        self.keeps = keeps
        self.folder, self.capsys = folder, capsys
        self.ahead = 0
        self.store = MemoryStore(self.clock)
        self.working = True
        self.waiting = []
        self.ends = {}
        self.sent = []
        self.config = self.write("milepost.yaml", CONFIG)
        self.cluster = CLUSTER

    def clock(self):
        return system_clock() + self.ahead

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def plan(self, contract="C-1", name="plan.yaml"):
        return self.write(name, PLAN.format(contract=contract))

    def install(self, monkeypatch):
        @asynccontextmanager
        async def open_store(settings):
            yield self.store

        @asynccontextmanager
        async def open_teller(settings, largest=0):
            self.settings = settings
            yield self
            await self._work()

        async def topic_ends(settings, topics):
            return dict(self.ends)

        monkeypatch.setattr(doors, "open_store", open_store)
        monkeypatch.setattr(doors, "open_teller", open_teller)
        monkeypatch.setattr(doors, "topic_ends", topic_ends)
        monkeypatch.delenv("MILEPOST_CONFIG", raising=False)
        self.monkeypatch = monkeypatch

    async def tell(self, topic, key, headers, value, partition=None):
        place = Partition(topic, partition or 0)
        offset = self.ends.get(place, 0)
        self.ends[place] = offset + 1
        record = Record(topic, place.number, offset, self.clock() // 1000, key, headers, value)
        self.sent.append(record)
        self.waiting.append(record)
        if self.working:
            await self._work()
        return place, offset

    async def _work(self):
        if not self.working:
            return
        rules = self.settings.rules()
        reader = doors.reader(self.settings, rules, CLUSTER)
        hallway = Hallway(self.store, reader, rules, Topics(), "test", keeps=self.keeps)
        await self.store.take("w", CLUSTER, {Partition(r.topic, r.partition) for r in self.waiting})
        while self.waiting:
            record = self.waiting.pop(0)
            moved = OffsetRange(
                CLUSTER, Partition(record.topic, record.partition), record.offset, record.offset + 1,
                record.timestamp * 1000,
            )  # fmt: skip
            await hallway.carry([record], "w", [moved], self.clock())
            while (await hallway.wake(0, 100, self.clock())).woken:
                pass

    def run(self, *words, code=0):
        """What the command prints, once it has ended with this code."""
        self.monkeypatch.setattr(sys, "argv", ["milepost", *map(str, words)])
        try:
            main()
            ended = 0
        except SystemExit as end:
            ended = end.code or 0
        told = self.capsys.readouterr()
        assert ended == code, f"ended with {ended}: {told.out}{told.err}"
        assert "Traceback" not in told.err
        return told.out if code == 0 else told.out + told.err

    def __call__(self, *words, code=0):
        """The same with this desk's configuration."""
        return self.run(*words, "--config", self.config, code=code)

    def json(self, *words, code=0):
        text = self(*words, "--json", code=code)
        return json.JSONDecoder().raw_decode(text)[0]

    async def say(self, source, kind, data, event, time=None, **headers):
        """A canonical event of any source, carried at once."""
        self.settings = load(self.config)
        topic = self.settings.sources[source].topic
        named = {
            "ce_specversion": "1.0", "ce_id": event, "ce_source": source, "ce_type": f"milepost.{kind}.v1", **headers
        }  # fmt: skip
        named |= {"ce_time": time} if time else {}
        encoded = tuple((name, text.encode()) for name, text in named.items())
        return await self.tell(topic, data.get("contract", "").encode() or None, encoded, json.dumps(data).encode())


def say(desk, *event, **more):
    """A canonical event, said outside of a loop."""
    return asyncio.run(desk.say(*event, **more))


def met(desk, milestone="M1", event="met-1", **more):
    return say(
        desk, "pm", "milestone.assessed", {"contract": "C-1", "milestone": milestone, "status": "met"}, event, **more
    )
