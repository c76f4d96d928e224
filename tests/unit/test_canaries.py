"""Canaries: secrets, and people's data that Milepost does not need, go through everything that runs without servers.

Then they are looked for in every log line, metric, page, message, sentence, log of revisions and command's output.
"""

import asyncio
import contextlib
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from attacks import GOLDEN, UBL
from builders import a_contract, a_milestone, registered
from collecting import Told
from desk import Desk
from gate_desk import a_desk, command, invoice, target
from laws.house import House as PaperHouse
from memory_house import OUT, House
from msgspec.json import encode
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from ubl_papers import sent
from ubl_texts import ORDER, SUPPLIER, an_invoice

from connectors.finance.http import Line
from connectors.finance.simulator import Ledger
from connectors.finance.web import Web, WebSettings
from connectors.http_server import serving
from connectors.memory_feed import MemoryTopics
from connectors.rest import Rest, RestSettings
from connectors.webhooks import Hook, receiver
from contracts_schema.errors import MilepostError
from contracts_schema.rows import Partition
from services.runtime.health import pages
from services.settings import check

PEOPLE = [
    "DE89370400440532013000",
    "GB82WEST12345698765432",
    "Erika Mustermann",
    "erika@canary.test",
    "+49-30-555-canary",
]
ROOT = Path(__file__).parents[2]
SECRETS = ["canary-dsn-4711", "canary-sasl-4711", "canary-token-4711", "canary-webhook-4711"]
IBAN, OTHER_IBAN, NAME, MAIL, PHONE = PEOPLE
BIC, MANDATE, CREDITOR = "COBADEFFXXX", "MANDATE-4711", "DE98ZZZ09999999999"
SOURCES = {
    "register": {"dialect": "milepost", "role": "register", "topic": "contract.events"},
    "portal": {"dialect": "ubl", "topic": "supplier.events"},
    "erp": {"dialect": "tryton", "topic": "erp.events"},
    "pm": {"dialect": "redmine", "topic": "project.events", "statuses": {"met": ["Closed"], "open": ["New"]}},
    "claims": {"dialect": "milepost", "role": "supplier_portal", "topic": "claims.events"},
    "office": {"dialect": "milepost", "role": "operator", "topic": "operator.events"},
}


def none_of(words, *texts):
    for text in texts:
        found = text if isinstance(text, str) else bytes(text).decode("utf-8", "backslashreplace")
        assert [word for word in words if word in found] == []


# -- people's data in what systems send

PAYEE = f"""<cac:PaymentMeans><cbc:PaymentMeansCode>30</cbc:PaymentMeansCode><cac:PayeeFinancialAccount>
<cbc:ID>{IBAN}</cbc:ID><cbc:Name>{NAME}</cbc:Name></cac:PayeeFinancialAccount></cac:PaymentMeans>
<cac:AccountingContact><cbc:Name>{NAME}</cbc:Name><cbc:Telephone>{PHONE}</cbc:Telephone>
<cbc:ElectronicMail>{MAIL}</cbc:ElectronicMail></cac:AccountingContact>"""


def of_golden(name):
    value = json.loads((GOLDEN / f"{name}.json").read_text())["value"]
    return value[0] if isinstance(value, list) else value


def personal(thing):
    """The object with people's data beside what is read of it, at every level."""
    if isinstance(thing, list):
        return [personal(entry) for entry in thing]
    if not isinstance(thing, dict) or "__class__" in thing:
        return thing
    more = {"iban": IBAN, "bank_accounts": [{"number": OTHER_IBAN, "owner": NAME}], "rec_name": NAME, "email": MAIL}
    return {name: personal(value) for name, value in thing.items()} | more


