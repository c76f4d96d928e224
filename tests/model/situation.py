"""The situation of a contract at a moment: who says what of each milestone, and whom one must believe (A8, A9, D12)."""

from datetime import timedelta
from fractions import Fraction
from math import floor

from model.known import ENDS, candidates, contradicts, day_of, homes, kind_of, order, words
from model.papers import Invoices

from contracts_schema import facts as f

BELIEVED = {  # DESIGN 3.2 and the table "Who is believed"
    "completion": ("project",), "due": ("project",), "forecast": ("project",), "baseline": ("project",),
    "value": ("erp",), "received": ("erp",), "invoice": ("finance", "erp", "supplier_portal"),
    "measure": ("erp", "operator"), "evidence": ("operator", "supplier_portal"), "sign_off": ("operator",),
    "delivery": ("supplier_portal",), "dispute": ("operator", "supplier_portal"), "hold": ("operator",),
    "waiver": ("operator",), "compliance": ("supplier_portal",), "activation": ("operator",),
    "command": ("finance",), "payment": ("finance",),
}  # fmt: skip
FIELD_OF = {
    "milestone.assessed": "completion", "value.agreed": "value", "goods.received": "received",
    "invoice.received": "invoice", "measure.reported": "measure", "evidence.attached": "evidence",
    "sign_off.given": "sign_off", "delivery.claimed": "delivery", "dispute.opened": "dispute", "hold.placed": "hold",
    "reason.waived": "waiver", "compliance.document": "compliance", "milestone.activated": "activation",
    "command.acknowledged": "command", "payment.made": "payment",
}  # fmt: skip
LEAST_FIRST = ("notMet", "scheduled", "partiallyMet", "met")
PROOFS = ("NOT_MET", "EVIDENCE_MISSING", "EVIDENCE_CHANGED", "SIGN_OFF_MISSING")


