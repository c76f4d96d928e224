"""What may happen to one contract, drawn from a seed: its registrations, every kind of fact, said rightly or not.

A seed and the world before it always give the same happening, so that a history is replayed from its rules and seeds.
Much leads to payment, since a history in which nothing is ever released proves little.
"""

from dataclasses import replace
from datetime import timedelta
from random import Random

from builders import FAT, said
from laws.registrations import World, amended_plan, amount, approved, contradicting_plan, first_plan, money, once_in
from ubl_papers import a_paper

__all__ = [
    "PEOPLE", "SAYS", "WAIVABLE", "World", "a_document", "a_fact", "a_generator", "amended_plan", "approved",
    "contradicting_plan", "days_later", "first_plan", "proofs_of", "unreadable",
]  # fmt: skip

OTHER_FAT = "b" * 64
PEOPLE = {"jane": ["erp:17", "portal:jd"], "joe": ["office:joe2"]}
WAIVABLE = ("SOURCE_UNREADABLE", "SOURCE_CONTRADICTS_ITSELF", "SOURCES_DISAGREE", "VALUE_DIFFERS", "NOT_MET",
            "PRECURSOR_OPEN", "EVIDENCE_MISSING", "EVIDENCE_CHANGED", "SIGN_OFF_MISSING", "DUTIES_NOT_SEPARATED",
            "COMPLIANCE_EXPIRED")  # fmt: skip


# -- facts -------------------------------------------------------------------------------------------------------------


def proofs_of(rng, world, name):
    """All that a release of this milestone needs."""
    m, found = world.milestone(name), []
    for proof in m["requires"]:
        found += [fact for make in GIVEN.get(proof.partition(":")[0], ()) for fact in make(rng, world, m, proof)]
    if world.plan.get("compliance"):
        found.append(said("portal", "compliance.document", None, name="insurance", valid_from="2026-01-01",
                          valid_until="2027-12-31"))  # fmt: skip
    if m.get("contingency_for"):
        found.append(said("office", "milestone.activated", name, by="olga", rationale="agreed"))
    rng.shuffle(found)
    return found


def _signed(rng, world, m, proof):
    roles = ["site-manager", "buyer"]
    return [said("office", "sign_off.given", m["id"], by=by, role=role, signed_at="2026-02-26T12:00:00Z",
                 evidence={"fat": FAT}) for by, role in zip(("jane", "joe"), roles, strict=True)]  # fmt: skip


GIVEN = {
    "met": [lambda rng, world, m, p: [said("pm", "milestone.assessed", m["id"], status="met")]],
    "on_time": [lambda rng, world, m, p: [said("pm", "milestone.assessed", p[8:], status="met", met_on="2026-02-20")]],
    "received": [lambda rng, world, m, p: [said(
        "erp", "goods.received", m["id"], received="3", accepted="3", rejected="0", ordered="3", unit="u",
        received_on="2026-02-20")]],
    "signed_off": [_signed],
    "invoiced": [lambda rng, world, m, p: [said(
        "portal", "invoice.received", m["id"], number=f"N-{m['id']}", supplier="SUP-1", state="open",
        net=money(int(m["value"].replace(".", "")), world.currency), issued_on="2026-02-20")]],
    "evidence": [lambda rng, world, m, p: [said("office", "evidence.attached", m["id"], name=p[9:], sha256=FAT)]],
    "measure": [lambda rng, world, m, p: [said(
        "erp", "measure.reported", m["id"], name=p[8:].partition("<")[0].partition(">")[0],
        value="0.01" if "<" in p else "0.95", period="2026-02")]],
}  # fmt: skip


def a_fact(rng, world, kinds):
    """One event of one of these kinds, mostly about a milestone that exists, in our own ids or under a key."""
    kind = rng.choice(kinds)
    name = rng.choice([*world.names * 3, "M9", rng.choice(world.names)])
    source, data = SAYS[kind](rng, world)
    if once_in(rng, 12):
        source = rng.choice(["erp", "pm", "portal", "office", "ap"])
    more = {"version": rng.randint(1, 3)} if once_in(rng, 5) else {}
    if kind in WIDE and once_in(rng, 3) and not data.get("amount"):
        return said(source, kind, None, **data, **more)
    if source in ("erp", "pm") and name != "M9" and once_in(rng, 2):
        own = {"erp": "line", "pm": "issue"}[source]
        keys = [f"{own}:{name}", f"{own}:{name}", f"{own}:{name}b", "order:1", "project:1", "nowhere:1"]
        return said(source, kind, key=rng.choice(keys), **data, **more)
    return said(source, kind, name, **data, **more)


WIDE = ("hold.placed", "hold.lifted", "dispute.opened", "dispute.resolved", "reason.waived", "compliance.document")
DAYS = ("2026-02-20", "2026-02-26", "2026-02-28", "2026-03-01")


def _coin(rng, world, minor):
    return money(minor, rng.choice([*[world.currency] * 12, "USD", "GBP"]))


