"""What a contender has done in one run, and how its commands are judged."""

from decimal import Decimal
from typing import NamedTuple


class Outcome(NamedTuple):
    """`events_s`: records a second, warm; CPU in microseconds of one record, by process; memory of one worker."""

    events_s: float
    cpu_us: dict[str, float]
    memory_mb: float
    differ: int  # milestones whose final state is not the true one
    doubled: int  # commands that stand twice, or leave a gap


def judged(commands: list[dict], true: dict[str, Decimal], scale: int = 1) -> tuple[int, int]:
    """Milestones of which the last command is not the true state, and commands doubled or missing in a sequence."""
    last: dict[str, tuple[int, Decimal]] = {}
    seen: dict[str, list[int]] = {}
    for c in commands:
        name = f"{c['contract']}/{c['milestone']}"
        seen.setdefault(name, []).append(c["sequence"])
        if c["sequence"] >= last.get(name, (0, Decimal(0)))[0]:
            last[name] = (c["sequence"], Decimal(c["allowed"]) / scale)
    differ = sum(last.get(name, (0, Decimal(0)))[1] != may for name, may in true.items())
    return differ, sum(sorted(numbers) != list(range(1, len(numbers) + 1)) for numbers in seen.values())
