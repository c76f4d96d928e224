"""An event loop whose time is made up: it jumps to the next thing that waits, and never looks at a clock.

Nothing here comes from outside, so a run depends on its seed alone. Tasks know the process that they belong to.
"""

import asyncio
import logging
import time
from contextlib import contextmanager
from contextvars import ContextVar
from random import Random
from unittest.mock import patch

from services.runtime import backoff

OWNER = ContextVar("owner", default=None)  # the process to which whatever runs belongs


class Stuck(Exception):
    """Everything waits, and for nothing that will ever come."""


class _Jump:
    """In place of waiting for sockets: time is over at once."""

    def __init__(self, loop):
        self.loop = loop

    def select(self, timeout):
        if timeout is None:
            raise Stuck("nothing is left that could happen")
        self.loop.now += timeout
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs what is ready in order, then lets time jump. It has no sockets, no threads and no signals."""

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self._clock_resolution = 1e-9
        self._selector = _Jump(self)
        self.set_task_factory(_own)

    def time(self):
        return self.now

    def _process_events(self, events):
        pass

    def _write_to_self(self):
        pass


def _own(loop, coroutine, **more):
    task = asyncio.Task(coroutine, loop=loop, **more)
    owner = OWNER.get()
    if owner is not None:
        owner.tasks.append(task)
    return task


@contextmanager
def virtual_time(seed):
    """A loop for the block; meanwhile every clock of this interpreter is the loop's, and pauses follow the seed."""
    loop = VirtualLoop()
    logging.disable(logging.CRITICAL)
    clocks = {"monotonic": loop.time, "perf_counter": loop.time, "time_ns": lambda: int(loop.now * 1e9)}
    try:
        with patch.multiple(time, **clocks), patch.object(backoff, "_random", Random(seed)):
            yield loop
    finally:
        logging.disable(logging.NOTSET)
        loop.close()
