"""Collecting from a live Tryton: each change comes as one record, and the mapper reads in it what happened."""

import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from collecting import ERP, Clock, Rig, facts_of
from servers.process import run
from servers.tryton_build import tryton_python

from connectors.erp.tryton import TrytonPoller, context_headers
from connectors.rest import Rest, RestSettings
from contracts_schema.errors import ConfigurationError
from contracts_schema.facts import GoodsReceived, HoldObserved, InvoiceReceived, PaymentMade, ValueAgreed
from services.runtime.collect import Pace

MODELS = ("purchase.purchase", "account.invoice", "account.move.line", "account.payment", "project.work")


def today():
    return str(datetime.now(UTC).date())


class Collecting:
    """A collector on a live Tryton, whose cursor's clock can be moved."""

    def __init__(self, rig, collector, poller):
        self.rig = rig
        self.collector = collector
        self.poller = poller

    async def news(self):
        """What one look brings, by key."""
        assert await self.collector.round() == []
        records = self.rig.news()
        assert len({record.key for record in records}) == len(records)
        return {record.key.decode(): record for record in records}

    async def tomorrow(self):
        """What the daily sweep brings."""
        pace, self.collector._pace = self.collector._pace, Pace(sweep_every_s=0)
        found = await self.news()
        while self.collector._sweeping:
            found |= await self.news()
        self.collector._pace = pace
        return found


@pytest.fixture
async def collecting(tryton, tmp_path):
    async with started(tryton, tmp_path) as collecting:
        await collecting.tomorrow()  # whatever the tests before have left there
        yield collecting


@asynccontextmanager
async def started(tryton, folder, who="collector", **settings):
    token = folder / "token"
    token.write_text(tryton.keys[who])
    company = tryton.ids["company"]
    asked = RestSettings(tryton.url, token, "Authorization", "bearer ", context_headers(company), wait_s=0.2)
    async with Rest(asked) as rest:
        poller = TrytonPoller(rest, "milepost-gate", company, **settings)
        rig = Rig(clock=Clock(datetime.now(UTC).timestamp()))
        yield Collecting(rig, rig.collector(poller), poller)


def goods(tryton, quantity, price="118500"):
    return {"product": tryton.ids["rotor"], "quantity": quantity, "unit_price": price, "delivery_date": "2027-02-20"}


def bodies(record, kind):
    return [fact.body for fact in facts_of([record], ERP) if isinstance(fact.body, kind)]


async def test_the_first_look_tells_what_is_there_and_the_next_ones_nothing(tryton, tmp_path):
    tryton.reset()
    async with started(tryton, tmp_path) as collecting:
        tasks = {f"project.work,{number}" for number in (tryton.ids["project"], *tryton.ids["tasks"])}
        assert set(await collecting.news()) == tasks
        assert await collecting.news() == {}
        assert await collecting.tomorrow() == {}


async def test_an_order_a_partial_receipt_and_the_rest_are_told_as_they_happen(tryton, collecting):
    order = tryton.create_purchase([goods(tryton, 3)], reference="C-1/M1")
    (line,) = order["lines"]
    key = f"purchase.purchase,{order['id']}"
    found = await collecting.news()
    assert set(found) == {key}
    assert [body.value.minor for body in bodies(found[key], ValueAgreed)] == [35_550_000]
    assert [body.received for body in bodies(found[key], GoodsReceived)] == ["0"]
    assert found[key].header("milepost-kind") == "purchase.purchase"

    tryton.receive(order["id"], {line: 1})
    found = await collecting.news()
    assert [(body.accepted, body.ordered) for body in bodies(found[key], GoodsReceived)] == [("1", "3")]
    tryton.receive(order["id"], {line: 2})
    found = await collecting.news()
    assert [body.accepted for body in bodies(found[key], GoodsReceived)] == ["3"]
    assert await collecting.news() == {}


