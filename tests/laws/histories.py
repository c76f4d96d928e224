"""Random histories: what could happen to one contract, right, wrong, late, twice, or never meant for it.

A history is a list of records with timestamps that rise. The parts are biased towards what leads to payment, since a
history in which nothing is ever released proves little.
"""

import json
from dataclasses import replace
from datetime import timedelta
from zlib import crc32

from builders import FAT, START, a_contract, a_milestone, an_amendment, record_of, registered, said
from hypothesis import strategies as st

from contracts_schema.records import Record

NAMES = ("M1", "M2", "M3")
WAIVABLE = (
    "NOT_MET", "SIGN_OFF_MISSING", "EVIDENCE_MISSING", "EVIDENCE_CHANGED", "PRECURSOR_OPEN", "SOURCES_DISAGREE",
    "VALUE_DIFFERS", "SOURCE_UNREADABLE", "SOURCE_CONTRADICTS_ITSELF", "DUTIES_NOT_SEPARATED", "COMPLIANCE_EXPIRED",
)  # fmt: skip
REASONS = (*WAIVABLE, "MANUAL_HOLD", "NOT_INVOICED", "RETENTION", "no such reason")
PEOPLE = {"jane": ["erp:17"], "joe": ["office:joe2"]}
few = st.sampled_from


def some(strategy):
    """The value, or nothing: fields that may be left out."""
    return st.one_of(st.none(), strategy)


def rarely(draw, once_in=10):
    """True about once in so many times."""
    return draw(few([False] * (once_in - 1) + [True]))


@st.composite
def plans(draw, version=1, *, replaces=False, openings=False, currency=None):
    """A registration of up to three milestones with any of the terms that contracts have."""
    currency = currency or draw(few(["EUR", "EUR", "EUR", "JPY", "KWD"]))
    names = [n for n in NAMES if not rarely(draw, 3)] or ["M1"]
    milestones = [draw(milestone(n, names, currency)) for n in names]
    if replaces and "M1" in names and version > 1 and draw(st.booleans()):
        milestones = [m for m in milestones if m["id"] != "M1" and "M1" not in str(m | {"after": []})] or [
            draw(milestone("M4", ["M4"], currency))
        ]
        milestones[0]["replaces"] = ["M1"]
    for terms_of in milestones:
        if openings and rarely(draw, 3):
            paid = terms_of["value"] if rarely(draw, 4) else draw(few([money(1, currency), half(terms_of["value"])]))
            day = draw(few(["2026-02-10", "2026-02-25"]))
            terms_of["opening"] = {"released": paid, "as_of": day, "reference": "B-7", "approved_by": "anna"}
    return a_contract(*milestones, version=version, currency=currency, **draw(terms(milestones, currency, version)))


@st.composite
def milestone(draw, name, names, currency):
    proofs = ["met", "received", "signed_off", "invoiced", "evidence:fat"]
    requires = draw(st.lists(few(proofs), min_size=1, max_size=3, unique=True))
    earlier = names[: names.index(name)]
    more = {}
    if earlier and rarely(draw, 4):
        more["after"] = [earlier[-1]]
    if earlier and rarely(draw, 6):
        more["contingency_for"] = earlier[0]
    if earlier and rarely(draw, 6):
        requires += [f"on_time:{earlier[0]}"]
    if rarely(draw, 6):
        requires += ["measure:defects<=0.02"]
    if rarely(draw, 3):
        more["late_damages"] = {"percent_per_day": draw(few(["0.1", "7"])), "cap_percent": "10"}
    if rarely(draw, 5):
        more |= {"quantity": "3", "unit": "u"}
    value = draw(few([money(10000, currency), money(9999, currency), money(1, currency), money(33333, currency)]))
    due = draw(few(["2026-03-01", "2026-03-10", "2026-06-30"]))
    refs = {"erp": [f"line:{name}"], "pm": [f"issue:{name}"]} if draw(st.booleans()) else {}
    return a_milestone(name, value, requires=requires, due=due, refs=refs, **more)


