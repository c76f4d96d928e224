"""The whole story on real systems: Kafka, Postgres, Tryton and Redmine, every part of Milepost a process of its own.

What is blocked and what is free is read from Tryton's own records, never from what Milepost says about it.
"""

import json
import subprocess
import sys
import zipfile

import pytest
from live_purchase import CONTRACT, UNIT_PRICES, VALUES, Purchase
from live_site import LiveSite
from live_topics import SOURCES
from log_checks import check_said, rebuilt
from servers.process import await_condition

from contracts_schema.facts import ValueAgreed
from services.reconciliation.calendar import show_moment
from services.reconciliation.log import read_entry
from services.settings import load

M1, M2 = f"{CONTRACT}/M1", f"{CONTRACT}/M2"
NUMBER, OTHER_NUMBER = "SIEMAG-INV-9001", "SIEMAG-INV-9002"
UNPROVEN = ["NOT_MET", "NOT_RECEIVED", "EVIDENCE_MISSING", "SIGN_OFF_MISSING"]


@pytest.fixture
def site(kafka, postgres_server, postgres_dsn, tmp_path):
    return LiveSite(tmp_path, kafka.bootstrap, postgres_server, postgres_dsn)


@pytest.fixture
def project(redmine, site):
    return redmine.create_project(site.mark)


@pytest.fixture
def running(site, tryton, redmine, project):
    """Set up from nothing by the command line, with worker, gate and collector at work."""
    tryton.reset()
    configure(site, tryton, redmine, project)
    assert all(step["done"] for step in site.json("topics", "apply"))
    assert site.json("db", "upgrade")["applied"]
    processes = [site.process(command) for command in ("run", "gate", "collect")]
    try:
        for process in processes:
            process.start()
        yield processes
    finally:
        for process in processes:
            process.discard()


def configure(site, tryton, redmine, project):
    keys = {"tryton": tryton.keys["collector"], "gate": tryton.keys["gate"], "redmine": redmine.keys["collector"]}
    files = {name: site.folder / f"{name}-key" for name in keys}
    for name, key in keys.items():
        files[name].write_text(key)
    from_tryton = {
        "url": tryton.url, "token_file": str(files["tryton"]), "every": "1s", "company": tryton.ids["company"],
        "gate_user": "milepost-gate",
    }  # fmt: skip
    from_redmine = {
        "url": redmine.url, "token_file": str(files["redmine"]), "every": "1s", "projects": [project["identifier"]]
    }  # fmt: skip
    sources = {
        "register": {"dialect": "milepost", "role": "register", "topic": "contract.events"},
        "erp-eu": {"dialect": "tryton", "topic": "erp.events", "timezone": "Europe/Berlin", "collect": from_tryton},
        "pm": {"dialect": "redmine", "topic": "project.events", "timezone": "Europe/Berlin", "collect": from_redmine},
        "portal": {"dialect": "ubl", "topic": "supplier.events"},
        "office": {"dialect": "milepost", "role": "operator", "topic": "operator.events"},
    }
    gate = {"dialect": "tryton", "url": tryton.url, "token_file": str(files["gate"]), "same_keys_as": "erp-eu"}
    site.configure(sources, {"ap-eu": gate})


def test_a_purchase_is_held_proven_released_and_a_repeat_of_everything_changes_nothing(
    site, running, tryton, redmine, project
):
    purchase = Purchase(tryton, redmine, project)
    register(site, purchase)
    bill, other_bill = the_invoices_come_and_are_blocked(site, purchase)
    all_is_proven_but_half_of_the_goods(site, purchase, bill)
    the_rest_comes_and_the_block_is_lifted(site, purchase, bill)
    the_other_milestone_stays_held(site, other_bill)
    a_repeat_of_every_topic_says_nothing_new(site, [bill, other_bill])
    the_log_verifies_and_finance_is_as_wanted(site)
    auditors_look_back(site)
    others_look_ahead(site)
    assert all(process.running for process in running)


