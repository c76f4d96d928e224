"""The judge's own model, part one: what is known of a contract after some facts. Newest wins, per subject.

Written from rules A1, A4, A10 and F9. A fact is ordered by (version, time, mapper, id); a numbered one is newer than
one without a number. Fields that a newer fact leaves out keep their last word.
"""

import unicodedata

from judging.dates import day, day_of
from judging.msgpack import unpack
from judging.places import ENDS, claims, places

NAMED_BY = {
    "evidence.attached": ("name",), "sign_off.given": ("by", "role"), "dispute.opened": ("dispute",),
    "hold.placed": ("hold",), "compliance.document": ("name",), "reason.waived": ("code", "cause"),
    "measure.reported": ("name", "period"), "payment.made": ("payment",), "hold.observed": ("invoice", "holder"),
    "command.acknowledged": ("command_id",), "message.unreadable": ("digest",), "message.redriven": ("digests",),
    "invoice.received": ("number", "supplier", "business_unit"),
    "invoice.claimed_elsewhere": ("supplier", "number", "business_unit"),
}  # fmt: skip
PARTIAL = {"milestone.scheduled", "milestone.assessed", "goods.received", "invoice.received"}
OWN_WORDS = {
    "message.unreadable", "message.redriven", "document.renewed", "invoice.claimed_elsewhere",
    "keys.claimed_elsewhere", "commands.adopted",
}  # fmt: skip


def number_of(text):
    """An invoice's number as it is compared (rule C3)."""
    return unicodedata.normalize("NFC", text).strip()


class Slot:
    """The newest word of one source on one subject. `body` has each field's newest word, `said` the newest time of
    each kind, `history` every status with its order, `contents` what each version said."""

    def __init__(self, fact):
        self.source, self.address = fact.source, fact.address
        self.order, self.kind, self.body, self.fields = (-2,), "", {}, {}
        self.document, self.edition, self.history = None, 0, []
        self.said, self.contents = {}, {}
        self.waits = False  # parked: nobody it belongs to was known when it came (rule A10)

    def take(self, fact):
        order = (-1 if fact.version is None else fact.version, fact.time, fact.mapper, fact.id)
        kind = fact.body["kind"]
        if kind not in PARTIAL and order >= self.order:
            self.body = {}
        for name, value in fact.body.items():
            if (kind in PARTIAL or order >= self.order) and order >= self.fields.get(name, (-2,)):
                self.body[name], self.fields[name] = value, order
        if order >= self.order:
            self.order, self.kind, self.document, self.address = order, kind, fact.document, fact.address
        self.edition = max(self.edition, fact.edition)
        self.said[kind] = max(fact.time, self.said.get(kind, fact.time))
        self.history.append((order, fact.body.get("status")))
        self.contents.setdefault(fact.version, set()).add(repr(fact.body))

    @property
    def contradicts(self):
        """Whether the source said two things under its newest version (rule A2)."""
        return self.order[0] >= 0 and len(self.contents[self.order[0]]) > 1


class Known:
    """What a contract's log has told so far."""

    def __init__(self):
        self.plans, self.slots, self.documents = {}, {}, {}
        self.elsewhere = ()  # keys that other contracts claim: nobody's, or theirs (rules A10, B5)

    def take(self, fact, moment):
        """Fold one fact, in a revision of this moment."""
        kind = fact.body["kind"]
        if fact.document is not None and kind != "message.unreadable":
            name = (fact.source, fact.document.partition("@")[0])
            self.documents[name] = max(fact.edition, self.documents.get(name, 0))
        if kind == "document.renewed":
            return
        if kind == "contract.registered":
            order, version = (fact.time, fact.id), fact.body["version"]
            if order >= self.plans.get(version, ((),))[0]:
                self.plans[version] = (order, unpack(fact.body["plan"]))
            return
        subject = subject_of(fact)
        slot = self.slots.setdefault(subject, Slot(fact))
        before = slot.address if slot.kind else None
        slot.take(fact)
        if slot.address != before:
            plan = self.plan(moment)
            slot.waits = kind not in OWN_WORDS and (not (plan and self.homes(plan, slot)) or self._is_away(plan, slot))
        if kind == "keys.claimed_elsewhere":
            self.elsewhere = {tuple(key) for key in slot.body.get("keys", ())}
            self._set_aside(self.plan(moment))

    def _set_aside(self, plan):
        for slot in self.slots.values():
            if slot.kind not in OWN_WORDS and ENDS.get(slot.kind, slot.kind) not in ("hold.placed", "dispute.opened"):
                slot.waits = slot.waits or self._is_away(plan, slot)

    def _is_away(self, plan, slot):
        """Whether the first of its keys that anybody claims is claimed by others."""
        contract, _, source, keys = slot.address
        for key in keys if contract is None else ():
            if (source, key) in self.elsewhere:
                return True
            if plan and claims(plan, source, key):
                return False
        return False

    def let_in(self, moment):
        """What has waited counts from here on, where it has found where it belongs."""
        plan = self.plan(moment)
        for slot in self.slots.values():
            slot.waits = slot.waits and (not (plan and self.homes(plan, slot)) or self._is_away(plan, slot))

    def plan(self, moment):
        """The highest version in force (rule B3); None where none is."""
        counting = [version for version, (_, plan) in self.plans.items() if _in_force(plan, moment)]
        return self.plans[max(counting)][1] if counting else None

    def standing(self, plan):
        """The slots at each milestone of the plan, in whatever order."""
        found = {milestone["id"]: [] for milestone in plan["milestones"]}
        for slot in self.slots.values():
            if not slot.waits and not self._is_void(slot):
                for name in self.homes(plan, slot):
                    found[name].append(slot)
        return found

    def homes(self, plan, slot):
        """Where a word stands; a hold or dispute of a milestone that was replaced, with all who have taken over: no
        amendment ends the one or the other (law 4, rule D7)."""
        return places(plan, slot) or self._heirs(plan, slot)

    def _heirs(self, plan, slot):
        names, found = [m["id"] for m in plan["milestones"]], {slot.address[1]}
        if slot.address[1] in names or ENDS.get(slot.kind, slot.kind) not in ("hold.placed", "dispute.opened"):
            return []
        for version in sorted(v for v in self.plans if v <= plan["version"]):
            found |= {m["id"] for m in self.plans[version][1]["milestones"] if found.intersection(m["replaces"])}
        return [name for name in names if name in found]

    def _is_void(self, slot):
        """Whether a newer version of the vendor's document has this part no more (rule F9). A doubt is no part."""
        if slot.document is None or slot.kind == "message.unreadable":
            return False
        return slot.edition < self.documents[slot.source, slot.document.partition("@")[0]]


def subject_of(fact):
    kind = ENDS.get(fact.body["kind"], fact.body["kind"])
    contract, milestone, source, keys = fact.address
    place = (contract, milestone) if contract is not None else (source, keys[0])
    thing = [str(fact.body.get(name) or "") for name in NAMED_BY.get(kind, ())]
    if kind == "invoice.received":
        thing[0] = number_of(thing[0])
    return (fact.source, kind, place, *thing)


def _in_force(plan, moment):
    amendment = plan.get("amendment")
    if amendment is None:
        return plan["version"] == 1
    begins = day(amendment.get("effective_from"))
    begun = begins is None or begins <= day_of(moment, plan["timezone"])
    return amendment["state"] == "approved" and begun
