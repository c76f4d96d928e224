"""`milepost cascade`, `cash-plan` and `contract history` as people and programs read them."""

import asyncio
import csv
import io

import pytest
import yaml
from desk import Desk

PLAN = """\
contract: C-1
version: 1
title: Turbine hall
buyer: {id: BUY-1}
supplier: {id: SUP-1}
currency: EUR
retention: {steps: [{rate_percent: "10"}], release_on: M2, defects_days: 30}
milestones:
  - {id: M1, title: Factory test, kind: payment, value: "100.00", requires: [met], due: 2099-06-01}
  - id: M2
    title: Site test
    kind: payment
    value: "50.00"
    requires: [met]
    due: 2099-07-01
    after: [M1]
    late_damages: {percent_per_day: "1", cap_percent: "10"}
  - {id: MX, title: Inspection, kind: payment, value: "90.00", requires: [met], due: 2099-06-10, contingency_for: M1}
"""


@pytest.fixture
def desk(tmp_path, capsys, monkeypatch):
    desk = Desk(tmp_path, capsys)
    desk.install(monkeypatch)
    desk("contract", "apply", desk.write("plan.yaml", PLAN))
    return desk


def amended(desk, change, *, state="approved", version=2, **more):
    """Apply the plan with a change, as an amendment."""
    plan = yaml.safe_load(PLAN)
    change(plan)
    plan["version"] = version
    plan["amendment"] = {"id": f"A-{version}", "state": state, "rationale": "scope grew", "requested_by": "rita"} | more
    if state == "approved":
        plan["amendment"]["approved_by"] = "anna"
    path = desk.write(f"v{version}.yaml", yaml.safe_dump(plan))
    return desk.json("contract", "apply", path)[0]


# Cascade


def test_a_cascade_says_what_moves_what_it_costs_and_what_would_help(desk):
    told = desk("cascade", "C-1", "--milestone", "M1", "--delay", "12")
    assert "M2 moves from 2099-07-01 to 2099-07-13 (+12 days, pushed by M1); 12 days late after its tolerance." in told
    assert "EUR 90.00 of M1 (expected) moves from 2099-06-01 to 2099-06-13." in told
    assert "EUR 5.00 of M2 (retention) moves from 2099-08-01 to 2099-08-13." in told
    assert "Late damages of M2: EUR 5.00 instead of EUR 0.00." in told
    assert "MX instead of M1 helps: expected 2099-06-10; the last milestone would come" in told
    found = desk.json("cascade", "C-1/M1", "--delay", "12")
    assert [m["critical"] for m in found["milestones"]] == [True, True]
    assert (found["unit"], found["said"]) == ("days", {"M1": "2099-06-13"})
    assert found["contingency"][0]["value"] == {"amount": "90.00", "currency": "EUR"}


def test_a_forecast_says_a_day_and_without_a_change_the_present_is_shown(desk):
    found = desk.json("cascade", "C-1", "--forecast", "M1=2099-06-05", "--forecast", "M2=2099-12-01")
    assert [(m["milestone"], m["after"]) for m in found["milestones"]] == [("M1", "2099-06-05"), ("M2", "2099-12-01")]
    assert "critical" in desk("cascade", "C-1")
    assert "Nothing moves." in desk("cascade", "C-1", "--milestone", "M1", "--delay", "0")


def test_what_makes_no_sense_is_refused(desk):
    assert "both --milestone and --delay" in desk("cascade", "C-1", "--delay", "3", code=2)
    assert "is not MILESTONE=DATE" in desk("cascade", "C-1", "--forecast", "2099-01-01", code=2)
    assert "'soon' is not a date" in desk("cascade", "C-1", "--forecast", "M1=soon", code=2)
    assert "'M7' is no milestone; there are M1, M2" in desk("cascade", "C-1/M7", "--delay", "3", code=1)
    assert "MX does not count" in desk("cascade", "C-1", "--forecast", "MX=2099-01-01", code=1)
    assert "no contract 'C-9'" in desk("cascade", "C-9", code=1)


# Cash plan


def test_the_cash_plan_sums_by_month_and_week_and_by_line(desk):
    found = desk.json("cash-plan")
    cells = {(s["period"], s["category"]): s["amount"]["amount"] for s in found["sums"]}
    assert cells == {
        ("2099-06", "expected"): "90.00",
        ("2099-07", "expected"): "45.00",
        ("2099-08", "retention"): "15.00",
    }
    assert {s["period"] for s in desk.json("cash-plan", "C-1", "--by", "week")["sums"]} == {
        "2099-W23", "2099-W27", "2099-W31",
    }  # fmt: skip
    told = desk("cash-plan", "C-1")
    assert "2099-08" in told
    assert "PRECURSOR_OPEN" in told
    rows = list(csv.DictReader(io.StringIO(desk("cash-plan", "--csv"))))
    assert [(r["milestone"], r["category"], r["day"], r["amount"]) for r in rows] == [
        ("M1", "expected", "2099-06-01", "90.00"),
        ("M1", "retention", "2099-08-01", "10.00"),
        ("M2", "expected", "2099-07-01", "45.00"),
        ("M2", "retention", "2099-08-01", "5.00"),
    ]


