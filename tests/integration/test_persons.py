"""A worker with pseudonyms on real servers: persons are named in one table alone, shown to people, and erased there."""

import asyncio
import json
import re
import subprocess
import sys

import asyncpg
from builders import (
    START,
    a_contract,
    a_milestone,
    an_amendment,
    disputed,
    held_by,
    lifted_by,
    record_of,
    registered,
    said,
    signed,
    waived,
)
from gate_desk import command, invoice, target
from gate_process import GateProcess
from gate_process import Site as GateSite
from store_rows import sql
from worker_process import IN_PROJECT, OUT, carried
from workload import Event, events, registrations

from connectors.finance.http import Line
from connectors.finance.simulator import Ledger, serving
from connectors.migrations import upgrade
from connectors.postgres_roles import apply
from contracts_schema.persons import PSEUDONYM

CONTRACTS = 5
LOGIN = """do $$ begin create role test_milepost_gate login in role milepost_gate;
exception when duplicate_object then null; end $$"""
NAMES = ("Canary-Signer", "Canary-Approver", "Canary-Asker", "Canary-Authority", "Canary-Holder", "Canary-Lifter",
         "Canary-Disputer", "Canary-Owner", "Canary-Opener", "Canary-Person", "Canary-Alias", "Canary-Claimer",
         "Canary-Stranger")  # fmt: skip
SIGNER, APPROVER, ASKER, AUTHORITY, HOLDER, LIFTER, DISPUTER, OWNER, OPENER, PERSON, ALIAS, CLAIMER, STRANGER = NAMES
OPENING = {"released": "1.00", "as_of": "2026-01-31", "reference": "B", "approved_by": OPENER}
MILESTONE = a_milestone(requires=["met", "signed_off"], owner=OWNER, opening=OPENING)
TERMS = {
    "sign_off": {"authority": [{"person": AUTHORITY, "role": "buyer"}, {"person": SIGNER, "role": "site-manager"}]}
}
AMENDMENT = an_amendment(requested_by=ASKER, approved_by=APPROVER)
TOLD = [
    registered(a_contract(MILESTONE, **TERMS)),
    registered(a_contract(MILESTONE, version=2, amendment=AMENDMENT, **TERMS)),
    signed(SIGNER),
    signed(ALIAS),
    held_by(HOLDER),
    lifted_by(LIFTER, "H-9"),
    disputed("1.00", by=DISPUTER),
    waived("NOT_MET", by=ASKER, approved_by=APPROVER),
    waived("NOT_MET", by=ALIAS, approved_by=ALIAS, ticket="T-9"),  # refused: one person
    said("office", "delivery.claimed", by=CLAIMER, delivered_on="2026-03-01"),
    said("office", "hold.placed", contract="C-nowhere", hold="H", reason="r", by=STRANGER),  # parked
]  # fmt: skip
TOPICS = {"register": "contract.events", "office": "operator.events"}


def records():
    """The events as records, all of one moment after the other."""
    made = [record_of(event, START, f"n{n}") for n, event in enumerate(TOLD)]
    return [
        Event(TOPICS[event.source], b"C-1", record.value, record.timestamp + n)
        for n, (event, record) in enumerate(zip(TOLD, made, strict=True))
    ]


async def prepared(site, key="the key of a house that is long enough"):
    (site.folder / "key").write_text(key)
    await site.prepare(
        pseudonyms={"key_file": str(site.folder / "key")}, people={PERSON: [f"office:{ALIAS}"]},
        worker={"keep_records_days": 36_500},
    )  # fmt: skip


async def rows(site):
    """Every row of every table as a text, bytes readable, by table."""
    connection = await asyncpg.connect(site.dsn)
    try:
        tables = await connection.fetch("select tablename::text from pg_tables where schemaname = 'public'")
        return {
            name: [" ".join(map(readable, row.values())) for row in await connection.fetch(f"select * from {name}")]
            for (name,) in tables
        }
    finally:
        await connection.close()


