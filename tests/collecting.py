"""What tests of the collectors share: collectors on memory, a system that shows what it is told to, facts."""

from hashlib import sha256

from connectors.memory import MemoryStore
from connectors.memory_cursor import MemoryCursor
from connectors.memory_feed import MemoryPublisher, MemoryTopics
from contracts_schema.collected import Kind, Page, Seen
from contracts_schema.records import Source
from mappers.translate import Translator
from services.runtime.collect import Collector, Means, Pace
from services.runtime.health import Health
from services.runtime.leases import Leases

ERP = Source("erp-eu", "tryton", "erp", "erp.events", "Europe/Berlin")
PM = Source("pm", "redmine", "project", "project.events", "UTC", met=frozenset({"Closed"}), open=frozenset({"New"}))
TOPICS = {"erp.events": 1, "project.events": 1, "supplier.events": 1}
DAY_S = 86_400.0
START = 1_795_600_000.0


class Clock:
    """Seconds since 1970, moved by hand."""

    def __init__(self, at=START):
        self.at = at

    def __call__(self):
        return self.at

    def micros(self):
        return round(self.at * 1e6)

    def pass_by(self, seconds):
        self.at += seconds


class Told:
    """Telemetry that remembers."""

    def __init__(self):
        self.counts = {}
        self.events = []

    def event(self, level, event, **fields):
        self.events.append((level, event, fields))

    def count(self, metric, by=1, **labels):
        self.counts[metric] = self.counts.get(metric, 0) + by

    def gauge(self, metric, value, **labels):
        pass

    def took(self, metric, seconds):
        pass


class System:
    """A system with objects of one or more kinds, each with the moment (µs) of its last change."""

    def __init__(self, *kinds, clock, page=3):
        self.kinds = tuple(kinds) or (Kind("thing"),)
        self.skew = 0
        self.objects = {kind.name: {} for kind in self.kinds}
        self.hidden = set()
        self.asked = []
        self.faults = {}
        self._clock = clock
        self._page = page

    def put(self, number, value, kind="thing", created=""):
        self.objects[kind][number] = (value, created, self._clock.micros())

    async def page(self, kind, after, since):
        self.asked.append((kind, after, since))
        if kind in self.faults:
            raise self.faults[kind]
        shown = sorted(
            number
            for number, (_, _, at) in self.objects[kind].items()
            if number > after and (since is None or at >= since) and number not in self.hidden
        )
        wanted = shown[: self._page]
        return Page([self._seen(kind, n) for n in wanted], wanted[-1] if len(wanted) == self._page else None)

    async def is_gone(self, kind, number):
        if number in self.faults:
            raise self.faults[number]
        return number not in self.objects[kind]

    def deletion(self, kind, number, created, observed_at):
        return Seen(kind, number, b"gone %d" % number, observed_at, b"-", created, deleted=True)

    def _seen(self, kind, number):
        value, created, _ = self.objects[kind][number]
        return Seen(kind, number, value, self._clock.micros(), sha256(value).digest()[:16], created)


class Rig:
    """Collectors of one process on memory. Several rigs may share topics, cursor and store."""

    def __init__(self, owner="one", clock=None, other=None, lease_s=60.0):
        self.clock = clock or (other.clock if other else Clock())
        self.topics = other.topics if other else MemoryTopics(TOPICS)
        self.store = other.store if other else MemoryStore(self.clock.micros)
        self.cursor = other.cursor if other else MemoryCursor(self.clock.micros)
        self.publisher = MemoryPublisher(self.topics)
        self.telemetry = Told()
        self.leases = Leases(self.store, owner, lease_s, local=self.clock)
        self.means = Means(self.publisher, self.cursor, self.leases, self.telemetry, Health(()))
        self._read = {}

    def collector(self, poller, source=ERP, **pace):
        return Collector(source, poller, self.means, Pace(**pace), self.clock)

    def news(self, topic="erp.events"):
        """The records that came since this was last asked."""
        records = [r for partition, log in self.topics.records.items() if partition.topic == topic for r in log]
        found = records[self._read.get(topic, 0) :]
        self._read[topic] = len(records)
        return found

    def values(self, topic="erp.events"):
        return [record.value for record in self.news(topic)]


def facts_of(records, source):
    """What the mapper makes of these records, each body with its keys."""
    translator = Translator({source.name: source})
    return [fact for record in records for fact in translator.translate(record, source)]
