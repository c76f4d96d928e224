"""The only door of the thinking room: what arrived for one contract in, what follows from it out.

    merge each fact  ->  decide once per revision  ->  issue what changed

Facts of one call are one revision, cut where a registration comes in or a review falls due between two records (rule
A6). Facts that a registration un-parks follow in a call of their own, after its holds have gone out (rule A10).
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from contracts_schema.facts import Address, ContractRegistered, Fact
from contracts_schema.rows import LogRow
from services.reconciliation.calendar import day_of, later, midnight
from services.reconciliation.contract_case import ContractCase
from services.reconciliation.crosswalk import Index, index_of
from services.reconciliation.log import LogEntry
from services.reconciliation.merge import Merged, Seen, merge
from services.reconciliation.policy import Rules
from services.reconciliation.review import review_before
from services.reconciliation.revise import Revision, revise, unpark
from services.reconciliation.state import Arrival, State
from services.reconciliation.subject import content_of, identity_of
from services.reconciliation.versions import Rejection, put_in_force, register, version_in_force

UNPARK = "unparked"
REVIEW = "review"
REPEATED = "the message was quarantined before, and a repeat repeats the verdict (rule A11)"


class Outcome(Struct, frozen=True):
    """What became of one fact: every one has exactly one outcome. `sentence` says why it was set aside."""

    origin: str
    merged: Merged
    address: Address | None = None
    sentence: str = ""


class Reaction(Struct):
    """What follows: rows for the log with their entries, the outcome of each fact, and what no longer waits."""

    rows: list[LogRow] = []
    entries: list[LogEntry] = []
    outcomes: list[Outcome] = []
    unparked: list[str] = []
    ambiguous: list[Address] = []


def react(state: State, arrivals: Sequence[Arrival], bound: int, rules: Rules, *, wake: str | None = None) -> Reaction:
    """Fold what arrived into the state (changed in place) and say what follows.

    `bound` is the latest moment that a record's timestamp may claim (µs): the database's clock and five seconds (rule
    A5). `wake` says why a contract is looked at again: REVIEW runs what fell due until `bound`; UNPARK lets parked
    facts count that have found their home; anything else (a changed rulebook, an upgrade) decides once more.
    """
    turn = _Turn(state, rules)
    if wake == UNPARK:
        turn.unpark([min(arrival.timestamp, bound) for arrival in arrivals])
    for arrival in arrivals:
        turn.take(arrival, max(state.moment, min(arrival.timestamp, bound)))
    turn.close(wake or "facts", decide_anyway=wake not in (None, REVIEW))
    if wake == REVIEW:
        turn.pass_time(bound)
    state.seen = turn.seen.packed()
    return turn.reaction


class _Turn:
    """The open revision: facts merged and not yet decided."""

    def __init__(self, state: State, rules: Rules) -> None:
        self.state = state
        self.rules = rules
        self.seen = Seen(state.seen)
        self.reaction = Reaction()
        self.applied: list[Fact] = []
        self.moved = False
        self._day_ends = 0  # the moment at which the contract's day ends, for the plan in hand
        self._plan: bytes | None = None
        self._known: Index | None = None  # the index of that plan

    def unpark(self, moments: Sequence[int]) -> None:
        """Let parked facts count, together with what arrives at `moments`; reviews that fell due before go first."""
        self.pass_time(max(moments, default=0))
        origins, self.moved = unpark(self.state)
        self.reaction.unparked += origins

    def take(self, arrival: Arrival, moment: int) -> None:
        """Merge one record's facts; reviews that fell due before it go first."""
        self.pass_time(moment)
        self.state.moment = moment
        for fact in arrival.facts:
            if type(fact.body) is ContractRegistered:
                self.close("facts")
                self._register(fact, arrival.origin)
            else:
                self._merge(fact, arrival.origin)

    def _merge(self, fact: Fact, origin: str) -> None:
        merged = merge(self.state, self.seen, fact, origin, self._index())
        if merged is not Merged.DUPLICATE and merged is not Merged.REPEATED_VERDICT:
            self.applied.append(fact)
        sentence = REPEATED if merged is Merged.REPEATED_VERDICT else ""
        self.reaction.outcomes.append(Outcome(origin, merged, fact.address, sentence))

    def _register(self, fact: Fact, origin: str) -> None:
        identity, content = identity_of(fact), content_of(fact)
        if content in self.seen.told(identity):
            self.reaction.outcomes.append(Outcome(origin, Merged.DUPLICATE, fact.address))
            return
        result = register(self.state, fact)
        if isinstance(result, Rejection):
            self.reaction.outcomes.append(Outcome(origin, Merged.REFUSED, fact.address, result.sentence))
            return
        self.seen.add(identity, content)
        self.applied.append(fact)
        self.reaction.outcomes.append(Outcome(origin, Merged.APPLIED, fact.address))
        self.close("registered")

    def _index(self) -> Index | None:
        plan = self.state.plans[self.state.in_force].plan if self.state.in_force else None
        if plan is not self._plan:
            self._plan, self._known, self._day_ends = plan, None if plan is None else index_of(plan), 0
        return self._known

    def close(self, cause: str, *, decide_anyway: bool = False) -> None:
        """Decide what was merged, as one revision."""
        if self.applied or decide_anyway:
            thoroughly = self.seen.unsettled
            moment, moved = self.state.moment, self.moved
            self._note(revise(self.state, self.applied, moment, cause, self.rules, thoroughly=thoroughly, moved=moved))
            self.seen.unsettled = self.moved = False
            self.applied = []

    def pass_time(self, moment: int) -> None:
        """Run every review that fell due until `moment`, each at the moment it was due (rule A5)."""
        if self.applied and self._begins_new_day(moment):
            self.state.review = self._review_with_applied()
        while (due := self.state.review) is not None and due <= moment:
            if self.applied:
                self.close("facts")  # which says when the review falls due
                continue
            self.state.review = None
            self._note(revise(self.state, (), due, REVIEW, self.rules))

    def _begins_new_day(self, moment: int) -> bool:
        index = self._index()
        if index is None or self.state.moment <= moment < self._day_ends:
            return False
        zone = index.plan.timezone
        today = day_of(self.state.moment, zone)
        self._day_ends = midnight(later(today), zone)
        return today != day_of(moment, zone)

    def _review_with_applied(self) -> int | None:
        index = self._index()
        return review_before(ContractCase(self.state, index, self.state.moment, self.rules)) if index else None

    def _note(self, revision: Revision) -> None:
        if revision.row is not None and revision.entry is not None:
            self.reaction.rows.append(revision.row)
            self.reaction.entries.append(revision.entry)
        self.reaction.ambiguous += revision.parked