def readable(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def milepost(site, *words, code=0):
    command = [sys.executable, "-m", "services.cli", *words, "--config", str(site.config)]
    done = subprocess.run(command, cwd=IN_PROJECT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


async def test_persons_are_named_in_one_table_alone_and_can_be_erased_from_it(site, worker):
    await prepared(site)
    sent = [*registrations(CONTRACTS), *events(100, CONTRACTS), *records()]
    await site.send(sent)
    await asyncio.to_thread(worker.start)
    await carried(site, len(sent))
    found = await rows(site)
    assert len(found["revision"]) > CONTRACTS
    assert len(found["quarantine"]) == len(found["parked"]) == 1
    persons = " ".join(found["person"])
    assert [name for name in NAMES if name not in persons] == []
    # What systems sent is kept as they sent it, for as long as it is kept; nothing else names anybody.
    for table in found.keys() - {"person", "quarantine", "kept_records"}:
        for row in found[table]:
            assert "Canary" not in row, (table, row)
    assert "Canary" not in re.sub(r"\{.*\}", "", found["quarantine"][0])
    for topic in set(OUT) - {"milepost.quarantine"}:
        for record in await site.read(topic):
            assert b"Canary" not in (record.value or b"") + (record.key or b""), topic
    assert "Canary" not in worker.log.read_text()
    await asyncio.to_thread(shown_and_erased, site)


def shown_and_erased(site):
    told = milepost(site, "explain", "C-1/M1")
    assert [name for name in (HOLDER, SIGNER, DISPUTER) if name not in told] == []
    assert not PSEUDONYM.search(told)
    assert "Canary" not in milepost(site, "explain", "C-1/M1", "--json")
    assert APPROVER in milepost(site, "contract", "history", "C-1")
    assert "1 erased" in milepost(site, "persons", "erase", HOLDER)
    told = milepost(site, "explain", "C-1/M1")
    assert HOLDER not in told
    assert PSEUDONYM.search(told)
    assert json.loads(milepost(site, "verify", "--json"))["faults"] == []
    assert json.loads(milepost(site, "replay", "--all", "--json"))["differing"] == []


async def test_a_gate_names_no_user_of_finance_and_may_write_whom_a_pseudonym_means(kafka, postgres_dsn, tmp_path):
    ledger = Ledger()
    ledger.post(invoice(lines=[Line("1", "100.00", held=True, held_by=HOLDER)]))
    hold = command(1, [target(payable=0)])
    async with serving(ledger) as url:
        site = GateSite(kafka, postgres_dsn, tmp_path, url)
        (tmp_path / "key").write_text("the key of a house that is long enough")
        site.settings["pseudonyms"] = {"key_file": str(tmp_path / "key")}
        await upgrade(postgres_dsn)
        await apply(postgres_dsn)
        await sql(postgres_dsn, LOGIN)
        site.settings["postgres"]["dsn"] = postgres_dsn.replace("postgres@", "test_milepost_gate@")
        await site.prepare()
        gate = GateProcess(tmp_path, site.config, 1)
        try:
            await asyncio.to_thread(gate.start)
            await site.decide(hold)
            await site.told((hold, "already_applied"))
        finally:
            await asyncio.to_thread(gate.discard)
            await site.publisher.stop()
    found = await rows(site)
    [person] = found.pop("person")
    assert HOLDER in person
    pseudonym = PSEUDONYM.search(person)[0]
    kept = " ".join(row for table in found.values() for row in table)
    assert "Canary" not in kept + gate.log.read_text()
    assert f"blocked by somebody else (user {pseudonym})" in kept


async def test_no_worker_starts_with_another_key_or_without(site, worker):
    await prepared(site)
    await asyncio.to_thread(worker.start)
    await asyncio.to_thread(worker.stop)
    await prepared(site, "another key of a house that is long enough")
    assert "not the one with which" in await refused(site)
    await site.prepare()
    assert "give the key" in await refused(site)


async def refused(site):
    doomed = site.worker(2)
    doomed.launch()
    try:
        assert await asyncio.to_thread(doomed.wait, 60) == 2
        return doomed.log.read_text()
    finally:
        await asyncio.to_thread(doomed.discard)
