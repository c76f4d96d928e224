"""What auditors ask on the command line, on a store in memory."""

import asyncio
import json

import pytest
from desk import Desk

from services.reconciliation.calendar import datetime_of
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


def test_explain_says_which_facts_count_and_why(desk):
    met(desk)
    told = desk("explain", "C-1/M1")
    assert "It rests on:" in told
    assert "project is believed about completion [pm/met-1]" in told
    assert "It rests on:" not in desk("explain", "C-1")
    assert "It rests on:" in desk("explain", "C-1", "--facts")
    (one,) = desk.json("explain", "C-1/M2")
    assert one["milestone"] == "M2"
    assert [g["kind"] for g in one["grounds"]] == ["contract.registered"]


def test_explain_shows_what_was_known_at_a_moment(desk):
    desk.ahead = 86_400_000_000
    met(desk, "M2", version="1")
    before = desk.json("explain", "C-1/M2", "--known-at", moment(desk, -3600))[0]
    after = desk.json("explain", "C-1/M2", "--known-at", moment(desk, 60))[0]
    assert (before["released_to_date"]["amount"], after["released_to_date"]["amount"]) == ("0.00", "1500.00")
    assert "As it was known at" in desk("explain", "C-1", "--known-at", moment(desk, 0)[:10])
    assert "nothing was known" in desk("explain", "C-1", "--known-at", "2020-01-01", code=1)
    assert "is no moment" in desk("explain", "C-1", "--known-at", "yesterday", code=2)
    assert "has no milestone 'M9'" in desk("explain", "C-1/M9", "--known-at", moment(desk, 60), code=1)


def test_explain_shows_a_day_with_all_that_is_known_today(desk):
    met(desk, "M2", "met-2")
    asyncio.run(
        desk.say(
            "pm",
            "milestone.assessed",
            {"contract": "C-1", "milestone": "M1", "status": "met", "met_on": "2026-01-05"},
            "m",
        )
    )
    one, two = desk.json("explain", "C-1", "--as-of", "2026-01-05")
    assert (one["status"], two["status"], two["left_out"][0]["kind"]) == ("met", "scheduled", "milestone.assessed")
    told = desk("explain", "C-1/M1", "--as-of", "2026-01-05")
    assert "with all that is known today" in told
    assert "By then finance had been told nothing." in told
    assert "is no day" in desk("explain", "C-1", "--as-of", "05.01.2026", code=2)
    assert "ask one of them" in desk("explain", "C-1", "--as-of", "2026-01-05", "--known-at", "2026-01-05", code=2)


def moment(desk, seconds):
    return datetime_of(desk.clock() + seconds * 1_000_000).isoformat()
