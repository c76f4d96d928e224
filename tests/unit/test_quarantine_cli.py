"""`milepost quarantine`: what is shown, what a redrive does to what is known, and how often."""

import asyncio

from desk import Desk, say

from services.reconciliation.log import read_entry
from services.reconciliation.react import replay
from services.reconciliation.state import State


def early(desk, event="met-1", day="2099-01-01"):
    return say(
        desk, "pm", "milestone.assessed", {"contract": "C-1", "milestone": "M2", "status": "met"}, event,
        time=f"{day}T00:00:00Z",
    )  # fmt: skip


def reasons(desk, milestone="M2"):
    return [r["code"] for r in desk.json("explain", f"C-1/{milestone}")[0]["reasons"]]


def test_quarantine_lists_shows_and_discards(registered):
    say(registered, "pm", "milestone.assessed", {"contract": "C-1", "milestone": "M1", "status": "so so"}, "e1")
    record = registered.json("quarantine", "list")[0]["id"]
    assert record == "here/project.events/0/0"
    assert registered.json("quarantine", "show", "project.events/0/0")["state"] == "open"
    for flag, said in (((), False), (("--value",), True), (("--raw",), True), (("--json",), False)):
        assert ('"so so"' in registered("quarantine", "show", record, *flag)) == said
    assert "so so" in registered.json("quarantine", "show", record, "--value")["value"]
    registered("quarantine", "discard", record)
    assert registered.json("quarantine", "list") == []
    assert registered.json("quarantine", "show", record)["state"] == "discarded"
    assert "no record" in registered("quarantine", "show", "nothing", code=1)
    assert "SOURCE_UNREADABLE" in reasons(registered, "M1")


def test_a_redriven_record_that_can_be_read_now_counts_and_ends_its_doubt(registered):
    early(registered)
    assert "SOURCE_UNREADABLE" in reasons(registered)
    registered.ahead = 75 * 365 * 86_400_000_000
    found = registered.json("quarantine", "redrive", "--all")
    assert [(r["id"], r["outcome"]) for r in found] == [("here/project.events/0/0", "used")]
    assert reasons(registered) == []
    assert registered.sent[-1].value == registered.sent[-2].value
    assert dict(registered.sent[-1].headers)["milepost-redrive"] == b"here/project.events/0/0"


def test_a_repeat_stays_quarantined_until_it_is_redriven_and_is_a_repeat_after(registered):
    early(registered)
    registered.ahead = 75 * 365 * 86_400_000_000
    early(registered)
    assert len(registered.json("quarantine", "list")) == 2
    assert "SOURCE_UNREADABLE" in reasons(registered)
    registered("quarantine", "redrive", "project.events/0/0")
    before = registered.json("contract", "show", "C-1")["revision"]
    registered("quarantine", "redrive", "project.events/0/1")
    early(registered)
    assert registered.json("contract", "show", "C-1")["revision"] == before
    assert registered.json("quarantine", "list") == []
    assert reasons(registered) == []


def test_redriving_what_still_cannot_be_read_leaves_one_doubt_and_one_open_record(registered):
    early(registered)
    told = registered.json("quarantine", "redrive", "--all", code=1)
    assert [r["outcome"] for r in told] == ["quarantined again"]
    assert [q["id"] for q in registered.json("quarantine", "list")] == ["here/project.events/0/1"]
    assert reasons(registered) == ["SOURCE_UNREADABLE", "NOT_MET"]
    assert registered.json("quarantine", "redrive", "project.events/0/0")[0]["outcome"] == "redriven before"


def test_redriving_ends_the_doubt_of_that_record_alone(registered):
    early(registered)
    late = {"contract": "C-1", "milestone": "M2", "due": "2099-01-01"}
    say(registered, "pm", "milestone.scheduled", late, "due-1", time="2199-01-01T00:00:00Z")
    registered.ahead = 75 * 365 * 86_400_000_000
    registered("quarantine", "redrive", "project.events/0/0")
    assert reasons(registered) == ["SOURCE_UNREADABLE"]


def test_a_redriven_record_counts_the_same_whatever_came_first(registered):
    sent = []
    early(registered)
    registered.ahead = 75 * 365 * 86_400_000_000
    registered("quarantine", "redrive", "--all")
    sent += registered.sent[1:]
    registered("contract", "apply", registered.plan("C-2"))
    fresh = Desk(registered.folder, registered.capsys)
    fresh.install(registered.monkeypatch)
    fresh("contract", "apply", fresh.plan())
    fresh.ahead = registered.ahead
    for record in reversed(sent):
        asyncio.run(fresh.tell(record.topic, record.key, record.headers, record.value))
    assert reasons(fresh) == []


def test_a_redrive_is_in_the_log_and_replays_to_the_same_chain(registered):
    early(registered)
    registered.ahead = 75 * 365 * 86_400_000_000
    registered("quarantine", "redrive", "--all")
    rules, state = registered.settings.rules(), State("C-1")
    for row in asyncio.run(registered.store.log("C-1")):
        assert replay(state, read_entry(row), rules).row == row


def test_a_source_cannot_say_that_its_own_doubts_are_over(registered):
    say(registered, "pm", "message.redriven", {"contract": "C-1", "digests": []}, "e1")
    assert "not known" in registered.json("quarantine", "list")[0]["sentence"]
