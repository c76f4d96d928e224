"""The judge's own model, part two: which reasons must hold a milestone (rules B to D), from what is known.

Judged here, in every decision, both ways (missing, or held without cause): see `JUDGED`. Judged one way, at releases
(doubts.py): `NOT_IN_FORCE`, `SOURCE_UNREADABLE`, `SOURCE_CONTRADICTS_ITSELF` (numbered facts), `DUTIES_NOT_SEPARATED`,
`INVOICE_CLAIMED_TWICE`. Not judged, and only held to what the decision itself says: `SOURCES_DISAGREE`,
`VALUE_DIFFERS`, `CURRENCIES_DIFFER`, what invoices in another currency come to, proofs by measure or punctuality.
"""

from collections import defaultdict

from judging.dates import day, day_of, micros
from judging.known import number_of
from judging.places import is_contract_wide

PARTIAL = {
    "PARTLY_ACCEPTED", "DISPUTED", "PARTLY_INVOICED", "RETENTION", "ADVANCE_RECOUPED", "LATE_DAMAGES", "CAP_REACHED"
}  # fmt: skip
JUDGED = {
    "CONTRACT_NOT_ACTIVE", "MANUAL_HOLD", "NOT_MET", "PRECURSOR_OPEN", "NOT_RECEIVED", "EVIDENCE_MISSING",
    "EVIDENCE_CHANGED", "SIGN_OFF_MISSING", "NOT_INVOICED", "WRONG_SUPPLIER", "INVOICE_EXCEEDS_VALUE",
    "COMPLIANCE_EXPIRED",
}  # fmt: skip
WAIVABLE = {
    "SOURCE_UNREADABLE", "SOURCE_CONTRADICTS_ITSELF", "SOURCES_DISAGREE", "VALUE_DIFFERS", "NOT_MET", "PRECURSOR_OPEN",
    "EVIDENCE_MISSING", "EVIDENCE_CHANGED", "SIGN_OFF_MISSING", "DUTIES_NOT_SEPARATED", "COMPLIANCE_EXPIRED",
}  # fmt: skip
LEAST_FIRST = ("notMet", "scheduled", "partiallyMet", "met")


def assessed(at):
    """The objects of the source that is believed about completion, those that have a word."""
    spoken = [s for s in at.slots if s.kind == "milestone.assessed" and s.body["status"] is not None]
    return at.believed("completion", spoken)


def status_of(at):
    """The least status of all assessed objects; issues that are registered and silent count as scheduled (rule D12)."""
    objects = assessed(at)
    statuses = [slot.body["status"] for slot in objects] or ["scheduled"]
    return min(statuses + silent(at, objects), key=LEAST_FIRST.index)


def silent(at, objects):
    """A word for each registered issue that has not spoken, where another has."""
    spoken = {key for slot in objects for key in slot.address[3][:1]}
    if not any(key.startswith("issue:") for key in spoken):
        return []
    keys = at.milestone["refs"].get(objects[0].source, ())
    return ["scheduled" for key in keys if key.startswith("issue:") and key not in spoken]


def went_back(at):
    """The moment at which the milestone was last taken back from met, as its objects spoke; -1 where it never was (rule
    D4). Numbered words follow each other whatever their times."""
    last, before, told, newest = -1, False, [], {}
    of = {slot.source for slot in assessed(at)}
    objects = [s for s in at.slots if s.kind == "milestone.assessed" and s.source in of]
    for n, slot in enumerate(objects):
        history = sorted(slot.history, key=lambda told: told[0])
        times = [order[1] for order, _ in history]
        told += [(max(times[: m + 1]), n, m, status) for m, (_, status) in enumerate(history)]
    for moment, n, _, status in sorted(told):
        newest[n] = status
        words = [status for status in newest.values() if status is not None]
        words += silent(at, [objects[n] for n, status in newest.items() if status is not None])
        met = set(words) == {"met"}
        last = moment if before and not met else last
        before = met
    return last


def signatures(at):
    """The valid signatures, each with its person (rule D4)."""
    back, asked = went_back(at), at.plan["sign_off"]
    given = [s for s in at.of("sign_off.given", "sign_off") if micros(s.body["signed_at"]) > back]
    over = [
        (at.person(s.source, s.body["by"]), s.body["role"], s.order[1]) for s in at.of("sign_off.withdrawn", "sign_off")
    ]
    signed = [s for s in given if not any(
        w[:2] == (at.person(s.source, s.body["by"]), s.body["role"]) and w[2] > s.order[1] for w in over)]  # fmt: skip
    valid = [s for s in signed if not asked["roles"] or s.body["role"] in asked["roles"]]
    return [(at.person(s.source, s.body["by"]), s) for s in valid if not asked["authority"] or _is_entitled(at, s)]


def signers(at):
    """The persons who have validly signed: a quorum counts persons."""
    return {person for person, _ in signatures(at)}


