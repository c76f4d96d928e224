"""The work of one transaction: which contract each fact goes to, what follows there, and everything to be written.

Locks are taken in one order, offsets, then keys, documents, contracts and claimed invoices, each sorted: two workers
wait for each other but never in a circle. A contract's row is locked before it is loaded, so that two workers never
decide one contract at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct, field

from contracts_schema.errors import Refused, Unreadable
from contracts_schema.facts import ABOUT_MESSAGES, Address, ContractRegistered, Fact
from contracts_schema.failpoints import failpoint
from contracts_schema.records import Record
from contracts_schema.rows import Changes, Review, StateRow
from services.ports import Batch, Store
from services.reconciliation.log import LogEntry
from services.reconciliation.merge import Merged
from services.reconciliation.policy import Rules
from services.reconciliation.react import REVIEW, UNPARK, Outcome, Reaction
from services.reconciliation.state import Arrival
from services.runtime.claims import CLAIMS, settle_claims
from services.runtime.containment import NOWHERE, Containment, Step
from services.runtime.documents import (
    DOCUMENTS,
    Told,
    document_of,
    heard_again,
    heard_in,
    is_about_document,
    locked,
    reached_by,
    tell,
)
from services.runtime.known import KnownStates
from services.runtime.outgoing import RECORD_BYTES, Said, Topics, commands_of, quarantine_row
from services.runtime.reading import Reader, Reading
from services.runtime.routing import (
    Key,
    contracts_of,
    keys_of,
    keys_of_plan,
    keys_to_claim,
    parked_row,
    plan_in_force,
)
from services.runtime.sizes import CommandSizes
from services.runtime.totals import record_totals
from services.runtime.turn import Turn
from services.runtime.unparking import Waiting, waiting_for

CLOCK_AHEAD_US = 5_000_000  # how far a record's timestamp may run before the database's clock (rule A5)


class Report(Struct):
    """What one transaction did, for counters and for `milepost try`."""

    outcomes: list[Outcome] = []
    unparked: list[str] = []
    ambiguous: list[Address] = []
    quarantined: list[tuple[str, str]] = []
    ignored: list[str] = []
    said: Said = field(default_factory=Said)
    woken: int = 0
    rouses: bool = False  # a contract is to be looked at again at once
    defects: list[tuple[str, str]] = []


class Work:
    """One transaction's work, gathered first and written at once. `now` is the store's clock (µs)."""

    def __init__(
        self, reader: Reader, rules: Rules, topics: Topics, release: str, now: int, known: KnownStates,
        record_bytes: int = RECORD_BYTES,
    ) -> None:  # fmt: skip
        self.report = Report()
        self.entries: list[LogEntry] = []  # of the rows for the log, one each
        self._reader = reader
        self._topics = topics
        self._now = now
        self._bound = now + CLOCK_AHEAD_US
        self._known = known
        self._sizes = CommandSizes(topics.commands, record_bytes)
        self._containment = Containment(rules, release, self._sizes)
        self._changes = Changes()
        self._arrivals: dict[str, list[Arrival]] = {}
        self._records: dict[str, Record] = {}

    # -- which contract ------------------------------------------------------------------------------------------

    async def route(self, batch: Batch, readings: Sequence[Reading]) -> None:
        """Give every fact to the contract that claims it; park what nobody claims."""
        homeless: list[tuple[Reading, Fact]] = []
        registered = {f.address.contract for r in readings for f in r.facts if isinstance(f.body, ContractRegistered)}
        claims = await batch.claims({key for r in readings for f in r.facts for key in keys_of(f)})
        for reading in readings:
            self._note(reading)
            homeless += self._assign(reading, reading.facts, claims, registered)
        await self._lock_and_park(batch, readings, homeless, registered)
        await self._tell_of_documents(batch, readings)

    def _note(self, reading: Reading) -> None:
        self._records[reading.record.origin] = reading.record
        if reading.set_aside is not None:
            self._changes.quarantine.append(reading.set_aside)
            self.report.quarantined.append((reading.record.origin, reading.set_aside.sentence))
        elif not reading.facts:
            self.report.ignored.append(reading.record.origin)

    def _assign(
        self, reading: Reading, facts: Iterable[Fact], claims: Mapping[Key, tuple[str, ...]],
        registered: Collection[str | None],
    ) -> list[tuple[Reading, Fact]]:  # fmt: skip
        homeless = []
        mine: dict[str, list[Fact]] = {}
        for fact in facts:
            contracts = contracts_of(fact, claims, registered)
            if not contracts and not is_about_document(fact):
                homeless.append((reading, fact))
            for contract in contracts:
                mine.setdefault(contract, []).append(fact)
        record = reading.record
        for contract, found in mine.items():
            arrival = Arrival(tuple(found), record.timestamp * 1000, record.origin)
            self._arrivals.setdefault(contract, []).append(arrival)
        return homeless

    async def _lock_and_park(
        self, batch: Batch, readings: Sequence[Reading], homeless: Sequence[tuple[Reading, Fact]],
        registered: Collection[str | None],
    ) -> None:  # fmt: skip
        """Park under shared locks, claim under exclusive ones: nobody parks a fact while its contract comes in unseen.

        Keys of a plan that comes into force by a later review are not locked; the sweep over stranded facts mends that.
        """
        keys = {key for _, fact in homeless for key in keys_of(fact)}
        claimed = {key for r in readings for fact in r.facts for key in keys_to_claim(fact)}
        if keys or claimed:
            await batch.lock_keys(keys - claimed, claimed)
            failpoint("batch.keys_locked")
        claims = await batch.claims(keys) if keys else {}
        for reading, fact in homeless:
            for _, still_homeless in self._assign(reading, (fact,), claims, registered):
                ambiguous = any(len(claims.get(key, ())) > 1 for key in keys_of(fact))
                self._changes.parked.append(parked_row(still_homeless, reading.record, ambiguous))
                self._told(Outcome(reading.record.origin, Merged.PARKED, fact.address), fact)

    async def _tell_of_documents(self, batch: Batch, readings: Sequence[Reading]) -> None:
        """Let contracts that have had parts of these documents hear of newer editions that do not reach them (F9)."""
        parts = [(f, r.record) for r in readings for f in r.facts if f.document is not None]
        heard = heard_in(Arrival((fact,), record.timestamp * 1000, record.origin) for fact, record in parts)
        if not heard:
            return
        known = await locked(batch.lock_documents, heard)
        self._note_documents(tell(known, heard, reached_by(self._arrivals), self._arrivals))
        told = {arrival.origin for arrivals in self._arrivals.values() for arrival in arrivals}
        for reading in readings:
            empty = reading.facts and reading.set_aside is None and all(map(is_about_document, reading.facts))
            if empty and reading.record.origin not in told:
                self.report.ignored.append(reading.record.origin)

    # -- what follows --------------------------------------------------------------------------------------------

    async def decide(self, batch: Batch) -> None:
        """Let every contract react to what arrived for it."""
        states = await batch.load(sorted(self._arrivals))
        failpoint("batch.loaded")
        turns = [
            self._turn(contract, states.get(contract), [Step(self._arrivals[contract], self._bound)])
            for contract in sorted(self._arrivals)
        ]
        await self._settle(batch, turns)

    async def look_again(self, batch: Batch, store: Store, due: Sequence[Review], until: int) -> None:
        """Look again at contracts that were woken."""
        causes: dict[str, set[str]] = {}
        for review in due:
            causes.setdefault(review.contract, set()).add(review.cause)
            self._changes.wakes.append((review.contract, None, review.cause))
        self.report.woken = len(causes)
        waiting = await waiting_for(batch, store, [c for c, why in causes.items() if UNPARK in why])
        states = await batch.load(sorted(causes))
        looking = [contract for contract in states if DOCUMENTS in causes[contract]]
        missed, late = await self._missed(batch, causes, waiting, {c: states[c] for c in looking}, until)
        parked = self._unparked(waiting, late, until)
        turns = []
        for contract in sorted(causes):
            others = causes[contract] - {UNPARK, REVIEW, DOCUMENTS}
            steps = [Step(missed[contract], self._bound)] if contract in missed else []
            steps += [Step((), until, cause) for cause in sorted(others - {CLAIMS})]
            steps += [Step((), until, REVIEW)] if REVIEW in causes[contract] else []
            steps += [Step(parked.get(contract, ()), self._bound, UNPARK)] if UNPARK in causes[contract] else []
            turns.append(self._turn(contract, states.get(contract), steps, looks=bool(others)))
        await self._settle(batch, turns)

    async def _missed(
        self, batch: Batch, causes: Collection[str], waiting: Sequence[Waiting], states: Mapping[str, bytes], until: int
    ) -> tuple[dict[str, list[Arrival]], Collection[str]]:  # fmt: skip
        """What contracts have missed of the documents that parked facts and these states speak of, and the documents at
        which another batch is: who speaks of them looks a moment later."""
        documents = {contract: self._known.look(contract, raw).documents for contract, raw in states.items()}
        heard, reached = heard_again([(w.contract, w.fact) for w in waiting], documents)
        known = await locked(batch.lock_free_documents, heard) if heard else {}
        missed: dict[str, list[Arrival]] = {}
        self._note_documents(tell(known, heard, reached, missed, causes))
        late = heard.keys() - known.keys()
        again = [contract for contract, mine in documents.items() if not late.isdisjoint(mine)]
        self._changes.wakes += [(contract, until + 1, DOCUMENTS) for contract in again]
        return missed, late

    def _note_documents(self, told: Told) -> None:
        self._changes.documents += told.rows
        self._changes.wakes += [(contract, 0, DOCUMENTS) for contract in sorted(told.woken)]

    def _unparked(self, waiting: Sequence[Waiting], late: Collection[str], until: int) -> dict[str, list[Arrival]]:
        """Facts taken out of parking, by contract; parts of `late` documents are left there a moment longer."""
        found: dict[str, list[Arrival]] = {}
        for row, fact, contract in waiting:
            if late and document_of(fact) in late:
                self._changes.wakes.append((contract, until + 1, UNPARK))
                continue
            self._changes.unparked.append((row.source, row.subject))
            if not isinstance(fact.body, ABOUT_MESSAGES):
                self.report.unparked.append(row.origin)
            found.setdefault(contract, []).append(Arrival((fact,), row.timestamp, row.origin))
        return found

    def _turn(self, contract: str, raw: bytes | None, steps: Sequence[Step], *, looks: bool = False) -> Turn:
        return Turn(contract, raw, steps, self._known, self._containment, looks=looks)

    async def _settle(self, batch: Batch, turns: Sequence[Turn]) -> None:
        """Let every contract know what others claim of its invoices; then what they decided counts."""
        settled = await settle_claims(batch, turns, self._now)
        self._changes.invoices += settled.rows
        for turn in turns:
            self._finish(turn)
        self._changes.wakes += [(contract, 0, CLAIMS) for contract in settled.woken]
        if self._changes.unclaimed:
            await self._wake_other_claimants(batch)

    async def _wake_other_claimants(self, batch: Batch) -> None:
        """A key that one contract gives up may be another's alone from now on: what waited as ambiguous is its own."""
        given_up = await batch.claims({(source, key) for source, key, _ in self._changes.unclaimed})
        others = {contract for claimants in given_up.values() for contract in claimants}
        self._changes.wakes += [(contract, 0, UNPARK) for contract in sorted(others)]

    def _finish(self, turn: Turn) -> None:
        state, encoded = turn.state, turn.encoded
        if encoded is None:
            return  # nothing came for a contract that is not there
        self._known.keep(turn.contract, encoded, state)
        if not turn.reacted:
            return
        self._keep(turn.reaction)
        self.report.defects += [(turn.contract, defect) for defect in turn.defects]
        self._claim(turn)
        woken = any(step.wake for step in turn.steps)
        if (state.review != turn.review_before or woken) and not state.frozen:
            self._changes.wakes.append((turn.contract, state.review, REVIEW))
        self._changes.states.append(StateRow(turn.contract, state.revision, encoded))

    # -- what is written -----------------------------------------------------------------------------------------

    def changes(self) -> Changes:
        """Everything to write, with the outbox packed."""
        self.report.said.quarantine += [quarantine_row(q, self._topics.quarantine) for q in self._changes.quarantine]
        self._changes.outbox = self.report.said.rows()
        self.report.rouses = any(moment == 0 for _, moment, _ in self._changes.wakes)
        self._changes.counts = self._counts()
        return self._changes

    def _keep(self, reaction: Reaction) -> None:
        said = self.report.said
        for row, entry in zip(reaction.rows, reaction.entries, strict=True):
            self._changes.log.append(row)
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
                self._told(outcome, None)

    def _told(self, outcome: Outcome, fact: Fact | None) -> None:
        if fact is None or not isinstance(fact.body, ABOUT_MESSAGES):
            self.report.outcomes.append(outcome)
        if outcome.sentence and outcome.origin in self._records:
            record = self._records[outcome.origin]
            error = Refused if outcome.merged is Merged.REFUSED else Unreadable
            self._changes.quarantine.append(self._reader.quarantined(record, "", error(outcome.sentence)))
            self.report.quarantined.append((outcome.origin, outcome.sentence))

    def _claim(self, turn: Turn) -> None:
        """Claim the keys of a plan that has come into force, and wake the contract for what waited under them."""
        contract, plan = turn.contract, plan_in_force(turn.state)
        if turn.raw is None:
            self._changes.claimed.append(("", contract, contract))
        if plan == turn.plan_before:
            return
        now, was = keys_of_plan(plan), keys_of_plan(turn.plan_before)
        self._changes.claimed += [(source, key, contract) for source, key in sorted(now - was)]
        self._changes.unclaimed += [(source, key, contract) for source, key in sorted(was - now)]
        self._changes.wakes.append((contract, 0, UNPARK))

    def _counts(self) -> dict[str, int]:
        counts: dict[str, int] = {"read": len(self._records), "ignored": len(self.report.ignored)}
        for outcome in self.report.outcomes:
            counts[outcome.merged.value] = counts.get(outcome.merged.value, 0) + 1
        counts["quarantined_records"] = len(self.report.quarantined)
        set_aside = {f"{q.topic}/{q.partition}/{q.offset}": q.fault for q in self._changes.quarantine}
        counts |= record_totals(self._records.keys(), set_aside, self.report.outcomes, self.report.ignored)
        return {name: n for name, n in counts.items() if n}