def bodies():
    """What the sources send: whole, spoilt in another place, and broken off."""
    ubl = UBL.replace(b"</Invoice>", PAYEE.encode() + b"</Invoice>")
    order = personal(of_golden("tryton/purchase_partly_received")) | {"__name__": "purchase.purchase"}
    bill = personal(of_golden("tryton/invoice_posted")) | {"__name__": "account.invoice"}
    hook = personal(of_golden("redmine/webhook_closed"))
    claim = {"specversion": "1.0", "id": "c-1", "source": "x", "type": "milepost.delivery.claimed.v1", "owner": NAME,
             "time": "2026-11-20T08:00:00Z",
             "data": {"contract": "C-1", "milestone": "M1", "delivered_on": "2026-11-20", "iban": IBAN,
                      "mail": MAIL}}  # fmt: skip
    act = claim | {"id": "a-1", "type": "milepost.hold.placed.v1",
                   "data": {"contract": "C-1", "hold": "H", "reason": "r", "by": "jane", "iban": IBAN,
                            "note": NAME}}  # fmt: skip
    plan = {
        "contract": "C-1",
        "version": 2,
        "supplier": [{"iban": IBAN}],
        "buyer": {"id": {"name": NAME}},
        "iban": IBAN,
    }
    sent = {
        "supplier.events": [ubl, ubl.replace(b"EUR", b"EURO"), ubl[:-9]],
        "erp.events": [
            encode(order),
            encode(bill),
            encode(bill | {"untaxed_amount": {"iban": IBAN}}),
            encode(bill)[:-9],
        ],
        "project.events": [
            encode(hook),
            encode(hook | {"payload": {"issue": {"id": {"mail": MAIL}}}}),
            encode(hook)[:-9],
        ],
        "claims.events": [encode(claim), encode(claim | {"time": {"mail": MAIL}}), encode(claim)[:-9]],
        "operator.events": [encode(act), encode(act | {"data": act["data"] | {"by": {"name": NAME, "iban": IBAN}}})],
        "contract.events": [encode(claim | {"id": "r-2", "type": "milepost.contract.registered.v1", "data": plan})],
    }
    return [(topic, body) for topic, all_of_them in sent.items() for body in all_of_them]


@pytest.fixture
async def process():
    house = House()
    house.settings = check({"sources": SOURCES})
    topics = [source["topic"] for source in SOURCES.values()]
    house.topics = MemoryTopics(dict.fromkeys((*topics, *OUT), 2))
    house.inputs = [Partition(topic, n) for topic in topics for n in range(2)]
    running = await house.running()
    refs = {"portal": ["order:PO%2F7"], "erp": ["purchase:1", "purchase.line:1"], "pm": ["issue:1"]}
    plan = a_contract(a_milestone(requires=["met", "received", "invoiced"], refs=refs))
    registration = {"specversion": "1.0", "id": "r-1", "source": "x", "type": "milepost.contract.registered.v1",
                    "time": "2026-11-01T08:00:00Z", "data": plan}  # fmt: skip
    house.topics.append("contract.events", b"C-1", encode(registration), (), 1_795_600_000_000)
    await house.settled()
    for n, (topic, body) in enumerate(bodies()):
        house.topics.append(topic, b"k", body, (), 1_795_996_800_000 + n)
    await house.settled()
    await running.stop()
    return running


async def page(app):
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://it") as client:
        return (await client.get("/")).text


async def test_people_s_data_that_is_not_needed_is_told_nowhere_and_kept_nowhere_but_in_quarantine(process, tmp_path):
    house = process.house
    rows = [row for row, _ in house.store._tables.quarantine.values()]
    assert len(rows) == 10
    assert any(IBAN.encode() in row.value for row in rows)
    none_of(PEOPLE, *(row.sentence for row in rows))
    shown = [await page(app) for _, app in pages(process.health, process.telemetry.metrics)]
    assert len(shown[2]) > 1000
    none_of(PEOPLE, process.log.getvalue(), *shown)
    published = {topic: house.out(topic) for topic in OUT}
    assert published["finance.commands"]
    assert published["milestone.decisions"]
    none_of(PEOPLE, *(str({**record, "value_base64": ""}) for record in published.pop("milepost.quarantine")))
    none_of(PEOPLE, str(published))
    kept = house.store._tables
    assert len(kept.log) == 2
    none_of(PEOPLE, *(row.entry for row in kept.log.values()), *(str(row) for row in kept.parked.values()))
    for name, raw in [found async for found in await house.store.states()]:
        none_of(PEOPLE, name, raw)


