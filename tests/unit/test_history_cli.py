"""What auditors ask on the command line, on a store in memory."""

import asyncio
import json

import pytest
from desk import Desk

from services.settings import load


@pytest.fixture
def desk(tmp_path, capsys, monkeypatch):
    desk = Desk(tmp_path, capsys)
    desk.install(monkeypatch)
    desk("contract", "apply", desk.plan())
    asyncio.run(desk.store.keep_rulebook(load(desk.config).rules().rulebook))
    return desk


def met(desk, milestone="M1", event="met-1", **more):
    data = {"contract": "C-1", "milestone": milestone, "status": "met"}
    return asyncio.run(desk.say("pm", "milestone.assessed", data, event, **more))


def test_verify_proves_all_contracts_or_those_named(desk):
    met(desk)
    found = desk.json("verify")
    assert (found["contracts"], found["revisions"], found["faults"]) == (1, 2, [])
    assert found["heads"]["C-1"] == desk.json("contract", "show", "C-1")["chain_head"]
    assert "C-1 ends at" in desk("verify", "C-1")
    assert "no contract 'C-9'" in desk("verify", "C-9", code=1)


def test_verify_ends_with_1_and_names_what_does_not_prove(desk):
    met(desk)
    tables = desk.store._tables
    tables.log[("C-1", 1)], tables.log[("C-1", 2)] = tables.log[("C-1", 2)], tables.log[("C-1", 1)]
    told = desk("verify", code=1)
    assert "C-1" in told
    assert "chain" in told
    assert json.loads(json.dumps(desk.json("verify", code=1)["faults"]))
