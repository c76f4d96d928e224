"""What auditors ask on the command line, on a store in memory."""

import asyncio
import json
import subprocess
import sys
import zipfile

import msgspec
import pytest
from desk import Desk

from connectors.memory import MemoryStore
from contracts_schema.records import Record
from contracts_schema.rows import Lane
from services.reconciliation.calendar import datetime_of
from services.runtime.outgoing import packed_rows
from services.settings import load
from services.wiring import doors


@pytest.fixture
def desk(tmp_path, capsys, monkeypatch):
    desk = Desk(tmp_path, capsys)
    desk.install(monkeypatch)
    desk("contract", "apply", desk.plan())
    desk.issued = desk.store  # whose commands lie in the topic

    async def scan_topic(settings, topic, last=None):
        rows = [r for row in await desk.issued.outbox(Lane.COMMANDS, 1000) for r in packed_rows(row.body)]
        yield [Record(topic, 0, n, 0, row.key, row.headers, row.value) for n, row in enumerate(rows)]

    monkeypatch.setattr(doors, "scan_topic", scan_topic)
    keep_rulebook(desk)
    return desk


def keep_rulebook(desk):
    book = load(desk.config).rules().rulebook
    desk.store._tables.rulebooks[book.hash] = book


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


def test_a_state_that_cannot_be_read_is_a_fault_beside_what_the_log_proves(desk):
    tables = desk.store._tables
    tables.states["C-1"] = msgspec.structs.replace(tables.states["C-1"], state=b"\xc1")
    (fault,) = desk.json("verify", code=1)["faults"]
    assert (fault["what"], fault["sentence"].startswith("the stored state cannot be read")) == ("state", True)


def test_verify_compares_what_was_published_with_the_log(desk):
    met(desk, "M2")
    assert "3 commands in the topic were compared with the log" in desk("verify", "--published")
    desk.issued, desk.store = desk.store, MemoryStore(desk.clock)
    desk("contract", "apply", desk.plan())
    keep_rulebook(desk)
    found = desk.json("verify", "--published", "C-1", code=1)
    assert [f["sentence"] for f in found["faults"] if f["what"] == "published"][-1] == (
        "M2, sequence 3, was published and does not stand in the log"
    )


def test_adopt_shows_what_lies_behind_and_takes_it_over_once(desk):
    met(desk, "M2")
    assert "nothing lies behind what finance has seen" in desk("db", "adopt")
    desk.issued, desk.store = desk.store, MemoryStore(desk.clock)
    told = desk("db", "adopt", code=1)
    assert "C-1: sequence 0 here, 3 seen, 3 commands unknown; not taken over yet" in told
    assert "M2: EUR 0.00 released here, 1500.00 told" in told
    assert "1 contracts lie behind what finance has seen; --yes takes it over" in told
    assert "taken over" in desk("db", "adopt", "--yes")
    assert desk.json("db", "adopt") == []
    desk("contract", "apply", desk.plan())
    assert desk.json("contract", "show", "C-1")["sequence"] == 5
    assert "finance had been told so before this store was restored" in desk("explain", "C-1/M2")
    assert desk.json("verify", "--published")["faults"] == []


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


def test_replay_says_that_nothing_would_come_out_otherwise(desk):
    met(desk)
    assert "1 contracts, 2 revisions: 0 would come out otherwise" in desk("replay", "--all")
    assert desk.json("replay", "C-1")["differing"] == []
    assert "name contracts, or say --all" in desk("replay", code=2)
    assert "no contract 'C-9'" in desk("replay", "C-9", code=1)


def test_replay_maps_anew_what_could_not_be_read(desk):
    met(desk, time="2099-01-01T00:00:00Z")
    assert desk.json("explain", "C-1/M1")[0]["reasons"][0]["code"] == "SOURCE_UNREADABLE"
    assert desk.json("replay", "C-1")["differing"] == []
    (record,) = desk.store._tables.quarantine
    row, state = desk.store._tables.quarantine[record]
    late = msgspec.structs.replace(row, timestamp=4_070_995_200_000)  # as a mapper would that thinks it plausible
    desk.store._tables.quarantine[record] = late, state
    found = desk.json("replay", "C-1", code=1)
    (one,) = found["differing"]
    assert one["facts"][0]["now"] == ["milestone.assessed pm/met-1"]
    assert one["positions"][0]["why"][0] == "status is met, not scheduled"
    assert found["records"][0]["now"] == ["milestone.assessed pm/met-1"]
    assert "Now it says: milestone.assessed pm/met-1." in desk("replay", "--all", code=1)


def test_what_if_an_amendment(desk):
    met(desk, "M2")
    plan = desk.plan().read_text().replace("version: 1", AMENDED).replace('"1500.00"', '"1600.00"')
    found = desk.json("what-if", "--plan", desk.write("two.yaml", plan))
    (one,) = found["positions"]
    assert (one["milestone"], one["why"]) == ("M2", ["value is 1600.00, not 1500.00"])
    assert [c["action"] for c in found["commands"]] == ["release"]
    assert found["sums"] == [
        {"currency": "EUR", "value": ["120000.00", "120100.00"], "released_to_date": ["1500.00", "1600.00"],
         "held": ["118500.00", "118500.00"]}
    ]  # fmt: skip
    told = desk("what-if", "--plan", desk.write("two.yaml", plan))
    assert "released 1500.00 -> 1600.00" in told
    assert desk.json("contract", "show", "C-1")["revision"] == 2
    assert "which is not among those named" in desk("what-if", "C-2", "--plan", desk.write("two.yaml", plan), code=2)
    assert "two.yaml" in desk("what-if", "--plan", desk.write("two.yaml", "contract: C-1"), code=2)
    both = desk.write("both.yaml", plan + "---\n" + plan.replace("version: 2", "version: 3"))
    assert "one version of a contract at a time" in desk("what-if", "--plan", both, code=2)
    strange = plan.replace("  - id: M2", "  - id: M9\n    replaces: [M7]")
    told = desk("what-if", "--plan", desk.write("three.yaml", strange), code=1)
    assert "it would be refused: registration refused: " in told


