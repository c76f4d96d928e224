"""The bench's rule, as the contenders in Python apply it: met, signed since it went back, invoiced within value."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any


def learn(known: dict[str, Any], kind: str, time: float, data: dict[str, Any]) -> None:
    """Fold one event into what is known of a milestone. Any order of arrival ends the same. `time`: seconds."""
    if kind == "milepost.milestone.assessed.v1":
        entry = [data["version"], time, data["status"]]
        if entry not in known["assessed"]:
            known["assessed"] = sorted([*known["assessed"], entry])
    elif kind == "milepost.sign_off.given.v1":
        signed = datetime.fromisoformat(data["signed_at"]).timestamp()
        known["signed"][data["by"]] = max(signed, known["signed"].get(data["by"], 0))
    elif kind == "milepost.invoice.received.v1":
        before = known["invoice"]
        if before is None or data["version"] > before[0]:
            known["invoice"] = [data["version"], data["state"], data["net"]["amount"]]


def allowed(known: dict[str, Any], value: Decimal) -> Decimal:
    """What may be paid."""
    met = bool(known["assessed"]) and known["assessed"][-1][2] == "met"
    back = 0.0
    for (_, _, a), (_, when, b) in zip(known["assessed"], known["assessed"][1:], strict=False):
        if a == "met" and b != "met":
            back = when
    signed = any(when > back for when in known["signed"].values())
    invoice = known["invoice"]
    invoiced = Decimal(invoice[2]) if invoice and invoice[1] in ("open", "paid") else Decimal(0)
    return invoiced if met and signed and 0 < invoiced <= value else Decimal(0)


def value_of(milestone: str) -> Decimal:
    """The value that the workload's registrations give a milestone `M<n>`."""
    return Decimal(1000 * (int(milestone[1:]) + 1))


def truth(events: list[Any]) -> dict[str, Decimal]:
    """What each milestone may be paid when all of these events are known."""
    known: dict[str, dict[str, Any]] = {}
    for event in events:
        said = json.loads(event.value)
        name = f"{said['data']['contract']}/{said['data']['milestone']}"
        milestone = known.setdefault(name, {"assessed": [], "signed": {}, "invoice": None})
        learn(milestone, said["type"], datetime.fromisoformat(said["time"]).timestamp(), said["data"])
    return {name: allowed(k, value_of(name.rpartition("/")[2])) for name, k in known.items()}
