"""Random facts: any kind, from any source that might say it, mostly about a milestone that exists."""

from builders import FAT, said
from hypothesis import strategies as st
from laws.chances import NAMES, few, money, rarely, some

WAIVABLE = (
    "NOT_MET", "SIGN_OFF_MISSING", "EVIDENCE_MISSING", "EVIDENCE_CHANGED", "PRECURSOR_OPEN", "SOURCES_DISAGREE",
    "VALUE_DIFFERS", "SOURCE_UNREADABLE", "SOURCE_CONTRADICTS_ITSELF", "DUTIES_NOT_SEPARATED", "COMPLIANCE_EXPIRED",
)  # fmt: skip
REASONS = (*WAIVABLE, "MANUAL_HOLD", "NOT_INVOICED", "RETENTION", "no such reason")
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
