"""What a worker sets aside from the collector of circles is looked through all the same, now and then."""

import gc
import weakref

import pytest

from services.wiring.memory import Sweep


class Circle:
    def __init__(self):
        self.myself = self


@pytest.fixture(autouse=True)
def as_before():
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


def test_what_outlives_a_batch_is_out_of_sight_until_everything_is_looked_through():
    now = [0.0]
    sweep = Sweep(every_s=60, clock=lambda: now[0])
    circle = weakref.ref(Circle())
    sweep.batch_done()
    gc.collect()
    assert circle() is not None
    now[0] = 60.0
    sweep.batch_done()
    assert circle() is None
    assert gc.get_freeze_count() > 0


def test_the_next_look_is_as_long_after_the_last_one():
    now = [0.0]
    sweep = Sweep(every_s=60, clock=lambda: now[0])
    now[0] = 60.0
    sweep.batch_done()
    circle = weakref.ref(Circle())
    now[0] = 119.0
    sweep.batch_done()
    assert circle() is not None