@pytest.fixture
def desk(tmp_path, monkeypatch, capsys):
    made = Desk(tmp_path, capsys)
    made.install(monkeypatch)
    made.run("contract", "apply", made.plan(), "--config", made.config)
    return made


LOOKS = [
    ("quarantine", "list"), ("status",), ("parked",), ("conflicts",), ("explain", "C-1"), ("contract", "show", "C-1"),
    ("notices",), ("config", "check"), ("report", "audit"),
]  # fmt: skip


def test_no_command_line_view_shows_what_was_set_aside_unless_it_is_asked_for(desk):
    spoilt = {"contract": "C-1", "milestone": "M1", "status": "so so", "iban": IBAN, "owner": NAME, "mail": MAIL}
    asyncio.run(desk.say("pm", "milestone.assessed", spoilt, "e1"))
    unknown = {"contract": "C-1", "milestone": "M1", "by": "jane", "hold": "H", "reason": "r", "iban": IBAN}
    asyncio.run(desk.say("office", "hold.placed", unknown, "e2"))
    records = [line["id"] for line in desk.json("quarantine", "list")]
    assert len(records) == 2
    for look in [*LOOKS, *(("quarantine", "show", record) for record in records)]:
        none_of(PEOPLE, desk(*look), desk(*look, "--json"))
    assert IBAN in desk("quarantine", "show", records[0], "--raw")


# -- secrets


COMMANDS = ["config check", "status", "run", "gate", "topics plan", "db upgrade", "quarantine list", "verify"]


def test_no_command_tells_a_secret_not_even_when_nothing_answers(tmp_path):
    """All at once, as processes of their own; those that go on trying are ended after some seconds."""
    environment = os.environ | {
        "MILEPOST__POSTGRES__DSN": f"postgresql://milepost:{SECRETS[0]}@127.0.0.1:1/milepost",
        "MILEPOST__KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", "MILEPOST__KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
        "MILEPOST__KAFKA__USERNAME": "milepost", "MILEPOST__KAFKA__PASSWORD": SECRETS[1],
    }  # fmt: skip
    (tmp_path / "token").write_text(SECRETS[2])
    system = {"dialect": "tryton", "url": "http://127.0.0.1:1", "token_file": str(tmp_path / "token")}
    config = tmp_path / "milepost.yaml"
    config.write_text(json.dumps({"sources": SOURCES, "finance": {"ap": system}}))
    running = [
        subprocess.Popen([sys.executable, "-m", "services.cli", *words.split(), "--config", str(config)],
                         env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)
        for words in COMMANDS
    ]  # fmt: skip
    for words, process in zip(COMMANDS, running, strict=True):
        try:
            told, _ = process.communicate(timeout=10)
            assert len(told) > 20, words
        except subprocess.TimeoutExpired:
            process.terminate()
            told, _ = process.communicate(timeout=30)
        none_of(SECRETS, told)


@contextlib.asynccontextmanager
async def parrot(status):
    """A system that gives back whatever it was sent, and the account of somebody."""

    async def answer(request):
        said = " ".join([*request.headers.values(), (await request.body()).decode(), IBAN])
        return JSONResponse({"message": said, "error": said}, status)

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "PUT", "POST"])])
    async with serving(app, "127.0.0.1", 0) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 422, 429, 500])
