"""Walks through everything that is open in finance, so that nothing waits for somebody to name it.

An invoice that a command names is looked at when it appears or changes. One that no command names, under a key of a
registered contract, is looked at too: the gate does not fail open.
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts_schema.payables import Bill
from services.gate.drive import claimants
from services.gate.fence import normal
from services.gate.ports import Finance, Wanted


class Scan:
    """Remembers what it saw, so that only what is new or changed is looked at; a new process sees everything anew."""

    def __init__(self, wanted: Wanted, finance: Finance, sources: Sequence[str]) -> None:
        self._wanted = wanted
        self._finance = finance
        self._sources = sources
        self._seen: dict[str, Bill] = {}

    async def walk(self) -> int:
        """Look through all open invoices once; how many are to be looked at.

        Raises:
            TransientError: finance or the store does not answer.
        """
        seen: dict[str, Bill] = {}
        after: str | None = None
        woken = 0
        while True:
            bills, after = await self._finance.open_bills(after)
            seen.update({bill.id: bill for bill in bills})
            woken += await self._wake([bill for bill in bills if self._seen.get(bill.id) != bill])
            if after is None:
                break
        gone = [bill for number, bill in self._seen.items() if number not in seen]
        woken += await self._wake(gone)
        self._seen = seen
        return woken

    def forget(self) -> None:
        """See everything anew: contracts may have been registered since."""
        self._seen.clear()

    async def _wake(self, bills: Sequence[Bill]) -> int:
        """Make those due that concern a contract."""
        claimed = await claimants(self._wanted, bills, self._sources)
        subjects = {bill.id: subject_of(bill) for bill in bills}
        listed = await self._wanted.listed(set(subjects.values())) if subjects else ()
        due = {subject for number, subject in subjects.items() if number in claimed or subject in listed}
        if due:
            await self._wanted.wake(due)
        return len(due)


def subject_of(bill: Bill) -> str:
    """What an invoice is looked at under: its number, or its id where it has none."""
    return f"n:{normal(bill.number)}" if bill.number else f"i:{bill.id}"
