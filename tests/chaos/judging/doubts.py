"""Reasons that are judged where money goes out: doubts, contradictions, duties, and invoices claimed twice."""

from collections import defaultdict

from judging.amounts import STANDING, invoices_at
from judging.known import number_of
from judging.reasons import signers, stand_ins, unwaived


def at_releases(at, invoices):
    """Code to its causes, without what was waived (rules A2, A11, D1, D5, D8)."""
    found = defaultdict(set)
    for slot in at.slots:
        if slot.kind == "message.unreadable" and _is_about(at, slot) and not _is_over(at, slot):
            found["SOURCE_UNREADABLE"].add(slot.source)
        elif slot.contradicts and not slot.kind.startswith("message."):
            found["SOURCE_CONTRADICTS_ITSELF"].add(slot.source)
        elif slot.kind == "invoice.claimed_elsewhere" and slot.body.get("claims"):
            here = {number for number, _ in invoices.parts}
            found["INVOICE_CLAIMED_TWICE"] |= {number_of(slot.body["number"])} & here
    stood_for = at.milestone["contingency_for"]
    if stand_ins(at, at.milestone["id"]) or (stood_for and at.milestone["id"] not in stand_ins(at, stood_for)):
        found["NOT_IN_FORCE"].add(at.milestone["id"])
    duties = defaultdict(set)
    for duty, source, identity in _acts(at):
        duties[at.person(source, identity)].add(duty)
    for person in signers(at) if at.requires("signed_off") else ():  # elsewhere a signature is no duty
        duties[person].add("signed")
    found["DUTIES_NOT_SEPARATED"] = {person for person, acts in duties.items() if len(acts) > 1}
    found["INVOICE_CLAIMED_TWICE"] |= _claimed_twice(at, invoices)
    return unwaived(at, found)


def _is_about(at, doubt):
    """Whether the doubt is about this milestone: one about a whole document is where parts of it stand (F9)."""
    if doubt.document is None:
        return True
    others = [s for s in at.slots if s.document and s.source == doubt.source and not s.kind.startswith("message.")]
    return any(s.document.partition("@")[0] == doubt.document.partition("@")[0] for s in others)


def _is_over(at, doubt):
    """Whether the source has said something newer that could be read, or the record was sent again (rule A11)."""
    scope = doubt.body.get("scope")
    marks = {doubt.body["digest"], doubt.body.get("record")}
    for slot in at.slots:
        same, about = slot.source == doubt.source, slot.kind.startswith("message.")
        if same and slot.kind == "message.redriven" and marks & set(slot.body["digests"]):
            return True
        spoken = slot.said.values() if scope is None else [slot.said.get(scope, -1)]
        if same and not about and max(spoken) > doubt.order[1]:
            return True
    return False


def _acts(at):
    for slot in at.slots:
        if slot.kind == "delivery.claimed" and slot.body.get("by"):
            yield "delivered", slot.source, slot.body["by"]
        elif slot.kind == "invoice.received" and slot.body.get("by") and slot.body["state"] in STANDING:
            yield "invoiced", slot.source, slot.body["by"]
    for slot in at.of("hold.lifted", "hold"):
        yield "lifted", slot.source, slot.body["by"]


def _claimed_twice(at, invoices):
    """Invoices of which the contract's milestones together claim more than the total (rule D8)."""
    elsewhere = [invoices_at(at.at(name)).parts for name in at.all_standing if name != at.milestone["id"]]
    found = set()
    for invoice, (net, totals) in invoices.parts.items():
        others = [parts[invoice] for parts in elsewhere if invoice in parts]
        if others:
            nets = [net, *(part[0] for part in others)]
            stated = [*totals, *(total for part in others for total in part[1])]
            if abs(sum(nets)) > max(map(abs, stated or nets)):
                found.add(invoice[0])
    return found