async def test_a_system_that_gives_our_key_back_cannot_make_us_tell_it(status, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    token = tmp_path / "token"
    token.write_text(SECRETS[2])
    said = []
    async with parrot(status) as url:
        rest = RestSettings(url, token, "Authorization", "bearer ", wait_s=0.01, attempts=1)
        web = Web(WebSettings(url, token, 2))
        async with Rest(rest) as asked:
            for ask in (asked.get, web.read):
                try:
                    await ask("/x")
                except MilepostError as error:
                    said.append(str(error))
        said.append(str(await web.change("POST", "x", {})))
        await web.close()
    none_of([SECRETS[2], IBAN], *said, caplog.text)


class Talkative(Ledger):
    """Refuses every call, and says whose account it is about."""

    def asked(self, invoice, line, *, held):
        return 422, {"message": f"account {IBAN} is closed"}


@pytest.mark.parametrize(
    "odd",
    [
        {}, {"gross": IBAN}, {"currency": IBAN}, {"state": IBAN},
        {"lines": [Line("1", "100.00", held=True, held_by="clerk", state="in_payment", payment=f"paid to {IBAN}")]},
    ],
    ids=str,
)  # fmt: skip
async def test_a_gate_whose_finance_system_talks_of_accounts_tells_none(odd, caplog):
    caplog.set_level(logging.DEBUG, "services")
    caplog.set_level(logging.DEBUG, "connectors")
    async with a_desk(Talkative()) as desk:
        desk.ledger.post(invoice(**{"gross": "100.00", "net": "100.00", **odd}))
        await desk.settle(command(1, [target(payable=0)]))
        told = [str(desk.said()), str(await desk.wanted.findings()), caplog.text]
        assert "ap-eu" in "".join(told) or "inv:INV-1" in "".join(told), "there was something to tell"
        none_of([IBAN], *told)


async def test_webhooks_tell_neither_their_secret_nor_what_was_sent(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    (tmp_path / "secret").write_text(SECRETS[3])
    outcomes, told = [], Told()

    async def publish(rows):
        raise MilepostError(f"no broker for {len(rows)}")

    app = receiver([Hook("pm", "t", "/pm", tmp_path / "secret", "X-Signature")], publish, lambda *o: outcomes.append(o))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://it") as client:
        sent = {"content": f"{NAME} {IBAN}", "headers": {"X-Signature": SECRETS[3]}}
        answers = [await client.post("/pm", **sent), await client.post("/pm", content=IBAN)]
    none_of(
        [*SECRETS, *PEOPLE], *(a.text + str(a.headers) for a in answers), str(outcomes), caplog.text, str(told.events)
    )


# Bank details

BANK = f"""<cac:PaymentMeans><cbc:PaymentMeansCode name="Credit transfer">30</cbc:PaymentMeansCode>
<cbc:PaymentID>I-1</cbc:PaymentID><cac:PayeeFinancialAccount><cbc:ID>{IBAN}</cbc:ID><cbc:Name>{NAME}</cbc:Name>
<cac:FinancialInstitutionBranch><cbc:ID>{BIC}</cbc:ID></cac:FinancialInstitutionBranch></cac:PayeeFinancialAccount>
<cac:PaymentMandate><cbc:ID>{MANDATE}</cbc:ID><cac:PayerFinancialAccount><cbc:ID>{OTHER_IBAN}</cbc:ID>
</cac:PayerFinancialAccount></cac:PaymentMandate></cac:PaymentMeans>"""


def test_an_invoice_with_bank_details_counts_and_leaves_none_of_them_in_log_state_or_commands():
    creditor = f'<cac:PartyIdentification><cbc:ID schemeID="SEPA">{CREDITOR}</cbc:ID></cac:PartyIdentification>'
    paper = an_invoice(head=ORDER + BANK, supplier=creditor + SUPPLIER, code="EUR").encode()
    story = PaperHouse()
    refs = {"ubl": ["order:PO-1"]}
    story.tell(registered(a_contract(a_milestone(requires=["invoiced"], refs=refs), supplier={"id": "SUP-1001"})))
    story.carry([sent(paper, story.now)])
    assert story.released() == 10_000
    rows = [*(row.entry for row in story.log()), story.raw()]
    rows += [row.value for report in story.reports for row in report.said.commands]
    assert b"SUP-1001" in rows[-1]
    none_of([IBAN, OTHER_IBAN, BIC, MANDATE, CREDITOR, NAME], *rows)
