"""Every record that came in has one recorded outcome: applied, stale, parked, set aside, ignored, or a repeat of one.

Records are counted against offsets and control totals. Those in Milepost's own words (CloudEvents) are also followed
one by one: by id and content into the log, the parking or the quarantine, and each fact of the log back to its record.
Records in a vendor's words are counted only; reading them would take the mappers. Who shares an id with another source
has a fact of its own; what two parsers could read differently is not read at all; what cannot be read leaves a doubt.
"""

import json
from collections import defaultdict
from datetime import datetime
from hashlib import sha256

from judging.evidence import OUTPUTS, Finding
from judging.known import OWN_WORDS

ADDRESS = {"contract", "milestone", "ref", "version"}
DOUBTED = {
    "milestone.scheduled", "milestone.assessed", "value.agreed", "delivery.claimed", "goods.received",
    "evidence.attached", "evidence.removed", "sign_off.given", "sign_off.withdrawn", "invoice.received",
    "payment.made",
}  # fmt: skip
NOWHERE, SOURCE, DOUBT = "(none)", "milepost-source", "#unreadable/"


def check_offsets(evidence):
    """Read to the end, nothing waits, and the outcomes add up to the records."""
    records = [r for topic in {topic for topic, _ in evidence.offsets} for r in evidence.topics.get(topic, ())]
    came = sum(r.offset < evidence.offsets.get((r.topic, r.partition), 0) for r in records)
    for place, upto in sorted(evidence.offsets.items()):
        end = evidence.ends.get(place)
        if end != upto:
            yield Finding("input", NOWHERE, f"{place[0]}/{place[1]} is read to its end, {end}", f"to {upto}")
    ended = sum(records for outcome, records in evidence.totals.items() if outcome.startswith("record."))
    for name, count in (("outcomes", ended), ("records read", evidence.totals.get("read", 0))):
        if count != came:
            yield Finding("input", NOWHERE, f"{came} {name}, as many as records", f"{count}")
    if evidence.outbox:
        yield Finding("input", NOWHERE, "nothing waits to be published", f"{evidence.outbox} rows do")


def check_outcomes(evidence):
    """Each record in our own words is in the log, parked or set aside; each fact of the log came from a record."""
    facts = defaultdict(list)  # event id to the facts that bear it
    for contract, rows in evidence.log.items():
        for row in rows:
            for fact in row.entry.facts:
                facts[fact.id].append((contract, fact))
    waiting = {fact.id for _, fact, _ in evidence.parked}
    aside = {(row["topic"], row["partition"], row["record_offset"]) for row in evidence.quarantine}
    told = defaultdict(list)  # event id to what records with it say
    said = defaultdict(set)  # the same, with the topics in which it is said: each is another source's
    for event, kind, data, record in _canonical(evidence):
        told[event].append((kind, data))
        if (record.topic, record.partition, record.offset) in aside or event in waiting:
            continue
        if not any(_says(fact, kind, data) for _, fact in facts.get(event, ())):
            place = f"{record.topic}/{record.partition}/{record.offset}"
            yield Finding("lost input", str(data.get("contract")), f"event {event} of {place} has an outcome", "none")
        else:
            said[event, kind, json.dumps(data, sort_keys=True)].add(record.topic)
    for (event, kind, data), topics in said.items():
        kept = {fact.source for _, fact in facts[event] if _says(fact, kind, json.loads(data))}
        if len(kept) < len(topics):
            expected = f"event {event} counts for each source that said it, in {', '.join(sorted(topics))}"
            yield Finding("lost input", NOWHERE, expected, f"for {', '.join(sorted(kept))}")
    for event, known in facts.items():
        for contract, fact in known:
            vendor = fact.document is not None or fact.body["kind"] in OWN_WORDS
            if event in told and not vendor and not any(_says(fact, *one) for one in told[event]):
                yield Finding(
                    "invented", contract, f"fact {fact.source}/{event} says what a record said", "it does not"
                )


def _canonical(evidence):
    """The records that are CloudEvents of our own types: id, kind, data, and the record."""
    for topic, records in evidence.topics.items():
        for record in records if topic not in OUTPUTS else ():
            event = event_of(record.value, record.headers)
            if event is not None:
                yield *event, record


