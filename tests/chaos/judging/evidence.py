"""What the judge looks at: rows of the database, records of the topics, and the finance system's own ledger."""

import json
from collections import defaultdict, namedtuple
from pathlib import Path

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from judging.msgpack import unpack

# A revision of the log, and what its entry is made of, in the order in which the log keeps it.
Row = namedtuple("Row", "contract revision raw previous head entry")
Entry = namedtuple("Entry", "contract revision moment cause rulebook finance facts decisions")
Fact = namedtuple("Fact", "source id address time body version document mapper edition")
Decision = namedtuple(
    "Decision", "milestone status currency value released held allowed carried reasons conflicts exceptions basis said"
)
Said = namedtuple("Said", "action sequence command_id targets")
Target = namedtuple("Target", "invoice supplier identifiers unit keys net total payable state")
Record = namedtuple("Record", "topic partition offset timestamp key headers value")
Finding = namedtuple("Finding", "invariant contract expected found")

LOG_APPEND_TIME = 1  # Kafka's word for a record that the broker has dated
OUTPUTS = ("finance.commands", "milestone.decisions", "milepost.quarantine")


class Evidence:
    """Everything, read once. `log` is by contract; `topics` by name, the outputs without the prefix."""

    def __init__(self):
        self.log = defaultdict(list)
        self.contracts = {}  # id to the revision that its state says it has
        self.offsets = {}  # (topic, partition) to the next offset to read
        self.parked, self.quarantine, self.books, self.totals = [], [], {}, {}
        self.outbox = 0
        self.topics = defaultdict(list)
        self.starts, self.ends = {}, {}  # (topic, partition) to the first offset, and the one after the last
        self.ledger, self.ledger_of = (
            [],
            None,
        )  # finance's own word, and which finance system's: None where there is one
        self.keys_of = ()  # the sources under whose keys finance's invoices lie
        self.refused = set()  # topic/partition/offset of each command that the gate has refused
        self.collected = []  # source, kind and number of each object that a collector says it has told
        self.punctual = False  # whether the broker itself has dated every record as it came
        self.repeats = None  # at most so many commands may stand twice in their topic: none where nobody died
        self.now = None  # the database's clock, in µs


def entry_of(raw):
    """The entry that a row of the log holds."""
    parts = unpack(raw)
    facts = [fact_of(fact) for fact in parts[6]]
    return Entry(*parts[:6], facts, [_decision(decision) for decision in parts[7]])


def fact_of(parts):
    """A fact as log and parking keep it."""
    return Fact(*parts[:9])


def _decision(parts):
    decision = Decision(*parts[:13])
    if decision.said is None:
        return decision
    action, sequence, command_id, targets = decision.said[:4]
    return decision._replace(said=Said(action, sequence, command_id, [Target(*target[:9]) for target in targets]))


async def read_database(evidence, dsn):
    """The rows, in one snapshot."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await _read_rows(evidence, connection)
    finally:
        await connection.close()


async def _read_rows(evidence, connection):
    async for row in connection.cursor("select * from revision order by contract, revision"):
        raw = row["entry"]
        made = Row(row["contract"], row["revision"], raw, row["previous"], row["head"], entry_of(raw))
        evidence.log[row["contract"]].append(made)
    states = await connection.fetch("select id, revision from contract")
    archived = await connection.fetch("select contract from archived")
    evidence.contracts = {r["id"]: r["revision"] for r in states}
    for contract in {r["contract"] for r in archived} - evidence.log.keys():
        evidence.contracts.pop(contract, None)  # its log was kept elsewhere, whole, and is verified there
    offsets = await connection.fetch("select topic, partition, next_offset from kafka_offset")
    evidence.offsets = {(r["topic"], r["partition"]): r["next_offset"] or 0 for r in offsets}
    evidence.parked = [
        (r["origin"], fact_of(unpack(r["fact"])), r["reason"])
        for r in await connection.fetch("select origin, fact, reason from parked")
    ]
    evidence.quarantine = await connection.fetch("select * from quarantine")
    evidence.books = {r["hash"]: r["content"] for r in await connection.fetch("select hash, content from rulebook")}
    totals = "select outcome, sum(records)::bigint as records from control_total group by outcome"
    evidence.totals = {r["outcome"]: r["records"] for r in await connection.fetch(totals)}
    evidence.outbox = await connection.fetchval("select count(*) from outbox")
    told = await connection.fetch("select source, kind, number from collect_told")
    evidence.collected = [tuple(row) for row in told]
    evidence.refused = {r["origin"] for r in await connection.fetch("select origin from gate_refusal")}
    evidence.now = await connection.fetchval("select (extract(epoch from clock_timestamp()) * 1000000)::bigint")


async def read_topics(evidence, bootstrap, prefix):
    """Every record of the inputs (those whose offsets the database has) and of the outputs."""
    wanted = {topic: topic for topic, _ in evidence.offsets} | {prefix + name: name for name in OUTPUTS}
    places = await _places(bootstrap, wanted)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        await _read_places(evidence, consumer, places, wanted)
    finally:
        await consumer.stop()


async def _places(bootstrap, topics):
    """Every partition of these topics. Raises LookupError where one is not there."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        described = await admin.describe_topics(sorted(topics))
    finally:
        await admin.close()
    missing = sorted(topic["topic"] for topic in described if topic["error_code"])
    if missing:
        raise LookupError(f"no topic {', '.join(missing)}")
    return [TopicPartition(topic["topic"], part["partition"]) for topic in described for part in topic["partitions"]]


async def _read_places(evidence, consumer, places, names):
    consumer.assign(places)
    starts, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    evidence.starts |= {tuple(place): offset for place, offset in starts.items()}
    evidence.ends |= {tuple(place): offset for place, offset in ends.items()}
    await consumer.seek_to_beginning(*places)
    evidence.punctual = True
    left = {place for place in places if starts[place] < ends[place]}
    while left:
        for place, records in (await consumer.getmany(*left, timeout_ms=500)).items():
            evidence.topics[names[place.topic]] += [_record(record) for record in records]
            own = {record.timestamp_type for record in records} == {LOG_APPEND_TIME}
            evidence.punctual = evidence.punctual and own
        left = {place for place in left if await consumer.position(place) < ends[place]}


def _record(got):
    headers = dict(got.headers)
    return Record(got.topic, got.partition, got.offset, got.timestamp, got.key, headers, got.value)


def read_ledger(evidence, path):
    """The finance system's own word: one JSON object a line, in the order in which things happened there."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    evidence.ledger = [json.loads(line) for line in lines if line.strip()]
