"""What may happen to one contract, drawn from a seed: plans, amendments, every kind of fact, said rightly or not.

A seed and the world before it always give the same happening, so that a history is replayed from its rules and seeds.
Much leads to payment, since a history in which nothing is ever released proves little.
"""

from dataclasses import replace
from datetime import date, timedelta
from random import Random

from builders import FAT, a_contract, a_milestone, an_amendment, registered, said
from ubl_papers import a_paper

from contracts_schema.plan import Plan
from contracts_schema.registration import check_registration

OTHER_FAT = "b" * 64
PEOPLE = {"jane": ["erp:17", "portal:jd"], "joe": ["office:joe2"]}
WAIVABLE = ("SOURCE_UNREADABLE", "SOURCE_CONTRADICTS_ITSELF", "SOURCES_DISAGREE", "VALUE_DIFFERS", "NOT_MET",
            "PRECURSOR_OPEN", "EVIDENCE_MISSING", "EVIDENCE_CHANGED", "SIGN_OFF_MISSING", "DUTIES_NOT_SEPARATED",
            "COMPLIANCE_EXPIRED")  # fmt: skip
PROOFS = ("met", "received", "signed_off", "invoiced", "evidence:fat")
DECIMALS = {"EUR": 2, "JPY": 0, "KWD": 3, "USD": 2, "GBP": 2}


def money(minor, currency):
    """Money on the wire."""
    return {"amount": amount(minor, currency), "currency": currency}


def amount(minor, currency):
    """Minor units as the currency writes them."""
    digits = DECIMALS[currency]
    text = f"{abs(minor):0{digits + 1}d}"
    sign = "-" if minor < 0 else ""
    return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else f"{sign}{text}"


class World:
    """What the teller knows: the newest plan, its versions, and the day on which things are told."""

    def __init__(self):
        self.plan = None
        self.versions = 0
        self.currency = "EUR"
        self.retired = set()  # names that were replaced; what is new has a name of its own (rule E3)

    @property
    def names(self):
        return [m["id"] for m in self.plan["milestones"]]

    def milestone(self, name):
        return next(m for m in self.plan["milestones"] if m["id"] == name)


def once_in(rng, times):
    """True about once in so many times."""
    return rng.randrange(times) == 0


# -- plans -------------------------------------------------------------------------------------------------------------


def first_plan(rng, world):
    """Version 1, and one that is not refused."""
    while not is_accepted(plan := a_first_plan(rng, world)):
        pass
    world.plan, world.versions = plan, 1
    return registered(plan)


def is_accepted(plan):
    """Whether the plan makes sense by itself."""
    return isinstance(check_registration(plan), Plan)