def _assessed(rng, world):
    data = {"status": rng.choice(["met", "met", "met", "partiallyMet", "notMet", "scheduled", None])}
    if once_in(rng, 2):
        data["met_on"] = rng.choice([*DAYS, None])
    if once_in(rng, 4):
        data["percent"] = rng.choice(["50", "100", None])
    return rng.choice(["pm", "pm", "pm", "erp"]), data


def _scheduled(rng, world):
    fields = rng.sample(["due", "forecast", "baseline"], rng.randint(0, 3))
    return rng.choice(["pm", "pm", "erp"]), {name: rng.choice([*DAYS, "2026-04-01", None]) for name in fields}


def _receipt(rng, world):
    accepted = rng.choice(["0", "1", "2", "3", "3", "4.5"])
    data = {"received": accepted, "accepted": accepted, "rejected": rng.choice(["0", "0", "1"]),
            "unit": rng.choice("uuuv"), "received_on": "2026-02-20"}  # fmt: skip
    data |= rng.choice([{}, {"ordered": "3"}, {"ordered": "3"}, {"ordered": "7"}, {"short": "1"}, {"ordered": None},
                        {"ordered": "0"}, {"short": None}])  # fmt: skip
    return rng.choice(["erp", "erp", "erp", "portal"]), data


def _invoice(rng, world):
    nets = [10000, 10000, 5000, 9999, 33333, 1, 0, -4000]
    supplier = rng.choice(["SUP-1", "SUP-1", "SUP-1", "DE1", "X"])
    data = {"number": rng.choice(["I-1", "I-1", "I-2", "I-3", " I-1", "C-1"]), "supplier": supplier,
            "net": _coin(rng, world, rng.choice(nets)), "issued_on": rng.choice(["2026-02-20"] * 2 + ["2026-02-24"]),
            "state": rng.choice(["open", "open", "open", "paid", "cancelled", "credited"])}  # fmt: skip
    if once_in(rng, 4):
        data["business_unit"] = rng.choice([None, "north", "north", "south"])
    if once_in(rng, 5):
        data["total"] = money(rng.choice([10000, 15000]), data["net"]["currency"])
    if once_in(rng, 5):
        data["gross"] = money(rng.choice([11900, 10000]), data["net"]["currency"])
    if data["number"] == "C-1":
        data["credits"] = rng.choice([["I-1"], ["I-1", "I-2"]])
    if once_in(rng, 5):
        data["supplier_identifiers"] = rng.choice([["SUP-1"], ["Y"], ["X", "Y"], ["DE1"]])
    if once_in(rng, 5):
        data["by"] = rng.choice(["jd", "bert"])
    return rng.choice(["portal", "portal", "erp", "ap"]), data


def _sign_off(rng, world):
    at = rng.choice(["2026-02-20T08:00:00Z", "2026-02-27T08:00:00Z", "2026-02-28T23:30:00Z"])
    return rng.choice(["office", "office", "office", "legal", "portal"]), {
        "by": rng.choice(["jane", "joe", "joe2"]), "role": rng.choice(["site-manager", "site-manager", "buyer"]),
        "signed_at": at, "evidence": rng.choice([{}, {"fat": FAT}, {"fat": FAT.upper()}, {"fat": OTHER_FAT}]),
    }  # fmt: skip


def _waiver(rng, world):
    codes = [*WAIVABLE, *WAIVABLE, "MANUAL_HOLD", "RETENTION", "no such reason"]
    data = {
        "code": rng.choice(codes),
        "by": rng.choice(["walt", "walt", "anna"]),
        "approved_by": "anna",
        "ticket": "T-1",
    }
    if once_in(rng, 3):
        data["cause"] = rng.choice(["met", "fat", "sat", "M1", "signed_off", "insurance", "completion", "jane"])
    if once_in(rng, 2):
        data["until"] = rng.choice(["2026-03-02", "2026-03-06", "2026-12-31"])
    return rng.choice(["office", "office", "office", "portal"]), data


def _dispute(rng, world):
    data = {"dispute": rng.choice(["D-1", "D-2"]), "by": "olga", "reason": "INCORRECT_QUANTITY"}
    data |= rng.choice([{}, {"amount": _coin(rng, world, 4000)}, {"amount": _coin(rng, world, 0)}])
    return rng.choice(["office", "portal", "portal", "pm"]), data


def _document(rng, world):
    first, last = rng.choice([("2026-01-01", "2026-12-31"), ("2026-01-01", "2026-03-04"), ("2026-03-03", "2026-03-09")])
    return "portal", {"name": rng.choice(["insurance", "insurance", "bond"]), "valid_from": first, "valid_until": last}


def _payment(rng, world):
    return rng.choice(["ap", "ap", "ap", "erp"]), {
        "payment": rng.choice(["P-1", "P-2"]), "amount": _coin(rng, world, rng.choice([10000, 5000, 1, 0])),
        "paid_on": "2026-02-28",
    } | rng.choice([{}, {"invoice": "I-1"}])  # fmt: skip


