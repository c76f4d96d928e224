"""A clerk's desk work in a live Tryton, over its XML-RPC. Runs inside Tryton's own virtual environment.

usage: TRYTON_PASSWORD=... tryton_desk.py URL      reads one JSON task a line, {"do": verb, ...}, and answers each with
one JSON line, {"done": ...} or {"failed": text}
"""

import datetime as dt
import json
import os
import sys
from decimal import Decimal

from proteus import Model
from proteus import config as proteus_config


def create_purchase(party, payment_term, reference, lines, invoice_method):
    """Order from the supplier, confirmed and in process. A line: product, quantity, unit_price, delivery_date."""
    order = Model.get("purchase.purchase")(party=Model.get("party.party")(party))
    order.payment_term = Model.get("account.invoice.payment_term")(payment_term)
    order.invoice_method = invoice_method
    order.reference = reference
    for wanted in lines:
        line = order.lines.new(product=Model.get("product.product")(wanted["product"]))
        line.quantity = float(wanted["quantity"])
        line.unit_price = Decimal(wanted["unit_price"])
        line.delivery_date_edit = True
        line.delivery_date_store = dt.date.fromisoformat(wanted["delivery_date"])
    order.click("quote")
    order.click("confirm")
    if order.state == "confirmed":
        order.click("process")
    order.reload()
    return {"id": order.id, "number": order.number, "lines": [line.id for line in order.lines]}


def receive(order, quantities, reference):
    """Book one delivery into the store; `quantities` by purchase line. Returns the shipment."""
    moves = Model.get("stock.move")
    shipment = Model.get("stock.shipment.in")(supplier=Model.get("purchase.purchase")(order).party)
    shipment.reference = reference
    waiting = moves.find([("purchase", "=", order), ("state", "=", "draft"), ("shipment", "=", None)])
    for move in waiting:
        if str(move.origin.id) in quantities:
            shipment.incoming_moves.append(moves(move.id))
    shipment.save()
    for move in shipment.incoming_moves:
        move.quantity = float(quantities[str(move.origin.id)])
    shipment.save()
    shipment.click("receive")
    shipment.click("do")
    return {"id": shipment.id, "number": shipment.number, "moves": [move.id for move in shipment.incoming_moves]}


def post_invoice(order, reference, invoice_date, line, unit_price):
    """Post the oldest draft invoice of the order (that has `line`, if given) under the supplier's own number.

    A unit price given replaces what was ordered, as when a supplier bills something else.
    """
    drafts = [
        invoice
        for invoice in Model.get("purchase.purchase")(order).invoices
        if invoice.state == "draft" and line in [None, *(item.origin.id for item in invoice.lines)]
    ]
    if not drafts:
        raise ValueError(f"purchase {order} has no such draft invoice")
    invoice = min(drafts, key=lambda draft: draft.id)
    invoice.invoice_date = dt.date.fromisoformat(invoice_date)
    invoice.reference = reference
    for item in invoice.lines if unit_price is not None else []:
        item.unit_price = Decimal(unit_price)
    invoice.save()
    invoice.click("validate_invoice")
    invoice.click("post")
    invoice.reload()
    payable = [owed.id for owed in invoice.lines_to_pay]
    return {"id": invoice.id, "number": invoice.number, "total": str(invoice.total_amount), "lines_to_pay": payable}


def create_payment(line, journal, date):
    """A draft payment of all that the payable line still owes."""
    owed = Model.get("account.move.line")(line)
    payment = Model.get("account.payment")(journal=Model.get("account.payment.journal")(journal), kind="payable")
    payment.party = owed.party
    payment.line = owed
    payment.amount = owed.payment_amount
    payment.date = dt.date.fromisoformat(date)
    payment.save()
    return {"id": payment.id, "state": payment.state, "amount": str(payment.amount)}


def click(model, id, button):  # noqa: A002 - the record's id, as Tryton names it
    """Press a button on one record, as a person would."""
    record = Model.get(model)(id)
    record.click(button)
    record.reload()
    return {"id": record.id, "state": getattr(record, "state", None)}


VERBS = {verb.__name__: verb for verb in (create_purchase, receive, post_invoice, create_payment, click)}


def answer(task):
    try:
        return {"done": VERBS[task.pop("do")](**task)}
    except Exception as fault:  # noqa: BLE001 - whatever Tryton says goes back to the test that asked
        return {"failed": f"{type(fault).__name__}: {fault}"}


def main(url):
    with proteus_config.set_xmlrpc_session(f"{url}/rpc/", "clerk", os.environ["TRYTON_PASSWORD"]):
        for line in sys.stdin:
            print(json.dumps(answer(json.loads(line))), flush=True)


main(sys.argv[1])
