"""A planted bug: one text of one product file replaced by another, what it breaks, and who must find it."""

from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]


class Bug(NamedTuple):
    """`found_by` are test nodes of which at least one must fail. `server`: they need Kafka or Postgres. `unseen`: in a
    word, why the judge cannot see it, where it cannot."""

    name: str
    file: str
    old: str
    new: str
    breaks: str
    found_by: tuple[str, ...]
    server: bool = False
    unseen: str = ""

    def applied(self, text: str) -> str:
        """The file's text with the bug in it.

        Raises:
            ValueError: the text to replace is not there exactly once, or nothing changes.
        """
        times = text.count(self.old)
        if times != 1 or self.old == self.new:
            raise ValueError(f"{self.name}: the text to replace stands {times} times in {self.file}")
        return text.replace(self.old, self.new)