async def test_the_value_of_a_record_is_what_tryton_gave_field_by_field(tryton, collecting):
    order = tryton.create_purchase([goods(tryton, 1)])
    (record,) = (await collecting.news()).values()
    _, told = tryton.rest("GET", f"model/purchase.purchase/{order['id']}?f=number&f=state&f=lines.amount")
    sent = json.loads(record.value)
    assert (sent["number"], sent["state"]) == (told["number"], told["state"])
    assert sent["lines"][0]["amount"] == told["lines"][0]["amount"]


async def billed(tryton, collecting, reference):
    """An order received and told, and then billed; answers invoice and payable line."""
    order = tryton.create_purchase([goods(tryton, 1, "1000")])
    tryton.receive(order["id"], {order["lines"][0]: 1})
    assert not [key for key in await collecting.news() if key.startswith("account.move.line")]
    invoice = tryton.post_invoice(order["id"], reference, today())
    return invoice["id"], invoice["lines_to_pay"][0]


async def test_a_posted_invoice_and_its_payable_are_told(tryton, collecting):
    invoice, payable = await billed(tryton, collecting, "INV-1")
    found = await collecting.news()
    (body,) = bodies(found[f"account.invoice,{invoice}"], InvoiceReceived)
    assert (body.number, body.state, body.net.minor) == ("INV-1", "open", 100_000)
    (seen,) = bodies(found[f"account.move.line,{payable}"], HoldObserved)
    assert (seen.invoice, seen.held) == ("INV-1", False)
    assert {key.partition(",")[0] for key in found} == {"purchase.purchase", "account.invoice", "account.move.line"}


async def test_whose_block_it_is_on_a_payable_is_told(tryton, collecting):
    _, payable = await billed(tryton, collecting, "INV-2")
    await collecting.news()
    key = f"account.move.line,{payable}"
    told = []
    for who, button in (("clerk", "block"), ("clerk", "unblock"), ("gate", "block")):
        tryton.rest("POST", f"model/account.move.line/{payable}/payment_{button}", {}, who=who)
        record = (await collecting.news())[key]
        (seen,) = bodies(record, HoldObserved)
        told.append((seen.held, seen.holder, seen.by))
    clerk, gate = str(tryton.users["clerk"]), str(tryton.users["gate"])
    assert told == [(True, "other", clerk), (False, "other", clerk), (True, "ours", gate)]
    assert await collecting.news() == {}


async def test_a_payment_is_told_and_with_it_the_invoice_that_it_pays(tryton, collecting):
    invoice, payable = await billed(tryton, collecting, "INV-3")
    await collecting.news()
    payment = tryton.create_payment(payable, today())["id"]
    tryton.click("account.payment", payment, "submit")
    tryton.click("account.payment", payment, "approve")
    found = await collecting.news()
    assert [body.state for body in bodies(found[f"account.invoice,{invoice}"], InvoiceReceived)] == ["paid"]
    tryton.click("account.payment", payment, "process_wizard")
    tryton.click("account.payment", payment, "succeed")
    (paid,) = bodies((await collecting.news())[f"account.payment,{payment}"], PaymentMade)
    assert (paid.amount.minor, paid.invoice) == (100_000, "INV-3")


CREDIT = """
import datetime, os, sys
from proteus import Model, Wizard, config
with config.set_xmlrpc_session(sys.argv[1] + "/rpc/", "clerk", os.environ["TRYTON_PASSWORD"]):
    invoice = Model.get("account.invoice")(int(sys.argv[2]))
    Wizard("account.invoice.credit", [invoice]).execute("credit")
    note = max(Model.get("account.invoice").find([("type", "=", "in")]), key=lambda one: one.id)
    note.invoice_date = datetime.date.fromisoformat(sys.argv[3])
    note.reference = "CN-1"
    note.save()
    note.click("post")
    print(note.id)
"""


