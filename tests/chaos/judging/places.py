"""Where a word stands in a plan (rules A10, A11, B5). Part of the judge's own model."""

ENDS = {
    "evidence.removed": "evidence.attached", "sign_off.withdrawn": "sign_off.given",
    "dispute.resolved": "dispute.opened", "hold.lifted": "hold.placed",
}  # fmt: skip
CONTRACT_WIDE = {
    "compliance.document", "hold.placed", "hold.lifted", "dispute.opened", "dispute.resolved", "reason.waived",
    "message.unreadable", "message.redriven", "invoice.claimed_elsewhere", "keys.claimed_elsewhere",
}  # fmt: skip
TAKEN_BY = {"milestone.assessed": "met", "goods.received": "received", "sign_off.given": "signed_off",
            "invoice.received": "invoiced"}  # fmt: skip


def claims(plan, source, key):
    """Whether a plan claims a key of a system, for a milestone or for the contract."""
    return any(key in refs.get(source, ()) for refs in [plan["refs"], *(m["refs"] for m in plan["milestones"])])


def is_contract_wide(slot):
    """Whether a word is about the whole contract, by our own name of it."""
    contract, milestone, *_ = slot.address
    return contract is not None and milestone is None


def places(plan, slot):
    """The milestones at which a word stands (rule A10); a doubt stands at all that it may be about (rule A11)."""
    contract, milestone, source, keys = slot.address
    names = [m["id"] for m in plan["milestones"]]
    doubt = slot.kind in ("message.unreadable", "message.redriven")
    if contract is not None:
        if milestone is not None:
            return [milestone] if milestone in names else []
        return names if slot.kind in CONTRACT_WIDE else _only_taker(plan, slot)
    for key in keys:
        claimed = [m["id"] for m in plan["milestones"] if key in m["refs"].get(source, ())]
        if claimed:
            own = slot.kind not in ("milestone.assessed", "milestone.scheduled") or key == keys[0]
            return claimed if own and (doubt or len(claimed) == 1) else []
    if not any(key in plan["refs"].get(source, ()) for key in keys):
        return []
    return names if doubt else _only_taker(plan, slot)


def _only_taker(plan, slot):
    kind = ENDS.get(slot.kind, slot.kind)
    proof = f"evidence:{slot.body['name']}" if kind == "evidence.attached" else TAKEN_BY.get(kind)
    takers = [m["id"] for m in plan["milestones"] if proof is None or proof in m["requires"]]
    return takers if len(takers) == 1 else []