@st.composite
def terms(draw, milestones, currency, version):
    chosen = {}
    worth = sum(int(m["value"].replace(".", "")) for m in milestones if "contingency_for" not in m)
    if rarely(draw, 3):
        steps = draw(
            few(
                [
                    [{"rate_percent": "10"}],
                    [{"until_percent": "50", "rate_percent": "10"}, {"rate_percent": "5", "returns_percent": "50"}],
                    [{"until_percent": "33.3", "rate_percent": "7"}, {"until_percent": "80", "rate_percent": "3"}],
                ]
            )
        )
        chosen["retention"] = {"steps": steps} | draw(
            few(
                [{}, {"cap": money(min(700, worth), currency)}, {"release_on": milestones[-1]["id"], "defects_days": 3}]
            )
        )
    if rarely(draw, 4):
        chosen["advance"] = {"amount": money(min(3000, worth), currency), "recoup_percent": "20"}
    if rarely(draw, 4):
        chosen["value_cap"] = money(12000, currency)
    if rarely(draw, 4):
        chosen["compliance"] = ["insurance"]
    if rarely(draw, 4):
        chosen["sign_off"] = {"quorum": 2, "roles": ["site-manager"]}
    if rarely(draw, 5):
        chosen["authority"] = draw(few([{"completion": ["erp", "pm"]}, {"invoice": ["supplier_portal", "finance"]}]))
    if rarely(draw, 4):
        chosen["rates"] = [{"from": "USD", "rate": "0.92", "valid_from": "2026-01-01"}]
    if rarely(draw, 4):
        chosen["hold_on_conflict"] = draw(few([[], ["completion", "invoice", "received"], ["value", "due"]]))
    if rarely(draw, 5):
        chosen["refs"] = {"erp": ["order:1"]}
    if rarely(draw, 9):
        chosen["status"] = draw(few(["draft", "suspended", "terminated", "closed"]))
    chosen["timezone"] = draw(few(["UTC", "Europe/Berlin", "Pacific/Auckland"]))
    if version > 1:
        when = draw(few([{}, {"effective_from": "2026-03-05"}]))
        state = draw(few([{}, {}, {"state": "proposed"}]))
        chosen["amendment"] = an_amendment(id=f"A-{version}", **when, **state)
    return chosen


def half(amount):
    """About half of an amount, with as many decimals."""
    minor = int(amount.replace(".", "")) // 2
    digits = len(amount.partition(".")[2])
    return f"{minor // 10**digits}.{minor % 10**digits:0{digits}d}" if digits else str(minor)


def money(minor, currency):
    """Minor units as the currency writes them; plans of all currencies have the same minor units."""
    digits = {"JPY": 0, "KWD": 3}.get(currency, 2)
    whole, rest = divmod(abs(minor), 10**digits)
    sign = "-" if minor < 0 else ""
    return f"{sign}{whole}.{rest:0{digits}d}" if digits else f"{sign}{whole}"


nets = few([10000, 10000, 5000, 9999, 33333, 1, 0, -4000])
days = few(["2026-02-20", "2026-02-28", "2026-03-01"])
quantities = few(["0", "1", "2", "3", "3", "4.5"])


@st.composite
def facts(draw, currency):
    """One event: any kind, from any source that might say it, mostly about a milestone that exists."""
    other = rarely(draw, 10)
    coin = draw(few(["USD", "GBP"])) if other else currency
    name = draw(few([*NAMES, *NAMES, "M4", None if other else "M1"]))
    kind = draw(few(KINDS))
    more = {}
    if rarely(draw, 4):
        more["version"] = draw(st.integers(1, 3))
    source, data = SAYS[kind](draw, lambda minor: {"amount": money(minor, coin), "currency": coin})  # fmt: skip
    if source in ("erp", "pm") and name in NAMES and rarely(draw, 3):
        key = draw(few([f"line:{name}" if source == "erp" else f"issue:{name}", "order:1", "nowhere:1"]))
        return said(source, kind, key=key, **data, **more)
    return said(source, kind, name, **data, **more)


