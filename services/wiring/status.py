"""Wires `milepost status`: how far everything is, and what waits."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.msgpack import Decoder

from contracts_schema.errors import ConfigurationError, TransientError
from contracts_schema.rows import Lane, LeaseState, Partition, PartitionState
from services.ports import Store
from services.reconciliation.calendar import datetime_of, show_moment
from services.runtime.totals import PREFIX
from services.settings import Settings
from services.wiring import doors

SECOND = 1_000_000


class PartitionLine(Struct, frozen=True):
    """One partition: the next offset to read, how many records wait behind it (None: the broker does not say)."""

    topic: str
    partition: int
    next: int | None
    behind: int | None
    read_to: str | None
    seconds: float | None
    owner: str


class LaneLine(Struct, frozen=True):
    """One lane of the outbox."""

    lane: str
    rows: int
    oldest_seconds: float


class LeaseLine(Struct, frozen=True):
    """Who does what only one may do."""

    name: str
    owner: str
    epoch: int
    seconds_left: float


class Status(Struct, frozen=True):
    """Everything at a glance. `faults` says what could not be asked."""

    now: str
    contracts: int
    frozen: tuple[str, ...]
    quarantine_open: int
    parked: int
    behind: int | None
    partitions: tuple[PartitionLine, ...]
    outbox: tuple[LaneLine, ...]
    today: dict[str, int]
    leases: tuple[LeaseLine, ...]
    faults: tuple[str, ...]


class _Frozen(Struct):
    """Of a contract's state only what is asked for; the rest is passed over unread."""

    frozen: str | None = None


_frozen = Decoder(_Frozen)


async def status(settings: Settings, *, quick: bool = False) -> Status:
    """Ask the store, and the broker for the ends of the topics. `quick` leaves out looking for frozen contracts."""
    async with doors.open_store(settings) as store:
        now = await store.now()
        tally, backlog = await store.tally(), await store.backlog()
        known, leases = await store.partitions(), await store.leases()
        counts = await store.counts(datetime_of(now).date())
        frozen = () if quick else await _frozen_contracts(store)
    ends, faults = await _ends(settings, {s.partition.topic for s in known} | _topics(settings))
    lines = _partitions(known, ends, now)
    waiting = [line.behind for line in lines if line.behind is not None]
    return Status(
        now=show_moment(now), contracts=tally["contracts"], frozen=frozen, quarantine_open=tally["quarantine"],
        parked=tally["parked"], behind=None if ends is None else sum(waiting), partitions=tuple(lines),
        outbox=tuple(
            LaneLine(lane.name.lower(), waits.rows, round(waits.age / SECOND, 3))
            for lane in Lane
            if (waits := backlog.get(lane)) is not None
        ),
        today={name: n for totals in counts.values() for name, n in totals.items() if not name.startswith(PREFIX)},
        leases=tuple(_lease(lease) for lease in leases), faults=tuple(faults),
    )  # fmt: skip


def _topics(settings: Settings) -> set[str]:
    return {source.topic for source in settings.source_table().values()}


def _lease(lease: LeaseState) -> LeaseLine:
    return LeaseLine(lease.name, lease.owner, lease.epoch, round(lease.left / SECOND, 3))


async def _ends(settings: Settings, topics: set[str]) -> tuple[dict[Partition, int] | None, list[str]]:
    """Where topics end; None, with the reason, where the broker does not say."""
    try:
        return dict(await doors.topic_ends(settings, topics)), []
    except TransientError as error:
        return None, [str(error)]
    except ConfigurationError as error:
        return None, [*error.faults]


def _partitions(known: Sequence[PartitionState], ends: dict[Partition, int] | None, now: int) -> list[PartitionLine]:
    states = {state.partition: state for state in known}
    return [_partition(p, states.get(p), ends, now) for p in sorted(states.keys() | (ends or {}).keys())]


def _partition(
    partition: Partition, state: PartitionState | None, ends: dict[Partition, int] | None, now: int
) -> PartitionLine:
    end = None if ends is None else ends.get(partition)
    following = state.next if state else None
    behind = None if end is None else max(0, end - (following or 0))
    read_to = state.read_to if state else 0
    seconds = None if not read_to else round(max(0, now - read_to) / SECOND, 3)
    return PartitionLine(
        *partition, following, behind, show_moment(read_to) if read_to else None, seconds, state.owner if state else ""
    )


async def _frozen_contracts(store: Store) -> tuple[str, ...]:
    """Contracts that this or an earlier version could not decide."""
    return tuple([name async for name, raw in await store.states() if _frozen.decode(raw).frozen is not None])
