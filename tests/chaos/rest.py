"""When everything is healed: wait until nothing is left to do, then look whether all came out as it must."""

import asyncio
import json
import sys
from collections import defaultdict
from pathlib import Path

from chaos.processes import until
from chaos.reading import commands, ends, records
from chaos.site import LANES, PARTITIONS, Site
from chaos.store import Store
from log_checks import check_said, rebuilt, slots_of
from memory_house import OUT, House
from msgspec.json import decode

from connectors.memory_feed import MemoryTopics
from connectors.postgres import PostgresSettings, PostgresStore
from contracts_schema.money import parse_amount
from contracts_schema.records import SPEAKER
from contracts_schema.rows import Partition
from services import settings
from services.reconciliation.state import decode_state
from services.reconciliation.view import standings

ACKNOWLEDGED = b"milepost.command.acknowledged.v1"
JUDGE = Path(__file__).with_name("judge.py")
WAITING = """
    select (select count(*) from outbox), (select count(*) from wake where moment = 0),
        (select count(*) from gate_answer)
            + (select count(*) from gate_invoice where due < clock_timestamp() - interval '1 second')
"""


async def settle(site: Site, store: Store, within_s: float) -> float:
    """Wait until all is read, published, taken in, acted on and answered; how long that took. Raises TimeoutError."""
    took = await until(lambda: _tool_is_told(site), "the tool's last word is on its topic", within_s, 0.5)
    took += await until(lambda: _all_read(site, store), "everything is read, published and taken in", within_s, 0.5)
    wanted = finance_wants(await commands(site))
    took += await until(lambda: not differences(site, wanted), "finance is as the last commands say", within_s, 0.5)
    took += await until(lambda: _all_answered(site), "finance has answered the last commands", within_s, 0.5)
    return took + await until(lambda: _all_read(site, store), "finance's last answers are read", within_s, 0.5)


async def _tool_is_told(site: Site) -> bool:
    """Whether what was last collected of each version is what the tool shows now."""
    told = {}
    for record in await records(site, [site.topic("tool.events")]):
        if (record.key or b"").startswith(b"version,"):
            version = decode(record.value)["version"]
            told[version["id"]] = version
    return all(told.get(version["id"]) == version for version in site.tool.versions)


async def lost_calls(site: Site, accepted: list[bytes]) -> int:
    """How many of the tool's own calls were accepted and are nowhere."""
    found = {record.value for record in await records(site, [site.topic("tool.events")])}
    return sum(body not in found for body in accepted)


async def _all_read(site: Site, store: Store) -> bool:
    if list((await store.rows(WAITING))[0]) != [0, 0, 0]:
        return False
    read = {(t, n): k for t, n, k in await store.rows("select topic, partition, next_offset from kafka_offset")}
    inputs = await ends(site, site.inputs)
    if any(end > (read.get(place) or 0) for place, end in inputs.items()):
        return False
    taken = {(t, n): k for t, n, k in await store.rows("select topic, partition, next_offset from gate_offset")}
    return all(end == (taken.get(p) or 0) for p, end in (await ends(site, [site.topic(LANES["commands"])])).items())


async def _all_answered(site: Site) -> bool:
    """Whether the last command of each milestone has an answer. While finance was silent the pause before the next try
    has grown, also where nothing is left to do."""
    events = await records(site, [site.topic("finance.events")])
    told = [decode(r.value) for r in events if dict(r.headers).get("ce_type") == ACKNOWLEDGED]
    state = {answer["command_id"]: answer["state"] for answer in told}
    last = last_commands(await commands(site)).values()
    return all(state.get(command["command_id"], "unknown") != "unknown" for command in last)


# -- finance, by the last commands alone -------------------------------------------------------------------------------


def last_commands(said: list[dict]) -> dict[tuple[str, str], dict]:
    """The newest command of each milestone."""
    return {(c["contract"], c["milestone"]): c for c in sorted(said, key=lambda c: c["sequence"])}


def finance_wants(said: list[dict]) -> dict[str, list[tuple[set[str], int]]]:
    """By invoice number: whose, and how many cents of its net may leave by each milestone's last command."""
    found = defaultdict(list)
    for target in (t for command in last_commands(said).values() for t in command["targets"]):
        whose = {target["supplier"], *target.get("supplier_identifiers", ())}
        payable = target["payable_to_date"]
        cents = parse_amount(payable["amount"], "EUR") if payable["currency"] == "EUR" else 0
        found[target["invoice"]].append((whose, cents))
    return found


