"""What this worker decided last, still decoded: reading it again from the store costs more than comparing bytes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from contracts_schema.rows import LogRow
from services.reconciliation.log import LogEntry
from services.reconciliation.state import State, decode_state

STATES_MOST = 8 * 1024 * 1024  # bytes as they are encoded; decoded, with their cases, some ten times as many
PERSONS_MOST = 100_000
REVISIONS_MOST = 4 * 1024 * 1024  # the same: a revision of a batch that has waited has many facts


class KnownStates:
    """Decoded states, each with the very bytes it was encoded to.

    The store's row stays the only truth: an entry counts while the row holds those bytes. Whoever takes one owns it, so
    a batch that fails, or another worker that was faster, leaves nothing behind but a state to be decoded again.
    """

    def __init__(self, most: int = STATES_MOST) -> None:
        self._most = most
        self._bytes = 0
        self._known: dict[str, tuple[bytes, State]] = {}

    def take(self, contract: str, raw: bytes) -> State:
        """The state that the store's row holds."""
        kept = self._forget(contract)
        if kept is not None and kept[0] == raw:
            return kept[1]
        _end(kept)
        return decode_state(raw)

    def look(self, contract: str, raw: bytes) -> State:
        """The same to look at, not to change; it stays known."""
        kept = self._known.get(contract)
        return kept[1] if kept is not None and kept[0] == raw else decode_state(raw)

    def keep(self, contract: str, raw: bytes, state: State) -> None:
        """Keep what was just encoded; the contract that was not touched for longest gives way."""
        self._forget(contract)
        self._known[contract] = (raw, state)
        self._bytes += len(raw)
        while self._bytes > self._most:
            _end(self._forget(next(iter(self._known))))

    def _forget(self, contract: str) -> tuple[bytes, State] | None:
        kept = self._known.pop(contract, None)
        self._bytes -= len(kept[0]) if kept is not None else 0
        return kept


def _end(kept: tuple[bytes, State] | None) -> None:
    """Free a state at once: it and the case beside it refer to each other."""
    case = kept[1].kept.pop("case", None) if kept is not None else None
    if case is not None:
        case.end()


class KnownRevisions:
    """Revisions that were just committed, for the lanes that publish what was told and, where somebody reads them, the
    `decisions`. The log has them all."""

    def __init__(self, most: int = REVISIONS_MOST, *, decisions: bool = True) -> None:
        self._most = most
        self._decisions = decisions
        self._bytes = 0
        self._known: dict[tuple[str, int], tuple[LogEntry, LogRow]] = {}

    def keep(self, rows: Iterable[LogRow], entries: Iterable[LogEntry]) -> None:
        """Keep what was committed; the oldest give way."""
        for row, entry in zip(rows, entries, strict=True):
            if entry.notices or (self._decisions and entry.decisions):
                self._known[row.contract, row.revision] = (entry, row)
                self._bytes += len(row.entry)
        while self._bytes > self._most:
            self._bytes -= len(self._known.pop(next(iter(self._known)))[1].entry)

    def look(self, contract: str, revision: int) -> tuple[LogEntry, bytes] | None:
        """A revision with its hash, if it is known here."""
        kept = self._known.get((contract, revision))
        return None if kept is None else (kept[0], kept[1].head)


class KnownPersons:
    """Pseudonyms whose names this worker has committed. One that was erased meanwhile is written again by the next
    worker that meets it: this one does not ask."""

    def __init__(self, most: int = PERSONS_MOST) -> None:
        self._most = most
        self._known: set[str] = set()

    def new(self, met: Iterable[Mapping[str, str]]) -> list[tuple[str, str]]:
        """Pseudonyms and names that are to be written."""
        found = {p: name for persons in met for p, name in persons.items() if p not in self._known}
        return sorted(found.items())

    def keep(self, committed: Collection[tuple[str, str]]) -> None:
        """Remember them; when there are too many, all are met anew."""
        if len(self._known) + len(committed) > self._most:
            self._known.clear()
        self._known.update(pseudonym for pseudonym, _ in committed)
