"""A contract from a template, paid, split by an amendment and looked ahead: by the command line, on real servers."""

import asyncio
import csv
import io

import pytest
import yaml
from integration.test_cli import Site
from worker_process import Worker

PLAN = """\
template: it-by-acceptance
contract: C-1
version: 1
title: New claims system
buyer: {id: BUY-1}
supplier: {id: SUP-3003}
currency: EUR
value_cap: "1000.00"
sign_off: {quorum: 1}
milestones:
  A1: {requires: [met], due: 2099-01-15}
  A2: {due: 2099-03-01}
  A3: {due: 2099-05-01}
  A3X: {due: 2099-05-15}
  A4: {due: 2099-07-01, late_damages: {percent_per_day: "1", cap_percent: "5"}}
"""


@pytest.fixture
def site(kafka, postgres_dsn, tmp_path):
    site = Site(tmp_path, kafka.bootstrap, postgres_dsn)
    site("db", "upgrade")
    site("topics", "apply")
    return site


def write(site, name, content):
    path = site.folder / name
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def split(document):
    """A1 in two, by an amendment."""
    first = document["milestones"][0]
    parts = [
        first | {"id": n, "title": n, "value": v, "replaces": ["A1"]} for n, v in (("B1", "50.00"), ("B2", "100.00"))
    ]
    document["milestones"] = parts + document["milestones"][1:]
    document["milestones"][2]["after"] = ["B1", "B2"]
    amendment = {
        "id": "A-1",
        "state": "approved",
        "rationale": "two concepts",
        "requested_by": "rita",
        "approved_by": "anna",
    }
    return document | {"version": 2, "amendment": amendment}


def test_a_template_is_applied_amended_told_and_looked_ahead(site):
    worker = Worker(site.folder, site.config, 1)
    worker.start()
    try:
        plan = write(site, "plan.yaml", PLAN)
        assert "is no milestone" in site("contract", "apply", write(site, "bad.yaml", PLAN + "  A2: null\n"), code=2)
        assert [v["outcome"] for v in site.json("contract", "apply", plan)] == ["applied"]
        asyncio.run(site.met("A1"))
        site.until(lambda: site.reasons("A1") == [])
        document = site.json("contract", "show", "C-1", "--expanded")[0]
        assert [v["outcome"] for v in site.json("contract", "apply", write(site, "v2.yaml", split(document)))] == [
            "applied"
        ]

        told = site("contract", "history", "C-1")
        assert "A1: leaves the plan, worth EUR 150.00; B1, B2 take its place, and what it had released" in told
        shown = {
            m["milestone"]: m["released_to_date"]["amount"] for m in site.json("contract", "show", "C-1")["milestones"]
        }
        assert (shown["B1"], shown["B2"]) == ("50.00", "100.00")

        found = site.json("cascade", "C-1/A3", "--delay", "30")
        moved = {m["milestone"]: m["days"] for m in found["milestones"] if m["days"]}
        assert moved["A3"] == moved["A4"] == 30
        assert [c["milestone"] for c in found["contingency"] if c["helps"]] == ["A3X"]
        assert found["damages"][0]["after"]["amount"] == "15.00"
        rows = list(csv.DictReader(io.StringIO(site("cash-plan", "--csv"))))
        assert sum(float(row["amount"]) for row in rows) == pytest.approx(850)
    finally:
        worker.discard()
