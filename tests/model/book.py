"""The model's book of one contract: it hears records, lets the time pass, decides, and notes what finance is told."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from model.amounts import NOTHING, Carried, amounts
from model.hearing import Doubt, Ear
from model.known import content, day_of, homes, order, subject
from model.payments import exceptions, targets
from model.reasons import blocking
from model.situation import PROOFS, Situation
from msgspec.structs import replace

from contracts_schema import facts as f
from contracts_schema.money import format_amount
from contracts_schema.plan import decode_plan

PARTIAL = ("PARTLY_ACCEPTED", "DISPUTED", "PARTLY_INVOICED", "RETENTION", "ADVANCE_RECOUPED", "LATE_DAMAGES",
           "CAP_REACHED")  # fmt: skip


class Stand(NamedTuple):
    """One milestone as it stands, in minor units."""

    status: str
    value: int
    released: int
    held: int
    allowed: int
    carried: object
    reasons: tuple  # (code, amount)
    conflicts: tuple
    exceptions: tuple
    targets: tuple  # (number, net, currency, payable, state)


class Book:
    """One contract, as the model knows it."""

    def __init__(self, sources, people):
        self.ear = Ear(sources, people)
        self.roles = {name: source.role for name, source in sources.items()}
        self.moment = 0
        self.plans = {}  # version to its facts, oldest first
        self.facts, self.waiting, self.parked = [], [], []  # that count; whose milestone is not known; of nobody
        self.parked_doubts = []
        self.told = []  # every fact that reached the contract, repeats too
        self.editions = {}  # the newest version of each document that anybody was told of
        self.doubts, self.doubted, self.verdicts, self.seen = [], set(), set(), set()
        self.in_force, self.opened = 0, False
        self.in_plan = set()  # all milestones that were ever in force
        self.heirs_of = {}  # of those that were replaced, who has taken over
        self.stood = {}  # where what is under a system's key stood before the plan changed
        self.released, self.carried, self.known = {}, {}, set()
        self.last, self.commands, self.stands = {}, [], {}

    # -- what happens --------------------------------------------------------------------------------------------------

    def hear(self, *records):
        """One or more records of one commit, within one day (A5, A6)."""
        before, reached = self.in_force, False
        for record in records:
            heard = self.ear.hear(record)
            if any(self.reaches(x) or self.would_miss(x) for x in (*heard.facts, *heard.doubts)):
                reached = True
                moment = max(self.moment, record.timestamp * 1000)
                self.pass_time(moment)
                self.moment = moment
            self.take(heard)
        if reached:
            self.decide()
        self.look_for_homes(before)

    def reaches(self, said):
        """A5, A10: what names the contract, or a key that it claims, is told to it; another record does not wake it."""
        address = said.address
        if address.contract is not None:
            return bool(self.plans) or isinstance(getattr(said, "body", None), f.ContractRegistered)
        refs = [m.refs for m in self.plan.milestones] + [self.plan.refs] if self.in_force else []
        return any(key in found.get(address.source, ()) for found in refs for key in address.keys)

    def would_miss(self, said):
        """F9: a newer version, or one that cannot be read, of a document that the contract has had a part of."""
        document = (said.source, said.document)
        if document not in {(fact.source, fact.document) for fact in self.told if fact.document}:
            return False
        newer = getattr(said, "edition", 0) > self.editions.get(document, 0)
        return newer or (isinstance(said, Doubt) and doubt_key(said) not in self.doubted)

    def pass_until(self, moment):
        """Let the time pass, without a record."""
        before = self.in_force
        self.pass_time(moment)
        self.look_for_homes(before)

    def pass_time(self, until):
        """A5: look again at every midnight in the contract's zone; a rule that has nothing to say changes nothing."""
        while self.in_force and (midnight := self.next_midnight()) <= until:
            self.moment = midnight
            self.decide()

    def next_midnight(self):
        zone = self.plan.timezone
        day = day_of(self.moment, zone) + timedelta(days=1)
        begins = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
        return int(begins.timestamp()) * 1_000_000

    def look_for_homes(self, before):
        """A10: what a registration un-parks is applied together as the next revision."""
        if self.in_force != before:
            parked, waiting = self.parked, self.waiting
            self.parked = [x for x in parked if not self.reaches(x)]
            self.waiting = [x for x in waiting if not homes(x, self.plan, self.heirs_of)]
            self.facts = self.facts + [x for x in waiting if homes(x, self.plan, self.heirs_of)]
            for fact in parked:
                if self.reaches(fact):
                    self.take_fact(fact, ())
            doubts, self.parked_doubts = self.parked_doubts, []
            for doubt in doubts:
                self.take_doubt(doubt)
            self.decide()

    # -- facts ---------------------------------------------------------------------------------------------------------

    def take(self, heard):
        for doubt in heard.doubts:
            self.take_doubt(doubt)
        self.doubts = [d for d in self.doubts if d.verdict not in heard.settles and d.record not in heard.settles]
        for fact in heard.facts:
            if fact.document:
                document = (fact.source, fact.document)
                self.editions[document] = max(fact.edition, self.editions.get(document, 0))
            self.take_fact(fact, heard.settles)

    def take_doubt(self, doubt):
        """A11: a doubt dates from its first arrival; under a key that nobody claims it waits like any fact. One about a
        document as a whole waits for nothing: it is in doubt wherever a part of it stands, or will (F9)."""
        if not doubt.document and not self.reaches(doubt):
            self.parked_doubts.append(doubt)
        elif doubt_key(doubt) not in self.doubted:
            self.doubted.add(doubt_key(doubt))
            self.verdicts.add(doubt.verdict)
            self.doubts.append(doubt)

    def take_fact(self, fact, settles):
        verdict = (fact.source, fact.id, content(fact))
        if not self.reaches(fact):
            self.parked.append(fact)  # nobody claims its key: it waits where nobody looks at it
            return
        if verdict in self.verdicts and not settles:
            return  # a repeat repeats the verdict (A11)
        self.told.append(fact)
        if verdict in self.seen:
            return  # a repeat (A2)
        self.seen.add(verdict)
        if isinstance(fact.body, f.ContractRegistered):
            self.plans.setdefault(fact.body.version, []).append(fact)
        elif self.in_force and homes(fact, self.plan, self.heirs_of):
            self.facts.append(fact)
        else:
            self.waiting.append(fact)

    # -- plans: B3, A2 -------------------------------------------------------------------------------------------------

    @property
    def plan(self):
        return self.plan_of(self.in_force)

    def plan_of(self, version):
        return decode_plan(max(self.plans[version], key=order).body.plan)

    def version_in_force(self):
        """B3: the highest version that is approved and whose day has come."""
        return max((v for v in self.plans if v == 1 or self.is_in_force(self.plan_of(v))), default=0)

    def is_in_force(self, plan):
        amendment = plan.amendment
        if amendment is None or amendment.state != "approved":
            return False
        return amendment.effective_from is None or amendment.effective_from <= day_of(self.moment, plan.timezone)

    def plan_contradicted(self):
        """A2: two contents under one version; an amendment's state may change (B3)."""
        said = [decode_plan(x.body.plan) for x in self.plans[self.in_force]]
        bare = {repr(replace(p, amendment=None)) for p in said}
        return len(bare) > 1

    def bring_into_force(self):
        version = self.version_in_force()
        late = not self.opened and 1 in self.plans
        if version == self.in_force and not late:
            return
        if self.in_force:
            under_keys = [x for x in self.facts if x.address.contract is None]
            stood = {subject(x): homes(x, self.plan, self.heirs_of) for x in under_keys}
            self.stood |= {what: found for what, found in stood.items() if found}
        self.in_force = version
        if late:
            self.open_accounts()
        self.hand_over(late)
        names = {m.id for m in self.plan.milestones}
        for what, found in self.stood.items():  # under keys that may tell no more
            now = [x for name in found for x in ((name,) if name in names else self.heirs_of.get(name, ()))]
            self.heirs_of[what] = tuple(dict.fromkeys(now))

    def open_accounts(self):
        """B8: what was released before Milepost counts as carried, also where version 1 comes after a later one."""
        self.opened = True
        for m in self.plan_of(1).milestones:
            if m.opening:
                opened = frozenset([(m.id, m.opening.released)])
                self.carry(m.id, Carried(m.opening.released, {}, m.opening.as_of, opened=opened))
                self.released[m.id] = max(self.released.get(m.id, 0), self.carried[m.id].out)

    def carry(self, name, more):
        """More is carried to a milestone than before."""
        known = self.carried.get(name, NOTHING)
        self.carried[name] = Carried(
            known.amount + more.amount,
            known.paid | more.paid,
            max((day for day in (known.until, more.until) if day), default=None),
            known.beyond + more.beyond,
            known.opened | more.opened,
        )

    def hand_over(self, late):
        """E3: what was released moves to the successors in plan order up to their values, the rest to the last. A
        version that never came into force says all the same what replaces what."""
        replaced = [(name, m.id) for v in sorted(self.plans) if v <= self.in_force
                    for m in self.plan_of(v).milestones for name in m.replaces]  # fmt: skip
        names = {m.id for m in self.plan.milestones}
        heirs_of = {name: self.heirs(name, replaced, names) for name in self.in_plan - names}
        self.heirs_of = {
            name: tuple(m.id for m in self.plan.milestones if m.id in found) for name, found in heirs_of.items()
        }
        self.in_plan |= names
        for name in dict.fromkeys(name for name, _ in replaced if name in self.released and name not in names):
            heirs = self.heirs(name, replaced, names)
            successors = [m for m in self.plan.milestones if m.id in heirs]
            if not successors:
                continue
            pot, old = self.released.pop(name, 0), self.carried.pop(name, NOTHING)
            within = (
                late and pot == old.out and (name, pot) in old.opened
            )  # A7: known only now, and part of what is out
            now = {t[0]: t[3] for t in self.last[name][3] if t[3] > 0} if name in self.last else {}
            paid = old.paid | ({(name, len(self.commands)): now} if now else {})
            for m in successors:
                taken = self.carried.get(m.id, NOTHING).amount if within else self.released.get(m.id, 0)
                moved = min(pot, max(0, (m.value or 0) - taken))
                rest = pot - moved if m is successors[-1] else 0
                pot -= moved
                self.carry(m.id, Carried(moved, paid, old.until, rest, old.opened))
                before = self.released.get(m.id, 0)
                self.released[m.id] = max(before, self.carried[m.id].out) if within else before + moved + rest

    def heirs(self, name, replaced, names):
        """Those of the plan that replace a milestone, or what has replaced it."""
        next_ones = {new for old, new in replaced if old == name}
        return {x for new in next_ones for x in ({new} if new in names else self.heirs(new, replaced, names))}

    # -- the decision: C7, C8, D9, D13 ---------------------------------------------------------------------------------

    def decide(self):
        self.bring_into_force()
        if not self.in_force:
            return
        s = Situation(self.plan, self.facts, self.editions, self.doubts, self.moment, self.roles, self.ear.person,
                      self.carried, self.facts + self.waiting, self.heirs_of)  # fmt: skip
        s.plan_contradicted = self.plan_contradicted()
        s.registrations = [x for said in self.plans.values() for x in said]
        block = {m.id: blocking(s, m) for m in self.plan.milestones}
        proven = {name: not set(codes) & set(PROOFS) for name, codes in block.items()}
        worth = amounts(s, proven, self.carried)
        cap = self.plan.value_cap
        room = None if cap is None else cap - sum(self.released.values())
        for m in self.plan.milestones:
            if m.value is None:
                continue
            before, fresh = self.released.get(m.id, 0), m.id not in self.known
            allowed, now = worth[m.id].allowed, before
            if not block[m.id] and not fresh:
                now = max(before, allowed if room is None else min(allowed, before + max(0, room)))
            room = None if room is None else room - (now - before)
            self.released[m.id] = now
        self.spread_above_cap(room)
        self.stands = {m.id: self.stand(s, m, block[m.id], worth.get(m.id), room) for m in self.plan.milestones}
        self.tell_finance()
        self.note_withdrawn()

    def spread_above_cap(self, room):
        """C7, C8: what an amendment of the cap leaves above it lies with the last milestones of the plan."""
        self.above, left = {}, max(0, -(room or 0))
        for m in reversed(self.plan.milestones):
            self.above[m.id] = min(left, self.released.get(m.id, 0))
            left -= self.above[m.id]

    def stand(self, s, m, codes, worth, room):
        status, conflicts = s.status(m.id), tuple(s.conflicts(m.id))
        if m.value is None:
            return Stand(status, 0, 0, 0, 0, None, (), conflicts, exceptions(s, m, 0, False), ())
        released, carried = self.released[m.id], self.carried.get(m.id, NOTHING)
        held = max(0, m.value - released)
        most = min(worth.allowed, released - self.above[m.id])
        over = max(most, carried.amount) < released
        taken = dict(worth.taken)
        if room is not None and worth.allowed - released > max(0, room):
            taken["CAP_REACHED"] = worth.allowed - released - max(0, room)
        rest = max(0, held - sum(taken.values()))
        reasons = [(code, rest) for code in codes]
        reasons += [("OVER_RELEASED", released - most)] if over else []
        reasons += taken.items()
        return Stand(status, m.value, released, held, worth.allowed, carried.out or None, tuple(reasons), conflicts,
                     exceptions(s, m, released, over), targets(s, m, released, carried))  # fmt: skip

    # -- commands: E1, law 6 -------------------------------------------------------------------------------------------

    def tell_finance(self):
        for m in self.plan.milestones:
            if m.value is None:
                continue
            self.known.add(m.id)
            p, last = self.stands[m.id], self.last.get(m.id)
            said = (p.value, p.released, p.held, p.targets)
            if said != last:
                more = last is not None and p.released > last[1]
                action = "hold" if p.held > 0 and not more else "release"
                self.commands.append((m.id, action, *said))
                self.last[m.id] = said

    def commands_on_the_wire(self):
        """Milestone, action and amounts of each command as it says them; the rest of a target is not the model's."""
        currency = self.plan.currency if self.in_force else ""
        return without_repeats([(m, action, *(format_amount(x, currency) for x in (value, released, held)))
                                for m, action, value, released, held, _ in self.commands])  # fmt: skip

    def note_withdrawn(self):
        """D11: removed from the plan after money was released; no command."""
        for name, released in self.released.items():
            if name not in self.stands and released:
                self.stands[name] = Stand("scheduled", 0, released, 0, 0, None, (), (), ("WITHDRAWN",), ())


def doubt_key(doubt):
    """What is one doubt: a message, and what it leaves in doubt."""
    return doubt.verdict, doubt.address, doubt.document


def without_repeats(commands):
    """Commands of one milestone that say the same amounts in a row, once: where only the invoices changed that the
    amounts lie on, which are not the model's, what follows a release is a hold of the rest."""
    last, kept = {}, []
    for milestone, action, *said in commands:
        if last.get(milestone) != said:
            kept.append((milestone, action, *said))
        last[milestone] = said
    return kept
