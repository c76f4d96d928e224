"""Pauses between attempts: they grow, they are bounded, and no two workers make them alike."""

from __future__ import annotations

from random import SystemRandom

FIRST_S = 0.05
MOST_S = 5.0
_random = SystemRandom()


class Backoff:
    """Pauses in seconds that double from `first_s` up to `most_s`; each is between half of that and all of it."""

    def __init__(self, first_s: float = FIRST_S, most_s: float = MOST_S) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._next_s = first_s

    def next(self) -> float:
        """How long to wait this time."""
        pause_s, self._next_s = self._next_s, min(self._next_s * 2, self._most_s)
        return pause_s * _random.uniform(0.5, 1)

    def reset(self) -> None:
        """It worked: begin with the shortest pause again."""
        self._next_s = self._first_s
