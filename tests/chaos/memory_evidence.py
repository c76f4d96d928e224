"""What the judge looks at, of a house or a story that runs in memory: the same evidence as from real servers."""

from collections import Counter

from judging.evidence import OUTPUTS, Evidence, Record, Row, entry_of, fact_of
from judging.msgpack import unpack


def log_into(evidence, rows):
    """Rows of the log as the database has them."""
    for row in rows:
        made = Row(row.contract, row.revision, row.entry, row.previous, row.head, entry_of(row.entry))
        evidence.log[row.contract].append(made)
        evidence.contracts[row.contract] = row.revision


def record_of(topic, place, row):
    """A published row as a record; `place` is its offset in the only partition there is."""
    return Record(topic, 0, place, 0, row.key, dict(row.headers), row.value)


def of_story(story, books):
    """A story of `builders`: its log, and the commands that it published."""
    evidence = Evidence()
    for contract in story.contracts():
        log_into(evidence, story.log(contract))
    evidence.books = books
    said = [row for report in story.reports for row in report.said.commands]
    evidence.topics["finance.commands"] = [record_of("finance.commands", n, row) for n, row in enumerate(said)]
    return evidence


def of_house(house):
    """A house of `memory_house`, at rest: everything but a finance system's ledger."""
    evidence, tables = Evidence(), house.store._tables
    log_into(evidence, [tables.log[key] for key in sorted(tables.log)])
    evidence.contracts = {name: row.revision for name, row in tables.states.items()}
    evidence.offsets = {tuple(place[1]): state.next or 0 for place, state in tables.offsets.items()}
    evidence.ends = {tuple(place): len(house.topics.records[place]) for place in house.inputs}
    evidence.parked = [(row.origin, fact_of(unpack(row.fact))) for row in tables.parked.values()]
    evidence.quarantine = [_quarantined(row) for row, _ in tables.quarantine.values()]
    rulebook = house.settings.rules().rulebook
    evidence.books = {rulebook.hash: rulebook.content}
    evidence.totals = sum(tables.counts.values(), Counter())
    evidence.outbox = len(tables.outbox)
    for place, records in house.topics.records.items():
        evidence.topics[place.topic] += [
            Record(r.topic, r.partition, r.offset, r.timestamp, r.key, dict(r.headers), r.value) for r in records
        ]
    assert evidence.topics.keys() >= set(OUTPUTS)
    return evidence


def _quarantined(row):
    names = ("topic", "partition", "value", "size", "sha256")
    return {name: getattr(row, name) for name in names} | {"record_offset": row.offset}