async def test_a_credit_note_is_told_with_the_order_line_and_the_invoice_that_it_credits(tryton, collecting):
    invoice, _ = await billed(tryton, collecting, "INV-7")
    found = await collecting.news()
    (key, *_) = facts_of([found[f"account.invoice,{invoice}"]], ERP)[0].address.keys
    known = {"TRYTON_PASSWORD": (tryton._seeded / "password").read_text()}
    command = [str(tryton_python()), "-c", CREDIT, tryton.url, str(invoice), today()]
    note = int(run(command, what="crediting an invoice", deadline_s=60, environment=known))
    (record,) = [r for k, r in (await collecting.news()).items() if k == f"account.invoice,{note}"]
    (fact,) = facts_of([record], ERP)
    assert (fact.body.net.minor, fact.body.credits) == (-100_000, ("INV-7",))
    assert key.startswith("purchase.line:")
    assert fact.address.keys[0] == key


async def test_an_object_that_is_deleted_is_told_by_the_sweep(tryton, collecting):
    _, task = tryton.ids["tasks"]
    assert tryton.rest("DELETE", f"model/project.work/{task}")[0] == 204
    assert await collecting.news() == {}
    found = await collecting.tomorrow()
    (record,) = found.values()
    assert json.loads(record.value) == {"__name__": "project.work", "id": task, "deleted": True}
    assert [fact.body.status for fact in facts_of([record], ERP)] == [None]
    assert await collecting.tomorrow() == {}


async def test_pages_follow_each_other_without_a_gap(tryton, tmp_path):
    tryton.reset()
    orders = [tryton.create_purchase([goods(tryton, 1)])["id"] for _ in range(2)]
    async with started(tryton, tmp_path, page=1) as collecting:
        found = await collecting.news()
        assert {key for key in found if key.startswith("purchase")} == {f"purchase.purchase,{n}" for n in orders}


async def test_a_page_that_is_too_large_is_asked_for_in_halves_and_a_single_object_is_cut(tryton, tmp_path):
    tryton.reset()
    order = tryton.create_purchase([goods(tryton, 1)] * 6)["id"]
    small = tryton.create_purchase([goods(tryton, 1)])["id"]
    async with started(tryton, tmp_path) as collecting:
        settings = collecting.poller._rest._settings
        object.__setattr__(settings, "answer_bytes", 4000)
        found = await collecting.news()
        assert json.loads(found[f"purchase.purchase,{small}"].value)["id"] == small
        assert len(found[f"purchase.purchase,{order}"].value) <= 4000
        with pytest.raises(ValueError):
            json.loads(found[f"purchase.purchase,{order}"].value)


async def test_what_the_key_may_not_read_is_said_and_the_rest_goes_on(tryton, tmp_path):
    async with started(tryton, tmp_path, who="gate") as collecting:
        faults = await collecting.collector.round()
        assert faults
        assert all(tryton.keys["gate"] not in fault for fault in faults)


async def test_a_key_that_is_not_known_is_said_and_mended_without_a_restart(tryton, tmp_path):
    tryton.reset()
    async with started(tryton, tmp_path) as collecting:
        (tmp_path / "token").write_text("nobodys-key")
        faults = await collecting.collector.round()
        assert len(faults) == len(MODELS)
        assert all("does not know the key" in fault for fault in faults)
        (tmp_path / "token").write_text(tryton.keys["collector"])
        collecting.rig.clock.pass_by(60)
        assert len(await collecting.news()) == 3


async def test_a_gate_user_that_does_not_exist_is_a_fault_of_the_set_up(tryton, tmp_path, collecting):
    await billed(tryton, collecting, "INV-4")
    wrong = TrytonPoller(collecting.poller._rest, "nobody", tryton.ids["company"])
    with pytest.raises(ConfigurationError, match="gate_user"):
        await wrong.page("account.move.line", 0, None)


async def test_a_server_that_is_away_costs_nothing_but_time(tryton, tmp_path, collecting):
    order = tryton.create_purchase([goods(tryton, 1)])["id"]
    tryton.kill()
    faults = await collecting.collector.round()
    assert all("does not answer" in fault for fault in faults)
    tryton.start()
    collecting.rig.clock.pass_by(120)
    assert set(await collecting.news()) == {f"purchase.purchase,{order}"}
