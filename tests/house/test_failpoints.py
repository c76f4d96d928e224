"""Failpoints are named once, passed where the table in ARCHITECTURE.md says, and armed only as they are written."""

import random
import re
from pathlib import Path

import pytest
from chaos.campaign import stages
from chaos.census import Census
from chaos.faults import Faults
from chaos.outages import Outages

from contracts_schema import failpoints
from contracts_schema.errors import ConfigurationError, TransientError
from contracts_schema.failpoints import POINTS, failpoint
from services.wiring.failpoints import Plan, arm_failpoints, plans

ROOT = Path(__file__).parents[2]
NAMES = [name for names in POINTS.values() for name in names]
TOLD = re.findall(
    r"^\| `([a-z_.]+)` \| `([a-z_/]+\.py)` \|", (ROOT / "services/ARCHITECTURE.md").read_text(), re.MULTILINE
)


@pytest.fixture(autouse=True)
def disarmed():
    yield
    failpoints.arm(None)


def passed():
    """Where failpoints are passed, by name."""
    found = {}
    for path in (p for package in ("connectors", "services", "mappers") for p in (ROOT / package).rglob("*.py")):
        for name in re.findall(r"""failpoint\("([^"]+)"\)""", path.read_text()):
            found.setdefault(name, []).append(path.relative_to(ROOT).as_posix())
    return found


def test_every_failpoint_is_passed_in_one_place_and_told_of_there():
    assert sorted(TOLD) == sorted((name, place) for name, places in passed().items() for place in places)
    assert sorted(NAMES) == sorted(passed())
    assert len(NAMES) == len(set(NAMES)) >= 25


def test_the_campaign_lets_every_kind_of_process_die_at_each_of_its_failpoints():
    faults = Faults(None, Census(), None, random.Random(1))
    calls = [call for stage in stages(faults, Outages(faults)).values() for call in stage]
    assert sorted(call.args[0] for call in calls if getattr(call, "func", None) == faults.die_everywhere) == sorted(
        POINTS
    )


def test_nothing_happens_at_a_failpoint_that_is_not_armed():
    arm_failpoints({})
    for name in NAMES:
        failpoint(name)


def test_an_error_is_raised_at_the_time_asked_for_and_once(capfd):
    arm_failpoints({"MILEPOST_FAILPOINTS": "batch.fenced=error:2"})
    failpoint("batch.fenced")
    failpoint("batch.written")
    with pytest.raises(TransientError):
        failpoint("batch.fenced")
    failpoint("batch.fenced")
    assert capfd.readouterr().err == '{"event": "failpoint fired", "name": "batch.fenced", "action": "error"}\n'


def test_a_plan_says_action_time_and_seconds():
    assert plans("call.after=kill look.begun=delay:3:0.5 relay.read=stop:2") == {
        "call.after": Plan("kill"), "look.begun": Plan("delay", 3, 0.5), "relay.read": Plan("stop", 2),
    }  # fmt: skip


@pytest.mark.parametrize("wrong", ["batch.fnced=kill", "batch.fenced=die", "batch.fenced", "batch.fenced=kill:x",
                                   "batch.fenced=kill:1:2:3"])  # fmt: skip
def test_what_cannot_be_armed_is_refused(wrong):
    with pytest.raises(ConfigurationError):
        arm_failpoints({"MILEPOST_FAILPOINTS": wrong})
