"""The evidence pack: a stranger proves it with the script inside, and whatever is changed is found by name."""

import hashlib
import io
import json
import subprocess
import sys
import zipfile
from datetime import UTC, datetime

import pytest
from builders import (
    Story,
    a_contract,
    a_milestone,
    an_amendment,
    attached,
    disputed,
    invoice,
    met,
    received,
    registered,
    resolved,
    signed,
)
from looking_back import books, log_of

from contracts_schema.commands import command_id
from services.history.fold import folded
from services.history.naming import named
from services.history.pack import pack
from services.history.rulebooks import Shelf
from services.runtime.evidence import README, account_text
from services.wiring.evidence import proof_script, zipped


@pytest.fixture(scope="module")
def story():
    plan = a_contract(
        a_milestone("M1", "100.00", requires=["met", "invoiced", "received"]),
        a_milestone("M2", requires=["met", "signed_off", "evidence:fat"]), title="Halle für Turbinen ⚙",
        retention={"steps": [{"rate_percent": "10"}]},
    )  # fmt: skip
    amended = plan | {
        "version": 2,
        "amendment": an_amendment(effective_from="2026-03-20", rationale="größer `x`\n# no"),
    }
    story = Story(people={"jane": ["erp:17"]}).tell(registered(plan), invoice("60.00", "R/ü-1", total="71.40"))
    story.tell(received("50"), met("M1"), met("M2"), attached(milestone="M2"), disputed("5.00"), resolved())
    story.tell(signed(milestone="M2", signed_at="2026-03-01T08:00:00.123456+01:00"), registered(amended))
    story.tell(met("M2", version=2**40), met("M1", met_on=None), invoice("-1.00", "C-1", credits=["R/ü-1"]))
    return story.clock(datetime(2026, 4, 1, tzinfo=UTC)).rerule(people={}).tell(met("M1", met_on="2026-03-30"))


@pytest.fixture(scope="module")
def files(story):
    return made(story)


def made(story):
    kept = books(story, *(r for r in [Story(people={"jane": ["erp:17"]}).rules]))
    log = log_of(story)
    fold = folded("C-1", log, Shelf(kept))
    texts = {"README.md": README, "account.md": account_text(fold, story.rules, log), "verify.py": proof_script()}
    return pack("C-1", log, kept, texts)


