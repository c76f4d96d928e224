"""What the console asks of the house. `services/wiring/console.py` answers, with the structures that commands print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol


class Part(NamedTuple):
    """A part of a list, and behind what it goes on; None where it ends."""

    items: Sequence[Any]
    next: str | None


class Desk(Protocol):
    """Every question raises MessageError where a thing that is named is not there, TransientError where store or broker
    do not answer. None reads more than what a part may be long."""

    async def status(self) -> Any:
        """How far everything has been read, and what waits."""

    async def contracts(self, after: str, limit: int) -> Part:
        """Contracts behind `after`, by id."""

    async def contract(self, contract: str) -> Any:
        """One contract: versions, milestones, positions."""

    async def explanation(self, contract: str, milestone: str | None) -> Sequence[Any]:
        """The account of one milestone, or of all, and what each rests on."""

    async def holds(self, after: str, limit: int) -> Part:
        """What is held and why in up to `limit` contracts behind `after`, the worst first."""

    async def conflicts(self, after: str, limit: int) -> Part:
        """Open conflicts of up to `limit` contracts behind `after`."""

    async def parked(self, limit: int) -> Sequence[Any]:
        """Facts that wait under keys of contracts."""

    async def drift(self, contract: str | None) -> Any:
        """Where finance differs: in one contract, or as far as the gates know."""

    async def quarantine(self, limit: int) -> Sequence[Any]:
        """Open records in quarantine, newest first."""

    async def quarantined(self, record: str) -> Any:
        """One record, without its value."""

    async def log(self, contract: str, after: int, limit: int) -> Part:
        """Revisions of one contract behind `after`, with the chain's heads and the bytes under them."""

    async def act(self, act: Act) -> Any:
        """Say it as the operators' source, and what became of it: a verdict, with `outcome` and `sentence`."""

    def words(self, conflict: Any) -> str:
        """What the systems say in a conflict, in a sentence; the first one counts."""

    async def names(self, text: str) -> Mapping[str, str]:
        """The names behind the pseudonyms in a text, as far as they are known. Pages show them; the API does not."""


class Act(NamedTuple):
    """What a person does, as one canonical event. `moments` are set to the store's time."""

    kind: str
    contract: str
    milestone: str | None
    fields: Mapping[str, Any]
    moments: tuple[str, ...] = ()
    amount: str | None = None
    event: str | None = None


class Watch(Protocol):
    """What the console tells about itself; neither tokens nor names are among it."""

    def count(self, metric: str, by: float = 1, **labels: str) -> None:
        """Add to a counter."""

    def event(self, level: str, event: str, **fields: object) -> None:
        """One line of the log."""

    def defect(self, event: str, fault: BaseException) -> None:
        """An unexpected error, without its message."""
