"""Walks through everything that is open in finance, so that nothing waits for somebody to name it.

An invoice that a command names is looked at when it appears or changes. One that no command names, under a key of a
registered contract, is looked at too: the gate does not fail open.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from contracts_schema.errors import TransientError
from contracts_schema.payables import Bill
from services.gate.drive import claimants
from services.gate.ports import Finance, Wanted
from services.gate.steps import subject_of


class Seen(NamedTuple):
    """An open invoice as it was seen last: by which contracts it was claimed, and whether a command named it."""

    bill: Bill
    claimed: tuple[str, ...]
    listed: bool


class Scan:
    """Remembers what it saw, so that only what is new or changed is looked at; a new process sees everything anew."""

    def __init__(self, wanted: Wanted, finance: Finance, sources: Sequence[str]) -> None:
        self._wanted = wanted
        self._finance = finance
        self._sources = sources
        self._seen: dict[str, Seen] = {}

    async def walk(self) -> int:
        """Look through all open invoices once; how many are to be looked at.

        Raises:
            TransientError: finance or the store does not answer.
        """
        seen: dict[str, Seen] = {}
        after: str | None = None
        begun: set[str] = set()
        while True:
            bills, after = await self._finance.open_bills(after)
            seen.update(await self._concerns(bills))
            if after is None:
                break
            if after in begun:
                raise TransientError("finance gives the same page of open invoices again and again")
            begun.add(after)
        changed = [now for number, now in seen.items() if self._seen.get(number) != now]
        gone = [was for number, was in self._seen.items() if _is_gone(was, seen.get(number))]
        due = {subject_of(one.bill) for one in (*changed, *gone) if one.claimed or one.listed}
        if due:
            await self._wanted.wake(due)
        self._seen = seen
        return len(due)

    async def _concerns(self, bills: Sequence[Bill]) -> dict[str, Seen]:
        """Which contracts these invoices concern: a contract may be registered after its invoice was seen."""
        claimed = await claimants(self._wanted, bills, self._sources)
        listed = await self._wanted.listed({subject_of(bill) for bill in bills}) if bills else ()
        return {bill.id: Seen(bill, claimed.get(bill.id, ()), subject_of(bill) in listed) for bill in bills}


def _is_gone(was: Seen, now: Seen | None) -> bool:
    """Whether it is open no more, or bears another number than before."""
    return now is None or subject_of(now.bill) != subject_of(was.bill)
