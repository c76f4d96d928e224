"""The judge finds nothing on a healthy run, on real servers, and finds each way in which that run can be falsified."""

import asyncio
import copy
import json
import sys
from pathlib import Path

import asyncpg
from chaos.written import WrittenLedger
from gate_process import GateProcess
from msgspec.json import encode
from servers.kafka_topics import make_topics
from worker_process import Site
from workload import START, Event, events, name, registrations

from connectors.finance.http import Invoice, Line
from connectors.finance.simulator import serving
from connectors.migrations import upgrade

JUDGE = Path(__file__).with_name("judge.py")
sys.path.append(str(JUDGE.parent))  # the judge stands by itself: it finds its own modules beside it
from falsified import FALSIFICATIONS  # noqa: E402 -- behind the path
from judge import gather, judge  # noqa: E402 -- the same

CONTRACTS, EVENTS, AT_A_TIME = 24, 900, 240
DEADLINE_S = 60
KEEP = {"retention.ms": "-1"}


def bills():
    """One invoice a milestone, as the workload names them."""
    for contract in range(CONTRACTS):
        for m in range(3):
            number, net = f"INV-{contract}-{m}", f"{1000 * (m + 1)}.00"
            line = Line("1", net, held=False)
            yield Invoice(f"inv:{number}", number, (f"SUP-{contract}",), "EUR", net, net, "open", (line,))


def oddities():
    """Garbage, what nobody claims, a person's hold and its end, and a doubt that something newer ends."""
    at = int(START.timestamp() * 1000)

    def said(topic, number, kind, contract=0, **data):
        envelope = {"specversion": "1.0", "id": number, "source": "odd", "type": f"milepost.{kind}.v1"}
        data = {"contract": name(contract), "milestone": "M0"} | data
        return Event(topic, b"odd", encode(envelope | {"time": START.isoformat(), "data": data}), at)

    yield Event("erp.events", b"odd", b"\xff\x00 no event at all", at)
    yield said("erp.events", "odd-1", "value.agreed", contract=9999, value={"amount": "1.00", "currency": "EUR"})
    yield said("operator.events", "odd-2", "hold.placed", hold="H-1", reason="look again", by="olga")
    yield said("operator.events", "odd-3", "hold.lifted", hold="H-2", by="otto")
    yield said("project.events", "odd-4", "milestone.assessed", contract=1, status="nearly")


class House:
    """A worker, a gate and a finance system, with everything said and done."""

    def __init__(self, folder, kafka, dsn, ledger):
        self.site, self.books = Site(folder, kafka.bootstrap, dsn, f"judge-{folder.name}"), ledger
        # What the judge asks for, by the names of its own arguments.
        self.dsn, self.bootstrap, self.prefix = dsn, kafka.bootstrap, f"{self.site.name}."
        self.ledger, self.repeats = str(folder / "ledger.jsonl"), 0
        self.finance, self.keys = "ap-eu", ()

    async def run(self, url):
        await upgrade(self.dsn)
        await make_topics(self.site.bootstrap, {self.site.topic("finance.events"): self.site.partitions}, KEEP)
        finance = {"dialect": "http", "url": url, "timeout_s": 2, "topic": self.site.topic("finance.events")}
        await self.site.prepare(
            finance={"ap-eu": finance}, worker={"lease_s": 3, "session_s": 6, "batch": 60, "batch_behind": 60}
        )
        for bill in bills():
            self.books.post(bill)
        processes = [self.site.worker(), GateProcess(self.site.folder, self.site.config, 1)]
        try:
            for process in processes:
                await asyncio.to_thread(process.start)
            records = [*registrations(CONTRACTS), *events(EVENTS, CONTRACTS, seed=7), *oddities()]
            async with asyncio.timeout(DEADLINE_S):
                for sent in range(0, len(records), AT_A_TIME):  # with rests in between finance acts on each part
                    await self.site.send(records[sent : sent + AT_A_TIME])
                    await self.at_rest(min(sent + AT_A_TIME, len(records)))
        finally:
            for process in processes:
                await asyncio.to_thread(process.discard)
        Path(self.ledger).write_bytes(b"".join(encode(line) + b"\n" for line in self.books.written))

    async def at_rest(self, sent):
        connection = await asyncpg.connect(self.dsn)
        question = """
            select (select count(*) from outbox) + (select count(*) from wake where moment = 0)
                + (select count(*) from gate_answer) + (select count(*) from gate_invoice where due < now()),
                (select sum(next_offset) from kafka_offset), (select sum(next_offset) from gate_offset)
        """
        try:
            while True:  # the topics are asked last: what was at rest before they grew no more is at rest
                waits, read, taken = await connection.fetchrow(question)
                answers, commands = [len(await self.site.read(f"finance.{name}")) for name in ("events", "commands")]
                if answers and (waits, read, taken) == (0, sent + answers, commands):
                    return
                await asyncio.sleep(0.1)
        finally:
            await connection.close()

    async def judged(self):
        """The judge as a process: how it ended, and what it said."""
        names = ("dsn", "bootstrap", "prefix", "ledger", "finance", "repeats")
        given = [(f"--{name}", str(getattr(self, name))) for name in names]
        line = [sys.executable, str(JUDGE), *(word for pair in given for word in pair), "--json"]
        process = await asyncio.create_subprocess_exec(*line, stdout=asyncio.subprocess.PIPE)
        said, _ = await process.communicate()
        return process.returncode, json.loads(said)


async def test_a_healthy_run_is_found_healthy_and_every_falsification_is_found(kafka, postgres_dsn, tmp_path):
    ledger = WrittenLedger(refuses_repeats=True)
    house = House(tmp_path, kafka, postgres_dsn, ledger)
    async with serving(ledger) as url:
        await house.run(url)
    code, said = await house.judged()
    assert not said["findings"], "\n".join(map(str, said["findings"][:20]))
    assert code == 0
    assert said["looked at"]["releases"] > 5
    assert said["looked at"]["calls of finance"] > 20
    evidence = await gather(house)
    for falsify, invariant in FALSIFICATIONS:
        copied = copy.copy(evidence)
        vars(copied).update({field: copy.copy(value) for field, value in vars(evidence).items()})
        falsify(copied)
        assert invariant in {found.invariant for found in judge(copied)}, falsify.__name__
    await in_the_database(house)


async def in_the_database(house):
    """The same through the real database: one row of the log is changed."""
    connection = await asyncpg.connect(house.dsn)
    await connection.execute("set session_replication_role = replica")
    changed = "update revision set entry = set_byte(entry, 20, get_byte(entry, 20) # 1) where revision = 2"
    await connection.execute(changed + " and contract = (select min(contract) from revision)")
    await connection.close()
    code, said = await house.judged()
    assert code == 2 or {"chain"} <= {found["invariant"] for found in said["findings"]}
