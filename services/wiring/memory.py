"""A worker's memory: what it knows of contracts is kept out of the collector's sight, large buffers go back at once."""

from __future__ import annotations

import ctypes
import gc
import time
from collections.abc import Callable

YOUNG_MOST = 300_000  # values of one batch that may be alive before the collector looks at them
EVERY_S = 1_800.0
M_MMAP_THRESHOLD = -3  # of mallopt, in glibc's malloc.h
LARGE_BYTES = 128 * 1024


class Sweep:
    """Python's collector looks for circles among all values that live. A worker keeps hundreds of thousands and makes
    hardly any circles, so what outlives a batch is set aside, and all of it is looked through every half hour: there
    are the circles of libraries, after errors.
    """

    def __init__(self, every_s: float = EVERY_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s = every_s
        self._clock = clock
        self._due = clock() + every_s
        gc.set_threshold(YOUNG_MOST, 10, 10)
        gc.collect()
        gc.freeze()

    def batch_done(self) -> None:
        """Set aside what has outlived a batch; now and then look through everything."""
        if self._clock() >= self._due:
            gc.unfreeze()
            gc.collect()
            self._due = self._clock() + self._every_s
        gc.freeze()


def give_buffers_back() -> None:
    """Fetched buffers are as large as a megabyte, and many. Left to itself glibc soon takes such blocks from its heap,
    where small values that live longer keep them from going back: a fifth of the memory."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
