"""The blocking reasons, one function each: the causes for which it stands (rules D, and those it names)."""

from fractions import Fraction

from model.amounts import covers, ended, share, wide

from contracts_schema import facts as f

CHECKS = {}


def reason(code):
    """Register a check under its code; the order of this file is the order of precedence."""
    return lambda check: CHECKS.setdefault(code, check)


@reason("CONTRACT_NOT_ACTIVE")
def d1_active(s, m):
    return [s.plan.status] if s.plan.status != "active" else []


@reason("NOT_IN_FORCE")
def d1_in_force(s, m):
    return [] if s.in_force(m) else [m.id]


@reason("SOURCE_UNREADABLE")
def a11_readable(s, m):
    return list(s.unreadable(m.id))


@reason("SOURCE_CONTRADICTS_ITSELF")
def a2_consistent(s, m):
    return ["source"] if s.contradicted(m.id) or s.plan_contradicted else []


@reason("MANUAL_HOLD")
def d6_no_hold(s, m):
    words = s.believed("hold.placed", m.id)
    lifts = [w for w in words if isinstance(w.body, f.HoldLifted)]
    return [w.body.hold for w in words if isinstance(w.body, f.HoldPlaced) and not any(
        x.body.hold == w.body.hold and wide(x) == wide(w) and x.time > w.time for x in lifts)]  # fmt: skip


@reason("SOURCES_DISAGREE")
def a9_agree(s, m):
    return [field for field in s.conflicts(m.id) if field in s.plan.hold_on_conflict]


@reason("VALUE_DIFFERS")
def d3_value(s, m):
    said, best = s.values(m.id)
    word = said.get(best)
    return [best] if word and set(word) == {s.plan.currency} and word[s.plan.currency] != m.value else []


@reason("CURRENCIES_DIFFER")
def d3_currency(s, m):
    said, _ = s.values(m.id)
    coins = {c for source, sums in said.items() if s.rank("value", source) is not None for c in sums}
    return ["value"] * bool(coins - {s.plan.currency}) + s.invoices.foreign(m.id)


@reason("NOT_MET")
def c1_met(s, m):
    missing = ["met"] if "met" in m.requires and s.status(m.id) != "met" else []
    missing += [p for p in m.requires if p.startswith("on_time:") and not s.on_time(p.partition(":")[2])]
    return missing + [p for p in m.requires if p.startswith("measure:") and not c6_measure(s, m, p)]


def c6_measure(s, m, proof):
    """C6: the newest period in the word of the highest authority."""
    text = proof.partition(":")[2]
    sign = next(x for x in ("<=", ">=", "<", ">", "=") if x in text)
    name, _, limit = text.partition(sign)
    words = [w for w in s.believed("measure.reported", m.id) if w.body.name == name]
    best = s.highest("measure", {w.source: w.time for w in sorted(words, key=lambda w: w.time)})
    if best is None:
        return False
    newest = max((w for w in words if w.source == best), key=lambda w: (w.body.period, w.time))
    value, limit = Fraction(newest.body.value), Fraction(limit)
    return {"<=": value <= limit, ">=": value >= limit, "<": value < limit, ">": value > limit, "=": value == limit}[
        sign
    ]


@reason("PRECURSOR_OPEN")
def d2_precursors(s, m):
    return [name for name in m.after if not d2_is_met(s, name)]


def d2_is_met(s, name):
    """D1, D2: met itself, or, where another has taken over, its stand-in; one that was replaced, when all its
    successors are."""
    if name not in s.milestones:
        successors = [x.id for x in s.plan.milestones if name in x.replaces]
        return bool(successors) and all(d2_is_met(s, x) for x in successors)
    return any(s.status(x) == "met" for x in s.stand_ins(name) or [name])


@reason("NOT_RECEIVED")
def c2_received(s, m):
    return ["received"] if "received" in m.requires and share(s, m.id) == 0 else []


@reason("EVIDENCE_MISSING")
def c1_evidence(s, m):
    wanted = [p.partition(":")[2] for p in m.requires if p.startswith("evidence:")]
    return [name for name in wanted if name not in s.evidence(m.id)]


@reason("EVIDENCE_CHANGED")
def d4_evidence_unchanged(s, m):
    present, signers, quorum = s.evidence(m.id), s.signers(m.id), s.plan.sign_off.quorum
    other = {name for signed in signers.values() for name, sha in signed if present.get(name, sha) != sha}
    return [name for name in sorted(other) if len(signers) >= quorum > sum(
        (name, present[name]) in signed for signed in signers.values())]  # fmt: skip


@reason("SIGN_OFF_MISSING")
def d4_signed(s, m):
    return ["signed_off"] if "signed_off" in m.requires and len(s.signers(m.id)) < s.plan.sign_off.quorum else []


@reason("DUTIES_NOT_SEPARATED")
def d5_duties(s, m):
    duties = s.duties(m.id)
    return sorted({p for n, one in enumerate(duties) for other in duties[n + 1 :] for p in one & other})


@reason("NOT_INVOICED")
def c3_invoiced(s, m):
    """Where something was carried: what it paid elsewhere (E3) can be paid here no more."""
    told, carried = sum(p.worth for p in s.invoices.counting(m.id)), s.carried.get(m.id)
    nothing = told <= 0 or (carried is not None and carried.out + told - sum(covers(s, m.id, carried).values()) <= 0)
    return ["invoiced"] if "invoiced" in m.requires and nothing and s.carried_amount(m.id) < m.value else []


@reason("WRONG_SUPPLIER")
def b7_supplier(s, m):
    return ["invoice"] * len(s.invoices.strangers(m.id))


@reason("INVOICE_EXCEEDS_VALUE")
def c9_within_value(s, m):
    return ["invoice"] * (sum(p.worth for p in s.invoices.counting(m.id)) > m.value + s.plan.rounding_band)


@reason("INVOICE_CLAIMED_TWICE")
def d8_once(s, m):
    return ["invoice"] * s.invoices.claimed_twice(m.id)


@reason("COMPLIANCE_EXPIRED")
def d10_documents(s, m):
    words = s.believed("compliance.document", m.id)
    return [name for name in s.plan.compliance if not any(
        w.body.name == name and w.body.valid_from <= s.today <= w.body.valid_until for w in words)]  # fmt: skip


WAIVABLE = ("SOURCE_UNREADABLE", "SOURCE_CONTRADICTS_ITSELF", "SOURCES_DISAGREE", "VALUE_DIFFERS", "NOT_MET",
            "PRECURSOR_OPEN", "EVIDENCE_MISSING", "EVIDENCE_CHANGED", "SIGN_OFF_MISSING", "DUTIES_NOT_SEPARATED",
            "COMPLIANCE_EXPIRED")  # fmt: skip


def d6_waived(s, m, code, cause):
    """D6: by two persons, for this cause or as a whole, until its day."""
    return code in WAIVABLE and any(
        w.body.code == code and w.body.cause in (None, cause) and (w.body.until is None or s.today <= w.body.until)
        for w in s.believed("reason.waived", m.id)
    )


def blocking(s, m):
    """The codes that stand, in order of precedence."""
    if m.value is None:
        return []
    return [code for code, check in CHECKS.items() if any(not d6_waived(s, m, code, cause) for cause in check(s, m))]


__all__ = ["blocking", "ended"]
