"""How whole days are spread: counted one by one, so that the median is exact and contracts can be let go."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

from services.reporting.sheet import Cell, written

COLUMNS = ("count", "mean_days", "median_days", "least_days", "most_days")


class Spread:
    """Whole days, each as often as it came; negative days are early."""

    def __init__(self) -> None:
        self._days: Counter[int] = Counter()

    def add(self, days: int) -> None:
        """Count one more."""
        self._days[days] += 1

    @property
    def count(self) -> int:
        """How many there are."""
        return self._days.total()

    @property
    def mean(self) -> Fraction | None:
        """The mean; None of nothing."""
        total = sum(days * times for days, times in self._days.items())
        return Fraction(total, self.count) if self.count else None

    @property
    def median(self) -> Fraction | None:
        """The middle one, or half way between the two in the middle; None of nothing."""
        if not self.count:
            return None
        return Fraction(self._nth((self.count - 1) // 2) + self._nth(self.count // 2), 2)

    def _nth(self, n: int) -> int:
        passed = 0
        for days in sorted(self._days):
            passed += self._days[days]
            if passed > n:
                return days
        raise IndexError(n)

    def cells(self) -> tuple[Cell, ...]:
        """Count, mean, median, least and most, as a sheet shows them."""
        if self.mean is None or self.median is None:
            return (0, None, None, None, None)
        return self.count, written(self.mean, 1), written(self.median, 1), min(self._days), max(self._days)
