"""Wires `milepost db adopt`, and the check before a worker starts: what finance has seen and this store never issued.

The topic of commands is the witness. A store that was restored to an earlier moment, or built anew from topics, would
number new commands like old ones. So no worker starts while a command lies in the topic that the log does not know,
until its sequences, and what finance was told is released, have been taken over into the log of its contract.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec import Struct

from contracts_schema.commands import Command
from contracts_schema.errors import ConfigurationError
from contracts_schema.facts import Fact
from contracts_schema.rows import Changes
from services.history.seen import Seen, Topic
from services.ports import Batch, Store
from services.reconciliation.adoption import adopted, adoption_fact
from services.reconciliation.log import read_entry
from services.reconciliation.react import Outcome
from services.reconciliation.state import Arrival, State, decode_state
from services.reconciliation.wire import amount
from services.runtime.known import KnownStates
from services.runtime.upkeep import RULEBOOK
from services.runtime.work import Work
from services.settings import Settings
from services.wiring import RELEASE, doors
from services.wiring.history import whole_commands
from services.wiring.persons import key_faults

LAST = 100  # records of each partition that a start looks at: the newest command of every partition is among them
CONTRACTS_AT_A_TIME = 50
ORIGIN = "db adopt"


class MilestoneBehind(Struct, frozen=True):
    """One milestone: what is released here, and what finance was last told."""

    milestone: str
    released_here: str
    released_told: str
    currency: str


class Behind(Struct, frozen=True):
    """One contract that lies behind what finance has seen."""

    contract: str
    sequence_here: int
    sequence_seen: int
    unknown: int
    milestones: tuple[MilestoneBehind, ...]
    adopted: bool = False


async def start_faults(settings: Settings, store: Store) -> list[str]:
    """Why a worker must not start: a sentence for each contract behind, as far as the newest commands show."""
    return [
        f"{seen.contract}: finance has seen commands up to sequence {seen.sequence} that do not stand in this store's "
        "log; it was restored to an earlier moment or built anew: milepost db adopt takes them over"
        for seen in await _behind(settings, store, LAST, ())
    ]


async def adopt(settings: Settings, *, do: bool, not_ours: Collection[str]) -> list[Behind]:
    """What lies behind, by all that is in the topic; with `do` it is taken over. Commands in `not_ours` count for their
    sequence alone: what they say was never told by us."""
    async with doors.open_store(settings) as store:
        if do and (faults := await key_faults(settings, store)):
            raise ConfigurationError(faults)
        behind = await _behind(settings, store, None, not_ours)
        shown = [_shown(seen, await _state(store, seen.contract), do) for seen in behind]
        if do and behind:
            await store.keep_rulebook(settings.rules().rulebook, RULEBOOK)
        for at in range(0, len(behind) if do else 0, CONTRACTS_AT_A_TIME):
            await take_over(settings, store, behind[at : at + CONTRACTS_AT_A_TIME])
    return shown


async def _behind(settings: Settings, store: Store, last: int | None, not_ours: Collection[str]) -> list[Seen]:
    topic = Topic(not_ours)
    async for records in doors.scan_topic(settings, settings.topics.commands, last):
        commands = whole_commands(records)
        topic.note(commands, await _known(store, commands))
    found = []
    for seen in topic.behind():
        state = await _state(store, seen.contract)
        known = adopted(state) if state is not None else None
        if known is None or max(seen.unknown.values()) > known.sequence:
            found.append(seen)
    return found


async def _known(store: Store, commands: Sequence[Command]) -> set[str]:
    wanted = {(c.contract, c.revision) for c in commands if 0 < c.revision < 2**62}
    entries = [read_entry(row) for row in await store.revisions(wanted)] if wanted else []
    return {d.said.command_id for e in entries for d in e.decisions if d.said is not None}


async def _state(store: Store, contract: str) -> State | None:
    raw = await store.state(contract)
    return decode_state(raw) if raw else None


def _shown(seen: Seen, state: State | None, adopted_now: bool) -> Behind:
    here = {name: known.released for name, known in state.milestones.items()} if state else {}
    milestones = tuple(
        MilestoneBehind(
            name, amount(here.get(name, 0), told.currency).amount, amount(told.released, told.currency).amount,
            told.currency,
        )
        for name, told in sorted(seen.milestones.items())
    )  # fmt: skip
    sequence = state.sequence if state else 0
    return Behind(seen.contract, sequence, seen.sequence, len(seen.unknown), milestones, adopted_now)


class _Adoption(Work):
    """The work of one transaction in which contracts hear what finance has seen. No record led to it."""

    def give(self, fact: Fact) -> None:
        contract = fact.address.contract or ""
        self._arrivals[contract] = [Arrival((fact,), fact.time, ORIGIN)]

    def _told(self, outcome: Outcome, fact: Fact | None) -> None:
        """No record was read, so none is counted."""


async def take_over(settings: Settings, store: Store, behind: Sequence[Seen]) -> Changes:
    """Say into the log of each contract what finance has seen, in one transaction; what follows is in the outbox."""
    now, rules = await store.now(), settings.rules()
    reader = doors.reader(settings, rules, ORIGIN)
    topics = doors.written(settings)
    work = _Adoption(reader, rules, topics, RELEASE, now, KnownStates(), settings.kafka.max_record_bytes)
    for seen in behind:
        released = {name: told.released for name, told in seen.milestones.items()}
        work.give(adoption_fact(seen.contract, seen.sequence, released, now))
    async with store.batch() as batch:
        return await _write(batch, work, [seen.contract for seen in behind])


async def _write(batch: Batch, work: _Adoption, contracts: Sequence[str]) -> Changes:
    await batch.lock_keys((), {("", contract) for contract in contracts})
    await work.decide(batch)
    changes = work.gathered.packed()
    await batch.write(changes)
    return changes
