"""Wires `milepost replay` and `milepost what-if`: contracts decided in shadow. Nothing is written or published."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from msgspec import Struct
from msgspec.msgpack import Decoder

from contracts_schema.errors import ConfigurationError, Refused
from contracts_schema.facts import ABOUT_MESSAGES, Fact
from contracts_schema.records import Record
from services.history import retrospect as past
from services.history.differences import Difference, Line, Sum, Totals
from services.history.remapped import Otherwise
from services.history.replay import Read, Replayed, doubts, replay_contract
from services.history.retrospect import Would, counts_from, registration
from services.history.rulebooks import Shelf, rules_of
from services.history.whatif import Result, Step, under_rules, what_if
from services.ports import Store
from services.reconciliation.calendar import show_moment
from services.reconciliation.crosswalk import index_of
from services.reconciliation.log import LogEntry
from services.reconciliation.policy import RULES_VERSION, Rules
from services.reconciliation.state import State
from services.runtime.reading import Reader
from services.runtime.routing import Key, contract_of, keys_of
from services.settings import Settings
from services.wiring import doors
from services.wiring.history import Progress, entries_of, named_or_all, read_history, read_moment
from services.wiring.kept import KeptRecords, Reread, map_anew
from services.wiring.wishes import Supposed, Wish, read_wish

QUARANTINE_MOST = 100_000
PARKED_MOST = 100_000
_facts = Decoder(Fact)


# -- replay ------------------------------------------------------------------------------------------------------------


class Replays(Struct):
    """What would come out otherwise, contract by contract; those that come out the same are counted only. `records`
    are those that can be read now and could not be then, or the other way, or that said nothing then and say something
    of a contract now, whatever contract they belong to; `kept` counts the kept records that were mapped anew."""

    contracts: int = 0
    revisions: int = 0
    differing: list[Replayed] = []
    records: list[Reread] = []
    kept: KeptRecords = KeptRecords()


async def replay(settings: Settings, contracts: Sequence[str], progress: Progress) -> Replays:
    """Map anew what is kept and what lies in quarantine, and decide these contracts, or all, anew. Raises Refused for
    one that is nowhere."""
    found, rules = Replays(), settings.rules()
    reader = doors.reader(settings, rules, "replay")
    async with doors.open_store(settings) as store:
        read_now, found.records = await _read_again(store, reader)
        found.kept, otherwise, told = await map_anew(store, reader)
        found.records += told
        async for contract in named_or_all(store, contracts):
            replayed = await _replay(store, contract, rules, read_now, otherwise)
            found.contracts += 1
            found.revisions += replayed.revisions
            if replayed.differs:
                found.differing.append(replayed)
            progress(found.contracts, contract)
    return found


async def _replay(store: Store, contract: str, rules: Rules, read_now: Read, otherwise: Otherwise) -> Replayed:
    state, entries, decided_by, _ = await _stands(store, contract, rules)
    return replay_contract(entries, state, decided_by, rules, _ours(read_now, entries, state), otherwise)


async def _stands(store: Store, contract: str, rules: Rules) -> tuple[State, list[LogEntry], Rules, Shelf]:
    """A contract as it stands: its state and log, the rules that it was last decided by (the present ones where those
    cannot be used any more), and all rules that it was ever decided by."""
    history = await read_history(store, contract)
    if history.state is None:
        raise Refused(f"the store has no state of {contract!r}; see milepost verify {contract}")
    entries = [entry for _, entry in entries_of(contract, history.rows)]
    shelf = Shelf(history.books)
    decided_by = shelf.present(history.state.rulebook)
    if decided_by is None:
        book = await store.rulebook(history.state.rulebook)
        read = rules_of(book) if book is not None else rules
        decided_by = read if read.version == RULES_VERSION else rules
    return history.state, entries, decided_by, shelf


async def _read_again(store: Store, reader: Reader) -> tuple[Read, list[Reread]]:
    """Every open quarantined record that the present mappers can read, by the SHA-256 of its value; one at a time."""
    read_now, told = dict[bytes, tuple[Fact, ...]](), []
    for line in await store.quarantine(QUARANTINE_MOST):
        entry = await store.quarantined(line.id)
        if entry is None:
            continue
        q = entry[0]
        record = Record(q.topic, q.partition, q.offset, q.timestamp, q.key, q.headers, q.value)
        reading = reader.read(record)
        if reading.set_aside is None:
            facts = tuple(f for f in reading.facts if not isinstance(f.body, ABOUT_MESSAGES))
            read_now[sha256(q.value or b"").digest()] = facts
            told.append(Reread(q.id, q.sentence, tuple(f"{f.kind} {f.source}/{f.id}" for f in facts)))
    return read_now, told


def _ours(read_now: Read, entries: Sequence[LogEntry], state: State) -> Read:
    """What records say of this contract that left a doubt in it."""
    claimed = index_of(state.plans[state.in_force].plan).keys if state.in_force else ()
    wanted, keys = doubts(entries), {("", state.contract), *claimed}
    return {
        digest: tuple(fact for fact in facts if not keys.isdisjoint(keys_of(fact)))
        for digest, facts in read_now.items()
        if digest in wanted
    }


# -- what if -----------------------------------------------------------------------------------------------------------


class Outcomes(Struct):
    """How contracts would come out. `commands` would go out; `since` is what an amendment that counts from a day in the
    past would have made of each revision since; `set_aside`, `homeless` and `refused` are lines of the facts that could
    not be used, that no contract claims, and that would not be let in."""

    contracts: int = 0
    positions: list[Difference] = []
    commands: list[Line] = []
    sums: list[Sum] = []
    since: dict[str, list[Would]] = {}
    set_aside: list[str] = []
    homeless: list[str] = []
    refused: list[str] = []
    notes: list[str] = []


async def suppose(settings: Settings, contracts: Sequence[str], wish: Wish, progress: Progress) -> Outcomes:
    """Run a wish over the stored history of these contracts: those named, else those that plan and facts are about,
    else all.

    Raises:
        ConfigurationError: a file, a moment or an option is faulty; every fault is listed.
        Refused: a contract, or a version of one, is nowhere.
    """
    found, totals = Outcomes(), Totals()
    async with doors.open_store(settings) as store:
        supposed = read_wish(settings, wish, await store.now())
        steps, found.homeless = await _steps(store, supposed)
        found.set_aside = supposed.set_aside
        strangers = [name for name in supposed.plans if contracts and name not in contracts]
        if strangers:
            raise ConfigurationError([f"--plan is about {', '.join(strangers)}, which is not among those named"])
        async for contract in named_or_all(store, contracts or sorted({*supposed.plans, *steps})):
            result = await _suppose(settings, store, contract, wish, supposed, steps.get(contract, []), found)
            totals.add(result.before, result.after)
            found.contracts += 1
            found.positions += result.differences
            found.commands += result.commands
            found.refused += result.refused
            progress(found.contracts, contract)
    found.sums = totals.sums()
    return found


async def _suppose(
    settings: Settings, store: Store, contract: str, wish: Wish, supposed: Supposed, steps: Sequence[Step],
    found: Outcomes,
) -> Result:  # fmt: skip
    state, entries, decided_by, shelf = await _stands(store, contract, supposed.rules or settings.rules())
    amendment = _amendment(contract, entries, wish, supposed)
    mine = [*steps]
    if contract in supposed.plans:
        mine.insert(0, Step(supposed.now, (supposed.plans[contract][1],)))
    since = counts_from(amendment) if amendment is not None else None
    if amendment is not None and since is not None and since <= supposed.now:
        found.since[contract] = past.retrospect(contract, entries, amendment, since, shelf, decided_by)
    elif since is not None and wish.clock is None:
        found.notes.append(f"{contract}: the amendment counts from {show_moment(since)}; the time passes until then")
        mine.append(Step(since))
    if wish.clock is not None:
        zone = index_of(state.plans[state.in_force or max(state.plans)].plan).plan.timezone
        mine.append(Step(read_moment("--clock", wish.clock, zone)))
    if supposed.rules is not None:
        return under_rules(entries, state, decided_by, supposed.rules, mine, supposed.now)
    return what_if(state, decided_by, mine, supposed.now, await _waiting(store, contract, supposed))


def _amendment(contract: str, entries: Sequence[LogEntry], wish: Wish, supposed: Supposed) -> Fact | None:
    """The amendment whose difference is asked for: the one in the file, or a version that is registered."""
    if contract in supposed.plans:
        return supposed.plans[contract][1]
    if wish.version is None:
        return None
    fact = registration(entries, wish.version)
    if fact is None:
        raise Refused(f"version {wish.version} of {contract!r} is not registered")
    if counts_from(fact) is None:
        raise Refused(f"version {wish.version} of {contract!r} is no approved amendment that counts from a day")
    return fact


async def _waiting(store: Store, contract: str, supposed: Supposed) -> list[Fact]:
    """Facts that are parked under keys which the supposed plan would claim."""
    if contract not in supposed.plans:
        return []
    keys: set[Key] = set(index_of(supposed.plans[contract][1].body.plan).keys)  # type: ignore[union-attr]
    rows = await store.parked(PARKED_MOST)
    return [_facts.decode(row.fact) for row in rows if not keys.isdisjoint(row.keys)]


async def _steps(store: Store, supposed: Supposed) -> tuple[dict[str, list[Step]], list[str]]:
    """The supposed facts and clocks, contract by contract, and the facts that no contract claims."""
    every = [fact for _, facts in supposed.lines for fact in facts]
    async with store.batch() as batch:  # claims are read in a transaction; nothing is written in it
        claims = await batch.claims({key for fact in every for key in keys_of(fact)})
    homes = {contract_of(fact, claims, ()) for fact in every} - {None}
    steps: dict[str, list[Step]] = {str(home): [] for home in sorted(str(h) for h in homes)}
    homeless = []
    for moment, facts in supposed.lines:
        mine: dict[str, list[Fact]] = {}
        for fact in facts:
            home = contract_of(fact, claims, ())
            if home is None:
                homeless.append(f"{fact.kind} {fact.source}/{fact.id}: no contract, or several, claim it")
            else:
                mine.setdefault(home, []).append(fact)
        for name, found in mine.items():
            steps[name].append(Step(moment, tuple(found)))
        if not facts:
            for each in steps.values():
                each.append(Step(moment))
    return steps, homeless