def _assessed(draw, coin):
    data = {"status": draw(few(["met", "met", "met", "partiallyMet", "notMet", "scheduled", None]))}
    if draw(st.booleans()):
        data["met_on"] = draw(some(days))
    if rarely(draw, 4):
        data["percent"] = draw(some(few(["50", "100"])))
    return draw(few(["pm", "pm", "pm", "erp"])), data


def _scheduled(draw, coin):
    fields = draw(st.lists(few(["due", "forecast", "baseline"]), unique=True))
    return draw(few(["pm", "erp"])), {name: draw(some(days)) for name in fields}


def _receipt(draw, coin):
    accepted = draw(quantities)
    data = {"received": accepted, "accepted": accepted, "rejected": draw(few(["0", "1"])), "unit": draw(few("uuv")),
            "received_on": "2026-02-20"}  # fmt: skip
    data |= draw(few([{}, {"ordered": "3"}, {"ordered": "3"}, {"short": "1"}, {"ordered": None}]))
    return draw(few(["erp", "erp", "portal"])), data


def _invoice(draw, coin):
    data = {"number": draw(few(["I-1", "I-1", "I-2", "C-1"])), "supplier": draw(few(["SUP-1", "SUP-1", "SUP-1", "X"])),
            "net": coin(draw(nets)), "issued_on": draw(few(["2026-02-20", "2026-02-20", "2026-02-28"])),
            "state": draw(few(["open", "open", "open", "paid", "cancelled"]))}  # fmt: skip
    if rarely(draw, 4):
        data["business_unit"] = draw(some(few(["north", "south"])))
    if rarely(draw, 5):
        data["total"] = coin(10000)
    if data["number"] == "C-1":
        data["credits"] = ["I-1"]
    if rarely(draw, 5):
        data["supplier_identifiers"] = draw(few([["SUP-1"], ["Y"], ["X", "Y"]]))
    return draw(few(["portal", "portal", "erp", "ap"])), data


def _sign_off(draw, coin):
    who = draw(few(["jane", "joe", "joe2"]))
    at = draw(few(["2026-02-20T08:00:00Z", "2026-02-27T08:00:00Z", "2026-02-28T23:30:00Z"]))
    evidence = draw(few([{}, {"fat": FAT}, {"fat": "b" * 64}]))
    return draw(few(["office", "office", "office", "portal"])), {
        "by": who, "role": draw(few(["site-manager", "site-manager", "buyer"])), "signed_at": at, "evidence": evidence,
    }  # fmt: skip


def _evidence(draw, coin):
    return draw(few(["office", "office", "portal", "pm"])), {
        "name": draw(few(["fat", "fat", "sat"])), "sha256": draw(few([FAT, FAT, "b" * 64])),
    }  # fmt: skip


def _waiver(draw, coin):
    data = {"code": draw(few(REASONS)), "by": draw(few(["walt", "anna"])), "approved_by": "anna", "ticket": "T-1"}
    if draw(st.booleans()):
        data["cause"] = draw(few(["met", "fat", "M1", "signed_off", "pm"]))
    if draw(st.booleans()):
        data["until"] = draw(few(["2026-03-02", "2026-03-06", "2026-12-31"]))
    return draw(few(["office", "office", "portal"])), data


def _dispute(draw, coin):
    return draw(few(["office", "office", "portal", "pm"])), {
        "dispute": draw(few(["D-1", "D-2"])), "by": "olga", "reason": "INCORRECT_QUANTITY",
    } | draw(few([{}, {"amount": coin(4000)}, {"amount": coin(0)}]))  # fmt: skip


def _document(draw, coin):
    first, last = draw(few([("2026-01-01", "2026-12-31"), ("2026-01-01", "2026-03-04"), ("2026-03-03", "2026-03-09")]))
    return "portal", {"name": "insurance", "valid_from": first, "valid_until": last}


