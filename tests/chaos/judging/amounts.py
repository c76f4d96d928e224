"""The judge's own model, part three: what has been earned (rules C1 to C3 and C9), before anything is kept back.

Where something was carried over, or a proof is a measure, the model is a bound.
"""

from collections import defaultdict, namedtuple
from fractions import Fraction

from judging.known import number_of
from judging.places import is_contract_wide

STANDING = ("open", "paid")
Invoices = namedtuple("Invoices", "sum foreign other_currency parts")


def invoices_at(at):
    """What is invoiced at a milestone: each invoice once, in the word of who is believed most (rule C3). Of one
    number two suppliers have an invoice each."""
    stands = _standing_numbers(at)
    total, foreign, other, parts = 0, set(), set(), {}
    for (number, who, right), words in _by_invoice(at).items():
        newest = max(words, key=lambda s: s.order)
        credited = [number_of(n) for n in newest.body.get("credits") or ()]
        if newest.body["state"] not in STANDING:
            continue
        net = sum(s.body["net"][0] for s in words)
        if not right:
            foreign.add(number)
        elif {s.body["net"][1] for s in words} != {at.plan["currency"]}:
            other.add(number)
        elif not (credited and _whole(words, net) < 0) or any(stands.get(n, True) for n in credited):
            total += net
        parts[number, who] = (net, [s.body["total"][0] for s in words if s.body.get("total")])
    return Invoices(total, foreign, other, parts)


def _whole(words, net):
    """What an invoice comes to as a whole: a credit note is below zero (rule C3)."""
    return max((s.body["total"][0] for s in words if s.body.get("total")), key=abs, default=net)


def parts_at(at):
    """Number, business unit, the supplier's identifiers and the believed words of each invoice that stands."""
    for (number, (_, unit), right), words in _by_invoice(at).items():
        if max(words, key=lambda s: s.order).body["state"] in STANDING:
            known = set().union(*(_identifiers(s.body) for s in words))
            yield number, unit, known | (_ours(at)[number] if right else set()), words


def _identifiers(body):
    return {body["supplier"], *(body.get("supplier_identifiers") or ())}


def _by_invoice(at):
    """The believed words of each invoice at the milestone, at each address the newest."""
    groups = defaultdict(list)
    ours = _ours(at)
    units = _units(at, ours)
    for slot in at.of("invoice.received", "invoice"):
        number, unit = number_of(slot.body["number"]), slot.body.get("business_unit")
        right = bool(_identifiers(slot.body) & ours[number])
        supplier = "" if right else slot.body["supplier"]
        stated = units[number, supplier]
        if unit is None and len(stated) > 1:
            continue  # of which of them it is nobody can tell
        who = (supplier, unit or min(stated, default=""))
        groups[number, who, right].append(slot)
    believed = {}
    for key, slots in groups.items():
        newest = {}
        for slot in sorted(at.believed("invoice", slots), key=lambda s: s.order):
            newest[repr(slot.address)] = slot
        believed[key] = list(newest.values())
    return believed


def _all_invoices(at):
    """Number and body of every word on an invoice in the whole contract."""
    for slots in at.all_standing.values():
        yield from ((number_of(s.body["number"]), s.body) for s in slots if s.kind == "invoice.received")


def _units(at, ours):
    """The business units that are stated for each invoice number of the supplier, or of another (rule C3)."""
    units = defaultdict(set)
    for number, body in _all_invoices(at):
        supplier = "" if _identifiers(body) & ours[number] else body["supplier"]
        units[number, supplier] |= {body["business_unit"]} if body.get("business_unit") else set()
    return units


def _ours(at):
    """Under which identifiers each invoice number knows the contract's supplier: those that share one are one."""
    ours = defaultdict(lambda: {at.plan["supplier"], *at.plan["supplier_identifiers"]})
    words = list(_all_invoices(at))
    grown = True
    while grown:
        grown = False
        for number, body in words:
            known = _identifiers(body)
            if known & ours[number] and not known <= ours[number]:
                ours[number] |= known
                grown = True
    return ours


