"""The lane of notices on every store: what a revision told goes out once, in order, as the published schema says."""

import json

import jsonschema
from builders import OWNER, SOURCES, START, a_contract, a_milestone, met, micros, record_of, registered, said
from msgspec.structs import replace

from connectors.telemetry import Telemetry
from contracts_schema.notices import NoticeKind
from contracts_schema.rows import Lane, OffsetRange, Partition
from contracts_schema.schemas import schemas
from services.reconciliation.policy import Policy, make_rules
from services.runtime.hallway import Hallway
from services.runtime.known import KnownRevisions, KnownStates
from services.runtime.lanes import Lanes
from services.runtime.outgoing import Topics
from services.runtime.reading import Reader

RULES = make_rules({name: source.role for name, source in SOURCES.items()}, {}, Policy(), "ap")
PLAN = a_contract(a_milestone(requires=["met"], due="2026-03-10"), calendar="DE-BE")
FORECAST = said("pm", "milestone.scheduled", forecast="2026-04-01")


async def hallway_on(store):
    hallway = Hallway(store, Reader(SOURCES, RULES, OWNER), RULES, Topics(), "1")
    await store.take(OWNER, OWNER, {Partition(source.topic, 0) for source in SOURCES.values()})
    return hallway


async def tell(hallway, *events):
    offsets = dict.fromkeys(SOURCES, 0)
    for n, event in enumerate(events):
        record = replace(record_of(event, START, f"e{n}"), offset=offsets[event.source])
        offsets[event.source] += 1
        range_ = OffsetRange(OWNER, Partition(record.topic, 0), record.offset, record.offset + 1, micros(START))
        await hallway.carry([record], OWNER, [range_], micros(START))


def lanes_on(store):
    return Lanes(store, RULES, Topics(), KnownStates(), KnownRevisions(), 1_000_000, Telemetry(owner="test"))


async def told(store):
    """The records of the lane, and the rows that they came from."""
    rows = await store.outbox(Lane.NOTICES, 10)
    return await lanes_on(store).render(Lane.NOTICES, rows), rows


async def test_what_people_are_told_goes_out_in_order_keyed_by_contract(store):
    hallway = await hallway_on(store)
    await tell(hallway, registered(PLAN), FORECAST, met())
    records, rows = await told(store)
    assert [(row.topic, row.key) for row in records] == [("milestone.notices", b"C-1")] * 2
    opened, cleared = [json.loads(row.value) for row in records]
    assert (opened["state"], opened["kind"], opened["severity"]) == ("opened", NoticeKind.AT_RISK, "red")
    assert (cleared["state"], cleared["notice"]) == ("cleared", opened["notice"])
    assert opened["revision"] < cleared["revision"]
    for notice in (opened, cleared):
        jsonschema.Draft202012Validator(schemas()["notice"]).validate(notice)
    await store.published(Lane.NOTICES, [row.id for row in rows])
    assert await told(store) == ([], [])


async def test_a_revision_that_tells_nothing_has_no_row_in_the_lane(store):
    await tell(await hallway_on(store), registered(PLAN), met())
    assert await store.outbox(Lane.NOTICES, 10) == []
    assert Lane.NOTICES not in await store.backlog()


async def test_a_notice_with_very_many_facts_is_cut_and_goes_out(store):
    await tell(await hallway_on(store), registered(PLAN), FORECAST)
    lanes = Lanes(store, RULES, Topics(), KnownStates(), KnownRevisions(), 10, Telemetry(owner="test"))
    (record,) = await lanes.render(Lane.NOTICES, await store.outbox(Lane.NOTICES, 10))
    assert json.loads(record.value)["facts"] == []
