"""What the judge looks at, of a house or a story that runs in memory: the same evidence as from real servers."""

from collections import Counter

from builders import micros
from judging.evidence import OUTPUTS, Evidence, Record, Row, entry_of, fact_of
from judging.msgpack import unpack

from connectors.memory import system_clock


def log_into(evidence, rows):
    """Rows of the log as the database has them."""
    for row in rows:
        made = Row(row.contract, row.revision, row.entry, row.previous, row.head, entry_of(row.entry))
        evidence.log[row.contract].append(made)
        evidence.contracts[row.contract] = row.revision


def record_of(topic, place, row):
    """A published row as a record; `place` is its offset in the only partition there is."""
    return Record(topic, 0, place, 0, row.key, dict(row.headers), row.value)


def came_in(record):
    """A record as it was carried."""
    return Record(
        record.topic, record.partition, record.offset, record.timestamp, record.key, dict(record.headers), record.value
    )


def of_story(story, books):
    """A story of `builders`: what it carried, its tables, and the commands that it published."""
    evidence = Evidence()
    of_tables(evidence, story.store._tables)
    evidence.books, evidence.now = books, micros(story.now)
    evidence.ends = dict.fromkeys(evidence.offsets, 0)
    for record in story.carried:
        evidence.topics[record.topic].append(came_in(record))
        evidence.ends[record.topic, record.partition] = record.offset + 1
    said = [row for report in story.reports for row in report.said.commands]
    evidence.topics["finance.commands"] = [record_of("finance.commands", n, row) for n, row in enumerate(said)]
    aside = [row for report in story.reports for row in report.said.quarantine]
    evidence.topics["milepost.quarantine"] = [record_of("milepost.quarantine", n, row) for n, row in enumerate(aside)]
    return evidence


def of_house(house):
    """A house of `memory_house`, at rest: everything but a finance system's ledger."""
    evidence, tables = Evidence(), house.store._tables
    of_tables(evidence, tables)
    rulebook = house.settings.rules().rulebook
    evidence.books, evidence.now = {rulebook.hash: rulebook.content}, system_clock()
    evidence.ends = {tuple(place): len(house.topics.records[place]) for place in house.inputs}
    evidence.outbox = len(tables.outbox)
    for place, records in house.topics.records.items():
        evidence.topics[place.topic] += map(came_in, records)
    assert evidence.topics.keys() >= set(OUTPUTS)
    return evidence


def of_tables(evidence, tables):
    """What a store in memory has, as the database has it."""
    log_into(evidence, [tables.log[key] for key in sorted(tables.log)])
    evidence.contracts = {name: row.revision for name, row in tables.states.items()}
    evidence.offsets = {tuple(place[1]): state.next or 0 for place, state in tables.offsets.items()}
    evidence.parked = [(row.origin, fact_of(unpack(row.fact)), row.reason) for row in tables.parked.values()]
    evidence.quarantine = [_quarantined(row) for row, _ in tables.quarantine.values()]
    evidence.totals = sum(tables.counts.values(), Counter())


def _quarantined(row):
    names = ("topic", "partition", "value", "size", "sha256", "fault")
    return {name: getattr(row, name) for name in names} | {"record_offset": row.offset}


def says_nothing(findings):
    """What planted bugs are found by: the words behind the colon go into their table."""
    findings = list(findings)
    assert not findings, f"the judge found: {', '.join(sorted({f.invariant for f in findings}))}; {findings[:3]}"