def _is_entitled(at, slot):
    when = day_of(micros(slot.body["signed_at"]), at.plan["timezone"])
    signer = at.person(slot.source, slot.body["by"])
    return any(
        at.person("register", grant["person"]) == signer
        and grant["role"] == slot.body["role"]
        and (grant["from_"] is None or day(grant["from_"]) <= when)
        and (grant["until"] is None or when <= day(grant["until"]))
        and (grant["up_to"] is None or at.value <= grant["up_to"])
        for grant in at.plan["sign_off"]["authority"]
    )


def open_holds(at):
    """A person's holds that nobody with a say has lifted since."""
    lifts = at.of("hold.lifted", "hold")
    lifted = {(is_contract_wide(s), s.body["hold"]): s.order[1] for s in sorted(lifts, key=lambda s: s.order[1])}
    placed = at.of("hold.placed", "hold")
    return {s.body["hold"] for s in placed if lifted.get((is_contract_wide(s), s.body["hold"]), -1) <= s.order[1]}


def waivers(at):
    """Code and cause (none: any) of what two persons have waived until today or longer (rule D6)."""
    return {
        (s.body["code"], s.body.get("cause"))
        for s in at.of("reason.waived", "waiver")
        if s.body["code"] in WAIVABLE
        and at.person(s.source, s.body["by"]) != at.person(s.source, s.body["approved_by"])
        and (s.body.get("until") is None or at.today <= day(s.body["until"]))
    }


def changed_evidence(at, quorum):
    """Documents that are attached otherwise than signed, and that too few have signed as they are (rule D4)."""
    newest_last = sorted(at.of("evidence.attached", "evidence"), key=lambda s: (s.order[1], s.source))
    attached = {s.body["name"]: s.body["sha256"].lower() for s in newest_last}
    given = [(who, s.body["evidence"]) for who, s in signatures(at)]
    seen = {name: {who for who, hashes in given if hashes.get(name, "").lower() == attached[name]} for name in attached}
    others = {
        name for _, hashes in given for name, sha in hashes.items() if attached.get(name, sha).lower() != sha.lower()
    }
    return {name for name in others if len(seen[name]) < quorum}


def _open_precursors(at):
    """Milestones that come first and are not met. One that a contingency has taken over from is met with that one (D1);
    one that was replaced is open until all its successors are (D2)."""
    return {name for name in at.milestone["after"] if not _is_met(at, name)}


def _is_met(at, name):
    plan = at.plan["milestones"]
    if any(m["id"] == name for m in plan):
        return any(status_of(at.at(one)) == "met" for one in (name, *stand_ins(at, name)))
    successors = [m["id"] for m in plan if name in m["replaces"]]
    return bool(successors) and all(_is_met(at, one) for one in successors)


def stand_ins(at, name):
    """Contingency milestones that a person has activated in the place of this one (rule D1)."""
    waiting = [m["id"] for m in at.plan["milestones"] if m["contingency_for"] == name]
    return [one for one in waiting if at.at(one).of("milestone.activated", "activation")]


def blocking(at, invoices, share):
    """Code to its causes, of everything judged in every decision, without what was waived."""
    found = defaultdict(set)
    plan, milestone = at.plan, at.milestone
    if plan["status"] != "active":
        found["CONTRACT_NOT_ACTIVE"] = {plan["status"]}
    found["MANUAL_HOLD"] = open_holds(at)
    if at.requires("met") and status_of(at) != "met":
        found["NOT_MET"] = {"met"}
    found["PRECURSOR_OPEN"] = _open_precursors(at)
    if at.requires("received") and share == 0:
        found["NOT_RECEIVED"] = {"received"}
    attached = {s.body["name"] for s in at.of("evidence.attached", "evidence")}
    asked = {proof.removeprefix("evidence:") for proof in milestone["requires"] if proof.startswith("evidence:")}
    found["EVIDENCE_MISSING"] = asked - attached
    quorum = plan["sign_off"]["quorum"]
    if at.requires("signed_off") and len(signers(at)) < quorum:
        found["SIGN_OFF_MISSING"] = {"signed_off"}
    elif at.requires("signed_off"):
        found["EVIDENCE_CHANGED"] = changed_evidence(at, quorum)
    found["COMPLIANCE_EXPIRED"] = {name for name in plan["compliance"] if not _is_valid(at, name)}
    if at.requires("invoiced") and invoices.sum <= 0:
        found["NOT_INVOICED"] = {"invoiced"}
    found["WRONG_SUPPLIER"] = {number_of(number) for number in invoices.foreign}
    if invoices.sum > at.value + plan["rounding_band"]:
        found["INVOICE_EXCEEDS_VALUE"] = {"invoiced"}
    return unwaived(at, found)


def unwaived(at, found):
    """The reasons of which a cause is left that was not waived."""
    waived = waivers(at)
    left = {
        code: {cause for cause in causes if not {(code, None), (code, cause)} & waived}
        for code, causes in found.items()
    }
    return {code: causes for code, causes in left.items() if causes}


def _is_valid(at, name):
    documents = [s.body for s in at.of("compliance.document", "compliance") if s.body["name"] == name]
    return any(day(d["valid_from"]) <= at.today <= day(d["valid_until"]) for d in documents)