def register(site, purchase):
    plan = site.folder / "plan.yaml"
    plan.write_text(purchase.plan())
    assert [verdict["outcome"] for verdict in site.json("contract", "apply", plan)] == ["applied"]
    for milestone in (M1, M2):
        site.until_held_by(milestone, [*UNPROVEN, "NOT_INVOICED"])
    registered = {f"purchase.line:{purchase.lines[m]}": minor(VALUES[m]) for m in VALUES}
    await_condition(lambda: agreed(site) == registered, "each order line is worth what is registered", 30)


def agreed(site):
    """What each line of the order is worth, by its key, as the contract's log has it."""
    facts = [fact for row in site.log_of(CONTRACT) for fact in read_entry(row).facts]
    return {fact.address.keys[0]: fact.body.value.minor for fact in facts if isinstance(fact.body, ValueAgreed)}


def minor(amount):
    return int(amount.replace(".", ""))


def the_invoices_come_and_are_blocked(site, purchase):
    bill = purchase.bill("M1", NUMBER)
    site.topics.tell("supplier.events", purchase.bill_in_ubl(NUMBER), b"SUP-1001")
    other_bill = purchase.bill("M2", OTHER_NUMBER)
    for one in (bill, other_bill):
        await_condition(one.is_blocked, "the payable line is blocked in Tryton", 60)
    site.until_everything_is_read()
    account = site.until_held_by(M1, UNPROVEN)
    assert [(t["invoice"], t["state"], t["net"]["amount"]) for t in account["targets"]] == [
        (NUMBER, "hold", VALUES["M1"])
    ]
    assert account["conflicts"] == []
    told = ("since", "detail", "clears_when", "owner")
    assert all(reason[field] for reason in account["reasons"] for field in told)
    return bill, other_bill


def all_is_proven_but_half_of_the_goods(site, purchase, bill):
    """What was accepted counts; finance cannot free half of a payable line, so all of it stays blocked there."""
    purchase.receive("M1", 1)
    site.until_held_by(M1, ["NOT_MET", "EVIDENCE_MISSING", "SIGN_OFF_MISSING"])
    purchase.close_version("M1")
    site.until_held_by(M1, ["EVIDENCE_MISSING", "SIGN_OFF_MISSING"])
    protocol = site.folder / "fat-protocol.pdf"
    protocol.write_bytes(b"all 12 points passed")
    attached = site.json("evidence", "attach", M1, "fat-protocol", protocol, "--by", "paul")
    assert attached["outcome"] == "applied"
    assert site.until_held_by(M1, ["SIGN_OFF_MISSING"])["released_to_date"]["amount"] == "0.00"
    seen = f"fat-protocol=@{protocol}"
    signed = site.json("sign", M1, "--by", "jane", "--role", "site-manager", "--evidence", seen)
    assert signed["outcome"] == "applied"
    site.until_held_by(M1, ["PARTLY_ACCEPTED"])
    account = until_answered(site, "waiting")
    assert account["released_to_date"]["amount"] == UNIT_PRICES["M1"]
    assert bill.is_blocked()


def the_rest_comes_and_the_block_is_lifted(site, purchase, bill):
    purchase.receive("M1", 1)
    account = site.until_held_by(M1, [])
    assert account["released_to_date"]["amount"] == VALUES["M1"]
    await_condition(bill.is_free, "the payable line is free in Tryton", 60)
    released = until_answered(site, "applied")["last_command"]
    assert released["action"] == "release"
    assert "applied" in answers_to(site, released["command_id"])


def until_answered(site, answer):
    """Wait until finance's answer to M1's last command is this one; the account with it."""
    seen = {}

    def is_so():
        seen.update(site.explain(M1))
        return seen["last_command"]["answer"] == answer

    await_condition(is_so, f"the answer to {M1}'s last command is {answer}", 40)
    return seen


def answers_to(site, command):
    """What the gate has answered to a command, on the topic itself."""
    said = [json.loads(record.value) for record in site.topics.records("finance.events")]
    return [answer["state"] for answer in said if answer.get("command_id") == command]


