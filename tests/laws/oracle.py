"""A second, plain opinion on what a release needs, worked out from the facts of the log alone.

It knows nothing of slots, checks or money rules: it looks at every fact that was merged so far and asks whether each
required proof is there in the word of somebody who may give it. It is weaker than the rules on purpose: whatever it
finds missing must never have led to a release.
"""

from contracts_schema import facts as f

AUTHORITY = {"completion": ("project",), "received": ("erp",), "invoice": ("finance", "erp", "supplier_portal")}
PAIRS = {"evidence.removed": "evidence.attached", "sign_off.withdrawn": "sign_off.given", "hold.lifted": "hold.placed"}


def newest(facts):
    """The newest fact of each source about each thing, by version (a numbered one is newer), time and id."""
    found = {}
    for fact in facts:
        about = (fact.source, PAIRS.get(fact.kind, fact.kind), fact.address, *thing(fact.body))
        order = (-1 if fact.version is None else fact.version, fact.time, fact.id)
        if about not in found or order >= found[about][0]:
            found[about] = (order, fact)
    return [fact for _, fact in found.values()]


def thing(body):
    names = [getattr(body, name, None) for name in ("name", "hold", "number", "supplier")]
    return (*names, body.by, body.role) if isinstance(body, f.SignOffGiven | f.SignOffWithdrawn) else tuple(names)


def is_about(fact, milestone, plan):
    """Whether the fact may belong to the milestone at all."""
    a = fact.address
    if a.contract is not None:
        return a.milestone in (milestone.id, None)
    own = milestone.refs.get(a.source, ())
    return any(key in own or key in plan.refs.get(a.source, ()) for key in a.keys)


def missing(facts, plan, milestone, rules):
    """Which required proofs nobody entitled has given, leaving out those that two persons have waived."""
    mine = [fact for fact in newest(facts) if is_about(fact, milestone, plan)]
    waived = {fact.body.code for fact in mine if fact.kind == "reason.waived"}

    def said(kind, field, ok):
        names = plan.authority.get(field) or AUTHORITY.get(field, ("operator", "supplier_portal"))
        return [x for x in mine if x.kind == kind and ok(x.body) and {x.source, rules.roles[x.source]} & {*names}]

    proofs = {
        "met": ("NOT_MET", said("milestone.assessed", "completion", lambda b: b.status == "met")),
        "received": ("", said("goods.received", "received", lambda b: float(b.accepted) > 0)),
        "invoiced": ("", said("invoice.received", "invoice", lambda b: b.net.minor > 0)),
        "evidence:fat": ("EVIDENCE_MISSING", said("evidence.attached", "evidence", lambda b: b.name == "fat")),
    }  # fmt: skip
    lacking = [p for p, (code, found) in proofs.items() if p in milestone.requires and not found and code not in waived]
    signers = {
        rules.person(x.source, x.body.by) for x in mine
        if x.kind == "sign_off.given" and rules.roles[x.source] == "operator"
        and (not plan.sign_off.roles or x.body.role in plan.sign_off.roles)
    }  # fmt: skip
    if "signed_off" in milestone.requires and "SIGN_OFF_MISSING" not in waived:
        lacking += ["signed_off"] if len(signers) < plan.sign_off.quorum else []
    return lacking


def open_holds(facts, milestone, plan, rules):
    """Every hold that a person of the operator placed here and that nobody of the operator has lifted later."""
    mine = [x for x in newest(facts) if is_about(x, milestone, plan) and rules.roles[x.source] == "operator"]
    lifted = [x for x in mine if x.kind == "hold.lifted"]

    def wide(fact):
        return fact.address.contract is not None and fact.address.milestone is None

    return [
        x.body.hold for x in mine
        if x.kind == "hold.placed"
        and not any(y.body.hold == x.body.hold and wide(y) == wide(x) and y.time > x.time for y in lifted)
    ]  # fmt: skip