def _acknowledged(rng, world):
    return "ap", {
        "command_id": rng.choice("01") * 64,
        "state": rng.choice(["applied", "rejected", "waiting", "unknown"]),
    } | (rng.choice([{}, {"detail": "HELD_TOO_LATE: approved before"}]))


def _evidence(rng, world):
    return rng.choice(["office", "office", "portal", "pm"]), {
        "name": rng.choice(["fat", "fat", "sat"]), "sha256": rng.choice([FAT, FAT, OTHER_FAT])}  # fmt: skip


def _taken_away(rng, world):
    return rng.choice(["office", "portal"]), {"name": rng.choice(["fat", "fat", "sat"])}


SAYS = {
    "milestone.assessed": _assessed,
    "milestone.scheduled": _scheduled,
    "value.agreed": lambda rng, world: ("erp", {"value": _coin(rng, world, rng.choice([10000, 9999, 33333, 5000]))}),
    "delivery.claimed": lambda rng, world: (
        "portal", {"delivered_on": "2026-02-20"} | rng.choice([{}, {"by": "dora"}, {"by": "jd"}])),
    "goods.received": _receipt,
    "evidence.attached": _evidence,
    "evidence.removed": _taken_away,
    "sign_off.given": _sign_off,
    "sign_off.withdrawn": lambda rng, world: (
        "office", {"by": rng.choice(["jane", "joe"]), "role": rng.choice(["site-manager", "buyer"])}),
    "invoice.received": _invoice,
    "measure.reported": lambda rng, world: (rng.choice(["erp", "office", "pm"]), {
        "name": rng.choice(["defects", "yield"]), "value": rng.choice(["0.01", "0.03", "0.95"]),
        "period": rng.choice(["2026-01", "2026-02"])}),
    "dispute.opened": _dispute,
    "dispute.resolved": lambda rng, world: (rng.choice(["office", "portal", "pm"]), {
        "dispute": rng.choice(["D-1", "D-2"]), "by": "olga", "reason": "SETTLED"}),
    "hold.placed": lambda rng, world: (rng.choice(["office", "office", "legal", "portal"]), {
        "hold": rng.choice(["H-1", "H-2"]), "by": "olga", "reason": "x"}),
    "hold.lifted": lambda rng, world: (rng.choice(["office", "office", "legal", "pm"]), {
        "hold": rng.choice(["H-1", "H-2"]), "by": rng.choice(["olga", "jane"])}),
    "reason.waived": _waiver,
    "compliance.document": _document,
    "milestone.activated": lambda rng, world: (
        rng.choice(["office", "office", "pm"]), {"by": "olga", "rationale": "agreed"}),
    "command.acknowledged": _acknowledged,
    "payment.made": _payment,
    "hold.observed": lambda rng, world: ("ap", {"holder": rng.choice(["ours", "other"]), "held": rng.random() < 0.5}),
}  # fmt: skip


# -- documents ---------------------------------------------------------------------------------------------------------


def a_document(rng, world):
    """A UBL invoice whose lines fall on some milestones, or on what nobody knows; sent again, it may have other lines,
    or another order (rule F9)."""
    names = rng.sample([*world.names, "M7"], rng.randint(0, len(world.names)))
    nets = {name: rng.choice([10000, 5000, 1]) for name in names}
    rest = rng.choice([0, 0, 0, 700, -100])
    coin = rng.choice([*[world.currency] * 9, "USD"])
    return a_paper(
        rng.choice(["U-1", "U-1", "I-1"]), [(name, amount(net, coin)) for name, net in nets.items()], coin=coin,
        net=amount(sum(nets.values()) + rest, coin), order=rng.choice(["PO-1"] * 5 + ["PO-9"]),
    )  # fmt: skip


# -- what is wrong -----------------------------------------------------------------------------------------------------


def unreadable(rng, world, event):
    """The event with something in it that cannot be understood, or that is implausible (rule A11)."""
    wrong = rng.choice(["field", "kind", "ahead", "time"])
    if wrong == "kind":
        return replace(event, kind=event.kind + "x")
    if wrong == "ahead" and event.kind in ("milestone.assessed", "goods.received", "delivery.claimed"):
        name = {"milestone.assessed": "met_on", "goods.received": "received_on", "delivery.claimed": "delivered_on"}
        return replace(event, data=event.data | {name[event.kind]: "2027-01-01"})
    if wrong == "time":
        return event  # the machine tells it with a time far ahead
    return replace(event, data=event.data | {"version": "one"})


def days_later(rng):
    """How much time passes."""
    return rng.choice([timedelta(hours=7), timedelta(days=1), timedelta(days=1), timedelta(days=3), timedelta(days=8)])


def a_generator(seed):
    """The generator of a step."""
    return Random(seed)
