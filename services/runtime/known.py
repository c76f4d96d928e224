"""Contracts that this worker decided last, still decoded: reading a state again costs more than comparing its bytes."""

from __future__ import annotations

from services.reconciliation.state import State, decode_state

CONTRACTS_MOST = 3_000  # some tens of kilobytes each


class KnownStates:
    """Decoded states, each with the very bytes it was encoded to.

    The store's row stays the only truth: an entry counts while the row holds those bytes. Whoever takes one owns it, so
    a batch that fails, or another worker that was faster, leaves nothing behind but a state to be decoded again.
    """

    def __init__(self, most: int = CONTRACTS_MOST) -> None:
        self._most = most
        self._known: dict[str, tuple[bytes, State]] = {}

    def take(self, contract: str, raw: bytes) -> State:
        """The state that the store's row holds."""
        kept = self._known.pop(contract, None)
        return kept[1] if kept is not None and kept[0] == raw else decode_state(raw)

    def look(self, contract: str, raw: bytes) -> State:
        """The same to look at, not to change; it stays known."""
        kept = self._known.get(contract)
        return kept[1] if kept is not None and kept[0] == raw else decode_state(raw)

    def keep(self, contract: str, raw: bytes, state: State) -> None:
        """Keep what was just encoded; the contract that was not touched for longest gives way."""
        self._known[contract] = (raw, state)
        if len(self._known) > self._most:
            del self._known[next(iter(self._known))]