@pytest.fixture
def proved(files, tmp_path):
    """Unpack, change what is asked for, make the manifest fit, and prove."""

    def prove(change=None, *words, fits=True, code=1):
        content = dict(files)
        if change:
            change(content)
        if change and fits:
            manifest = json.loads(content["manifest.json"])
            manifest["files"] = {
                name: hashlib.sha256(raw).hexdigest() for name, raw in content.items() if name != "manifest.json"
            }
            content["manifest.json"] = json.dumps(manifest).encode()
        with zipfile.ZipFile(io.BytesIO(zipped(content))) as archive:
            archive.extractall(tmp_path)
        done = subprocess.run(
            [sys.executable, "-I", "-W", "error", tmp_path / "verify.py", *words], capture_output=True, text=True,
            check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert not done.stderr
        return done.stdout

    return prove


def rows_of(content, name):
    return [json.loads(line) for line in content[name].splitlines()]


def put(content, name, rows):
    content[name] = b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def test_a_stranger_proves_it_with_the_script_that_lies_in_it(proved, story):
    told = proved(code=0)
    head = story.log()[-1].head.hex()
    assert told == f"C-1: {len(story.commands)} commands, {len(story.log())} revisions, to {len(story.log())}:{head}\n"
    command = story.commands[-1]
    proved(None, f"{command['chain']['height']}:{command['chain']['head']}", code=0)
    assert "does not have the head" in proved(None, f"{command['chain']['height']}:{'0' * 64}")


def test_the_script_has_at_most_sixty_lines_and_needs_nothing_but_python():
    lines = proof_script().splitlines()
    assert len(lines) <= 60
    imported = [
        word for line in lines if line.startswith(("import ", "from ")) for word in line.replace(",", " ").split()
    ]
    assert set(imported) <= {"import", "from", *sys.stdlib_module_names, "timedelta", "timezone"}


def test_the_same_contract_gives_the_same_bytes(story, files):
    assert zipped(made(story)) == zipped(files)
    again = zipfile.ZipFile(io.BytesIO(zipped(files)))
    assert {entry.date_time for entry in again.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert [entry.filename for entry in again.infolist()] == sorted(files)


def test_the_pack_holds_everything_in_words(files, story):
    assert [row["content"]["body"]["kind"] for row in rows_of(files, "facts.jsonl")][:2] == [
        "contract.registered", "invoice.received",
    ]  # fmt: skip
    assert rows_of(files, "commands.jsonl") == story.commands
    assert sum(name.startswith("registrations/") for name in files) == 2
    assert sum(name.startswith("rulebooks/") for name in files) == 2
    account = files["account.md"].decode()
    assert "    C-1/M1: M1 (payment)" in account
    assert "Decided for M1 (met)" in account
    assert "\n# no" not in account


def change_fact(content):
    rows = rows_of(content, "facts.jsonl")
    rows[1]["content"]["body"]["net"]["minor"] = 9000
    put(content, "facts.jsonl", rows)


def change_plan(content):
    rows = rows_of(content, "facts.jsonl")
    rows[0]["content"]["body"]["plan"]["supplier"] = "SUP-9"
    put(content, "facts.jsonl", rows)


def change_decision(content):
    rows = rows_of(content, "decisions.jsonl")
    rows[-1]["content"]["released"] += 1
    put(content, "decisions.jsonl", rows)


def change_command(content):
    rows = rows_of(content, "commands.jsonl")
    rows[2]["released_to_date"]["amount"] = "99.00"
    put(content, "commands.jsonl", rows)


def forge_command(content):
    rows = rows_of(content, "commands.jsonl")
    rows[2]["released_to_date"]["amount"] = "99.00"
    parts = ("contract", "milestone", "sequence", "action", "value", "released_to_date", "held", "targets")
    rows[2]["command_id"] = command_id(**{part: rows[2][part] for part in parts}, carried=None)
    put(content, "commands.jsonl", rows)


def drop_command(content):
    put(content, "commands.jsonl", rows_of(content, "commands.jsonl")[:-1])


def drop_revision(content):
    rows = rows_of(content, "log.jsonl")
    put(content, "log.jsonl", [*rows[:3], *rows[4:]])


def swap_revisions(content):
    rows = rows_of(content, "log.jsonl")
    rows[3], rows[4] = rows[4], rows[3]
    put(content, "log.jsonl", rows)


def add_fact(content):
    rows = rows_of(content, "facts.jsonl")
    put(content, "facts.jsonl", [*rows, rows[-1]])


def change_rulebook(content):
    name = next(name for name in content if name.startswith("rulebooks/"))
    content[name] = content[name].replace(b"project", b"erp")


def another_contract(content):
    content["manifest.json"] = content["manifest.json"].replace(b'"C-1"', b'"C-2"')


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (change_fact, "revision 2: facts are not what the log holds"),
        (change_plan, "revision 1: facts are not what the log holds"),
        (change_decision, "decisions are not what the log holds"),
        (change_command, "not the command of its id"),
        (forge_command, "not the command of its id"),
        (drop_command, "there is more than the log holds"),
        (drop_revision, "revision 4: the chain is broken here"),
        (swap_revisions, "revision 4: the chain is broken here"),
        (add_fact, "there is more than the log holds"),
        (change_rulebook, "its rulebook is missing"),
        (another_contract, "revision 1: the chain is broken here"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_whatever_is_changed_is_found_by_name(proved, change, sentence):
    assert sentence in proved(change)


def test_a_file_that_is_not_the_one_of_the_manifest_is_named(proved):
    def rewrite(content):
        content["account.md"] += b"all is well"
        content["extra.txt"] = b""

    told = proved(rewrite, fits=False)
    assert "account.md is not the one of the manifest" in told
    assert "extra.txt is not the one of the manifest" in told


def test_values_of_the_log_are_named():
    assert named({"at": datetime(2026, 3, 1, tzinfo=UTC), "raw": b"\x01", "of": (1, None)}) == {
        "at": "2026-03-01T00:00:00Z", "raw": "01", "of": [1, None],
    }  # fmt: skip


def test_a_contract_without_a_version_in_force_has_an_account_too():
    story = Story().tell(registered(a_contract(version=2, amendment=an_amendment(state="proposed"))))
    fold = folded("C-1", log_of(story), Shelf(books(story)))
    assert "No version of the plan is in force." in account_text(fold, story.rules, log_of(story))