def _payment(draw, coin):
    return draw(few(["ap", "ap", "erp"])), {
        "payment": draw(few(["P-1", "P-2"])), "amount": coin(draw(few([10000, 5000, 0]))), "paid_on": "2026-02-28",
    } | draw(few([{}, {"invoice": "I-1"}]))  # fmt: skip


SAYS = {
    "milestone.assessed": _assessed,
    "milestone.scheduled": _scheduled,
    "value.agreed": lambda draw, coin: ("erp", {"value": coin(draw(few([10000, 9999, 33333])))}),
    "delivery.claimed": lambda draw, coin: (
        "portal", {"delivered_on": "2026-02-20"} | draw(few([{}, {"by": "dora"}, {"by": "jane"}])),
    ),
    "goods.received": _receipt,
    "evidence.attached": _evidence,
    "evidence.removed": lambda draw, coin: (draw(few(["office", "portal"])), {"name": "fat"}),
    "sign_off.given": _sign_off,
    "sign_off.withdrawn": lambda draw, coin: ("office", {"by": draw(few(["jane", "joe"])), "role": "site-manager"}),
    "invoice.received": _invoice,
    "measure.reported": lambda draw, coin: (
        draw(few(["erp", "office"])),
        {"name": "defects", "value": draw(few(["0.01", "0.03"])), "period": draw(few(["2026-01", "2026-02"]))},
    ),
    "dispute.opened": _dispute,
    "dispute.resolved": lambda draw, coin: (
        draw(few(["office", "portal"])), {"dispute": draw(few(["D-1", "D-2"])), "by": "olga", "reason": "SETTLED"},
    ),
    "hold.placed": lambda draw, coin: (
        draw(few(["office", "office", "legal", "portal"])),
        {"hold": draw(few(["H-1", "H-2"])), "by": "olga", "reason": "x"},
    ),
    "hold.lifted": lambda draw, coin: (
        draw(few(["office", "legal"])), {"hold": draw(few(["H-1", "H-2"])), "by": draw(few(["olga", "jane"]))},
    ),
    "reason.waived": _waiver,
    "compliance.document": _document,
    "milestone.activated": lambda draw, coin: (draw(few(["office", "pm"])), {"by": "olga", "rationale": "agreed"}),
    "command.acknowledged": lambda draw, coin: (
        "ap", {"command_id": "0" * 64, "state": draw(few(["applied", "rejected"]))} | draw(
            few([{}, {"detail": "HELD_TOO_LATE: approved before"}])
        ),
    ),
    "payment.made": _payment,
    "hold.observed": lambda draw, coin: ("ap", {"holder": draw(few(["ours", "other"])), "held": draw(st.booleans())}),
}  # fmt: skip
KINDS = [
    *SAYS, *["milestone.assessed"] * 4, *["goods.received"] * 2, *["sign_off.given"] * 3, *["invoice.received"] * 4,
    *["evidence.attached"] * 2,
]  # fmt: skip


def garbage():
    """Records that cannot be read, or that name what does not exist."""
    data = {"contract": "C-1", "milestone": "M1", "status": "done"}
    broken = {"specversion": "1.0", "id": "g", "source": "pm", "type": "milepost.milestone.assessed.v1",
              "time": "2026-02-28T08:00:00Z", "data": data}  # fmt: skip
    ahead = broken | {"id": "h", "data": data | {"status": "met", "met_on": "2027-01-01"}}
    values = [b"", b"\xff{", b"[]", json.dumps(broken).encode(), json.dumps(ahead).encode(),
              json.dumps(broken | {"type": "milepost.milestone.assessed.v9"}).encode()]  # fmt: skip
    return st.one_of(few(values), st.binary(max_size=40)).map(lambda raw: Record("pm.events", 0, 0, 0, None, (), raw))


