"""`milepost notices`, and `milepost try --notices`."""

import asyncio
import io
import json

import pytest
from builders import START, a_contract, a_milestone, record_of, registered, said
from desk import Desk

from services.wiring.trial import try_records


@pytest.fixture
def desk(tmp_path, capsys, monkeypatch):
    desk = Desk(tmp_path, capsys)
    desk.install(monkeypatch)
    desk("contract", "apply", desk.plan())
    return desk


def say(desk, *event, **more):
    return asyncio.run(desk.say(*event, **more))


def test_open_notices_are_listed_with_who_must_act_and_what_clears_them(desk):
    assert desk.json("notices") == []
    assert "no open notices" in desk("notices")
    event = {"contract": "C-1", "milestone": "M1", "status": "met", "percent": "60"}
    say(desk, "pm", "milestone.assessed", event, "e1")
    (found,) = desk.json("notices", "C-1")
    assert (found["kind"], found["contract"], found["milestone"]) == ("SIGN_OFF_FLAGGED", "C-1", "M1")
    assert (found["severity"], found["step"], found["owner"], found["told_to"]) == ("amber", 0, "operator", "operator")
    assert found["clears_when"]
    assert len(found["notice"]) == 32
    shown = desk("notices")
    assert "SIGN_OFF_FLAGGED" in shown
    assert "reported as met at 60 percent" in shown


def test_a_contract_that_nobody_registered_has_none(desk):
    assert "no contract 'C-9' is registered" in desk("notices", "C-9", code=1)


CONFIG = """
sources:
  register: {dialect: milepost, role: register, topic: register.events}
  pm: {dialect: milepost, role: project, topic: pm.events}
policy: {notices: {escalate_to: [boss]}}
"""


def tried(tmp_path, **options):
    """The output lines of `milepost try` on a story of a late milestone."""
    plan = a_contract(a_milestone(requires=["met"], due="2026-03-10"), calendar="DE-BE")
    records = [record_of(event, START, f"e{n}") for n, event in enumerate(
        [registered(plan), said("pm", "milestone.scheduled", forecast="2026-04-01")])]  # fmt: skip
    lines = [{"topic": r.topic, "timestamp": r.timestamp, "value": json.loads(r.value)} for r in records]
    lines.append({"clock": "2026-03-19T00:00:00Z"})
    (tmp_path / "milepost.yaml").write_text(CONFIG)
    (tmp_path / "records.jsonl").write_text("\n".join(map(json.dumps, lines)))
    out = io.BytesIO()
    try_records(tmp_path / "milepost.yaml", tmp_path / "records.jsonl", out, **options)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_try_prints_notices_only_when_it_is_asked_to(tmp_path):
    plain, all_ = tried(tmp_path), tried(tmp_path, notices=True)
    assert [line for line in all_ if line["type"] != "notice"] == plain
    told = [(line["record"], line["notice"]["state"], line["notice"]["kind"], line["notice"]["told_to"])
            for line in all_ if line["type"] == "notice"]  # fmt: skip
    assert told == [
        (2, "opened", "AT_RISK", "project"), (3, "raised", "AT_RISK", "boss"), (3, "opened", "LATE", "project"),
        (3, "cleared", "AT_RISK", "boss"), (3, "raised", "LATE", "boss"),
    ]  # fmt: skip
