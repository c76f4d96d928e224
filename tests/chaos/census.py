"""The account of a campaign: which faults were planned, which fired, and how fast things went on after each kind."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable


class Census:
    """Counts by kind of fault. A planned fault that did not fire fails the run."""

    def __init__(self) -> None:
        self.planned: Counter[str] = Counter()
        self.fired: Counter[str] = Counter()
        self.went_on: dict[str, list[float]] = defaultdict(list)

    def plan(self, kind: str, times: int = 1) -> None:
        self.planned[kind] += times

    def plan_all(self, kinds: Iterable[str]) -> None:
        self.planned.update(kinds)

    def fire(self, kind: str, times: int = 1) -> None:
        self.fired[kind] += times

    def recovered(self, kind: str, seconds: float) -> None:
        """So long after a fault of this kind had ended, or its victim had, its work went on."""
        self.went_on[kind].append(seconds)

    def missing(self) -> dict[str, int]:
        """What was planned and did not happen."""
        return dict(self.planned - self.fired)

    def figures(self) -> dict[str, object]:
        spans = {
            kind: {"times": len(s), "median_s": round(statistics.median(s), 1), "most_s": round(max(s), 1)}
            for kind, s in sorted(self.went_on.items())
        }
        return {"planned": dict(sorted(self.planned.items())), "fired": dict(sorted(self.fired.items())),
                "went_on_after": spans}  # fmt: skip
