"""Fill an empty Tryton database. Runs inside Tryton's own virtual environment, in process, on the database's files.

usage: TRYTON_PASSWORD=... tryton_seed.py trytond.conf DATABASE      prints what it made as one JSON line

One company in USD with chart and fiscal years, a supplier, two products, terms, a payment journal, a project; and four
people, each with a REST key: the administrator, a clerk who may do everything in the business, the gate, which may
block and unblock payables, and the collector, which may read what it polls.
"""

import datetime as dt
import json
import os
import sys
from decimal import Decimal

from proteus import Model
from proteus import config as proteus_config

config = proteus_config.set_trytond(sys.argv[2], config_file=sys.argv[1])

# Only importable once the database's modules are loaded.
from trytond.modules.account.tests.tools import create_chart, create_fiscalyear, get_accounts  # noqa: E402
from trytond.modules.account_invoice.tests.tools import (  # noqa: E402
    create_payment_term,
    set_fiscalyear_invoice_sequences,
)
from trytond.modules.company.tests.tools import create_company, get_company  # noqa: E402

# Enough to block, to unblock, and to read payables, payments and who pressed which button; and a group of our own to
# read what the payables belong to, which no group of Tryton's allows without writing.
GATE_GROUPS = ["Payment", "Milepost gate"]
GATE_READS = ["account.invoice", "account.invoice.line", "purchase.purchase", "purchase.line"]
COLLECTOR_GROUPS = ["Accounting", "Payment", "Purchase"]


def books():
    """Company, chart, this and the next fiscal year, a payment journal and a payment term."""
    create_company()
    create_chart()
    today = dt.datetime.now(dt.UTC).date()
    for day in (today, today.replace(year=today.year + 1, day=1)):
        set_fiscalyear_invoice_sequences(create_fiscalyear(today=day)).click("create_period")
    journal = Model.get("account.payment.journal")(name="Wire", process_method="manual")
    journal.save()
    term = create_payment_term()
    term.save()
    return journal, term


def person(login, groups):
    """A user who is an employee of the company, with a REST key."""
    company = get_company()
    party = Model.get("party.party")(name=login)
    party.save()
    employee = Model.get("company.employee")(party=party, company=company)
    employee.save()
    known = Model.get("res.user").find([("login", "=", login)])
    user = known[0] if known else Model.get("res.user")(login=login, name=login)
    if not known:
        user.password = os.environ["TRYTON_PASSWORD"]
        user.companies.append(company)
        user.company = company
    for group in groups:
        user.groups.append(Model.get("res.group")(group.id))
    user.employees.append(employee)
    user.employee = employee
    user.save()
    key = Model.get("res.user.application")(application="rest", user=Model.get("res.user")(user.id))
    key.save()
    return {"user": user.id, "key": key.key}


def reading_group(name, models):
    """A group that may read these models and nothing else."""
    group = Model.get("res.group")(name=name)
    group.save()
    for model in models:
        access = Model.get("ir.model.access")(model=model, group=group, perm_read=True)
        access.perm_write = access.perm_create = access.perm_delete = False
        access.save()


def people():
    reading_group("Milepost gate", GATE_READS)
    groups = Model.get("res.group").find([])

    def named(names):
        return [group for group in groups if group.name in names]

    found = {
        "admin": person("admin", []),
        "clerk": person("clerk", [group for group in groups if group.name != "Administration"]),
        "gate": person("milepost-gate", named(GATE_GROUPS)),
        "collector": person("milepost-collect", named(COLLECTOR_GROUPS)),
    }
    config._context = Model.get("res.user").get_preferences(True, {})
    return found


def supplier():
    party = Model.get("party.party")(name="Siemag Turbines GmbH", code="SUP-1001")
    party.save()
    return party


def products():
    accounts = get_accounts()
    category = Model.get("product.category")(name="Capex", accounting=True)
    category.account_expense = accounts["expense"]
    category.account_revenue = accounts["revenue"]
    category.save()
    return {"rotor": product("Turbine rotor", "goods", category), "service": product("Acceptance", "service", category)}


def product(name, kind, category):
    (unit,) = Model.get("product.uom").find([("name", "=", "Unit")])
    template = Model.get("product.template")(name=name, type=kind, default_uom=unit)
    template.purchasable = True
    template.list_price = Decimal("1")
    template.account_category = category
    template.save()
    return template.products[0].id


def project():
    work = Model.get("project.work")(type="project", name="Turbine hall")
    work.children.new(type="task", name="M1 Factory acceptance test")
    work.children.new(type="task", name="M2 Delivery")
    work.save()
    return {"project": work.id, "tasks": [task.id for task in work.children]}


def seed():
    journal, term = books()
    who = people()
    (warehouse,) = Model.get("stock.location").find([("type", "=", "warehouse")])
    return {
        "people": who,
        "ids": {
            "company": get_company().id, "payment_journal": journal.id, "payment_term": term.id,
            "party": supplier().id, "warehouse": warehouse.id, **products(), **project(),
        },
    }  # fmt: skip


print(json.dumps(seed()))
