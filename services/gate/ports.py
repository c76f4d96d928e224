"""Ports of the gate: the finance system it drives, and where it keeps what is wanted. Connectors fit them by shape."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from contracts_schema.payables import Bill, Called, Finding, Finished, Intake, InvoiceRow, Listing, Refusal, Task
from contracts_schema.rows import LogRow, OffsetRange, Partition, PublishRow


class Finance(Protocol):
    """A finance system that can block and free payable lines.

    Reading raises TransientError where the system does not answer now and ConfigurationError where it refuses us.
    """

    async def check(self) -> None:
        """Find out who we are there, so that our holds can be told from others'."""

    async def find(self, number: str) -> Sequence[Bill]:
        """Every invoice that bears this number, of whichever supplier; drafts are none yet."""

    async def get(self, bill: str) -> Bill | None:
        """One invoice by its id."""

    async def open_bills(self, after: str | None) -> tuple[Sequence[Bill], str | None]:
        """A page of open invoices, and where the next page starts (None: that was all)."""

    async def block(self, bill: Bill, line: str) -> Called:
        """Block one payable line, in one call that is never repeated by itself."""

    async def free(self, bill: Bill, line: str) -> Called:
        """Free one payable line, in one call that is never repeated by itself."""


class IntakeBatch(Protocol):
    """One transaction that takes in a batch of commands."""

    async def fence(self, owner: str, ranges: Sequence[OffsetRange]) -> None:
        """Move each partition on. Raises FenceLost if one is not this owner's, or further already."""

    async def load(self, contracts: Collection[str]) -> Mapping[str, bytes]:
        """The memories of these contracts, locked in sorted order; a new contract is left out."""

    async def write(self, intake: Intake) -> None:
        """Write everything. It waits for a release that is on its way to finance for an invoice in `wake`."""


class Look(Protocol):
    """One transaction in which one invoice is looked at; nobody else looks at it meanwhile."""

    row: InvoiceRow

    async def listings(self) -> Sequence[Listing]:
        """The milestones that name the invoice."""

    async def memories(self, contracts: Collection[str], *, lock: bool) -> Mapping[str, bytes]:
        """The memories of these contracts; locked in sorted order where they are going to be written."""

    async def finish(self, finished: Finished) -> None:
        """Write what came of it. A command that named the invoice meanwhile makes it due at once."""


class Wanted(Protocol):
    """Where one finance system's gate keeps what is wanted, durably. Subjects: `n:<number>` or `i:<bill id>`."""

    async def take(self, owner: str, cluster: str, partitions: Collection[Partition]) -> Mapping[Partition, int | None]:
        """Make `owner` the only one who may move these partitions on; the next offset of each (None: never read)."""

    async def stands(self, cluster: str) -> Mapping[Partition, int | None]:
        """The next offset of each partition that any gate of this finance system has taken (None: never read)."""

    def intake(self) -> AbstractAsyncContextManager[IntakeBatch]:
        """Open one transaction for a batch of commands."""

    async def due(self, limit: int) -> Sequence[Task]:
        """Invoices to look at now, the longest due first."""

    def look(self, subject: str) -> AbstractAsyncContextManager[Look]:
        """Open one transaction to look at one invoice."""

    def releasing(self, subject: str, generation: int) -> AbstractAsyncContextManager[bool]:
        """Around the call that frees: whether no command has named the invoice since; none can while it lasts."""

    async def wake(self, subjects: Collection[str]) -> None:
        """Make these due now; a look that has begun before does not put them off."""

    async def listed(self, subjects: Collection[str]) -> Collection[str]:
        """Those of the subjects that some command names."""

    async def claimed(self, keys: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], tuple[str, ...]]:
        """Which contracts claim each of these crosswalk keys (source, key); keys that nobody claims are left out."""

    async def answers(self, limit: int) -> Sequence[tuple[int, PublishRow]]:
        """The oldest answers that wait to be published, in order."""

    async def answered(self, ids: Collection[int]) -> None:
        """Delete answers that the broker has confirmed."""

    async def findings(self) -> Sequence[Finding]:
        """Everything about invoices in finance that people should know, oldest first."""

    async def refusals(self, limit: int) -> Sequence[Refusal]:
        """Commands that were not believed, newest first."""

    async def now(self) -> int:
        """The store's clock in microseconds since 1970."""


class Leases(Protocol):
    """Who may act: one gate for each finance system."""

    async def lease(self, name: str, owner: str, seconds: float) -> int | None:
        """Take or renew a lease; its epoch, or None while somebody else holds it."""

    async def release(self, name: str, owner: str) -> None:
        """Give a lease back before it expires."""


class Proofs(Protocol):
    """The log of revisions, in which every genuine command stands."""

    async def revisions(self, wanted: Collection[tuple[str, int]]) -> Sequence[LogRow]:
        """Single revisions by (contract, revision)."""

    async def state(self, contract: str) -> bytes | None:
        """The encoded state of one contract, which knows what was taken over from another store."""
