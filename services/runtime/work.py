"""The work of one transaction: which contract each fact goes to, what follows there, and everything to be written.

Locks are taken in one order, offsets, then keys, then contracts, each sorted: two workers wait for each other but never
in a circle. A contract's row is locked before it is loaded, so that two workers never decide one contract at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct, field
from msgspec.msgpack import Decoder

from contracts_schema.commands import Command
from contracts_schema.errors import Refused, Unreadable
from contracts_schema.facts import ABOUT_MESSAGES, Address, ContractRegistered, Fact
from contracts_schema.records import Record
from contracts_schema.rows import Changes, PublishRow, Review, StateRow
from services.ports import Batch, Store
from services.reconciliation.log import LogEntry
from services.reconciliation.merge import Merged
from services.reconciliation.policy import Rules
from services.reconciliation.react import REVIEW, UNPARK, Outcome, Reaction, react
from services.reconciliation.state import Arrival, State, decode_state, encode_state
from services.runtime.known import KnownStates
from services.runtime.outgoing import (
    RECORD_BYTES,
    Said,
    Topics,
    command_row,
    commands_of,
    fitted,
    quarantine_row,
    size_of,
)
from services.runtime.reading import Reader, Reading
from services.runtime.routing import (
    Key,
    claimed_keys,
    contract_of,
    keys_in_force,
    keys_of,
    keys_to_claim,
    parked_row,
)
from services.runtime.totals import record_totals

_decoder = Decoder(Fact)


class CommandTooLargeError(Exception):
    """A command does not fit into a record, whatever is cut that only explains."""


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
    """One transaction's work, gathered first and written at once."""

    def __init__(
        self, reader: Reader, rules: Rules, topics: Topics, release: str, bound: int, known: KnownStates,
        record_bytes: int = RECORD_BYTES,
    ) -> None:  # fmt: skip
        self.report = Report()
        self.entries: list[LogEntry] = []  # of the rows for the log, one each
        self._reader = reader
        self._rules = rules
        self._topics = topics
        self._release = release
        self._bound = bound
        self._known = known
        self._record_bytes = record_bytes
        self._changes = Changes()
        self._arrivals: dict[str, list[Arrival]] = {}
        self._records: dict[str, Record] = {}
        self._states: dict[str, StateRow] = {}

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
            contract = contract_of(fact, claims, registered)
            if contract is None:
                homeless.append((reading, fact))
            else:
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
        claims = await batch.claims(keys) if keys else {}
        for reading, fact in homeless:
            for _, still_homeless in self._assign(reading, (fact,), claims, registered):
                ambiguous = any(len(claims.get(key, ())) > 1 for key in keys_of(fact))
                self._changes.parked.append(parked_row(still_homeless, reading.record, ambiguous))
                self._told(Outcome(reading.record.origin, Merged.PARKED, fact.address), fact)

    # -- what follows --------------------------------------------------------------------------------------------

    async def decide(self, batch: Batch) -> None:
        """Let every contract react to what arrived for it."""
        states = await batch.load(sorted(self._arrivals))
        for contract in sorted(self._arrivals):
            self._react(contract, states.get(contract), self._arrivals[contract], self._bound, None)

    async def look_again(self, batch: Batch, store: Store, due: Sequence[Review], until: int) -> None:
        """Look again at contracts that were woken."""
        causes: dict[str, set[str]] = {}
        for review in due:
            causes.setdefault(review.contract, set()).add(review.cause)
            self._changes.wakes.append((review.contract, None, review.cause))
        self.report.woken = len(causes)
        parked = await self._parked_for(batch, store, [c for c, why in causes.items() if UNPARK in why])
        states = await batch.load(sorted(causes))
        for contract in sorted(causes):
            raw = states.get(contract)
            for cause in sorted(causes[contract] - {UNPARK, REVIEW}):
                raw = self._react(contract, raw, (), until, cause)
            if REVIEW in causes[contract]:
                raw = self._react(contract, raw, (), until, REVIEW)
            if UNPARK in causes[contract]:
                self._react(contract, raw, parked.get(contract, ()), self._bound, UNPARK)

    async def _parked_for(self, batch: Batch, store: Store, contracts: Sequence[str]) -> dict[str, list[Arrival]]:
        """What is parked under the keys of these contracts, taken out of parking."""
        owners: dict[Key, str] = {}
        for contract in contracts:
            known = await store.state(contract)
            for key in claimed_keys(decode_state(known)) if known else ():
                owners[key] = contract
        if not owners:
            return {}
        claims = await batch.claims(owners.keys())
        found: dict[str, list[Arrival]] = {}
        for row in await batch.parked_under(owners.keys()):
            fact = _decoder.decode(row.fact)
            home = contract_of(fact, claims, ())
            if home is not None and home in contracts:
                self._changes.unparked.append((row.source, row.subject))
                if not isinstance(fact.body, ABOUT_MESSAGES):
                    self.report.unparked.append(row.origin)
                found.setdefault(home, []).append(Arrival((fact,), row.timestamp, row.origin))
        return found

    def _react(
        self, contract: str, raw: bytes | None, arrivals: Sequence[Arrival], bound: int, wake: str | None
    ) -> bytes:
        """Let one contract react; its new state, encoded."""
        state = self._known.take(contract, raw) if raw else State(contract)
        before, review = state.in_force, state.review
        if state.frozen == self._release:
            state.deferred += arrivals
            reaction = Reaction(outcomes=_deferred(arrivals))
        else:
            state, reaction = self._contained(state, raw, [*state.deferred, *arrivals], bound, wake)
        self._keep(reaction)
        self._claim(state, before, new=raw is None)
        if (state.review != review or wake) and not state.frozen:
            self._changes.wakes.append((contract, state.review, REVIEW))
        encoded = encode_state(state)
        self._states[contract] = StateRow(contract, state.revision, encoded)
        self._known.keep(contract, encoded, state)
        return encoded

    def _contained(
        self, state: State, raw: bytes | None, arrivals: Sequence[Arrival], bound: int, wake: str | None
    ) -> tuple[State, Reaction]:
        """React; a defect freezes the contract: its facts are kept, its last command stands (§6)."""
        contract = state.contract
        try:
            state.frozen, state.deferred = None, []
            reaction = react(state, arrivals, bound, self._rules, wake=wake)
            self._check_sizes(reaction)
        except CommandTooLargeError as fault:
            if wake is None:
                return self._without_excess(contract, raw, arrivals, bound, fault)
            return self._freeze(contract, raw, arrivals, fault)  # it came of what was known already
        except Exception as defect:  # noqa: BLE001 -- contained: one contract must not stop its neighbours
            return self._freeze(contract, raw, arrivals, defect)
        return state, reaction

    def _freeze(
        self, contract: str, raw: bytes | None, arrivals: Sequence[Arrival], defect: Exception
    ) -> tuple[State, Reaction]:
        state = decode_state(raw) if raw else State(contract)
        state.frozen, state.deferred = self._release, list(arrivals)
        self.report.defects.append((contract, f"{type(defect).__name__}: {defect}"))
        return state, Reaction(outcomes=_deferred(arrivals))

    def _without_excess(
        self, contract: str, raw: bytes | None, arrivals: Sequence[Arrival], bound: int, fault: CommandTooLargeError
    ) -> tuple[State, Reaction]:
        """Nothing may block the lane of commands: what makes one too large to send is refused, all else counts."""
        state = decode_state(raw) if raw else State(contract)
        state.deferred = []
        if len(arrivals) < 2:
            refused = [Outcome(a.origin, Merged.REFUSED, f.address, str(fault)) for a in arrivals for f in a.facts]
            return state, Reaction(outcomes=refused)
        whole = Reaction()
        for arrival in arrivals:
            waiting = state.deferred  # a defect on the way froze the contract
            state, part = self._contained(state, encode_state(state), [*waiting, arrival], bound, None)
            whole = joined(whole, part)
        return state, whole

    def _check_sizes(self, reaction: Reaction) -> None:
        """Raises CommandTooLargeError. A row of the log is never eight times smaller than what is said of it."""
        for row, entry in zip(reaction.rows, reaction.entries, strict=True):
            if len(row.entry) > self._record_bytes // 8:
                for command in commands_of(row, entry):
                    size = size_of(self._row_of(command))
                    if size > self._record_bytes:
                        raise CommandTooLargeError(
                            f"the command for {command.milestone} would have {size} bytes, more than "
                            f"{self._record_bytes}: too many invoices stand at one milestone"
                        )

    def _row_of(self, command: Command) -> PublishRow:
        return fitted(lambda c: command_row(c, self._topics.commands), command, self._record_bytes)

    # -- what is written -----------------------------------------------------------------------------------------

    def changes(self) -> Changes:
        """Everything to write, with the outbox packed."""
        self.report.said.quarantine += [quarantine_row(q, self._topics.quarantine) for q in self._changes.quarantine]
        self._changes.states = list(self._states.values())
        self._changes.outbox = self.report.said.rows()
        self.report.rouses = any(moment == 0 for _, moment, _ in self._changes.wakes)
        self._changes.counts = self._counts()
        return self._changes

    def _keep(self, reaction: Reaction) -> None:
        said = self.report.said
        for row, entry in zip(reaction.rows, reaction.entries, strict=True):
            self._changes.log.append(row)
            self.entries.append(entry)
            said.commands += [self._row_of(command) for command in commands_of(row, entry)]
            if entry.decisions:
                said.revisions.append((row.contract, row.revision))
            said.milestones.update({(row.contract, d.milestone): None for d in entry.decisions})
        self.report.unparked += reaction.unparked
        self.report.ambiguous += reaction.ambiguous
        for outcome in reaction.outcomes:
            self._told(outcome, None)

    def _told(self, outcome: Outcome, fact: Fact | None) -> None:
        if fact is None or not isinstance(fact.body, ABOUT_MESSAGES):
            self.report.outcomes.append(outcome)
        if outcome.sentence and outcome.origin in self._records:
            record = self._records[outcome.origin]
            error = Refused if outcome.merged is Merged.REFUSED else Unreadable
            self._changes.quarantine.append(self._reader.quarantined(record, "", error(outcome.sentence)))
            self.report.quarantined.append((outcome.origin, outcome.sentence))

    def _claim(self, state: State, before: int, *, new: bool) -> None:
        """Claim the keys of a plan that has come into force, and wake the contract for what waited under them."""
        if new:
            self._changes.claimed.append(("", state.contract, state.contract))
        if state.in_force == before:
            return
        now, was = keys_in_force(state, state.in_force), keys_in_force(state, before)
        self._changes.claimed += [(source, key, state.contract) for source, key in sorted(now - was)]
        self._changes.unclaimed += [(source, key, state.contract) for source, key in sorted(was - now)]
        self._changes.wakes.append((state.contract, 0, UNPARK))

    def _counts(self) -> dict[str, int]:
        counts: dict[str, int] = {"read": len(self._records), "ignored": len(self.report.ignored)}
        for outcome in self.report.outcomes:
            counts[outcome.merged.value] = counts.get(outcome.merged.value, 0) + 1
        counts["quarantined_records"] = len(self.report.quarantined)
        set_aside = {f"{q.topic}/{q.partition}/{q.offset}": q.fault for q in self._changes.quarantine}
        counts |= record_totals(self._records.keys(), set_aside, self.report.outcomes, self.report.ignored)
        return {name: n for name, n in counts.items() if n}


def _deferred(arrivals: Sequence[Arrival]) -> list[Outcome]:
    return [Outcome(a.origin, Merged.DEFERRED, fact.address) for a in arrivals for fact in a.facts]


def joined(first: Reaction, then: Reaction) -> Reaction:
    """Two reactions of one contract, one after the other."""
    return Reaction(
        [*first.rows, *then.rows], [*first.entries, *then.entries], [*first.outcomes, *then.outcomes],
        [*first.unparked, *then.unparked], [*first.ambiguous, *then.ambiguous],
    )  # fmt: skip
