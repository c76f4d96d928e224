"""The work of one transaction: which contract each fact goes to, and what follows there.

Locks are taken in one order, offsets, then keys, documents, contracts and claimed invoices, each sorted: two workers
wait for each other but never in a circle. A contract's row is locked before it is loaded, so that two workers never
decide one contract at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from contracts_schema.facts import ContractRegistered, Fact
from contracts_schema.failpoints import failpoint
from contracts_schema.records import Record
from contracts_schema.rows import ParkedRow, Review
from services.ports import Batch, Store
from services.reconciliation.policy import Rules
from services.reconciliation.react import REVIEW, UNPARK
from services.reconciliation.state import Arrival
from services.runtime.claims import CLAIMS, settle_claims
from services.runtime.containment import Containment, Step
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
from services.runtime.gathered import Gathered
from services.runtime.known import KnownStates
from services.runtime.moving import KEYS, NEW_KEYS, by_key, follow_keys, wakes_for, watched
from services.runtime.outgoing import RECORD_BYTES, Topics
from services.runtime.reading import Reader, Reading
from services.runtime.routing import Key, claimed_keys, contracts_of, keys_of, keys_to_claim, parked_row
from services.runtime.sizes import CommandSizes
from services.runtime.turn import Turn
from services.runtime.unparking import Waiting, cut_behind_plan, decoded, earliest, let_in, waiting_for
from services.runtime.upkeep import UPGRADE

CLOCK_AHEAD_US = 5_000_000  # how far a record's timestamp may run before the database's clock (rule A5)


class Work:
    """One transaction's work, gathered first and written at once. `now` is the store's clock (µs)."""

    def __init__(
        self, reader: Reader, rules: Rules, topics: Topics, release: str, now: int, known: KnownStates,
        record_bytes: int = RECORD_BYTES,
    ) -> None:  # fmt: skip
        sizes = CommandSizes(topics.commands, record_bytes)
        self.gathered = Gathered(reader, topics, sizes, known)
        self._now = now
        self._bound = now + CLOCK_AHEAD_US
        self._known = known
        self._containment = Containment(rules, release, sizes)
        self._arrivals: dict[str, list[Arrival]] = {}
        self._waiting: list[tuple[ParkedRow, Fact]] = []  # parked under keys that a plan of this batch claims

    # -- which contract ------------------------------------------------------------------------------------------

    async def route(self, batch: Batch, readings: Sequence[Reading]) -> None:
        """Give every fact to the contract that claims it; park what nobody claims."""
        homeless: list[tuple[Record, Fact]] = []
        facts = [fact for reading in readings for fact in reading.facts]
        registrations = [fact for fact in facts if type(fact.body) is ContractRegistered]
        registered = {fact.address.contract for fact in registrations}
        claims = await batch.claims({key for fact in facts for key in keys_of(fact)})
        for reading in readings:
            origin = reading.record.origin
            self.gathered.note(reading, origin)
            homeless += self._assign(reading.record, origin, reading.facts, claims, registered)
        await self._lock_and_park(batch, registrations, homeless, registered)
        await self._tell_of_documents(batch, readings)

    def _assign(
        self, record: Record, origin: str, facts: Iterable[Fact], claims: Mapping[Key, tuple[str, ...]],
        registered: Collection[str | None],
    ) -> list[tuple[Record, Fact]]:  # fmt: skip
        homeless = []
        mine: dict[str, list[Fact]] = {}
        for fact in facts:
            contracts = contracts_of(fact, claims, registered)
            if not contracts and not is_about_document(fact):
                homeless.append((record, fact))
            for contract in contracts:
                mine.setdefault(contract, []).append(fact)
        for contract, found in mine.items():
            arrival = Arrival(tuple(found), record.timestamp * 1000, origin)
            self._arrivals.setdefault(contract, []).append(arrival)
        return homeless

    async def _lock_and_park(
        self, batch: Batch, registrations: Sequence[Fact], homeless: Sequence[tuple[Record, Fact]],
        registered: Collection[str | None],
    ) -> None:  # fmt: skip
        """Park under shared locks, claim under exclusive ones: nobody parks a fact while its contract comes in unseen.

        Keys of a plan that comes into force by a later review are not locked; the sweep over stranded facts mends that.
        """
        keys = {key for _, fact in homeless for key in keys_of(fact)}
        claimed = {key for fact in registrations for key in keys_to_claim(fact)}
        if keys or claimed:
            await batch.lock_keys(keys - claimed, claimed)
            failpoint("batch.keys_locked")
        parked = await batch.parked_keys(claimed) if claimed else ()
        self.gathered.nothing_waits(claimed.difference(keys, parked))
        rows = list(await batch.parked_under(parked)) if parked else []
        claims = await batch.claims(keys) if keys else {}
        for record, fact in homeless:
            if self._assign(record, record.origin, (fact,), claims, registered):
                self.gathered.park(fact, record, any(len(claims.get(key, ())) > 1 for key in keys_of(fact)))
        rows += [row for row in self.gathered.changes.parked if not claimed.isdisjoint(row.keys)]
        self._waiting = decoded(earliest(rows))

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
                self.gathered.report.ignored.append(reading.record.origin)

    # -- what follows --------------------------------------------------------------------------------------------

    async def decide(self, batch: Batch) -> None:
        """Let every contract react to what arrived for it."""
        states = await batch.load(sorted(self._arrivals))
        failpoint("batch.loaded")
        turns, cut = [], dict[str, int]()
        for contract in sorted(self._arrivals):
            came = self._arrivals[contract]
            cut[contract] = cut_behind_plan(came) if self._waiting else 0
            steps = [Step(came[: cut[contract] or None], self._bound)]
            turns.append(self._turn(contract, states.get(contract), steps))
        if self._waiting:
            await self._let_in(batch, [turn for turn in turns if cut[turn.contract]], cut)
        await self._settle(batch, turns)

    async def _let_in(self, batch: Batch, turns: Sequence[Turn], cut: Mapping[str, int]) -> None:
        """What waited for the plans that have come in counts before whatever came after them (rules A7, A10)."""
        claims = await batch.claims({key for row, _ in self._waiting for key in row.keys})
        found = {(one.row.source, one.row.subject): one for one in let_in(self._waiting, claims, turns)}
        self.gathered.unpark_anew({subject: (one.row, one.fact) for subject, one in found.items()})
        parked: dict[str, list[Arrival]] = {}
        for row, fact, contract, _ in found.values():
            parked.setdefault(contract, []).append(Arrival((fact,), row.timestamp, row.origin))
        for turn in turns:
            mine, rest = parked.get(turn.contract), self._arrivals[turn.contract][cut[turn.contract] :]
            steps = [Step(mine, self._bound, UNPARK)] if mine else []
            turn.go_on([*steps, Step(rest, self._bound)] if rest else steps)

    async def look_again(self, batch: Batch, store: Store, due: Sequence[Review], until: int) -> None:
        """Look again at contracts that were woken."""
        causes: dict[str, set[str]] = {}
        for review in due:
            causes.setdefault(review.contract, set()).add(review.cause)
            self.gathered.changes.wakes.append((review.contract, None, review.cause))
        self.gathered.report.woken = len(causes)
        waiting = await waiting_for(batch, store, [c for c, why in causes.items() if UNPARK in why])
        states = await batch.load(sorted(causes))
        looking = [contract for contract in states if DOCUMENTS in causes[contract]]
        missed, late = await self._missed(batch, causes, waiting, {c: states[c] for c in looking}, until)
        await self._wake_watchers(batch, {c: states[c] for c in states if NEW_KEYS in causes[c]}, until)
        looking = [contract for contract in states if not causes[contract].isdisjoint((KEYS, UPGRADE))]
        told = await self._keys_moved(batch, store, {contract: states[contract] for contract in looking}, until)
        parked = self._unparked(waiting, late, until)
        turns = []
        for contract in sorted(causes):
            others = causes[contract] - {UNPARK, REVIEW, DOCUMENTS, KEYS, NEW_KEYS}
            first = [*told.get(contract, ()), *missed.get(contract, ())]
            steps = [Step(first, self._bound)] if first else []
            steps += [Step((), until, cause) for cause in sorted(others - {CLAIMS})]
            steps += [Step(parked.get(contract, ()), self._bound, UNPARK)] if UNPARK in causes[contract] else []
            steps += [Step((), until, REVIEW)] if REVIEW in causes[contract] else []  # last: what waited goes before
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
        self.gathered.changes.wakes += [(contract, until + 1, DOCUMENTS) for contract in again]
        return missed, late

    def _note_documents(self, told: Told) -> None:
        self.gathered.changes.documents += told.rows
        self.gathered.changes.wakes += [(contract, 0, DOCUMENTS) for contract in sorted(told.woken)]

    async def _wake_watchers(self, batch: Batch, states: Mapping[str, bytes], until: int) -> None:
        """Whoever watches a key that these contracts have claimed looks at it, and so do all where several claim it:
        while they claimed it, others may just have begun to. Whichever comes last so sees the other; while a key is
        just being claimed, its contract looks once more."""
        own = {c: {key for key in claimed_keys(self._known.look(c, raw)) if key[0]} for c, raw in states.items()}
        keys = set().union(*own.values())
        if not keys:
            return
        locked = await batch.lock_free_keys(keys)
        found = await batch.claims(keys | {watched(key) for key in keys})
        woken = {c for key in keys for c in found.get(watched(key), ())}
        woken |= {c for key in keys if len(found.get(key, ())) > 1 for c in found[key]}
        self.gathered.changes.wakes += [(contract, 0, KEYS) for contract in sorted(woken)]
        again = [contract for contract, mine in own.items() if not mine.issubset(locked)]
        self.gathered.changes.wakes += [(contract, until + 1, NEW_KEYS) for contract in again]

    async def _keys_moved(
        self, batch: Batch, store: Store, states: Mapping[str, bytes], until: int
    ) -> dict[str, list[Arrival]]:
        """What these contracts are told of others' keys; what stands under them no longer is parked again."""
        found = {contract: self._known.look(contract, raw) for contract, raw in states.items()}
        moved = await follow_keys(batch, store, found, self._now)
        self.gathered.changes.parked += moved.parked
        self.gathered.changes.wakes += [(contract, 0, UNPARK) for contract in sorted(moved.homes)]
        self.gathered.changes.wakes += [(contract, until + 1, KEYS) for contract in sorted(moved.early)]
        self.gathered.report.ambiguous += moved.addresses
        return {contract: [arrival] for contract, arrival in moved.told.items()}

    def _unparked(self, waiting: Sequence[Waiting], late: Collection[str], until: int) -> dict[str, list[Arrival]]:
        """Facts taken out of parking, by contract; parts of `late` documents are left there a moment longer."""
        found: dict[str, list[Arrival]] = {}
        for row, fact, contract, others in waiting:
            if late and document_of(fact) in late:
                self.gathered.changes.wakes.append((contract, until + 1, UNPARK))
                continue
            self.gathered.unpark(row, fact)
            found.setdefault(contract, []).append(Arrival((fact,), row.timestamp, row.origin))
            for other in others:
                again = parked_row(fact, row.timestamp, row.origin, ambiguous=False, since=row.since, only_for=other)
                self.gathered.changes.parked.append(again)
                self.gathered.changes.wakes.append((other, 0, UNPARK))
        return found

    def _turn(self, contract: str, raw: bytes | None, steps: Sequence[Step], *, looks: bool = False) -> Turn:
        return Turn(contract, raw, steps, self._known, self._containment, looks=looks)

    async def _settle(self, batch: Batch, turns: Sequence[Turn]) -> None:
        """Let every contract know what others claim of its invoices; then what they decided counts."""
        self.gathered.report.contracts = len(turns)
        settled = await settle_claims(batch, turns, self._now)
        self.gathered.changes.invoices += settled.rows
        for turn in turns:
            self.gathered.finish(turn)
        self.gathered.changes.wakes += [(contract, 0, CLAIMS) for contract in settled.woken]
        await self._wake_claimants(batch)

    async def _wake_claimants(self, batch: Batch) -> None:
        """Whoever is concerned by a key that was claimed or given up here looks at what stands under it; so does who
        watches one from now on, which somebody may have claimed meanwhile."""
        changes, watches = self.gathered.changes, self.gathered.watches
        claimed, unclaimed = by_key(changes.claimed), by_key(changes.unclaimed)
        keys = {key for key in (*claimed, *unclaimed) if key[0]}  # no two contracts share an id of our own
        if keys or watches:
            known = await batch.claims(keys | {watched(key) for key in keys} | by_key(watches).keys())
            new = [(source, key, c) for source, key, c in sorted(watches) if c not in known.get((source, key), ())]
            wakes = {wake for key in keys for wake in wakes_for(key, claimed, unclaimed, known)}
            wakes |= {(contract, KEYS) for _, _, contract in new}
            changes.claimed += new
            changes.wakes += [(contract, 0, cause) for contract, cause in sorted(wakes)]