def event_of(value, headers):
    """Id, kind and data of a CloudEvent of our own types; None where it is none: then the totals tell of it."""
    try:
        body = json.loads(value or b"")
        binary = "ce_id" in headers
        event = {n: headers[f"ce_{n}"].decode() for n in ("id", "type")} if binary else body
        kind, data = event["type"], body if binary else body["data"]
        if kind.startswith("milepost.") and kind.endswith(".v1") and isinstance(data, dict):
            return event["id"], kind[len("milepost.") : -len(".v1")], data
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return None


def _says(fact, kind, data):
    """Whether a fact says what the event's data says."""
    body = fact.body
    if kind == "contract.registered":  # the plan is kept in another form; its name and version are compared
        return body["kind"] == kind and body.get("version") == data.get("version", 1)
    if body["kind"] != kind or (fact.version, fact.address[0]) != (data.get("version"), data.get("contract")):
        return False
    fields = {name: value for name, value in data.items() if name not in ADDRESS and value is not None}
    return all(name in body and _same(value, body[name]) for name, value in fields.items())


def _same(told, kept):
    if isinstance(told, dict) and told.keys() == {"amount", "currency"}:
        return kept == [int(told["amount"].replace(".", "")), told["currency"]]
    if isinstance(kept, datetime):
        return datetime.fromisoformat(told) == kept
    return told == kept


def check_quarantine(evidence):
    """What was set aside is kept whole: the very bytes of the record, with their size and hash, and it was told."""
    places = {(r.topic, r.partition, r.offset): r for rs in evidence.topics.values() for r in rs}
    told = {
        (entry["topic"], entry["partition"], entry["offset"]): entry["sha256"]
        for entry in (json.loads(record.value) for record in evidence.topics["milepost.quarantine"])
    }
    for row in evidence.quarantine:
        place = (row["topic"], row["partition"], row["record_offset"])
        record, kept = places.get(place), row["value"] or b""
        where = "/".join(map(str, place))
        if record is not None and (record.value or b"") != kept:
            yield Finding("quarantine", NOWHERE, f"{where} is kept as it came", f"{len(kept)} other bytes")
        if (row["size"], row["sha256"]) != (len(kept), sha256(kept).hexdigest()):
            yield Finding("quarantine", NOWHERE, f"{where} has size and hash of its bytes", row["sha256"])
        if told.get(place) != row["sha256"]:
            yield Finding("quarantine", NOWHERE, f"{where} stands in milepost.quarantine", str(told.get(place)))


def check_unread(evidence):
    """An object that names a key twice is set aside; what cannot be read is in doubt where it can be told."""
    aside = {(row["topic"], row["partition"], row["record_offset"]): row for row in evidence.quarantine}
    doubts = {f.id.partition(DOUBT)[0] for rows in evidence.log.values() for row in rows for f in _doubts(row)}
    doubts |= {fact.id.partition(DOUBT)[0] for _, fact, _ in evidence.parked}
    for event, kind, data, record in _canonical(evidence):
        place = (record.topic, record.partition, record.offset)
        where, row = "/".join(map(str, place)), aside.get(place)
        if row is None and _names_twice(record.value):
            yield Finding(
                "let in", str(data.get("contract")), f"{where} is set aside: it names a key twice", "it is not"
            )
        unreadable = row is not None and row["fault"] == "unreadable" and kind in DOUBTED and _is_plain(record.value)
        if unreadable and str(data.get("contract")) in evidence.log and event not in doubts:
            yield Finding("hold lost", data["contract"], f"{where} could not be read, and is in doubt", "it is not")


def _doubts(row):
    return [fact for fact in row.entry.facts if fact.body["kind"] == "message.unreadable"]


def _is_plain(value):
    """Whether nobody could take it for anything but JSON: who speaks of what can then be told."""
    text = value.decode("ascii", "replace")
    return text.isprintable() and not any(odd in text for odd in ("\\u", "NaN", "Infinity")) and not _names_twice(value)


def _names_twice(value):
    doubled = []

    def pairs(found):
        doubled.append(len({name for name, _ in found}) < len(found))
        return dict(found)

    json.loads(value, object_pairs_hook=pairs)
    return any(doubled)


def check_collected(evidence):
    """What a collector says it has told stands in a topic."""
    there = {
        (record.headers.get(SOURCE), record.key)
        for topic, records in evidence.topics.items() if topic not in OUTPUTS
        for record in records
    }  # fmt: skip
    for source, kind, number in evidence.collected:
        if not any(evidence.starts.values()) and (source.encode(), f"{kind},{number}".encode()) not in there:
            yield Finding("lost input", NOWHERE, f"{kind} {number} of {source} was told", "no topic has it")