def _standing_numbers(at):
    """Each number of the supplier's in the whole contract, and whether an invoice of it stands."""
    found = {}
    for milestone in at.all_standing:
        for (number, _, right), words in _by_invoice(at.at(milestone)).items():
            if right:
                newest = max(words, key=lambda s: s.order)
                found[number] = found.get(number, False) or newest.body["state"] in STANDING
    return found


def accepted_share(at):
    """Accepted over ordered, at most 1; of several units the least (rule C2). All of it where nothing is asked."""
    if not at.requires("received"):
        return Fraction(1)
    lines = defaultdict(list)
    for slot in at.best("goods.received", "received"):
        lines[slot.body["unit"]].append(slot.body)
    return min((_share_of(at.milestone, unit, bodies) for unit, bodies in lines.items()), default=Fraction(0))


def _share_of(milestone, unit, bodies):
    """The accepted share of the order lines of one unit; nothing where one of them does not tell what was ordered, and
    the contract does not either."""
    ordered = [_ordered(body) for body in bodies]
    total = None if None in ordered else sum(ordered)
    if total is None and milestone["quantity"] is not None and milestone["unit"] in (None, unit):
        total = Fraction(milestone["quantity"])
    accepted = sum(Fraction(body["accepted"]) for body in bodies)
    return min(Fraction(1), accepted / total) if total else Fraction(0)


def _ordered(body):
    if body.get("ordered") is not None:
        return Fraction(body["ordered"])
    return None if body.get("short") is None else Fraction(body["received"]) + Fraction(body["short"])


def disputed(at):
    """The amount in dispute; None for all of it (rule D7)."""
    opened, total = at.of("dispute.opened", "dispute"), 0
    for slot in opened:
        resolved = [
            s for s in at.of("dispute.resolved", "dispute")
            if s.body["dispute"] == slot.body["dispute"] and s.order[1] > slot.order[1]
            and is_contract_wide(s) == is_contract_wide(slot)
            and at.roles.get(s.source) in ("operator", at.roles.get(slot.source))
        ]  # fmt: skip
        amount = slot.body.get("amount")
        if not resolved and (amount is None or amount[1] != at.plan["currency"]):
            return None
        total += 0 if resolved else amount[0]
    return total


def base_of(at, invoices, share, found, carried):
    """What has been earned, is undisputed and invoiced, exactly."""
    proven = not {"NOT_MET", "EVIDENCE_MISSING", "SIGN_OFF_MISSING", "EVIDENCE_CHANGED"} & found.keys()
    earned = max(carried, at.value * share if proven else 0)
    dispute = disputed(at)
    base = 0 if dispute is None else max(0, earned - dispute)
    if at.requires("invoiced"):
        base = max(0, min(base, carried + invoices.sum))
    return Fraction(base)


def is_exact(at, carried):
    """Whether the model knows every rule that makes this milestone's amount; retention and advance look at all."""
    plan = at.plan
    looked_at = plan["milestones"] if plan["retention"] or plan["advance"] else [at.milestone]
    contingency = any(m["contingency_for"] for m in plan["milestones"])
    inherited = any(m["id"] in at.heirs for m in looked_at)
    return not (plan["rates"] or carried or inherited or contingency or any(map(_is_special, looked_at)))


def heirs_in(plans):
    """The milestones to which these plans carry over: that replace others, that come back when an amendment is taken
    back, or that have an opening. A later plan need not say it again (rules B8, E3)."""
    given = [m for plan in plans for m in plan["milestones"] if m["replaces"] or m["opening"]]
    return {name for m in given for name in (m["id"], *m["replaces"])}


def _is_special(milestone):
    objective = any(proof.startswith(("on_time:", "measure:")) for proof in milestone["requires"])
    return milestone["replaces"] or milestone["opening"] or objective
