"""`milepost demo` as a newcomer runs it: a process of its own, on servers that it brings along."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from services.wiring.demo_story import write_for_try

DEADLINE_S = 300
COMMAND = [sys.executable, "-m", "services.cli"]


@pytest.fixture
def place():
    """A temporary folder that any user may pass through, so that it shows whatever the demo leaves behind."""
    folder = Path(tempfile.mkdtemp(prefix="demo-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def outcome():
    done = subprocess.run([*COMMAND, "demo", "--json"], capture_output=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def environment(place):
    return {**os.environ, "TMPDIR": str(place)}


def test_the_whole_hallway_comes_to_what_memory_comes_to(outcome, tmp_path):
    config, records = write_for_try(tmp_path)
    tried = subprocess.run(
        [*COMMAND, "try", "--config", str(config), str(records)], capture_output=True, timeout=DEADLINE_S, check=True
    )
    lines = [json.loads(line) for line in tried.stdout.splitlines()]
    expected = {line["milestone"]: line for line in lines if line["type"] == "position"}
    assert {m["snapshot"]["milestone"] for m in outcome["milestones"]} == expected.keys()
    for milestone in outcome["milestones"]:
        shown, line = milestone["snapshot"], expected[milestone["snapshot"]["milestone"]]
        for field in ("status", "value", "released_to_date", "held", "reasons", "exceptions", "action"):
            assert shown[field] == line[field], (shown["milestone"], field)
        assert [c["field"] for c in shown["conflicts"]] == [c["field"] for c in line["conflicts"]]


def test_every_milestone_of_the_story_shows_another_reason(outcome):
    shown = {m["snapshot"]["milestone"]: m["snapshot"] for m in outcome["milestones"]}
    assert {name: (s["released_to_date"]["amount"], s["reasons"]) for name, s in shown.items()} == {
        "M1": ("80000.00", []),
        "M2": ("27000.00", ["PARTLY_ACCEPTED"]),
        "M3": ("0.00", ["SOURCES_DISAGREE"]),
        "M4": ("0.00", ["SOURCE_UNREADABLE"]),
        "R1": ("57000.00", ["RETENTION"]),
        "R2": ("30400.00", ["DISPUTED", "RETENTION"]),
        "R3": ("0.00", ["NOT_MET", "SIGN_OFF_MISSING", "NOT_INVOICED"]),
        "R4": ("0.00", ["NOT_MET", "PRECURSOR_OPEN", "SIGN_OFF_MISSING", "NOT_INVOICED"]),
    }


def test_finance_has_free_what_may_be_paid_and_blocked_everything_else(outcome):
    assert {line["line"]: line["blocked"] for line in outcome["ledger"]} == {
        301: False,  # all of M1
        302: False,  # sixty pumps of a hundred
        303: True,
        304: True,
        305: True,
        306: True,  # freight that nobody released
        307: False,  # R1 without what is kept back
        308: True,  # what is kept back of R1
        309: False,
        310: True,  # of R2, a part in dispute and a part kept back
    }
    assert any("account.invoice:35: unclaimed" in finding for finding in outcome["findings"])


def test_every_newest_command_was_answered(outcome):
    newest = {sent["command"]["milestone"]: sent["answers"] for sent in outcome["commands"]}
    done = {"applied", "already_applied"}
    assert {name for name, answers in newest.items() if answers[-1]["state"] in done} == {
        "M1",
        "M3",
        "M4",
        "R1",
        "R3",
        "R4",
    }
    assert newest["M2"][-1]["state"] == "waiting"  # for the credit note, which finance does not have
    assert newest["R2"][-1]["state"] == "waiting"  # for a line that can be paid: this one holds a disputed part too


def test_what_cannot_be_used_is_kept_and_named(outcome):
    assert [(q["origin"].partition("/")[0], "TaxExclusiveAmount" in q["sentence"]) for q in outcome["quarantine"]] == [
        ("supplier.events", True)
    ]
    assert {(p["keys"][0], p["reason"]) for p in outcome["parked"]} == {
        ("order:PO-2026-099/1", "unknown"),
        ("purchase:17", "ambiguous"),
    }


def test_a_late_milestone_moves_what_comes_after_it_and_its_money(outcome):
    cascade = outcome["cascade"]
    moved = {m["milestone"]: (m["before"], m["after"], m["pushed_by"]) for m in cascade["milestones"] if m["days"]}
    assert moved == {"R3": ("2026-07-24", "2026-08-07", None), "R4": ("2026-08-10", "2026-08-24", "R3")}
    assert {p["milestone"] for p in cascade["payments"] if p["what"] == "expected"} == {"R3", "R4"}


def test_people_are_told_of_what_is_late_and_what_is_in_dispute(outcome):
    told = {(n["kind"], n["contract"], n["milestone"]) for n in outcome["notices"]}
    assert {("LATE", "C-2026-0050", "R3"), ("DISPUTE_UNANSWERED", "C-2026-0050", "R2")} <= told


def test_the_logs_are_whole(outcome):
    assert [chain["contract"] for chain in outcome["chains"]] == ["C-2026-0042", "C-2026-0050"]
    assert all(chain["whole"] for chain in outcome["chains"])
    assert sum(chain["revisions"] for chain in outcome["chains"]) > len(outcome["commands"])


def test_the_account_names_everything_and_nothing_is_left(place):
    done = subprocess.run(
        [*COMMAND, "demo"], capture_output=True, text=True, timeout=DEADLINE_S, check=False, env=environment(place)
    )
    assert done.returncode == 0, done.stderr
    for told in ("PARTLY_ACCEPTED", "met, 100", "TaxExclusiveAmount", "PO-2026-099", "blocked", "whole", "make test"):
        assert told in done.stdout
    assert done.stderr == ""
    assert list(place.iterdir()) == []
    assert processes_of(place) == []


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_leaves_nothing(place, sign):
    with subprocess.Popen([*COMMAND, "demo"], stdout=subprocess.PIPE, text=True, env=environment(place)) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if line.startswith("The contract is registered"):
                running.send_signal(sign)
                break
        running.stdout.read()
        assert running.wait(timeout=60) == 128 + sign
    assert list(place.iterdir()) == []
    assert processes_of(place) == []


def processes_of(place):
    """Command lines that name the folder, of processes that run."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(place) in words:
            found.append(words)
    return found


def test_no_other_command_takes_the_embedded_servers(tmp_path):
    config = tmp_path / "milepost.yaml"
    config.write_text(
        "kafka: {embedded: true}\npostgres: {embedded: true}\n"
        "sources: {register: {dialect: milepost, role: register, topic: contract.events}}\n"
    )
    done = subprocess.run(
        [*COMMAND, "run", "--config", str(config)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "milepost demo" in done.stderr