def the_other_milestone_stays_held(site, other_bill):
    assert other_bill.is_blocked()
    account = site.until_held_by(M2, UNPROVEN)
    assert (account["held"]["amount"], account["last_command"]["action"]) == (VALUES["M2"], "hold")


def a_repeat_of_every_topic_says_nothing_new(site, bills):
    site.until_everything_is_read()
    commands, blocks = site.topics.ends("finance.commands"), [bill.blocked() for bill in bills]
    before = site.topics.ends(*SOURCES)
    assert {topic for (topic, _), end in before.items() if end} == {site.topics.named(name) for name in SOURCES}
    repeated = site.topics.tell_everything_again()
    assert sum(site.topics.ends(*SOURCES).values()) >= sum(before.values()) + repeated
    site.until_everything_is_read()
    assert site.topics.ends("finance.commands") == commands
    assert [bill.blocked() for bill in bills] == blocks


def the_log_verifies_and_finance_is_as_wanted(site):
    state, logged = rebuilt(site.log_of(CONTRACT), load(site.config).rules())
    check_said(logged, [json.loads(record.value) for record in site.topics.records("finance.commands")])
    assert logged[-1]["action"] == "release"
    assert state.sequence == len(logged)
    assert site.json("quarantine", "list") == []
    drift = site.json("drift")
    assert (drift["findings"], drift["faults"]) == ([], [])


def auditors_look_back(site):
    """Everything is proven from the log, now and as it was known before anybody signed, by us and by a stranger."""
    proven = site.json("verify")
    assert (proven["contracts"], proven["faults"]) == (1, [])
    assert site.json("replay", "--all")["differing"] == []
    entries = [read_entry(row) for row in site.log_of(CONTRACT)]
    signed = next(entry.moment for entry in entries if any(fact.kind == "sign_off.given" for fact in entry.facts))
    before = site.json("explain", M1, "--known-at", show_moment(signed - 1))[0]
    assert ([r["code"] for r in before["reasons"]], before["released_to_date"]["amount"]) == (
        ["SIGN_OFF_MISSING"], "0.00"
    )  # fmt: skip
    assert site.json("what-if", "--clock", "2027-12-31")["commands"] == []
    pack = site.folder / "evidence.zip"
    assert site.json("export", "evidence", CONTRACT, "--out", pack)["head"] == proven["heads"][CONTRACT]
    a_stranger_proves(pack, proven["heads"][CONTRACT])
    said = ("--prefix", "ocds-213czf", "--publisher", "Works", "--uri", "https://works.example/ocds")
    [record] = json.loads(site("export", "ocds", *said))["records"]
    [made] = record["compiledRelease"]["contracts"]
    status = {milestone["id"]: milestone["status"] for milestone in made["implementation"]["milestones"]}
    assert status == {"M1": "met", "M2": "scheduled"}
    assert site("export", "csv", "--table", "milestones").count(CONTRACT) == len(VALUES)
    assert site.json("report")


def a_stranger_proves(pack, head):
    """With the script of the pack and Python alone."""
    folder = pack.with_suffix("")
    with zipfile.ZipFile(pack) as packed:
        packed.extractall(folder)
    [script] = folder.rglob("*.py")
    done = subprocess.run(
        [sys.executable, "-I", script], cwd=script.parent, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert head in done.stdout


def others_look_ahead(site):
    """What a delay moves, which money is expected, and what people have been told."""
    moved = site.json("cascade", CONTRACT, "--milestone", "M2", "--delay", "30")
    assert [(p["milestone"], p["amount"]["amount"]) for p in moved["payments"]] == [("M2", VALUES["M2"])]
    assert {m["milestone"]: m["days"] for m in moved["milestones"]} == {"M1": 0, "M2": 30}
    expected = {line["category"]: line["amount"]["amount"] for line in site.json("cash-plan")["lines"]}
    assert expected == {"released": VALUES["M1"], "expected": VALUES["M2"]}
    assert site.json("notices") == []  # nothing is late, and no hold is old enough to tell anybody