def test_a_contract_without_a_version_in_force_is_left_out_and_said(desk):
    later = PLAN.replace("C-1", "C-2").replace("version: 1", "version: 2")
    desk("contract", "apply", desk.write("c2.yaml", later))
    assert "left out, since no version is in force or it is frozen: C-2" in desk("cash-plan")
    assert "no version is in force" in desk("cascade", "C-2", code=1)
    assert "no contract 'C-9'" in desk("cash-plan", "C-9", code=1)


# Change control, visible


def test_history_tells_each_version_its_reason_and_what_it_changed(desk):
    def grow(plan):
        plan["milestones"][0] |= {"value": "120.00", "due": "2099-06-11"}
        plan["retention"]["defects_days"] = 60
        del plan["milestones"][2]
        plan["milestones"].append(
            {"id": "M3", "title": "Spare parts", "kind": "payment", "value": "10.00", "requires": ["received"]}
        )

    assert amended(desk, grow, state="proposed")["outcome"] == "applied"
    assert desk.json("contract", "history", "C-1")[0]["state"] == "waits for approval"
    amended(desk, grow)
    told = desk("contract", "history", "C-1")
    for said in (
        "version 2: in force since ",
        "amendment A-2: asked for by rita, approved by anna",
        "because: scope grew",
        "- M1: the value was 100.00 and is 120.00 (+20.00)",
        "- M1: the due date was 2099-06-01 and is 2099-06-11 (10 days later)",
        "- retention: the defects period in days was 30 and is 60",
        "- M3: new in the plan, 'Spare parts', worth EUR 10.00",
        "- MX: leaves the plan, worth EUR 90.00; nothing takes its place",
        "version 1: was in force since ",
    ):
        assert said in told
    found = desk.json("contract", "history", "C-1")[0]
    assert [r["amendment_state"] for r in found["registrations"]] == ["proposed", "approved"]
    value = next(c for c in found["changes"] if c["field"] == "milestones.M1.value")
    assert (value["before"], value["after"], value["milestone"]) == ("100.00", "120.00", "M1")


def test_history_knows_what_waits_what_was_rejected_and_what_never_counted(desk):
    def rename(plan):
        plan["milestones"][0] |= {"id": "M1a", "replaces": ["M1"]}
        plan["milestones"][1]["after"] = ["M1a"]
        del plan["milestones"][2]

    amended(desk, rename, effective_from="2098-01-01")
    assert amended(desk, lambda plan: None, version=3, state="rejected")["outcome"] == "applied"
    amended(desk, lambda plan: None, version=4)
    states = {v["version"]: v["state"] for v in desk.json("contract", "history", "C-1")}
    assert states == {4: "in force", 3: "rejected", 2: "superseded", 1: "was in force"}
    told = desk("contract", "history", "C-1")
    assert "M1: leaves the plan, worth EUR 100.00; M1a takes its place, and what it had released" in told
    assert "changes nothing in version 3" in told
    amended(desk, lambda plan: None, version=5, effective_from="2098-01-01")
    newest = desk.json("contract", "history", "C-1")[0]
    assert (newest["state"], newest["effective_from"]) == ("waits for its day", "2098-01-01")


def test_the_whole_document_of_any_version_can_be_printed_and_applied_again(desk):
    amended(desk, lambda plan: plan["milestones"][0].update(value="120.00"))
    shown = yaml.safe_load(desk("contract", "show", "C-1", "--expanded"))
    assert shown["milestones"][0]["value"] == "120.00"
    first = desk("contract", "show", "C-1", "--expanded", "--version", "1")
    again = desk.write("again.yaml", first)
    assert desk.json("contract", "apply", again)[0]["outcome"] == "duplicate"
    assert "it has 1, 2" in desk("contract", "show", "C-1", "--expanded", "--version", "9", code=1)


def test_a_rebaseline_keeps_baseline_due_forecast_and_met_apart(desk):
    dates = {"contract": "C-1", "milestone": "M1", "baseline": "2099-05-01", "forecast": "2099-06-20"}
    asyncio.run(desk.say("pm", "milestone.scheduled", dates, "s1"))
    asyncio.run(
        desk.say("pm", "milestone.assessed", {"contract": "C-1", "milestone": "M2", "status": "met",
                                              "met_on": "2026-01-05"}, "a1")
    )  # fmt: skip
    amended(desk, lambda plan: plan["milestones"][0].update(due="2099-06-15"))
    first, second = desk.json("contract", "show", "C-1")["milestones"][:2]
    assert (first["baseline"], first["due"], first["forecast"], first["met_on"]) == (
        "2099-05-01", "2099-06-15", "2099-06-20", None,
    )  # fmt: skip
    assert (second["due"], second["met_on"]) == ("2099-07-01", "2026-01-05")
    shown = desk("contract", "show", "C-1")
    assert "2099-05-01" in shown
    assert "contract history" in shown