@st.composite
def histories(draw, *, versions=True, replaces=False, openings=False, least=3, most=25):
    """Records with rising timestamps; the registration comes somewhere among them, mostly first."""
    plan = draw(plans(openings=openings))
    events = [draw(facts(plan["currency"])) for _ in range(draw(st.integers(least, most)))]
    for terms_of in plan["milestones"]:
        if not rarely(draw, 4):
            events = draw(_mixed(events, proofs_of(terms_of, plan)))
    registrations = [registered(plan)]
    if versions and draw(st.booleans()):
        registrations.append(registered(draw(plans(2, replaces=replaces, currency=plan["currency"]))))
    for registration in registrations:
        events.insert(draw(few([0, 0, 0, len(events) // 2, len(events)])), registration)
    now, records = START, []
    for n, event in enumerate(events):
        now += draw(few([timedelta(seconds=1), timedelta(seconds=1), timedelta(hours=7), timedelta(days=1)]))
        records.append(draw(_told(event, n, now)))
        if rarely(draw, 13):
            records.append(replaced(draw(garbage()), now))
        if rarely(draw, 9):
            records.append(draw(few(records)))  # a redelivery
    return records


def proofs_of(milestone, plan):
    """What a release of this milestone needs, all in order."""
    name, currency = milestone["id"], plan["currency"]
    net = {"amount": milestone["value"], "currency": currency}
    given = {
        "met": [said("pm", "milestone.assessed", name, status="met")],
        "received": [said("erp", "goods.received", name, received="3", accepted="3", rejected="0", ordered="3",
                          unit="u", received_on="2026-02-20")],
        "signed_off": [said("office", "sign_off.given", name, by=by, role="site-manager", evidence={"fat": FAT},
                            signed_at="2026-02-28T23:30:00Z") for by in ("jane", "joe")],
        "invoiced": [said("portal", "invoice.received", name, number=f"N-{name}", supplier="SUP-1", net=net,
                          issued_on="2026-02-20", state="open")],
        "evidence:fat": [said("office", "evidence.attached", name, name="fat", sha256=FAT)],
    }  # fmt: skip
    paper = said(
        "portal", "compliance.document", None, name="insurance", valid_from="2026-01-01", valid_until="2027-12-31"
    )
    found = [event for proof in milestone["requires"] for event in given.get(proof, ())]
    return [*found, paper] if plan.get("compliance") else found


@st.composite
def _mixed(draw, events, more):
    mixed = list(events)
    for event in more:
        mixed.insert(draw(st.integers(0, len(mixed))), event)
    return mixed


@st.composite
def _told(draw, event, n, now):
    """The record of an event, sometimes late, sometimes under an id that was used before."""
    late = draw(few([0, 0, 0, 0, 1, 48])) if event.kind != "contract.registered" else 0
    again = rarely(draw, 8) and "contract" in event.data  # facts by key may wait elsewhere, where nobody compares ids
    name = f"again{draw(st.integers(0, 2))}" if again else f"e{n}"
    if again:  # one id and one content have one time: of a repeat that bears a later one, the first arrival counts
        event = replace(event, time=START + timedelta(hours=crc32(json.dumps(event.data).encode()) % 20))
    elif rarely(draw, 10):
        event = replace(event, time=START + timedelta(hours=draw(st.integers(0, 1))))
    elif late:
        event = replace(event, time=now - timedelta(hours=late))
    return record_of(event, now, name)


def replaced(record, now):
    """The record at another moment."""
    return Record(record.topic, 0, 0, int(now.timestamp() * 1000), None, record.headers, record.value)


@st.composite
def batches(draw, records):
    """The records cut into batches anywhere."""
    cut, rest = [], list(records)
    while rest:
        size = draw(st.integers(1, len(rest)))
        cut.append(rest[:size])
        rest = rest[size:]
    return cut


def summary(records):
    """One line a record, for the report of a law that does not hold."""
    return "\n".join(f"{r.timestamp} {r.topic.partition('.')[0]:8} {_short(r.value)}" for r in records)


def _short(value):
    try:
        event = json.loads(value)
        return f"{event['id']} {event['time'][5:19]} {event['type'][9:-3]} {json.dumps(event['data'])[:400]}"
    except (ValueError, KeyError, TypeError):
        return repr(value)
