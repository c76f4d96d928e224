"""Records kept for replay: the same bytes under another configuration say something else, and replay finds it."""

import asyncio
import json

import pytest
import yaml
from desk import CLUSTER, CONFIG, Desk, met
from msgspec.structs import replace

from contracts_schema.rows import OffsetRange
from services.runtime import upkeep
from services.runtime.keeping import kept_records, kept_rows
from services.runtime.reading import Reading
from services.runtime.upkeep import DAY_US, Upkeep
from services.settings import load
from services.wiring import kept

REDMINE = """
  tracker: {dialect: redmine, topic: tracker.events, timezone: UTC, statuses: {met: [Closed], open: [New]}}
"""
PLAN = """
contract: C-1
version: 1
title: Turbine hall
buyer: {id: BUY-1}
supplier: {id: SUP-1}
currency: EUR
milestones:
  - {id: M1, title: Foundation, kind: payment, value: "100.00", requires: [met], refs: {tracker: ["issue:1"]}}
  - {id: M2, title: Roof, kind: payment, value: "50.00", requires: [met], refs: {tracker: ["issue:2"]}}
"""
BEGINNING = ("", "", 0, -1)


@pytest.fixture
def desk(tmp_path, capsys, monkeypatch):
    desk = Desk(tmp_path, capsys, keeps=True)
    desk.install(monkeypatch)
    desk.config = desk.write("milepost.yaml", CONFIG + REDMINE)
    desk("contract", "apply", desk.write("plan.yaml", PLAN))
    book = load(desk.config).rules().rulebook
    desk.store._tables.rulebooks[book.hash] = book
    return desk


def issue(desk, number=1, status="Closed", **more):
    """What Redmine's REST gives of an issue."""
    value = {"id": number, "status": {"id": 5, "name": status, "is_closed": status != "New"}, "done_ratio": 100,
             "created_on": "2026-03-01T08:00:00Z", "updated_on": "2026-03-02T08:00:00Z",
             "closed_on": "2026-03-02T08:00:00Z", "due_date": None, **more}  # fmt: skip
    return asyncio.run(send(desk, "tracker.events", json.dumps({"issue": value}).encode()))


async def send(desk, topic, value):
    desk.settings = load(desk.config)
    return await desk.tell(topic, None, (), value)


def reconfigured(desk, **changes):
    """Another configuration of the tracker, under which nothing has been read yet."""
    settings = yaml.safe_load(desk.config.read_text())
    settings["sources"]["tracker"] |= changes
    desk.config = desk.write("other.yaml", yaml.safe_dump(settings))


def rows(desk):
    return asyncio.run(desk.store.kept(BEGINNING, 100))


def test_the_same_bytes_say_the_same_and_nothing_would_come_out_otherwise(desk, monkeypatch):
    monkeypatch.setattr(kept, "PAGE", 1)
    issue(desk)
    met(desk, "M2")
    found = desk.json("replay", "--all")
    assert (found["differing"], found["records"], found["kept"]["records"]) == ([], [], 3)
    assert "3 kept records were mapped anew, from 20" in desk("replay", "C-1")


def test_another_meaning_of_a_status_is_found_with_what_it_would_have_decided(desk):
    issue(desk)
    issue(desk, 2, "New", closed_on=None, done_ratio=0)
    assert desk.json("explain", "C-1/M1")[0]["released_to_date"]["amount"] == "100.00"
    reconfigured(desk, statuses={"met": [], "open": ["New", "Closed"]})
    (one,) = desk.json("replay", "C-1", code=1)["differing"]
    (fact,) = one["facts"]
    assert (fact["revision"], "status met" in fact["was"]) == (2, True)
    assert ["status partiallyMet" in now for now in fact["now"]] == [True]
    assert [p["milestone"] for p in one["positions"]] == ["M1"]
    assert one["positions"][0]["after"]["released_to_date"]["amount"] == "0.00"
    assert [c["replayed"] for c in one["commands"] if c["logged"]["action"] == "release"] == [None]
    told = desk("replay", "--all", code=1)
    assert "milestone.assessed issue:1 of 2026-03-02T08:00:00Z: status met" in told


