"""A state machine of every kind of fact: right, wrong, late, twice, contradicting, or never meant for it. The laws are
looked at on the real core after each step, and at the end of each history.

Which histories are tried follows from the text of the class: whoever changes a letter of it tries others.
"""

from dataclasses import replace
from datetime import timedelta
from hashlib import blake2b

from builders import micros, record_of, waived
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from laws import happenings as h
from laws.house import House
from laws.oracle import open_holds
from ubl_papers import sent, unreadable

from contracts_schema.facts import ContractRegistered
from contracts_schema.plan import decode_plan
from contracts_schema.reasons import BLOCKING, PARTIAL, REMEDIES, HoldReason
from contracts_schema.records import REDRIVE_HEADER, Record
from services.reconciliation.issue import is_due
from services.reconciliation.log import read_entry
from services.reconciliation.react import replay
from services.reconciliation.state import State, decode_state, encode_state, packed
from services.runtime.hallway import Hallway
from services.runtime.outgoing import Topics, commands_of

SEEDS = st.integers(0, 2**40)
ALL_KINDS = list(h.SAYS)


class Lawful(RuleBasedStateMachine):
    """The world tells, the core decides, and the laws are looked at."""

    def __init__(self):
        super().__init__()
        self.story = House(people=h.PEOPLE)
        self.world = h.World()
        self.events, self.records, self.spoilt = [], [], []
        self.any_order = True  # law 1 speaks of this history
        self.looked_at = self.commanded = 0
        self.facts, self.plans, self.last, self.released = [], {}, {}, {}
        self.lifted = set()

    # -- what happens --------------------------------------------------------------------------------------------------

    @initialize(seed=SEEDS)
    def the_contract_is_registered(self, seed):
        rng = h.a_generator(seed)
        registration = h.first_plan(rng, self.world)
        self.any_order = not any(m.get("opening") for m in self.world.plan["milestones"])
        early = [h.a_fact(rng, self.world, ALL_KINDS) for _ in range(rng.choice([0, 0, 0, 3]))]
        self.tell(*early, registration)

    @rule(seed=SEEDS)
    def progress_is_reported(self, seed):
        self.tell_any(
            seed, ["milestone.assessed"] * 3 + ["milestone.scheduled", "delivery.claimed", "milestone.activated"]
        )

    @rule(seed=SEEDS)
    def the_erp_speaks(self, seed):
        self.tell_any(seed, ["goods.received", "goods.received", "value.agreed", "measure.reported"])

    @rule(seed=SEEDS)
    def papers_come(self, seed):
        self.tell_any(seed, ["evidence.attached", "evidence.removed", "compliance.document"])

    @rule(seed=SEEDS)
    def invoices_come(self, seed):
        self.tell_any(seed, ["invoice.received"])

    @rule(seed=SEEDS)
    def a_document_comes(self, seed):
        self.carry(self.a_document(h.a_document(h.a_generator(seed), self.world)))

    @rule(seed=SEEDS)
    def a_document_cannot_be_read(self, seed):
        value = unreadable(h.a_document(h.a_generator(seed), self.world))
        if any(record.value == value for record in self.records):
            self.any_order = False  # of two arrivals of what cannot be read the first counts
        self.carry(self.a_document(value))

    def a_document(self, value):
        self.story.now += timedelta(seconds=1)
        self.records.append(sent(value, self.story.now))
        return self.records[-1]

    @rule(seed=SEEDS)
    def persons_act(self, seed):
        self.tell_any(seed, ["sign_off.given", "sign_off.withdrawn", "hold.placed", "hold.lifted", "reason.waived",
                             "dispute.opened", "dispute.resolved"])  # fmt: skip

    @rule(seed=SEEDS)
    def finance_answers(self, seed):
        self.tell_any(seed, ["command.acknowledged", "payment.made", "hold.observed"])

    @rule(seed=SEEDS)
    def all_proof_of_a_milestone_comes(self, seed):
        rng = h.a_generator(seed)
        self.tell(*h.proofs_of(rng, self.world, rng.choice(self.world.names)))

    @rule(seed=SEEDS)
    def several_facts_come_in_one_commit(self, seed):
        rng = h.a_generator(seed)
        events = [h.a_fact(rng, self.world, ALL_KINDS) for _ in range(rng.randint(2, 5))]
        if rng.random() < 0.5:
            events += h.proofs_of(rng, self.world, rng.choice(self.world.names))
        self.tell_together(*events)

    @rule(seed=SEEDS)
    def something_late_comes(self, seed):
        rng = h.a_generator(seed)
        event = h.a_fact(rng, self.world, ALL_KINDS)
        self.tell(replace(event, time=self.story.now - timedelta(hours=rng.choice([1, 5, 48]))))

    @rule(seed=SEEDS)
    def old_records_come_again(self, seed):
        rng = h.a_generator(seed)
        for record in rng.choices(self.records, k=3):
            self.carry(record)

    @precondition(lambda self: self.events)
    @rule(seed=SEEDS)
    def something_is_said_again_or_otherwise(self, seed):
        """Under another id; under the same id with other data; or as another system's word."""
        rng = h.a_generator(seed)
        event = rng.choice(self.events)
        match rng.choice(["other id", "other data", "other source", "other time"]):
            case "other id":
                self.tell(replace(event, id=f"again{seed}", time=None))
            case "other data":
                other = h.a_fact(rng, self.world, [event.kind])
                data = other.data | ({"version": event.data["version"]} if "version" in event.data else {})
                self.tell(replace(other, data=data, source=event.source, id=rng.choice([event.id, None])))
            case "other source":
                self.tell(replace(event, source=rng.choice(["erp", "pm", "portal", "ap", "office"]), id=None))
            case "other time":
                self.any_order = False  # of two arrivals of one event the first counts
                self.tell(replace(event, time=None))

    @rule(seed=SEEDS)
    def something_cannot_be_read(self, seed):
        rng = h.a_generator(seed)
        event = h.a_fact(rng, self.world, ALL_KINDS)
        spoilt = h.unreadable(rng, self.world, event)
        if spoilt is event:
            spoilt = replace(event, time=self.story.now + timedelta(days=rng.choice([2, 40])))
        self.spoilt.append(self.told(spoilt))
        self.carry(self.spoilt[-1])

    @precondition(lambda self: self.spoilt)
    @rule(seed=SEEDS)
    def it_is_sent_once_more(self, seed):
        """As it was, or by hand after somebody looked (redriven)."""
        rng = h.a_generator(seed)
        record, self.any_order = rng.choice(self.spoilt), False
        self.story.now += timedelta(seconds=1)
        headers = ((REDRIVE_HEADER, b"x"),) if rng.random() < 0.5 else ()
        again = Record(record.topic, 0, 0, micros(self.story.now) // 1000, None, headers, record.value)
        self.carry(again)

    @rule(seed=SEEDS)
    def the_contract_is_amended(self, seed):
        self.any_order = False  # what was released decides what is carried
        self.tell(h.amended_plan(h.a_generator(seed), self.world))

    @precondition(lambda self: self.world.plan and "amendment" in self.world.plan)
    @rule(seed=SEEDS)
    def the_amendment_is_approved_or_told_otherwise(self, seed):
        again = h.approved(self.world)
        if again is None and h.a_generator(seed).random() < 0.3:
            again = h.contradicting_plan(self.world)
        if again is not None:
            self.tell(again)

    @rule(seed=SEEDS)
    def time_passes(self, seed):
        self.let_pass(h.days_later(h.a_generator(seed)))

    @rule()
    def the_worker_starts_anew(self):
        """What is kept beside the state is gone; the store's bytes are decoded."""
        s = self.story
        s.hallway = Hallway(s.store, s.hallway.reader, s.rules, Topics(), s.release)

    @rule(seed=SEEDS)
    def a_standing_reason_is_waived(self, seed):
        rng = h.a_generator(seed)
        found = [(m, str(r.code)) for m, s in self.story.standings().items() for r in s.position.reasons
                 if r.code in h.WAIVABLE]  # fmt: skip
        if found:
            milestone, code = rng.choice(found)
            self.tell(waived(code, milestone, ticket="T-9"))
            self.lifted.add((milestone, code))

    # -- telling -------------------------------------------------------------------------------------------------------

    def tell_any(self, seed, kinds):
        self.tell(h.a_fact(h.a_generator(seed), self.world, kinds))

    def tell(self, *events):
        for event in events:
            self.carry(self.told(event))

    def tell_together(self, *events):
        hour = self.story.now.replace(minute=0, second=0)
        if self.story.now > hour + timedelta(minutes=58):
            self.story.now += timedelta(minutes=3)  # one commit within one day
        self.carry(*[self.told(event) for event in events])

    def told(self, event):
        """The record of an event; it is kept so that it can come again."""
        self.story.now += timedelta(seconds=1)
        named = replace(event, id=event.id or f"e{len(self.records)}", time=event.time or self.story.now)
        record = record_of(named, self.story.now, named.id)
        self.records.append(record)
        if event.kind in h.SAYS:
            self.events.append(named)
        if event.kind == "reason.waived":
            self.lifted = {(m, code) for m, code in self.lifted if code != event.data["code"]}
        return record

    def carry(self, *records):
        self.story.carry(list(records))
        self.look()

    def let_pass(self, time):
        self.story.now += time
        self.story.clock(self.story.now)
        self.look()

    # -- the laws, after every step ------------------------------------------------------------------------------------

    def look(self):
        assert not self.story.defects
        self.look_at_commands()
        rows = self.story.log()
        for row in rows[self.looked_at :]:
            self.look_at_revision(read_entry(row))
        self.looked_at = len(rows)
        standings = self.story.standings()
        self.look_at_waivers(standings)
        self.look_at_the_whole(standings)

    def look_at_commands(self):
        """Laws 6 and 7."""
        commands = self.story.commands
        for command in commands[self.commanded :]:
            self.commanded += 1
            assert command["sequence"] == self.commanded
            last = self.last.get(command["milestone"])
            assert last is None or any(last[k] != command[k] for k in ("value", "released_to_date", "held", "targets"))
            self.last[command["milestone"]] = command

    def look_at_revision(self, entry):
        """Laws 3, 4, 10 and 11 of every decision."""
        before = {**self.released}
        for fact in entry.facts:
            if isinstance(fact.body, ContractRegistered):
                self.plans[fact.body.version, fact.id] = decode_plan(fact.body.plan)
            else:
                self.facts.append(fact)
        for d in entry.decisions:
            codes = [HoldReason(r.code) for r in d.reasons]
            assert codes == sorted(codes, key=list(HoldReason).index)
            assert d.reasons or d.held == 0
            assert all(r.amount >= 0 and r.detail and REMEDIES[HoldReason(r.code)].clears_when for r in d.reasons)
            self.look_at_amounts(d, codes)
            rise = d.released > before.get(d.milestone, 0)
            carried = (d.carried or 0) > 0 and d.milestone not in before
            assert d.released >= before.get(d.milestone, 0)
            if rise and not carried and not self.comes_anew(d):
                assert not {*codes} & {*BLOCKING}
                assert d.released <= d.value
                assert d.released <= max(d.allowed, d.carried or 0)
                assert not self.person_holds(d.milestone)
            self.released[d.milestone] = d.released

    def look_at_amounts(self, d, codes):
        """Rule D9: without a blocking reason the partial ones add up to what is held."""
        if not {*codes} & {*BLOCKING}:
            assert sum(r.amount for r in d.reasons if r.code in PARTIAL) == d.held

    def comes_anew(self, d):
        """What was released under another name comes over, and no proof is needed for that (rule E3)."""
        return any(m.id == d.milestone and m.replaces for plan in self.plans.values() for m in plan.milestones)

    def person_holds(self, name):
        """Law 4, in the oracle's plain words."""
        state = self.story.state()
        plan = decode_plan(state.plans[state.in_force].plan)
        milestone = next((m for m in plan.milestones if m.id == name), None)
        return milestone is not None and name in before_last(self.facts, milestone, plan, self.story.rules)

    def look_at_waivers(self, standings):
        """Law 5: what was waived as a whole does not return while the waiver stands."""
        assert not {(m, str(r.code)) for m, s in standings.items() for r in s.position.reasons} & self.lifted

    def look_at_the_whole(self, standings):
        """Law 12's other half: what was decided in part is what is decided as a whole, and finance knows it."""
        state = self.story.state() if standings else None
        for name, standing in standings.items():
            if standing.case is not None:
                whole = packed((*standing.position[:-1], standing.status))
                assert state.milestones[name].decided == blake2b(whole, digest_size=16).digest()
                assert standing.case.milestone.value is None or not is_due(
                    standing.position, state.milestones[name].last
                )

    # -- and at the end ------------------------------------------------------------------------------------------------

    def teardown(self):
        if not self.records:
            return
        self.let_pass(timedelta(days=20))
        self.look_at_coding()
        self.look_at_rebuilding()
        self.look_at_repeats()
        if self.any_order:
            self.look_at_another_order()

    def look_at_coding(self):
        """Law 8."""
        if self.story.raw():
            assert encode_state(self.story.state()) == self.story.raw()

    def look_at_rebuilding(self):
        """Law 12: the same rows and commands, id for id."""
        rebuilt, commands = State("C-1"), []
        for row in self.story.log():
            revision = replay(rebuilt, read_entry(row), self.story.rules)
            assert revision.row == row
            commands += [command.command_id for command in commands_of(row, revision.entry)]
            rebuilt = decode_state(encode_state(rebuilt))
        assert commands == [command["command_id"] for command in self.story.commands]

    def look_at_repeats(self):
        """Law 2: everything once more changes nothing and issues nothing."""
        before = self.story.raw(), self.story.log(), self.story.commands
        for record in reversed(self.records):
            self.story.carry([record])
        assert (self.story.raw(), self.story.log(), self.story.commands) == before

    def look_at_another_order(self):
        """Law 1: the same allowed amounts."""
        other = House(people=h.PEOPLE)
        h.a_generator(len(self.records)).shuffle(shuffled := list(self.records))
        for record in shuffled:
            other.carry([record])
        other.clock(self.story.now)
        assert allowed(other) == allowed(self.story)


def allowed(story):
    return {m: s.position.allowed for m, s in story.standings().items()}


def before_last(facts, milestone, plan, rules):
    """The milestone's name where a person of the operator holds it."""
    return [milestone.id] if open_holds(facts, milestone, plan, rules) else []
