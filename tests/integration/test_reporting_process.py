"""`milepost report`, `drift` and `export` as processes, on a real Postgres that a worker and a gate have filled."""

import csv
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import jsonschema
import ocdsmerge
import pytest
import yaml
from builders import (
    OWNER,
    SOURCES,
    START,
    a_contract,
    a_milestone,
    an_amendment,
    invoice,
    met,
    micros,
    paid,
    record_of,
    registered,
)
from gate_desk import a_desk, command, target
from gate_desk import invoice as a_bill
from worker_process import IN_PROJECT

from connectors.finance.simulator import Ledger
from connectors.migrations import upgrade
from connectors.postgres import PostgresSettings, PostgresStore
from connectors.postgres.gate import PostgresWanted
from connectors.postgres.pool import Database
from contracts_schema.records import Record
from contracts_schema.rows import OffsetRange, Partition
from services.reconciliation.policy import Policy, make_rules
from services.runtime.hallway import Hallway
from services.runtime.outgoing import Topics
from services.runtime.reading import Reader

OURS = IN_PROJECT / "services/reporting/ocds.schema.json"
OCDS = ("--prefix", "ocds-213czf", "--publisher", "Stadtwerke Beispiel", "--uri", "https://data.example/p.json")


class House:
    """A database that is filled through the hallway, and `milepost` as a process beside it."""

    def __init__(self, folder, dsn):
        self.folder, self.dsn = folder, dsn
        self.config = folder / "milepost.yaml"
        self.config.write_text(
            yaml.safe_dump(
                {
                    "kafka": {"bootstrap_servers": "127.0.0.1:1"},
                    "postgres": {"dsn": dsn},
                    "sources": {
                        name: {"dialect": "milepost", "role": source.role, "topic": source.topic}
                        for name, source in SOURCES.items()
                    },
                    "finance": {"ap": {"dialect": "http", "url": "http://127.0.0.1:1", "topic": "ap.events"}},
                }
            )
        )
        self.offset, self.now = 0, START

    async def carry(self, *events):
        """Each event in a transaction of its own, and what it wakes."""
        roles = {name: source.role for name, source in SOURCES.items()}
        rules = make_rules(roles, {}, Policy(), "ap")
        async with PostgresStore(PostgresSettings(dsn=self.dsn)) as store:
            hallway = Hallway(store, Reader(SOURCES, rules, OWNER), rules, Topics(), "1")
            await store.take(OWNER, OWNER, {Partition(source.topic, 0) for source in SOURCES.values()})
            for event in events:
                self.now += timedelta(hours=1)
                self.offset += 1
                one = record_of(event, self.now, f"e{self.offset}")
                record = Record(one.topic, 0, self.offset, one.timestamp, None, one.headers, one.value)
                place = Partition(record.topic, 0)
                moves = [OffsetRange(OWNER, place, record.offset, record.offset + 1, micros(self.now))]
                await hallway.carry([record], OWNER, moves, micros(self.now))
                while (await hallway.wake(0, 100, micros(self.now))).woken:
                    pass

    def run(self, *words, code=0):
        asked = [sys.executable, "-m", "services.cli", *map(str, words), "--config", str(self.config)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MILEPOST")}
        done = subprocess.run(asked, cwd=IN_PROJECT, env=environment, capture_output=True, timeout=120, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        assert b"Traceback" not in done.stderr
        return done

    def json(self, *words, code=0):
        return json.JSONDecoder().raw_decode(self.run(*words, "--json", code=code).stdout.decode())[0]


@pytest.fixture
async def house(tmp_path, postgres_dsn):
    await upgrade(postgres_dsn)
    house = House(tmp_path, postgres_dsn)
    plan = a_contract(
        a_milestone("M1", "100.00", due="2026-03-10", requires=["met", "invoiced"]),
        a_milestone("M2", "50.00", due="2026-03-01", requires=["met"]),
    )  # fmt: skip
    yen = a_contract(a_milestone("M1", "7000", requires=["met", "invoiced"]), contract="C-2", currency="JPY")
    await house.carry(
        registered(plan), registered(yen), met(met_on="2026-03-01"), invoice("80.00"), paid("95.00", invoice="I-1"),
        met(contract="C-2"), invoice("7000", "Y-1", currency="JPY", contract="C-2"), met("M9", contract="C-77"),
        registered(plan | {"version": 2, "amendment": an_amendment(rationale="=agreed, at last")}),
    )  # fmt: skip
    return house


def test_the_morning_report_is_the_same_for_people_and_programs(house):
    found = house.json("report")
    assert (found["contracts"], found["faults"]) == (2, [])
    sections = found["sections"]
    assert [(r["on_time"], r["overdue"], r["rate_percent"]) for r in sections["on-time"]["rows"]] == [
        (1, 1, "50.0")
    ] * 2
    assert sections["payable"]["notes"] == ["ap: 7000 JPY may be paid today"]
    assert {(r["contract"], r["milestone"]) for r in sections["unanswered"]["rows"]} == {
        ("C-1", "M1"), ("C-1", "M2"), ("C-2", "M1"),
    }  # fmt: skip
    (control,) = sections["control"]["rows"]
    assert (control["read"], control["applied"], control["parked"], control["adds_up"]) == (9, 8, 1, True)
    shown = house.run("report", "finance").stdout.decode()
    assert "ap: 7000 JPY may be paid today" in shown
    alone = list(csv.DictReader(house.run("report", "ageing", "--csv").stdout.decode().splitlines()))
    assert {row["currency"] for row in alone if row["milestones"] != "0"} == {"EUR"}


def test_drift_tells_what_the_log_knows_and_one_contract_can_be_asked_for(house):
    found = house.json("drift")["findings"]
    assert next((d["kind"], d["milestones"], d["amount"]["amount"]) for d in found) == (
        "PAID_WHILE_HELD", ["C-1/M1"], "15.00"
    )  # fmt: skip
    assert {d["kind"] for d in found} == {"PAID_WHILE_HELD", "UNANSWERED"}
    assert {d["milestones"][0] for d in house.json("drift", "C-2")["findings"]} == {"C-2/M1"}
    house.run("drift", "--check", code=1)


async def test_drift_tells_what_the_gate_keeps_in_the_database(house):
    database = Database(PostgresSettings(dsn=house.dsn))
    await database.open()
    ledger = Ledger()
    ledger.post(a_bill())
    try:
        async with a_desk(ledger, wanted=PostgresWanted(database, "ap")) as desk:
            await desk.settle(command(1, [target(payable=0)], finance="ap-eu"))
            ledger.hold("inv:INV-1", "1", "clerk", held=False)
            await desk.turn()
    finally:
        await database.close()
    found = {d["kind"]: d for d in house.json("drift")["findings"]}
    lifted = found["LIFTED_BY_HAND"]
    assert (lifted["finance"], lifted["invoice"], lifted["amount"]) == (
        "ap", "INV-1", {"amount": "100.00", "currency": "EUR"}
    )  # fmt: skip
    assert "talk to who lifted it" in lifted["advice"]
    assert "LIFTED_BY_HAND" in {d["kind"] for d in house.json("drift", "C-1")["findings"]}
    assert "LIFTED_BY_HAND" not in {d["kind"] for d in house.json("drift", "C-2")["findings"]}


def test_the_ocds_record_is_what_its_releases_come_to(house):
    out = house.folder / "package.json"
    house.run("export", "ocds", "--out", out, "--schema", OURS, *OCDS)
    written = json.loads(out.read_text(encoding="utf-8"))
    schema = json.loads(Path(OURS).read_text())
    merger, validator = ocdsmerge.Merger(schema), jsonschema.Draft202012Validator(schema)
    assert [record["ocid"] for record in written["records"]] == ["ocds-213czf-C-1", "ocds-213czf-C-2"]
    for record in written["records"]:
        assert merger.create_compiled_release(record["releases"]) == record["compiledRelease"]
        for release in record["releases"]:
            validator.validate(release)
    (contract,) = written["records"][0]["compiledRelease"]["contracts"]
    assert contract["implementation"]["transactions"][0]["value"] == {"amount": 95.0, "currency": "EUR"}
    assert contract["amendments"][0]["rationale"] == "=agreed, at last"
    again = house.run("export", "ocds", *OCDS).stdout
    assert again == out.read_bytes()


def test_tables_go_to_standard_output_one_at_a_time(house):
    text = house.run("export", "csv", "C-1", "--table", "facts").stdout.decode()
    rows = list(csv.DictReader(text.splitlines(keepends=True)))
    assert [row["kind"] for row in rows] == [
        "contract.registered", "milestone.assessed", "invoice.received", "payment.made", "contract.registered",
    ]  # fmt: skip
    assert json.loads(rows[3]["says"])["amount"] == {"amount": "95.00", "currency": "EUR"}


def test_nothing_is_written_to_the_database(house):
    import asyncio

    async def everything():
        database = Database(PostgresSettings(dsn=house.dsn))
        await database.open()
        try:
            counts = "select relname, n_tup_ins + n_tup_upd + n_tup_del from pg_stat_user_tables order by 1"
            await database.execute("select pg_stat_force_next_flush()")
            return [tuple(row) for row in await database.fetch(counts)]
        finally:
            await database.close()

    before = asyncio.run(everything())
    house.run("report")
    house.run("drift")
    house.run("export", "csv", "--table", "milestones")
    assert asyncio.run(everything()) == before


def test_without_a_database_each_command_says_so_and_ends_with_1(house):
    content = yaml.safe_load(house.config.read_text())
    content["postgres"]["dsn"] = "postgresql://nobody@127.0.0.1:1/none"
    house.config.write_text(yaml.safe_dump(content))
    for words in (("report",), ("drift",), ("export", "csv", "--table", "facts"), ("export", "ocds", *OCDS)):
        assert b"milepost: " in house.run(*words, code=1).stderr
