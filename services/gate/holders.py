"""A finance system whose users the gate knows by pseudonyms alone: what it says of a block goes into the log of its
contract, in a field and in sentences."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec.structs import replace

from contracts_schema.payables import Bill, Called, Payable
from services.gate.ports import Finance
from services.reconciliation.pseudonyms import Pseudonyms


class HiddenHolders:
    """The same system. `keep` writes whom new pseudonyms mean, before anything is said of them."""

    def __init__(
        self, finance: Finance, pseudonyms: Pseudonyms, keep: Callable[[Mapping[str, str]], Awaitable[None]]
    ) -> None:
        self._finance = finance
        self._pseudonyms = pseudonyms
        self._keep = keep
        self._kept: set[str] = set()

    async def check(self) -> None:
        """As the system does it."""
        await self._finance.check()

    async def find(self, number: str) -> Sequence[Bill]:
        """Every invoice that bears this number."""
        return await self._hide(await self._finance.find(number))

    async def get(self, bill: str) -> Bill | None:
        """One invoice by its id."""
        found = await self._finance.get(bill)
        return None if found is None else (await self._hide([found]))[0]

    async def open_bills(self, after: str | None) -> tuple[Sequence[Bill], str | None]:
        """A page of open invoices."""
        bills, following = await self._finance.open_bills(after)
        return await self._hide(bills), following

    async def block(self, bill: Bill, line: str) -> Called:
        """As the system does it."""
        return await self._finance.block(bill, line)

    async def free(self, bill: Bill, line: str) -> Called:
        """As the system does it."""
        return await self._finance.free(bill, line)

    async def _hide(self, bills: Sequence[Bill]) -> Sequence[Bill]:
        users = {line.by for bill in bills for line in bill.lines if line.by}
        if new := {self._pseudonyms.of(user): user for user in users if user not in self._kept}:
            await self._keep(new)
            self._kept.update(new.values())
        return [replace(bill, lines=tuple(map(self._line, bill.lines))) for bill in bills]

    def _line(self, line: Payable) -> Payable:
        return replace(line, by=self._pseudonyms.of(line.by)) if line.by else line