def differences(site: Site, wanted: dict[str, list[tuple[set[str], int]]]) -> dict[str, str]:
    """Payable lines that are not as the last commands say: `early` where free and should be held, else `late`."""
    found = {}
    for invoice in site.ledger.invoices.values():
        mine = [cents for whose, cents in wanted.get(invoice.number or "", ()) if whose & set(invoice.suppliers)]
        if not mine:
            continue
        net, gross = parse_amount(invoice.net, "EUR"), parse_amount(invoice.gross, "EUR")
        left = gross * min(sum(mine), net) // net if sum(mine) > 0 else 0
        for line in invoice.lines:
            left -= parse_amount(line.gross, "EUR")
            if line.held != (left < 0):
                found[f"{invoice.number}/{line.id}"] = "late" if line.held else "early"
    return found


# -- the verdict -------------------------------------------------------------------------------------------------------


async def judged(site: Site) -> list[dict]:
    """What the judge finds, who shares no code with Milepost."""
    arguments = ["--dsn", site.dsn, "--bootstrap", site.cluster.bootstrap, "--prefix", f"{site.name}.",
                 "--ledger", str(site.folder / "ledger.jsonl"), "--json"]  # fmt: skip
    child = await asyncio.create_subprocess_exec(
        sys.executable, str(JUDGE), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    told, errors = await child.communicate()
    if child.returncode not in (0, 1):
        raise AssertionError(f"the judge could not judge: {errors.decode()[-2000:]}")
    return list(json.loads(told)["findings"])


async def compare(site: Site, steady: set[str]) -> tuple[int, list[str]]:
    """Every contract: its log makes its commands again, the topic has them, and its state is that of a quiet run over
    the same records. How many commands there are, and what differs."""
    told = settings.load(site.folder / "milepost.yaml")
    rules, on_topic, count, faults = told.rules(), defaultdict(list), 0, list[str]()
    for command in await commands(site):
        on_topic[command["contract"]].append(command)
    quiet = await undisturbed(site, told)
    async with PostgresStore(PostgresSettings(dsn=site.dsn)) as store:
        async for name, raw in await store.states():
            stored = decode_state(raw)
            try:
                state, logged = rebuilt(await store.log(name), rules)
                check_said(logged, on_topic.pop(name, []))
                count += len(logged)
                assert (state.head, slots_of(state)) == (stored.head, slots_of(stored)), "log and state"
            except AssertionError as error:
                faults.append(f"{name}: {str(error)[:500]}")
            if name in steady:
                faults += _differences(name, stored, quiet[name], rules)
    return count, faults + [f"{name}: commands of a contract that is not there" for name in on_topic]


def _differences(name: str, stored, quiet, rules) -> list[str]:
    """How a contract differs from what it is after a quiet run."""
    found = []
    for what, one, other in (("facts", _facts(stored), _facts(quiet)),
                             ("allowed", _allowed(stored, rules), _allowed(quiet, rules))):  # fmt: skip
        keys = [key for key in one.keys() | other.keys() if one and other and one.get(key) != other.get(key)]
        found += [f"{name}: {what} of {key}: {one.get(key)}; in a quiet run {other.get(key)}"[:700] for key in keys]
    return found


async def undisturbed(site: Site, told: settings.Settings) -> dict:
    """The states after the same records in memory, with nothing in their way."""
    came = await records(site, site.inputs)
    house = House()
    house.settings, house.batch = told, 5000
    house.topics = MemoryTopics(dict.fromkeys((*site.inputs, *OUT), PARTITIONS))
    house.inputs = [Partition(topic, n) for topic in site.inputs for n in range(PARTITIONS)]
    process = house.process()
    for r in came:
        house.topics.append(r.topic, r.key, r.value, r.headers, r.timestamp)
    await process.feed.assign(house.inputs)
    process.tasks = [asyncio.create_task(process.worker.run())]
    await house.until(lambda: house.carried() == len(came), 300)
    await house.until(lambda: not house.roused(), 60)
    await process.die()
    return {name: decode_state(raw) async for name, raw in await house.store.states()}


def _facts(state) -> dict:
    """What others said. What Milepost says to itself of claims and of renewed documents is told as it came."""
    own = (SPEAKER, "document.renewed")
    return {subject: slot for subject, slot in slots_of(state).items() if not any(word in str(subject) for word in own)}


def _allowed(state, rules) -> dict:
    """What the facts allow. A cap is first come, first served (rule A7), so contracts that came to one are left out."""
    positions = [s.position for s in standings(state, rules)]
    capped = any(str(reason.code) == "CAP_REACHED" for position in positions for reason in position.reasons)
    return {} if capped else {position.milestone: position.allowed for position in positions}
