"""When a worker stops reading: what was decided does not go out, and would pile up in the database.

A slow database needs nothing of the kind: a worker asks for more only once its batch is committed.
"""

from __future__ import annotations


class Pressure:
    """On from `most` rows in the outbox, until less than half of them are left: it does not flutter."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.on = False

    def saw(self, rows: int) -> bool:
        """So many rows are waiting; whether this changed anything."""
        before, self.on = self.on, rows >= (self._most / 2 if self.on else self._most)
        return before != self.on