def test_another_zone_moves_a_day_and_is_found(desk):
    issue(desk, closed_on="2026-03-02T23:30:00Z", updated_on="2026-03-02T23:30:00Z")
    reconfigured(desk, timezone="Europe/Berlin")
    (one,) = desk.json("replay", "C-1", code=1)["differing"]
    (fact,) = one["facts"]
    assert ("met_on 2026-03-02" in fact["was"], "met_on 2026-03-03" in fact["now"][0]) == (True, True)
    assert [p["why"] for p in one["positions"]] == [["met_on is 2026-03-03, not 2026-03-02"]]


def test_a_record_that_was_used_and_cannot_be_read_now_is_told_and_holds(desk):
    issue(desk)
    reconfigured(desk, statuses={"met": [], "open": []})
    found = desk.json("replay", "C-1", code=1)
    (told,) = found["records"]
    assert (told["id"], told["was"]) == (f"{CLUSTER}/tracker.events/0/0", "it was used")
    assert told["now"][0].startswith("it cannot be read: ")
    (one,) = found["differing"]
    assert {now.partition(" of ")[0] for f in one["facts"] for now in f["now"]} == {"message.unreadable issue:1"}
    assert "nothing" not in {f["was"] for f in one["facts"]}
    assert one["positions"][0]["after"]["reasons"][0] == "SOURCE_UNREADABLE"


def test_a_record_that_said_nothing_and_says_something_of_a_contract_now_is_told(desk):
    issue(desk)
    assert desk.json("replay", "C-1")["records"] == []
    row = rows(desk)[-1]
    desk.store._tables.kept[row.place] = as_if_it_had_said_nothing(row)
    (told,) = desk.json("replay", "C-1")["records"]
    assert (told["was"], told["now"][0].startswith("milestone.assessed issue:1")) == ("it said nothing", True)
    assert "tracker.events/0/0: it said nothing. Now: milestone.assessed issue:1" in desk("replay", "C-1")


def as_if_it_had_said_nothing(row):
    """The row as a mapper had left it that found nothing in the record."""
    readings = [Reading(record, ()) for record, _ in kept_records(row)]
    (made,) = kept_rows(readings, [OffsetRange(row.cluster, row.partition, row.first, row.next, row.newest)])
    return made


def test_a_record_that_came_twice_counts_once_in_the_place_of_what_it_said(desk):
    issue(desk)
    issue(desk)
    reconfigured(desk, statuses={"met": [], "open": ["Closed"]})
    (one,) = desk.json("replay", "C-1", code=1)["differing"]
    assert len(one["facts"]) == 1


def test_what_lies_in_quarantine_is_not_kept_and_the_bytes_of_the_rest_are(desk):
    issue(desk)
    asyncio.run(send(desk, "tracker.events", b"nonsense"))
    read = {row.place: [(r.offset, r.value) for r, _ in kept_records(row)] for row in rows(desk)}
    assert {place[1:] for place in read} == {("contract.events", 0, 0), ("tracker.events", 0, 0)}
    ((offset, value),) = read[CLUSTER, "tracker.events", 0, 0]
    assert (offset, json.loads(value)["issue"]["id"]) == (0, 1)


def test_without_the_setting_nothing_is_kept_and_replay_says_so(desk):
    desk.keeps = False
    before = rows(desk)
    issue(desk)
    assert rows(desk) == before
    desk.store._tables.kept.clear()
    reconfigured(desk, statuses={"met": [], "open": ["Closed"]})
    assert "no records are kept" in desk("replay", "--all")


@pytest.mark.parametrize(("days", "left"), [(3, 2), (0, 0)])
def test_the_upkeep_deletes_what_is_older_piece_by_piece(desk, monkeypatch, days, left):
    monkeypatch.setattr(upkeep, "SWEPT_AT_A_TIME", 1)
    monkeypatch.setattr(upkeep, "PIECES_MOST", 2)
    for number in range(5):
        issue(desk, number + 1)
    now = desk.clock()
    days_old = zip(rows(desk)[1:], (0, 1, 3, 5, 7), strict=True)
    desk.store._tables.kept = {row.place: replace(row, newest=now - old * DAY_US - 1) for row, old in days_old}
    house = Upkeep(desk.store, None, None, "", None, None, keep_days=days)
    asyncio.run(house.forget_kept())
    assert len(rows(desk)) == 3
    asyncio.run(house.forget_kept())
    asyncio.run(house.forget_kept())
    assert len(rows(desk)) == left