def replay(state: State, entry: LogEntry, rules: Rules) -> Revision:
    """Do one logged revision again, under the rules it was taken by: the same row comes out (law 12)."""
    thoroughly, moved = refold(state, entry)
    return revise(state, entry.facts, entry.moment, entry.cause, rules, thoroughly=thoroughly, moved=moved)


def refold(state: State, entry: LogEntry) -> tuple[bool, bool]:
    """Fold the facts of one logged revision into the state again, without the decision: whether all milestones are to
    be decided, and whether parked facts were let in."""
    if entry.facts or entry.cause == UNPARK:
        catch_up(state, entry.moment)
    seen = Seen(state.seen)
    moved = entry.cause == UNPARK and unpark(state)[1]
    index = index_of(state.plans[state.in_force].plan) if state.in_force else None
    for fact in entry.facts:
        if type(fact.body) is ContractRegistered:
            register(state, fact)
            seen.add(identity_of(fact), content_of(fact))
        else:
            merge(state, seen, fact, "", index)
    state.seen = seen.packed()
    if entry.cause == REVIEW:
        state.review = None
    return seen.unsettled, moved


def catch_up(state: State, moment: int) -> None:
    """Put in force the version whose day had come by `moment`: where that changed no decision, no revision says so."""
    version = version_in_force(state, moment)
    if state.in_force and version != state.in_force:
        put_in_force(state, version)
