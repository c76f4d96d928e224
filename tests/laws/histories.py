"""Random histories: what could happen to one contract, right, wrong, late, twice, or never meant for it.

A history is a list of records with timestamps that rise. The parts are biased towards what leads to payment, since a
history in which nothing is ever released proves little.
"""

import json
from dataclasses import replace
from datetime import timedelta
from zlib import crc32

from builders import FAT, START, record_of, registered, said
from hypothesis import strategies as st
from laws.chances import few, rarely
from laws.random_facts import facts
from laws.random_plans import plans

from contracts_schema.records import Record

PEOPLE = {"jane": ["erp:17"], "joe": ["office:joe2"]}


def garbage():
    """Records that cannot be read, or that name what does not exist."""
    data = {"contract": "C-1", "milestone": "M1", "status": "done"}
    broken = {"specversion": "1.0", "id": "g", "source": "pm", "type": "milepost.milestone.assessed.v1",
              "time": "2026-02-28T08:00:00Z", "data": data}  # fmt: skip
    ahead = broken | {"id": "h", "data": data | {"status": "met", "met_on": "2027-01-01"}}
    values = [b"", b"\xff{", b"[]", json.dumps(broken).encode(), json.dumps(ahead).encode(),
              json.dumps(broken | {"type": "milepost.milestone.assessed.v9"}).encode()]  # fmt: skip
    return st.one_of(few(values), st.binary(max_size=40)).map(lambda raw: Record("pm.events", 0, 0, 0, None, (), raw))


@st.composite
def histories(draw, *, versions=True, replaces=False, openings=False, least=3, most=25):
    """Records with rising timestamps; the registration comes somewhere among them, mostly first."""
    plan = draw(plans(openings=openings))
    events = [draw(facts(plan["currency"])) for _ in range(draw(st.integers(least, most)))]
    for terms_of in plan["milestones"]:
        if not rarely(draw, 4):
            events = draw(_mixed(events, proofs_of(terms_of, plan)))
    registrations = [registered(plan)]
    if versions and draw(st.booleans()):
        registrations.append(registered(draw(plans(2, replaces=replaces, currency=plan["currency"]))))
    for registration in registrations:
        events.insert(draw(few([0, 0, 0, len(events) // 2, len(events)])), registration)
    now, records = START, []
    for n, event in enumerate(events):
        now += draw(few([timedelta(seconds=1), timedelta(seconds=1), timedelta(hours=7), timedelta(days=1)]))
        records.append(draw(_told(event, n, now)))
        if rarely(draw, 13):
            records.append(replaced(draw(garbage()), now))
        if rarely(draw, 9):
            records.append(draw(few(records)))  # a redelivery
    return records


def proofs_of(milestone, plan):
    """What a release of this milestone needs, all in order."""
    name, currency = milestone["id"], plan["currency"]
    net = {"amount": milestone["value"], "currency": currency}
    given = {
        "met": [said("pm", "milestone.assessed", name, status="met")],
        "received": [said("erp", "goods.received", name, received="3", accepted="3", rejected="0", ordered="3",
                          unit="u", received_on="2026-02-20")],
        "signed_off": [said("office", "sign_off.given", name, by=by, role="site-manager", evidence={"fat": FAT},
                            signed_at="2026-02-28T23:30:00Z") for by in ("jane", "joe")],
        "invoiced": [said("portal", "invoice.received", name, number=f"N-{name}", supplier="SUP-1", net=net,
                          issued_on="2026-02-20", state="open")],
        "evidence:fat": [said("office", "evidence.attached", name, name="fat", sha256=FAT)],
    }  # fmt: skip
    paper = said(
        "portal", "compliance.document", None, name="insurance", valid_from="2026-01-01", valid_until="2027-12-31"
    )
    found = [event for proof in milestone["requires"] for event in given.get(proof, ())]
    return [*found, paper] if plan.get("compliance") else found


@st.composite
def _mixed(draw, events, more):
    mixed = list(events)
    for event in more:
        mixed.insert(draw(st.integers(0, len(mixed))), event)
    return mixed


@st.composite
def _told(draw, event, n, now):
    """The record of an event, sometimes late, sometimes under an id that was used before."""
    late = draw(few([0, 0, 0, 0, 1, 48])) if event.kind != "contract.registered" else 0
    again = rarely(draw, 8) and "contract" in event.data  # facts by key may wait elsewhere, where nobody compares ids
    name = f"again{draw(st.integers(0, 2))}" if again else f"e{n}"
    if again:  # one id and one content have one time: of a repeat that bears a later one, the first arrival counts
        event = replace(event, time=START + timedelta(hours=crc32(json.dumps(event.data).encode()) % 20))
    elif rarely(draw, 10):
        event = replace(event, time=START + timedelta(hours=draw(st.integers(0, 1))))
    elif late:
        event = replace(event, time=now - timedelta(hours=late))
    return record_of(event, now, name)


def replaced(record, now):
    """The record at another moment."""
    return Record(record.topic, 0, 0, int(now.timestamp() * 1000), None, record.headers, record.value)


@st.composite
def batches(draw, records):
    """The records cut into batches anywhere."""
    cut, rest = [], list(records)
    while rest:
        size = draw(st.integers(1, len(rest)))
        cut.append(rest[:size])
        rest = rest[size:]
    return cut


def summary(records):
    """One line a record, for the report of a law that does not hold."""
    return "\n".join(f"{r.timestamp} {r.topic.partition('.')[0]:8} {_short(r.value)}" for r in records)


def _short(value):
    try:
        event = json.loads(value)
        return f"{event['id']} {event['time'][5:19]} {event['type'][9:-3]} {json.dumps(event['data'])[:400]}"
    except (ValueError, KeyError, TypeError):
        return repr(value)