def test_what_if_an_amendment_counts_from_a_day(desk):
    met(desk, "M2")
    ahead = desk.plan().read_text().replace("version: 1", AMENDED_FROM.format(day="2099-01-01"))
    told = desk("what-if", "--plan", desk.write("two.yaml", ahead.replace('"1500.00"', '"1600.00"')))
    assert "the time passes until then" in told
    past = desk.write("past.yaml", ahead.replace("2099-01-01", "2020-01-01").replace('"1500.00"', '"1200.00"'))
    assert "M2: 1500.00 was released, 1200.00 would have been" in desk("what-if", "--plan", past)
    desk("contract", "apply", past)
    (row, *_) = desk.json("what-if", "C-1", "--version", 2)["since"]["C-1"]
    assert (row["milestone"], row["more"]["amount"]) == ("M2", "-300.00")
    assert "is not registered" in desk("what-if", "C-1", "--version", 7, code=1)
    assert "needs the one contract" in desk("what-if", "--version", 2, code=2)
    assert "no approved amendment" in desk("what-if", "C-1", "--version", 1, code=1)


def test_what_if_facts_and_time(desk):
    data = {"contract": "C-1", "milestone": "M2", "status": "met"}
    lines = [
        {"topic": "project.events", "timestamp": moment(desk, 0), "headers": event("met-2"), "value": data},
        {
            "topic": "project.events",
            "timestamp": moment(desk, 0),
            "headers": event("x"),
            "value": data | {"contract": "C-9"},
        },
        {"topic": "project.events", "timestamp": moment(desk, 0), "value": "nonsense"},
        {"clock": "2099-01-01T00:00:00Z"},
    ]
    facts = desk.write("facts.jsonl", "\n".join(map(json.dumps, lines)))
    found = desk.json("what-if", "--facts", facts)
    assert [p["milestone"] for p in found["positions"]] == ["M2"]
    assert found["homeless"] == ["milestone.assessed pm/x: no contract, or several, claim it"]
    assert found["set_aside"][0].startswith("line 3: ")
    assert "no difference" in desk("what-if", "C-1", "--clock", "2099-01-01")
    assert "is no moment" in desk("what-if", "C-1", "--clock", "soon", code=2)
    assert "no JSON object" in desk("what-if", "--facts", desk.write("bad.jsonl", "["), code=2)
    assert "cannot be read" in desk("what-if", "--facts", "/nowhere", code=2)
    assert "say what to suppose" in desk("what-if", code=2)


def test_what_if_another_policy_or_configuration_had_always_been_in_use(desk):
    met(desk, "M2")
    assert "no difference" in desk("what-if", "--policy", desk.write("policy.yaml", "policy: {reassert_holds: true}"))
    other = desk.write("other.yaml", desk.config.read_text().replace("role: project", "role: supplier_portal"))
    found = desk.json("what-if", "--with-config", other)
    assert [p["why"][0] for p in found["positions"]] == ["status is scheduled, not met"]
    assert "parked_days_max" in desk("what-if", "--policy", desk.write("bad.yaml", "parked_days_max: 0"), code=2)
    assert "cannot be read" in desk("what-if", "--policy", "/nowhere", code=2)
    assert "is no YAML" in desk("what-if", "--policy", desk.write("bad.yaml", "{"), code=2)
    assert "no mapping" in desk("what-if", "--policy", desk.write("bad.yaml", "[]"), code=2)


def test_evidence_is_written_and_proves_outside(desk):
    met(desk, "M2")
    out = desk.folder / "pack.zip"
    assert "revisions up to" in desk("export", "evidence", "C-1", "--out", out)
    found = desk.json("export", "evidence", "C-1", "--out", out)
    assert (found["revisions"], found["bytes"], found["faults"]) == (2, out.stat().st_size, [])
    with zipfile.ZipFile(out) as archive:
        archive.extractall(desk.folder / "pack")
    done = subprocess.run([sys.executable, "-I", desk.folder / "pack/verify.py"], capture_output=True, text=True)
    assert done.stdout.startswith("C-1: 3 commands, 2 revisions, to 2:"), done.stdout + done.stderr
    assert "cannot be written" in desk("export", "evidence", "C-1", "--out", "/nowhere/pack.zip", code=1)
    assert "no contract 'C-9'" in desk("export", "evidence", "C-9", "--out", out, code=1)


def test_evidence_of_a_contract_that_does_not_prove_is_written_only_when_asked_for_anyway(desk):
    out = desk.folder / "pack.zip"
    desk.store._tables.rulebooks.clear()
    told = desk("export", "evidence", "C-1", "--out", out, code=1)
    assert "'C-1' does not prove: revision 1: rulebook" in told
    assert not out.exists()
    assert "it does not prove: revision 1" in desk("export", "evidence", "C-1", "--out", out, "--anyway")
    assert "FAULTS.md" in zipfile.ZipFile(out).namelist()


AMENDED = """version: 2
amendment: {id: A-1, state: approved, rationale: agreed, requested_by: rita, approved_by: anna}"""
AMENDED_FROM = """version: 2
amendment: {{id: A-1, state: approved, rationale: agreed, requested_by: rita, approved_by: anna,
             effective_from: {day}}}"""


def event(name):
    return {
        "ce_specversion": "1.0", "ce_id": name, "ce_source": "pm", "ce_type": "milepost.milestone.assessed.v1"
    }  # fmt: skip