class Situation:
    """Everything that can be said of a contract at a moment, from its plan and the facts that count."""

    def __init__(self, plan, facts, editions, doubts, moment, roles, person, carried, addressed, heirs):
        self.plan, self.facts, self.doubts, self.carried = plan, facts, doubts, carried
        self.addressed = addressed  # every fact that reached the contract, also those that wait for their milestone
        self.roles, self.person = roles, person
        self.today = day_of(moment, plan.timezone)
        self.milestones = {m.id: m for m in plan.milestones}
        self.heirs = heirs  # of milestones that were replaced
        self.words = words(facts, plan, editions, heirs)
        self.by_kind = {}
        for word in self.words:
            self.by_kind.setdefault(kind_of(word.newest), []).append(word)
        self.invoices = Invoices(self)

    # -- who is believed ----------------------------------------------------------------------------------------------

    def rank(self, field, source):
        """A8: how much a source is believed about a field; None: not at all."""
        names = self.plan.authority.get(field) or BELIEVED[field]
        if source in names:
            return names.index(source)
        return names.index(self.roles[source]) if self.roles[source] in names else None

    def said(self, kind, milestone=None):
        """The words of one kind about a milestone."""
        return [w for w in self.by_kind.get(kind, ()) if milestone is None or milestone in w.milestones]

    def believed(self, kind, milestone):
        """Those of sources that are believed."""
        return [w for w in self.said(kind, milestone) if self.rank(FIELD_OF[kind], w.source) is not None]

    def highest(self, field, spoken):
        """The source of the highest authority among those that have spoken (source to time); of equals the newest."""
        ranked = [(self.rank(field, s), -time, s) for s, time in spoken.items() if self.rank(field, s) is not None]
        return min(ranked)[2] if ranked else None

    # -- completion: D12, A4 -------------------------------------------------------------------------------------------

    def objects(self, milestone):
        """Each source's objects under a milestone: (status, percent, met on, time, the word)."""
        found = {}
        for word in self.said("milestone.assessed", milestone.id):
            found.setdefault(word.source, {})[word.address] = self.progress(word)
        return found

    def progress(self, word):
        """One object: its status; met on the day that the present run of `met` says, or of the run's first word."""
        run = []
        for fact in word.facts:
            run = [*run, fact] if fact.body.status == "met" else []
        met_on = None
        if run:
            said = [x.body.met_on for x in run if x.body.met_on is not f.UNSET]
            met_on = (said[-1] if said else None) or day_of(run[0].time, self.plan.timezone)
        return word.body.status, word.field("percent"), met_on, word.time, word

    def went_back(self, milestone, words):
        """D4: when the milestone last went from met to something less, as its objects spoke one after the other. A
        numbered word comes after those before it, whatever time it bears."""
        said = []
        for word in words:
            times = [fact.time for fact in word.facts]
            said += [(max(times[: n + 1]), word.address, fact.body.status) for n, fact in enumerate(word.facts)]
        now, before, back = {}, False, None
        for moment, address, status in sorted(said, key=lambda x: x[0]):
            now = {a: s for a, s in now.items() if a != address} | ({address: status} if status else {})
            met = set(now.values()) == {"met"} and not self.silent(milestone, now)
            back = moment if before and not met else back
            before = met
        return back

    def completion(self, name):
        """D12: (status, met on, went back, conflict?) in the word of the highest authority that has spoken."""
        milestone, spoken, said, back = self.milestones[name], {}, {}, {}
        for source, objects in self.objects(milestone).items():
            back[source] = self.went_back(milestone, [o[4] for o in objects.values()])
            with_word = {address: o for address, o in objects.items() if o[0] is not None}
            if with_word:
                silent = self.silent(milestone, with_word)
                status = min([o[0] for o in with_word.values()] + silent, key=LEAST_FIRST.index)
                met_on = max((o[2] for o in with_word.values() if o[2]), default=None) if status == "met" else None
                least = min(with_word.values(), key=lambda o: LEAST_FIRST.index(o[0]))
                said[source] = (status, least[1], met_on)
                spoken[source] = max(o[3] for o in with_word.values())
        best = self.highest("completion", spoken)
        if best is None:
            return "scheduled", None, None, False
        words = [(s, p) for s, p, _ in said.values()]
        percents = {Fraction(p) for _, p in words if p is not None}
        differ = len({s for s, _ in words}) > 1 or len(percents) > 1
        return said[best][0], said[best][2], back[best], differ

    def silent(self, milestone, objects):
        """D12: registered keys of a kind of which others have spoken count as scheduled."""
        spoken = {(a.source, a.keys[0]) for a in objects if a.contract is None}
        kinds = {(system, key.partition(":")[0]) for system, key in spoken}
        keys = [(system, key) for system, found in milestone.refs.items() for key in found]
        return ["scheduled" for k in keys if k not in spoken and (k[0], k[1].partition(":")[0]) in kinds]

    def status(self, name):
        return self.completion(name)[0]

    def met_on(self, name):
        return self.completion(name)[1]

    # -- dates and values ----------------------------------------------------------------------------------------------

    def dates(self, name, field):
        """(date believed, conflict?): of several objects of one source the newest word about the field."""
        newest = {}
        for word in self.said("milestone.scheduled", name):
            for fact in word.facts:
                value = getattr(fact.body, field)
                if value is not f.UNSET:
                    newest.setdefault(word.source, {})[word.address] = (order(fact), value, fact.time)
        said = {}
        for source, objects in newest.items():
            stated = [o for o in objects.values() if o[1] is not None]
            if stated:
                said[source] = max(stated)[1:]
        best = self.highest(field, {source: time for source, (_, time) in said.items()})
        if best is None:
            return None, False
        return said[best][0], len({day for day, _ in said.values()}) > 1

    def values(self, name):
        """Each source's word on the value: amounts by currency, summed over lines, where there is a rate of its day in
        the contract's (D3); and the one that is believed."""
        said, spoken = {}, {}
        for word in self.said("value.agreed", name):
            money, sums = word.body.value, said.setdefault(word.source, {})
            rate = self.invoices.rate(money.currency, day_of(word.time, self.plan.timezone))
            coin = money.currency if rate is None else self.plan.currency
            sums[coin] = sums.get(coin, Fraction(0)) + money.minor * (1 if rate is None else rate)
            spoken[word.source] = max(spoken.get(word.source, 0), word.time)
        rounded = {source: {c: floor(x + Fraction(1, 2)) for c, x in sums.items()} for source, sums in said.items()}
        return rounded, self.highest("value", spoken)

    def received(self, name):
        """(lines of the believed source, conflict?) of the receipts under a milestone (C2, A9)."""
        lines, spoken = {}, {}
        for word in self.said("goods.received", name):
            lines.setdefault(word.source, []).append(word)
            spoken[word.source] = max(spoken.get(word.source, 0), word.time)
        best = self.highest("received", spoken)
        return lines.get(best, []), best is not None and len({totals(ws) for ws in lines.values()}) > 1

    # -- conflicts: A9 -------------------------------------------------------------------------------------------------

    def conflicts(self, name):
        """The fields on which systems that have spoken differ."""
        milestone = self.milestones[name]
        said = self.values(name)[0]
        registered = {self.plan.currency: milestone.value}
        found = {
            "completion": self.completion(name)[3],
            "due": self.dates(name, "due")[1],
            "forecast": self.dates(name, "forecast")[1],
            "baseline": self.dates(name, "baseline")[1],
            "value": milestone.value is not None and any(v != registered for v in said.values()),
            "received": self.received(name)[1],
            "invoice": self.invoices.conflict(name),
        }
        return [field for field, differ in found.items() if differ]

    # -- persons -------------------------------------------------------------------------------------------------------

    def signers(self, name):
        """D4: person to what they have signed (names with hashes), for valid signatures."""
        found, back = {}, self.completion(name)[2]
        if "signed_off" not in self.milestones[name].requires:
            return found
        words = self.believed("sign_off.given", name)
        for word in words:
            body = word.body
            if isinstance(body, f.SignOffGiven) and self.may_sign(word, name) and not self.taken_back(word, words):
                at = int(body.signed_at.timestamp() * 1_000_000)
                if back is None or at > back:
                    signed = {(paper, sha.lower()) for paper, sha in body.evidence.items()}
                    found.setdefault(self.person(word.source, body.by), set()).update(signed)
        return found

    def taken_back(self, word, words):
        """D4: the same person has withdrawn it in that role since, in whatever system."""
        return any(
            isinstance(w.body, f.SignOffWithdrawn) and w.body.role == word.body.role and w.time > word.time
            and self.person(w.source, w.body.by) == self.person(word.source, word.body.by)
            for w in words
        )  # fmt: skip

    def may_sign(self, word, name):
        """D4: the role asked for, and authority on the day of signing and up to the value."""
        terms, body = self.plan.sign_off, word.body
        if terms.roles and body.role not in terms.roles:
            return False
        day = day_of(int(body.signed_at.timestamp() * 1_000_000), self.plan.timezone)
        value, who = self.milestones[name].value or 0, self.person(word.source, body.by)
        return not terms.authority or any(
            self.person("", a.person) == who and a.role == body.role and (a.up_to is None or value <= a.up_to)
            and (a.from_ is None or a.from_ <= day) and (a.until is None or day <= a.until)
            for a in terms.authority
        )  # fmt: skip

    def evidence(self, name):
        """The documents attached now, with their hashes: the newest of those that a believed source attached and did
        not take away again."""
        attached = [w for w in self.believed("evidence.attached", name) if isinstance(w.body, f.EvidenceAttached)]
        return {w.body.name: w.body.sha256.lower() for w in sorted(attached, key=lambda w: w.time)}

    def duties(self, name):
        """D5: who delivered, who signed, who issued the invoice, who lifted a hold."""
        claims = self.believed("delivery.claimed", name)
        lifts = [w for w in self.believed("hold.placed", name) if isinstance(w.body, f.HoldLifted)]
        return [
            {self.person(w.source, w.body.by) for w in claims if w.body.by},
            set(self.signers(name)),
            self.invoices.issuers(name),
            {self.person(w.source, w.body.by) for w in lifts},
        ]

    # -- time ----------------------------------------------------------------------------------------------------------

    def in_force(self, milestone):
        """D1: a contingency milestone counts once activated, and the one that it takes over from then no more."""
        if milestone.contingency_for:
            return self.stand_ins(milestone.contingency_for) == [milestone.id]
        return not self.stand_ins(milestone.id)

    def stand_ins(self, name):
        """The one that has taken its place, if any: of several the one whose activation is the newest."""
        words = [(w.time, w.newest.id, m.id) for m in self.plan.milestones if m.contingency_for == name
                 for w in self.believed("milestone.activated", m.id)]  # fmt: skip
        return [max(words)[2]] if words else []

    def on_time(self, name):
        """C6: met by due and tolerance."""
        m = self.milestones[name]
        met_on = self.met_on(name)
        return met_on is not None and m.due is not None and met_on <= m.due + timedelta(days=m.tolerance_days)

    def carried_amount(self, name):
        return self.carried[name].amount if name in self.carried else 0

    def contradicted(self, name):
        said = any(name in w.milestones and contradicts(w, self.addressed) for w in self.words)
        return said or self.invoices.changes_terms(name)

    def unreadable(self, name):
        """A11: sources of doubts of which no newer readable message of that source about it, of that kind, has come."""
        for doubt in self.doubts:
            if name in self.doubtful(doubt) and not any(
                x.source == doubt.source and x.time > doubt.time and doubt.scope in (None, x.kind)
                and (x.kind == "contract.registered" or name in homes(x, self.plan, self.heirs))
                for x in (*self.facts, *self.registrations)
            ):  # fmt: skip
                yield doubt.source

    def doubtful(self, doubt):
        """The milestones that an unreadable message may be about; of a document as a whole, those where a part of an
        older version stands (F9)."""
        if not doubt.document:
            found = candidates(doubt.address, doubt.scope, None, self.plan)
            stays = ENDS.get(doubt.scope, doubt.scope) in ("hold.placed", "dispute.opened")
            return found or (self.heirs.get(doubt.address.milestone, ()) if stays else ())
        parts = [w for w in self.words if (w.source, w.newest.document) == (doubt.source, doubt.document)]
        return [name for word in parts for name in word.milestones]


def totals(lines):
    """A9: received, accepted and rejected, summed over the lines of each unit."""
    units = {}
    for w in lines:
        units.setdefault(w.body.unit, []).append(
            [Fraction(w.body.received), Fraction(w.body.accepted), Fraction(w.body.rejected)]
        )
    return tuple(sorted((unit, tuple(map(sum, zip(*sums, strict=True)))) for unit, sums in units.items()))
