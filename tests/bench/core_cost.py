"""What the core costs per fact, beside decoding the same record: merge and decide alone, no store and no broker."""

import gc
import time

import msgspec
import workload

from contracts_schema.records import Record, Source
from mappers.translate import Translator
from services.reconciliation.policy import Policy, make_rules
from services.reconciliation.react import react
from services.reconciliation.state import Arrival, State

MILESTONES_IN_ALL, FACTS_A_REVISION = 600, 2


def core_cost(milestones: int = 3) -> dict[str, float]:
    """Microseconds per fact of the whole core, and of decoding with msgspec and of the mapper, where contracts have so
    many milestones. There are as many milestones and facts in all, in fewer contracts."""
    contracts = MILESTONES_IN_ALL // milestones
    sources = {n: Source(n, s["dialect"], s["role"], s["topic"]) for n, s in workload.SOURCES.items()}
    translator, by_topic = Translator(sources), {s.topic: s for s in sources.values()}
    rules = make_rules({n: s.role for n, s in sources.items()}, {}, Policy())
    states = {workload.name(n): State(workload.name(n)) for n in range(contracts)}
    for event in workload.registrations(contracts, milestones):
        feed(states, translator, by_topic, rules, [event])
    events = workload.events(6_000, contracts, milestones)
    decoder = msgspec.json.Decoder()
    decode = timed(lambda: [decoder.decode(e.value) for e in events]) / len(events)
    mapper = timed(lambda: [translator.translate(record(e), by_topic[e.topic]) for e in events]) / len(events)
    by_contract: dict[bytes, list[workload.Event]] = {}
    for event in events:
        by_contract.setdefault(event.key, []).append(event)
    arrivals = [
        (key.decode(), [arrival(translator, by_topic, e) for e in came[n : n + FACTS_A_REVISION]])
        for key, came in by_contract.items()
        for n in range(0, len(came), FACTS_A_REVISION)
    ]
    core = timed(lambda: [react(states[c], came, 10**17, rules) for c, came in arrivals]) / len(events)
    return {"decode_us": decode * 1e6, "mapper_us": mapper * 1e6, "core_us": core * 1e6}


def timed(work) -> float:
    """CPU seconds, without the time in which Python looks for circles of garbage, of which there are none."""
    gc.collect()
    gc.disable()
    began = time.process_time()
    work()
    took = time.process_time() - began
    gc.enable()
    return took


def record(event: workload.Event) -> Record:
    """The record as the feed gives it."""
    return Record(event.topic, 0, 0, event.timestamp, event.key, event.headers, event.value)


def arrival(translator: Translator, by_topic: dict[str, Source], event: workload.Event) -> Arrival:
    """The record's facts, as the hallway hands them over."""
    return Arrival(translator.translate(record(event), by_topic[event.topic]), event.timestamp * 1000, "bench/0/0")


def feed(states, translator, by_topic, rules, events) -> None:
    """Let the contracts of these events react."""
    for event in events:
        react(states[event.key.decode()], [arrival(translator, by_topic, event)], 10**17, rules)


if __name__ == "__main__":
    for size in (3, 30, 300):
        print(size, core_cost(size))
