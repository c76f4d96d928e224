"""What one transaction writes, gathered first and written at once, and the report of what it did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from msgspec import Struct, field

from contracts_schema.errors import Refused, Unreadable
from contracts_schema.facts import ABOUT_MESSAGES, Address, Fact
from contracts_schema.records import Record
from contracts_schema.rows import Changes, ParkedRow, StateRow
from services.reconciliation.elsewhere import keys_elsewhere
from services.reconciliation.log import LogEntry
from services.reconciliation.merge import Merged
from services.reconciliation.react import REVIEW, UNPARK, Outcome, Reaction
from services.reconciliation.revise import has_parked
from services.runtime.containment import NOWHERE
from services.runtime.known import KnownStates
from services.runtime.moving import KEYS, NEW_KEYS, has_strays, watches
from services.runtime.outgoing import Said, Topics, commands_of, quarantine_row
from services.runtime.reading import Reader, Reading
from services.runtime.routing import Key, claimed_keys, keys_of_plan, parked_row, plan_in_force
from services.runtime.sizes import CommandSizes
from services.runtime.totals import record_totals
from services.runtime.turn import Turn


class Report(Struct):
    """What one transaction did, for counters and for `milepost try`."""

    outcomes: list[Outcome] = []
    unparked: list[str] = []
    ambiguous: list[Address] = []
    quarantined: list[tuple[str, str]] = []
    ignored: list[str] = []
    said: Said = field(default_factory=Said)
    contracts: int = 0  # how many were decided
    woken: int = 0
    rouses: bool = False  # a contract is to be looked at again at once
    defects: list[tuple[str, str]] = []
    facts: Counter[str] = field(default_factory=Counter)  # how many ended how


class Gathered:
    """`changes` are the rows to be written, `entries` those of the log, decoded; `report` says what was done."""

    def __init__(self, reader: Reader, topics: Topics, sizes: CommandSizes, known: KnownStates) -> None:
        self.changes = Changes()
        self.entries: list[LogEntry] = []
        self.watches: set[tuple[str, str, str]] = set()  # keys that contracts watch, as rows of claims
        self.report = Report()
        self._reader = reader
        self._topics = topics
        self._sizes = sizes
        self._known = known
        self._records: dict[str, Record] = {}
        self._empty: frozenset[Key] = frozenset()

    def nothing_waits(self, keys: Collection[Key]) -> None:
        """No fact is parked under these keys, nor will be while this transaction runs."""
        self._empty = frozenset(keys)

    def note(self, reading: Reading, origin: str) -> None:
        """A record has come from `origin`: it is set aside, has nothing to say, or its facts follow."""
        self._records[origin] = reading.record
        if reading.set_aside is not None:
            self.changes.quarantine.append(reading.set_aside)
            self.report.quarantined.append((origin, reading.set_aside.sentence))
        elif not reading.facts:
            self.report.ignored.append(origin)

    def park(self, fact: Fact, record: Record, ambiguous: bool) -> None:
        """A fact waits until a contract claims it."""
        moment = record.timestamp * 1000
        self.changes.parked.append(parked_row(fact, moment, record.origin, ambiguous=ambiguous, since=moment))
        if type(fact.body) not in ABOUT_MESSAGES:
            self.report.outcomes.append(Outcome(record.origin, Merged.PARKED, fact.address))

    def unpark(self, row: ParkedRow, fact: Fact) -> None:
        """A parked fact waits no longer."""
        self.changes.unparked.append((row.source, row.subject))
        if type(fact.body) not in ABOUT_MESSAGES and row.origin != NOWHERE:
            self.report.unparked.append(row.origin)

    def unpark_anew(self, found: Mapping[tuple[str, str], tuple[ParkedRow, Fact]]) -> None:
        """These wait no longer, by source and subject, not even those that have come in this batch."""
        self.changes.parked = [row for row in self.changes.parked if (row.source, row.subject) not in found]
        for row, fact in found.values():
            self.unpark(row, fact)

    def finish(self, turn: Turn) -> None:
        """A contract's turn counts as it stands."""
        state, encoded = turn.state, turn.encoded
        if encoded is None:
            return  # nothing came for a contract that is not there
        self._known.keep(turn.contract, encoded, state)
        if not turn.reacted:
            return
        self._keep(turn.reaction)
        self._look_at_keys(turn)
        self.report.defects += [(turn.contract, defect) for defect in turn.defects]
        self._claim(turn)
        woken = any(step.wake for step in turn.steps)
        if (state.review != turn.review_before or woken) and not state.frozen:
            self.changes.wakes.append((turn.contract, state.review, REVIEW))
        self.changes.states.append(StateRow(turn.contract, state.revision, encoded))

    def packed(self) -> Changes:
        """Everything to write, with the outbox packed."""
        self.report.said.quarantine += [quarantine_row(q, self._topics.quarantine) for q in self.changes.quarantine]
        self.changes.outbox = self.report.said.rows(self._topics.left_out)
        self.report.rouses = any(moment == 0 for _, moment, _ in self.changes.wakes)
        self.changes.counts = self._counts()
        return self.changes

    def _keep(self, reaction: Reaction) -> None:
        said = self.report.said
        for row, entry in zip(reaction.rows, reaction.entries, strict=True):
            self.changes.log.append(row)
            self.entries.append(entry)
            said.commands += [self._sizes.row_of(command) for command in commands_of(row, entry)]
            if entry.decisions:
                said.revisions.append((row.contract, row.revision))
            said.notices += [(row.contract, row.revision)] if entry.notices else []
            said.milestones.update({(row.contract, d.milestone): None for d in entry.decisions})
        self.report.unparked += reaction.unparked
        self.report.ambiguous += reaction.ambiguous
        for outcome in reaction.outcomes:
            if outcome.origin != NOWHERE:
                self._told(outcome)

    def _told(self, outcome: Outcome) -> None:
        self.report.outcomes.append(outcome)
        if outcome.sentence and outcome.origin in self._records:
            record = self._records[outcome.origin]
            error = Refused if outcome.merged is Merged.REFUSED else Unreadable
            self.changes.quarantine.append(self._reader.quarantined(record, "", error(outcome.sentence)))
            self.report.quarantined.append((outcome.origin, outcome.sentence))

    def _claim(self, turn: Turn) -> None:
        """Claim the keys of a plan that has come into force, and wake the contract for what may have waited for it, and
        for what was known of new milestones, which begin with a hold (rule E1)."""
        contract, plan = turn.contract, plan_in_force(turn.state)
        if turn.raw is None:
            self.changes.claimed.append(("", contract, contract))
        if plan == turn.plan_before:
            return
        now, was = keys_of_plan(plan), keys_of_plan(turn.plan_before)
        self.changes.claimed += [(source, key, contract) for source, key in sorted(now - was)]
        self.changes.unclaimed += [(source, key, contract) for source, key in sorted(was - now)]
        if turn.raw is not None or has_parked(turn.state) or not self._empty.issuperset(claimed_keys(turn.state)):
            self.changes.wakes.append((contract, 0, UNPARK))
        if turn.raw is not None and not now.issubset(was):
            self.changes.wakes.append((contract, 0, NEW_KEYS))
        self.watches |= watches(turn.state, [slot.address for slot in turn.state.slots.values()])
        if keys_elsewhere(turn.state):
            self.changes.wakes.append((contract, 0, KEYS))

    def _look_at_keys(self, turn: Turn) -> None:
        """Watch the keys of what has come by a less specific one; look where something came that is another's."""
        keyed = [o for o in turn.reaction.outcomes if o.address is not None and o.address.contract is None]
        if keyed:
            self.watches |= watches(turn.state, [o.address for o in keyed if o.address is not None])
            if has_strays(turn.state, keyed):
                self.changes.wakes.append((turn.contract, 0, KEYS))

    def _counts(self) -> dict[str, int]:
        self.report.facts = Counter([str(outcome.merged) for outcome in self.report.outcomes])
        counts: dict[str, int] = {"read": len(self._records), "ignored": len(self.report.ignored), **self.report.facts}
        counts["quarantined_records"] = len(self.report.quarantined)
        set_aside = {f"{q.topic}/{q.partition}/{q.offset}": q.fault for q in self.changes.quarantine}
        counts |= record_totals(self._records.keys(), set_aside, self.report.outcomes, self.report.ignored)
        return {name: n for name, n in counts.items() if n}
