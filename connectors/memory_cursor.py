"""Where collectors stand, in memory: for tests and for a demonstration that ends."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from connectors.memory import system_clock
from contracts_schema.collected import Place, Standing, Told


class MemoryCursor:
    """Keeps it as long as the process lives. `clock` answers microseconds since 1970."""

    def __init__(self, clock: Callable[[], int] = system_clock) -> None:
        self._clock = clock
        self._places: dict[tuple[str, str], Place] = {}
        self._told: dict[tuple[str, str], dict[int, Told]] = {}
        self._standings: dict[str, Standing] = {}

    async def place(self, source: str, kind: str) -> Place:
        """How far this kind of object has been read."""
        return self._places.get((source, kind), Place())

    async def told(self, source: str, kind: str, numbers: Collection[int]) -> Mapping[int, Told]:
        """What was last told of these objects."""
        known = self._told.get((source, kind), {})
        return {number: known[number] for number in numbers if number in known}

    async def told_between(self, source: str, kind: str, after: int, to: int | None) -> Mapping[int, Told]:
        """What was told of all objects above `after` and up to `to`."""
        known = self._told.get((source, kind), {})
        return {n: known[n] for n in sorted(known) if n > after and (to is None or n <= to)}

    async def keep(self, source: str, kind: str, place: Place, told: Mapping[int, Told | None]) -> None:
        """Keep a place, and what was told."""
        known = self._told.setdefault((source, kind), {})
        for number, one in told.items():
            if one is None:
                known.pop(number, None)
            else:
                known[number] = one
        self._places[source, kind] = place

    async def say(self, source: str, sentence: str | None) -> None:
        """Keep that a source was asked now, and what hinders it."""
        self._standings[source] = Standing(source, self._clock(), sentence)

    async def standings(self) -> Sequence[Standing]:
        """Every source that was ever asked, by name."""
        return [self._standings[source] for source in sorted(self._standings)]
