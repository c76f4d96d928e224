"""One milestone as the judge looks at it: its plan, the words that stand there, and whose word counts (rule A8)."""

from judging.dates import day_of

# Who is believed unless the contract says otherwise, highest first.
AUTHORITY = {
    "completion": ["project"], "received": ["erp"], "invoice": ["finance", "erp", "supplier_portal"],
    "evidence": ["operator", "supplier_portal"], "sign_off": ["operator"], "hold": ["operator"],
    "dispute": ["operator", "supplier_portal"], "waiver": ["operator"], "compliance": ["supplier_portal"],
    "activation": ["operator"],
}  # fmt: skip


class Situation:
    """One milestone of a plan at one moment, with the words that stand there and the rulebook's roles and people."""

    def __init__(self, plan, milestone, standing, moment, book, heirs=frozenset()):
        self.plan, self.milestone, self.all_standing = plan, milestone, standing
        self.heirs = heirs  # the milestones to which something may have been carried over
        self.slots = standing[milestone["id"]]
        self.today = day_of(moment, plan["timezone"])
        self.roles, self.people = book["roles"], book.get("people", {})
        self.value = milestone["value"] or 0

    def at(self, milestone):
        """The same for another milestone of the plan."""
        other = next(m for m in self.plan["milestones"] if m["id"] == milestone)
        made = Situation.__new__(Situation)
        slots, value = self.all_standing[milestone], other["value"] or 0
        made.__dict__ = self.__dict__ | {"milestone": other, "slots": slots, "value": value}
        return made

    def rank(self, field, source):
        """How much a source is believed about a field: 0 is most, None not at all (rule A8)."""
        names = self.plan["authority"].get(field) or AUTHORITY[field]
        if source in names:
            return names.index(source)
        return names.index(self.roles.get(source)) if self.roles.get(source) in names else None

    def of(self, kind, field):
        """The words of a kind whose source has a say in it."""
        return [s for s in self.slots if s.kind == kind and self.rank(field, s.source) is not None]

    def best(self, kind, field):
        """The words of the one source that is believed most."""
        return self.believed(field, [s for s in self.slots if s.kind == kind])

    def believed(self, field, slots):
        """The words of the one source that is believed most; of those believed alike, of the one that spoke last."""
        ranked = [(self.rank(field, s.source), -s.order[1], s.source) for s in slots]
        first = min((one for one in ranked if one[0] is not None), default=None)
        return [s for s in slots if first is not None and s.source == first[2]]

    def person(self, source, identity):
        """The person behind an identity (rule D5)."""
        return self.people.get(f"{source}:{identity}") or self.people.get(identity, identity)

    def requires(self, proof):
        return proof in self.milestone["requires"]
