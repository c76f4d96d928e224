"""Arms failpoints from the environment, for tests of crashes alone.

    MILEPOST_FAILPOINTS="batch.committed=kill:3 publish.sent=error look.begun=delay:1:2.5"

NAME=ACTION[:N[:SECONDS]], several with blanks between them. At the N-th time (default: the first) that the process
comes to the failpoint, once:

- `kill`   the process is gone, as by kill -9
- `stop`   it stands still until somebody lets it go on (SIGCONT), as a machine that hangs
- `error`  the step fails as if broker, store or vendor had not answered (TransientError)
- `delay`  all of it stands still for SECONDS

Each that fires says so first, in a line of the log.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from contracts_schema.errors import ConfigurationError, TransientError
from contracts_schema.failpoints import POINTS, arm

VARIABLE = "MILEPOST_FAILPOINTS"
ACTIONS = ("kill", "stop", "error", "delay")


class Plan(NamedTuple):
    """What is to happen at one failpoint, at which time of reaching it."""

    action: str
    at: int = 1
    seconds: float = 1.0


def arm_failpoints(environment: Mapping[str, str] = os.environ) -> None:
    """Arm what the environment asks for; without the variable nothing is armed.

    Raises:
        ConfigurationError: a name or an action that does not exist; every fault is named.
    """
    if environment.get(VARIABLE):
        arm(_firing(plans(environment[VARIABLE])))


def plans(text: str) -> dict[str, Plan]:
    """What the variable asks for, by failpoint. Raises ConfigurationError with every fault."""
    known = {name for names in POINTS.values() for name in names}
    found, faults = dict[str, Plan](), list[str]()
    for part in text.split():
        name, _, wanted = part.partition("=")
        if name not in known:
            faults.append(f"{VARIABLE}: there is no failpoint {name!r}")
        try:
            found[name] = _plan(wanted)
        except ValueError:
            faults.append(f"{VARIABLE}: {part!r}: write NAME=ACTION[:N[:SECONDS]], ACTION one of {', '.join(ACTIONS)}")
    if faults:
        raise ConfigurationError(faults)
    return found


def _plan(text: str) -> Plan:
    action, *numbers = text.split(":")
    if action not in ACTIONS or len(numbers) > 2:
        raise ValueError(text)
    return Plan(action, *(kind(number) for kind, number in zip((int, float), numbers, strict=False)))


def _firing(wanted: Mapping[str, Plan]) -> Callable[[str], None]:
    reached = dict.fromkeys(wanted, 0)

    def fire(name: str) -> None:
        plan = wanted.get(name)
        if plan is None:
            return
        reached[name] += 1
        if reached[name] == plan.at:
            _say(name, plan.action)
            _do(name, plan)

    return fire


def _say(name: str, action: str) -> None:
    """Past every buffer: the process may not live to flush one."""
    os.write(2, json.dumps({"event": "failpoint fired", "name": name, "action": action}).encode() + b"\n")


def _do(name: str, plan: Plan) -> None:
    if plan.action == "error":
        raise TransientError(f"failpoint {name}")
    if plan.action == "delay":
        time.sleep(plan.seconds)
    else:
        os.kill(os.getpid(), signal.SIGKILL if plan.action == "kill" else signal.SIGSTOP)