def a_first_plan(rng, world):
    """Up to four milestones with any of the terms that contracts have."""
    world.currency = rng.choice(["EUR", "EUR", "EUR", "JPY", "KWD"])
    names = [f"M{n}" for n in range(1, rng.choice([1, 2, 2, 3, 3, 4]) + 1)]
    milestones = [milestone(rng, name, names, world.currency) for name in names]
    for m in milestones:
        if once_in(rng, 8):
            value = int(m["value"].replace(".", ""))
            part = rng.choice([value, max(1, value // 2), 1])
            m["opening"] = {"released": amount(part, world.currency), "as_of": rng.choice(["2026-02-10", "2026-02-25"]),
                            "reference": "B-7", "approved_by": "anna"}  # fmt: skip
    return a_contract(*milestones, currency=world.currency, **terms(rng, milestones, world.currency))


def milestone(rng, name, names, currency):
    """A payable milestone, now and then one that waits for, or stands in for, an earlier one."""
    earlier = names[: names.index(name)] if name in names else []
    requires, more = rng.sample(PROOFS, rng.choice([1, 1, 2, 2, 3])), {}
    if earlier and once_in(rng, 4):
        more["after"] = [rng.choice(earlier)]
    if earlier and once_in(rng, 8):
        more["contingency_for"] = earlier[0]
    if earlier and once_in(rng, 8):
        requires.append(f"on_time:{earlier[0]}")
    if once_in(rng, 8):
        requires.append(rng.choice(["measure:defects<=0.02", "measure:yield>0.9"]))
    if once_in(rng, 8):
        requires.append("evidence:sat")
    if once_in(rng, 4):
        more["late_damages"] = {"percent_per_day": rng.choice(["0.1", "7"]), "cap_percent": rng.choice(["10", "100"])}
        more["tolerance_days"] = rng.choice([0, 0, 2])
    if once_in(rng, 5):
        more |= {"quantity": "3", "unit": "u"}
    value = amount(rng.choice([10000, 10000, 9999, 1, 33333, 7]), currency)
    refs = {"erp": [f"line:{name}"], "pm": [f"issue:{name}"], "ubl": [f"order:PO-1/{name}"]}
    if once_in(rng, 4):
        refs |= {"erp": [f"line:{name}", f"line:{name}b"], "pm": [f"issue:{name}", f"issue:{name}b", f"version:{name}"]}
    due = rng.choice(["2026-02-25", "2026-03-01", "2026-03-10", "2026-06-30"])
    return a_milestone(name, value, requires=requires, due=due, refs=refs if rng.random() < 0.7 else {}, **more)


def terms(rng, milestones, currency):
    """The contract's own terms, each now and then."""
    steps = [
        [{"rate_percent": "10"}], [{"rate_percent": "7.77"}],
        [{"until_percent": "50", "rate_percent": "10"}, {"rate_percent": "5", "returns_percent": "50"}],
        [{"until_percent": "33.3", "rate_percent": "7"}, {"until_percent": "80", "rate_percent": "3"}],
        [{"until_percent": "20", "rate_percent": "10"}, {"until_percent": "60", "rate_percent": "5",
          "returns_percent": "30"}, {"rate_percent": "0", "returns_percent": "50"}],
    ]  # fmt: skip
    paid = [m["id"] for m in milestones]
    chosen = {
        "retention": {"steps": rng.choice(steps)} | rng.choice([
            {}, {"cap": amount(700, currency)}, {"release_on": paid[-1], "defects_days": 3}, {"release_on": paid[0]}]),
        "advance": {"amount": amount(rng.choice([3000, 500]), currency), "recoup_percent": rng.choice(["20", "33.33"])},
        "value_cap": amount(rng.choice([12000, 40000]), currency),
        "compliance": ["insurance"],
        "sign_off": sign_off_terms(rng, currency),
        "authority": rng.choice([
            {"completion": ["erp", "pm"]}, {"invoice": ["supplier_portal", "finance"]}, {"received": ["portal", "erp"]},
            {"value": ["pm", "erp"]}, {"completion": ["pm", "erp"], "received": ["supplier_portal"]}]),
        "rates": [{"from": "USD", "rate": "0.92", "valid_from": "2026-01-01"},
                  {"from": "USD", "rate": "0.5", "valid_from": "2026-02-25"}],
        "hold_on_conflict": rng.choice([[], ["completion", "invoice", "received"], ["value", "due", "forecast"]]),
        "refs": {"erp": ["order:1"], "pm": ["project:1"], "ubl": ["order:PO-1"]},
        "rounding_band": amount(rng.choice([0, 5, 500]), currency),
        "supplier": {"id": "SUP-1", "identifiers": ["DE1"]},
    }  # fmt: skip
    kept = {name: value for name, value in chosen.items() if once_in(rng, 4)}
    if once_in(rng, 25):
        kept["status"] = rng.choice(["draft", "suspended", "closed"])
    return kept | {"timezone": rng.choice(["UTC", "Europe/Berlin", "Pacific/Auckland", "America/New_York"])}


def sign_off_terms(rng, currency):
    """Who may sign: a quorum, roles, or authority with limits."""
    entitled = [{"person": "jane", "role": "site-manager", "up_to": amount(9999, currency), "from": "2026-01-01"},
                {"person": "joe", "role": "buyer", "until": "2026-02-27"}]  # fmt: skip
    return rng.choice([{"quorum": 2}, {"roles": ["site-manager"]}, {"authority": entitled},
                       {"quorum": 2, "authority": entitled}])  # fmt: skip


def amended_plan(rng, world):
    """A later version, mostly one that makes sense; what is refused changes nothing."""
    world.versions += 1
    retired = set(world.retired)
    for _ in range(8):
        plan = an_amended_plan(rng, world)
        if is_accepted(plan):
            world.plan = plan
            return registered(plan)
        world.retired = set(retired)
    world.versions -= 1
    return registered(plan)


def an_amended_plan(rng, world):
    """Values, keys, terms or milestones change; or a milestone is split, merged, removed, comes new."""
    before = world.plan
    milestones = [{k: v for k, v in copied(m).items() if k not in ("replaces", "opening")}
                  for m in before["milestones"]]  # fmt: skip
    change = rng.choice([revalued, rekeyed, split, split, merged, removed, added, unchanged, unchanged])
    milestones = change(rng, world, milestones)
    names = {m["id"] for m in milestones} | {x for m in milestones for x in m.get("replaces", ())}
    for m in milestones:
        m["after"] = [x for x in m.get("after", ()) if x in names]
        if m.get("contingency_for") not in {x["id"] for x in milestones}:
            m.pop("contingency_for", None)
        m["requires"] = [p for p in m["requires"] if not p.startswith("on_time:") or p[8:] in names] or ["met"]
        m["requires"] = [p for p in m["requires"] if p[8:] not in world.retired] or ["met"]
    later = [{}, {}, {"effective_from": "2026-03-05"}, {"effective_from": "2026-03-12"}, {"state": "proposed"}]
    amendment = an_amendment(id=f"A-{world.versions}", **rng.choice(later))
    kept = {k: v for k, v in before.items() if k not in ("milestones", "amendment", "version")}
    if change is unchanged:
        kept = {
            k: v for k, v in kept.items() if k in ("contract", "title", "buyer", "supplier", "currency", "timezone")
        }
        kept |= {k: v for k, v in terms(rng, milestones, world.currency).items() if k != "timezone"}
    if kept.get("retention", {}).get("release_on") not in {None, *(m["id"] for m in milestones)}:
        kept.pop("retention")
    return kept | {"version": world.versions, "amendment": amendment, "milestones": milestones}


def copied(m):
    """A milestone of one's own."""
    return {k: list(v) if isinstance(v, list) else v for k, v in m.items()}


def unchanged(rng, world, milestones):
    return milestones


def revalued(rng, world, milestones):
    rng.choice(milestones)["value"] = amount(rng.choice([12000, 5000, 9999]), world.currency)
    return milestones


def rekeyed(rng, world, milestones):
    """Keys move from one milestone to another."""
    one, other = rng.choice(milestones), rng.choice(milestones)
    one["refs"], other["refs"] = other.get("refs", {}), one.get("refs", {})
    return milestones


def split(rng, world, milestones):
    """One milestone becomes two, which together are worth as much, more, or less."""
    old = milestones.pop(rng.randrange(len(milestones)))
    world.retired.add(old["id"])
    value = int(old["value"].replace(".", ""))
    parts = rng.choice([(value // 2, value - value // 2), (value, value), (1, max(1, value // 3))])
    heirs = []
    for n, part in enumerate(parts):
        name = f"{old['id']}{'ab'[n]}{world.versions}"
        heir = milestone(rng, name, [name], world.currency)
        refs = old.get("refs", {}) if n == 0 else {}
        heirs.append(heir | {"value": amount(max(1, part), world.currency), "replaces": [old["id"]], "refs": refs})
    return milestones + heirs


def merged(rng, world, milestones):
    """Two milestones become one."""
    if len(milestones) < 2:
        return milestones
    first, second = milestones.pop(0), milestones.pop(0)
    world.retired |= {first["id"], second["id"]}
    name = f"{first['id']}m{world.versions}"
    value = sum(int(m["value"].replace(".", "")) for m in (first, second))
    heir = milestone(rng, name, [name], world.currency)
    refs = {source: [*first.get("refs", {}).get(source, ()), *second.get("refs", {}).get(source, ())]
            for source in ("erp", "pm", "ubl")}  # fmt: skip
    return [heir | {"value": amount(value, world.currency), "replaces": [first["id"], second["id"]], "refs": refs},
            *milestones]  # fmt: skip


def removed(rng, world, milestones):
    if len(milestones) > 1:
        milestones.pop(rng.randrange(len(milestones)))
    return milestones


def added(rng, world, milestones):
    name = f"N{world.versions}"
    return [*milestones, milestone(rng, name, [name], world.currency)]


def approved(world):
    """The newest version again, its amendment approved (rule B3)."""
    amendment = world.plan.get("amendment")
    if amendment is None or amendment["state"] == "approved":
        return None
    world.plan = world.plan | {"amendment": amendment | {"state": "approved"}}
    return registered(world.plan)


def contradicting_plan(world):
    """The newest version once more with another title (rule A2)."""
    return registered(world.plan | {"title": "Another hall"})


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


LONG_AFTER = date(2026, 5, 1)
