"""Collectors: ask a system, publish what has changed, then move the cursor; one collector at a time for each source.

The order is all there is to it: what the broker has not confirmed was never told. A process that dies in between tells
it again, with the same content, and the mappers make the same ids of it. So no repeat does harm: an overlap of some
minutes finds changes whose transaction was committed late, and once a day a full sweep finds everything else.

A sweep goes by numbers and in slices between the looks at what is new. It also finds what is missing: an object that
was told, is not in the page where it belongs, and is gone when it is asked for by name.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from msgspec import Struct

from contracts_schema.collected import Busy, Kind, Page, Place, Seen, Told
from contracts_schema.errors import ConfigurationError, MilepostError, TransientError
from contracts_schema.failpoints import failpoint
from contracts_schema.records import Source
from contracts_schema.rows import PublishRow
from services.ports import Cursor, Poller, Publisher, Telemetry
from services.runtime.backoff import Backoff
from services.runtime.health import Health
from services.runtime.leases import Leases

Answer = TypeVar("Answer")

HEADERS_BYTES = 2048  # more than our headers and a key ever take
MOST_S = 300.0
BEAT_S = 5.0
REFUSED_S = 3600.0


class Pace(Struct, frozen=True):
    """How often. `overlap_s`: transactions that take longer than this are found by the sweep. `tell_again_s`: an object
    is told again after so long although it did not change, since what was parked may have expired meanwhile.
    """

    every_s: float = 30
    sweep_every_s: float = 24 * 3600
    overlap_s: float = 15 * 60
    tell_again_s: float = 90 * 24 * 3600


class Means(Struct, frozen=True):
    """What all collectors of a process share."""

    publisher: Publisher
    cursor: Cursor
    leases: Leases
    telemetry: Telemetry
    health: Health


class StandBy(Exception):
    """Another process collects from this source."""


class Collector:
    """Collects from one source."""

    def __init__(
        self, source: Source, poller: Poller, means: Means, pace: Pace, clock: Callable[[], float] = time.time
    ) -> None:
        self._source = source
        self._poller = poller
        self._means = means
        self._pace = pace
        self._clock = clock
        self._lease = f"collect/{source.name}"
        self._part = f"collect {source.name}"
        self._troubles = {kind.name: _Trouble(pace.every_s) for kind in poller.kinds}
        self._refused: dict[tuple[str, int], float] = {}
        self._sweeping = False

    async def run(self, stop: asyncio.Event) -> None:
        """Collect until `stop`. Nothing that a system, the broker or the store does ends this."""
        while not stop.is_set():
            until = time.monotonic() + await self._turn()
            while not stop.is_set() and (left_s := until - time.monotonic()) > 0:
                self._means.health.beat(self._part)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(left_s, BEAT_S)):
                        await stop.wait()

    async def round(self) -> list[str]:
        """Look once at everything, and sweep a while where it is time; what hinders it, in sentences.

        Raises:
            StandBy: another process collects from this source.
        """
        self._sweeping = False
        return [fault for kind in self._poller.kinds for fault in await self._guarded(kind)]

    async def _turn(self) -> float:
        """One round, and how long to pause after it (seconds)."""
        try:
            faults = await self.round()
            await self._means.cursor.say(self._source.name, "; ".join(faults) or None)
        except StandBy:
            return min(self._pace.every_s, 1.0)
        except MilepostError as error:
            faults = _sentences(error)
        self._tell_of(faults)
        return 0 if self._sweeping and not faults else self._pace.every_s

    def _tell_of(self, faults: Sequence[str]) -> None:
        """Let operators see what hinders. It makes no process unready: the other sources and webhooks go on."""
        means, name = self._means, self._source.name
        means.telemetry.gauge("milepost_collect_skew_seconds", self._poller.skew / 1e6, source=name)
        if not faults:
            means.telemetry.gauge("milepost_collected_at_seconds", self._clock(), source=name)
            return
        means.telemetry.count("milepost_collect_faults_total", source=name)
        means.telemetry.event("warning", "cannot collect", source=name, error="; ".join(faults))

    async def _guarded(self, kind: Kind) -> Sequence[str]:
        """Follow and sweep one kind. What goes wrong with it does not keep the others waiting."""
        trouble = self._troubles[kind.name]
        if self._clock() < trouble.until:
            return trouble.sentences
        try:
            faults = await self._follow(kind)
            if not kind.whole:
                faults += await self._sweep(kind)
        except (StandBy, asyncio.CancelledError):
            raise
        except MilepostError as error:
            return trouble.arose(error, self._clock())
        except Exception as defect:  # noqa: BLE001  contained: an answer that nobody foresaw must not stop the other sources
            sentence = f"a defect in the collector of {self._source.dialect}: {type(defect).__name__}"
            return trouble.arose(TransientError(sentence), self._clock())
        trouble.passed()
        return faults

    async def _follow(self, kind: Kind) -> list[str]:
        """Tell what has changed since the last look, and move the cursor to this one."""
        place = await self._means.cursor.place(self._source.name, kind.name)
        began = self._now()
        here = began + self._poller.skew
        position = min(place.position or here, here)  # a clock that was wrong once may have left it in the future
        since = None if kind.whole else position - round(self._pace.overlap_s * 1e6)
        after: int | None = 0
        faults: list[str] = []
        while after is not None:
            page = await self._page(kind, after, since, place)
            faults += page.faults
            after = page.last
        place = place._replace(position=began + self._poller.skew)
        await self._means.cursor.keep(self._source.name, kind.name, place, {})
        return faults

    async def _sweep(self, kind: Kind) -> list[str]:
        """Go on with the full sweep for a while, or begin one where it is time."""
        place = await self._means.cursor.place(self._source.name, kind.name)
        if not place.swept_to and self._now() - place.swept_at < self._pace.sweep_every_s * 1e6:
            return []
        end = time.monotonic() + self._pace.every_s / len(self._poller.kinds)
        faults: list[str] = []
        while True:
            page = await self._page(kind, place.swept_to, None, place)
            faults += page.faults
            if page.last is None:
                place = place._replace(swept_to=0, swept_at=self._now())
            else:
                place = place._replace(swept_to=page.last)
            await self._means.cursor.keep(self._source.name, kind.name, place, {})
            if page.last is None or time.monotonic() > end:
                self._sweeping |= page.last is not None
                return faults

    async def _page(self, kind: Kind, after: int, since: int | None, place: Place) -> Page:
        """One page: ask, publish, and only then remember what was told."""
        await self._hold()
        page = await self._holding(self._poller.page(kind.name, after, since))
        failpoint("collect.asked")
        if page.last is not None and page.last <= after:
            raise TransientError(f"the {kind.name} behind number {after} end at {page.last}: they are in no order")
        known = await self._means.cursor.told(self._source.name, kind.name, [one.number for one in page.seen])
        news = [one for one in page.seen if self._is_news(one, known.get(one.number))]
        reborn = [self._buried(one, known[one.number]) for one in news if _is_another(one, known.get(one.number))]
        await self._tell(kind, [*reborn, *news], place)
        if since is not None:
            return page
        return page._replace(faults=[*page.faults, *await self._tell_gone(kind, after, page, place)])

    async def _tell_gone(self, kind: Kind, after: int, page: Page, place: Place) -> list[str]:
        """Tell of objects that were told and belong into this page, but are not in it; what hinders it."""
        known = await self._means.cursor.told_between(self._source.name, kind.name, after, page.last)
        faults: list[str] = []
        for number in sorted(known.keys() - {one.number for one in page.seen}):
            if self._clock() < self._refused.get((kind.name, number), 0.0):
                continue
            try:
                await self._bid_farewell(kind, number, known[number], place)
            except ConfigurationError as error:  # nobody knows about this one now; the others go on
                self._refused[kind.name, number] = self._clock() + REFUSED_S
                faults += error.faults
        return sorted(set(faults))[:5]

    async def _bid_farewell(self, kind: Kind, number: int, known: Told, place: Place) -> None:
        """Tell that an object is gone; one that is there, but no longer ours to read, is only forgotten."""
        await self._hold()
        observed_at = self._now() + self._poller.skew
        if await self._holding(self._poller.is_gone(kind.name, number)):
            await self._tell(kind, [self._poller.deletion(kind.name, number, known.created, observed_at)], place)
        else:
            await self._means.cursor.keep(self._source.name, kind.name, place, {number: None})

    async def _tell(self, kind: Kind, news: Sequence[Seen], place: Place) -> None:
        """Publish, and when the broker has confirmed it, remember it."""
        if not news:
            return
        await self._hold()
        await self._means.publisher.publish([self._row(one) for one in news])
        failpoint("collect.published")
        now = self._now()
        told = {one.number: None if one.deleted else Told(one.fingerprint, one.created, now) for one in news}
        await self._means.cursor.keep(self._source.name, kind.name, place, told)
        failpoint("collect.kept")
        self._means.telemetry.count("milepost_collected_total", len(news), source=self._source.name, kind=kind.name)

    async def _holding(self, asking: Coroutine[Any, Any, Answer]) -> Answer:
        """Ask, and keep the lease however long the answer takes: else two slow ones would take it from each other."""
        task = asyncio.create_task(asking)
        try:
            while not (await asyncio.wait({task}, timeout=self._means.leases.third_s))[0]:
                await self._hold()
            return await task
        finally:
            task.cancel()

    async def _hold(self) -> None:
        self._means.health.beat(self._part)
        if not await self._means.leases.keep(self._lease):
            raise StandBy

    def _is_news(self, one: Seen, known: Told | None) -> bool:
        if known is None or known.fingerprint != one.fingerprint:
            return True
        return self._now() - known.at > self._pace.tell_again_s * 1e6

    def _buried(self, one: Seen, known: Told) -> Seen:
        """The object that bore the number before: it was gone when this one was made."""
        made_at = round(datetime.fromisoformat(one.created).timestamp() * 1e6)
        return self._poller.deletion(one.kind, one.number, known.created, min(made_at, one.observed_at))

    def _row(self, one: Seen) -> PublishRow:
        """The record. What no record can hold is cut: the mapper cannot read it then, and doubts what it names."""
        value = one.value[: self._means.publisher.max_record_bytes - HEADERS_BYTES]
        headers = (
            ("milepost-source", self._source.name.encode()),
            ("milepost-kind", one.kind.encode()),
            ("milepost-observed-at", _rfc3339(one.observed_at).encode()),
            ("content-type", b"application/json"),
        )
        return PublishRow(self._source.topic, f"{one.kind},{one.number}".encode(), headers, value)

    def _now(self) -> int:
        return round(self._clock() * 1e6)


class _Trouble:
    """What is the matter with one kind of object, and until when it is left alone."""

    def __init__(self, every_s: float) -> None:
        self.until = 0.0
        self.sentences: Sequence[str] = ()
        self._backoff = Backoff(min(every_s, MOST_S), MOST_S)

    def arose(self, error: MilepostError, now: float) -> Sequence[str]:
        pause_s = self._backoff.next()
        self.until = now + (max(pause_s, error.retry_after_s) if isinstance(error, Busy) else pause_s)
        self.sentences = _sentences(error)
        return self.sentences

    def passed(self) -> None:
        self.until, self.sentences = 0.0, ()
        self._backoff.reset()


async def collect(collectors: Collection[Collector], leases: Leases, stop: asyncio.Event) -> None:
    """Run all of them until `stop`; then let others take over at once.

    Raises:
        whatever a defect in one of them raises; the others end with it.
    """
    try:
        async with asyncio.TaskGroup() as group:
            for collector in collectors:
                group.create_task(collector.run(stop))
    finally:
        with contextlib.suppress(TransientError):  # they expire
            await leases.give_back()


def _is_another(one: Seen, known: Told | None) -> bool:
    return known is not None and bool(known.created) and bool(one.created) and known.created != one.created


def _sentences(error: MilepostError) -> list[str]:
    return list(error.faults) if isinstance(error, ConfigurationError) else [str(error)]


def _rfc3339(moment: int) -> str:
    return datetime.fromtimestamp(moment // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{moment % 1_000_000:06}Z"
