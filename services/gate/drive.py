"""Brings one invoice to what all milestones that name it want together: read, call where it differs, read back.

Nothing here repeats a call. What a call came to is told by reading the invoice again; what could not be told is
`unknown`, and the invoice is looked at again later. So calls that toggle and calls that refuse repeats are safe.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from msgspec import Struct

from contracts_schema.drift import Difference, DriftKind
from contracts_schema.errors import ConfigurationError, TransientError
from contracts_schema.failpoints import failpoint
from contracts_schema.payables import Bill, Called, CallState, Finished
from contracts_schema.rows import FenceLost, PublishRow
from services.gate.answers import Voice, observed, settled, worse
from services.gate.findings import differences, since
from services.gate.judge import NOT_THERE, Tried, judged
from services.gate.memory import (
    BillMemory,
    ContractMemory,
    InvoiceMemory,
    Result,
    contract_memory,
    encode_memory,
    invoice_memory,
)
from services.gate.ports import Finance, Look, Wanted
from services.gate.remember import remembered, sightings
from services.gate.steps import Order, Outlook, Step, outlooks, steps, subject_of

log = logging.getLogger(__name__)


class Manner(Struct, frozen=True):
    """How the gate acts. Times in seconds: how long to wait after something that is not final (it doubles), at most how
    long, and when to look again at what is open and as wanted. `sources`: under whose keys contracts claim invoices.
    """

    sources: tuple[str, ...]
    acts: bool = True
    holds_unclaimed: bool = True
    reassert: bool = False
    first_s: float = 2
    most_s: float = 300
    settled_s: float = 900


class Sight(Struct):
    """One look: the invoices of a subject as finance shows them now, and what is to be said of them."""

    outlooks: list[Outlook]
    before: Mapping[str, Bill]
    called: dict[str, dict[str, Called]]


class Driver:
    """Looks at invoices. `may_act` says whether this gate still owns the finance system, asked before each call."""

    def __init__(
        self, wanted: Wanted, finance: Finance, voice: Voice, manner: Manner, may_act: Callable[[], bool]
    ) -> None:  # fmt: skip
        self.counts: Counter[str] = Counter()
        self._wanted = wanted
        self._finance = finance
        self._voice = voice
        self._manner = manner
        self._may_act = may_act

    async def look(self, subject: str) -> None:
        """Look at one invoice and do what is to be done.

        Raises:
            TransientError: the store does not answer. That finance does not is told and tried again later.
            FenceLost: the look went out of date.
        """
        async with self._wanted.look(subject) as look:
            memory = invoice_memory(look.row.memory)
            failpoint("look.begun")
            orders = await self._orders(look, subject)
            try:
                sight = await self._bring(look, subject, orders, memory)
            except (TransientError, ConfigurationError) as silent:  # the key may have been withdrawn: people must act
                log.warning("%s: %s does not answer: %s", subject, self._voice.finance, silent)
                self.counts["finance_silent"] += 1
                await look.finish(self._later(look, memory, str(silent), await self._wanted.now()))
                return
            await look.finish(await self._told(look, sight, orders, memory))
            failpoint("look.written")
        failpoint("look.committed")

    async def _orders(self, look: Look, subject: str) -> list[Order]:
        listings = await look.listings()
        raw = await look.memories({listing.contract for listing in listings}, lock=False)
        memories = {contract: contract_memory(found) for contract, found in raw.items()}
        return [
            order
            for listing in listings
            if listing.contract in memories
            for order in orders_of(memories[listing.contract], listing.contract, listing.milestone, subject)
        ]

    async def _bring(self, look: Look, subject: str, orders: Sequence[Order], memory: InvoiceMemory) -> Sight:
        before = await self._read(subject, memory)
        called: dict[str, dict[str, Called]] = {}
        wanted = await self._outlooks(before, orders, memory)
        for outlook in wanted:
            kept = memory.bills.get(outlook.bill.id, BillMemory())
            done = await self._call(look, outlook, steps(outlook, kept, reassert=self._manner.reassert))
            called[outlook.bill.id] = done
        shown = {bill.id: bill for bill in before}
        if not any(called.values()):
            return Sight(wanted, shown, called)
        try:
            failpoint("call.after")
            after = await self._read(subject, memory)
        except (TransientError, ConfigurationError) as silent:
            return Sight(wanted, shown, _in_doubt(called, str(silent)))
        failpoint("look.read_back")
        return Sight(await self._outlooks(after, orders, memory), shown, called)

    async def _read(self, subject: str, memory: InvoiceMemory) -> Sequence[Bill]:
        """The invoices of a subject, also those in hand that bear another number by now."""
        kind, _, name = subject.partition(":")
        found = list(await self._finance.find(name)) if kind == "n" else []
        strays = _in_hand(memory) if kind == "n" else {name}
        for number in sorted(strays - {bill.id for bill in found}):
            bill = await self._finance.get(number)
            if bill is not None and (kind == "i" or not await self._wanted.listed({subject_of(bill)})):
                found.append(bill)
        return found

    async def _outlooks(self, bills: Sequence[Bill], orders: Sequence[Order], memory: InvoiceMemory) -> list[Outlook]:
        claimed = await claimants(self._wanted, bills, self._manner.sources)
        gone = [kept.gone for kept in memory.bills.values() if kept.gone is not None]
        concerned = _in_hand(memory).union(claimed)
        return outlooks(bills, orders, concerned, holds_unclaimed=self._manner.holds_unclaimed, gone=gone)

    async def _call(self, look: Look, outlook: Outlook, wanted: Sequence[Step]) -> dict[str, Called]:
        """Make the calls, one after the other, until one is not answered."""
        called: dict[str, Called] = {}
        for step in wanted if self._manner.acts else ():
            failpoint("call.before")
            called[step.line.id] = outcome = await self._step(look, outlook.bill, step)
            self.counts[f"{'block' if step.block else 'free'}_{outcome.state.value}"] += 1
            log.info(
                "%s: %s line %s of %s: %s %s", self._voice.finance, "block" if step.block else "free", step.line.id,
                outlook.bill.id, outcome.state.value, outcome.sentence,
            )  # fmt: skip
            if outcome.state is CallState.UNKNOWN:
                break
        return called

    async def _step(self, look: Look, bill: Bill, step: Step) -> Called:
        """One call. Nothing is freed once a newer command names the invoice or it was woken, nor while one is taken in.

        Raises:
            FenceLost: the look is out of date; nothing of it is kept, and the invoice is looked at again.
        """
        if step.block:
            self._refuse_if_lost()
            return await self._finance.block(bill, step.line.id)
        async with self._wanted.releasing(look.row.subject, look.row.generation) as still_wanted:
            self._refuse_if_lost()
            if not still_wanted:
                raise FenceLost("a newer command names the invoice, or it was woken meanwhile")
            return await self._finance.free(bill, step.line.id)

    def _refuse_if_lost(self) -> None:
        if not self._may_act():
            raise FenceLost(f"{self._voice.finance} may be another gate's by now")

    async def _told(self, look: Look, sight: Sight, orders: Sequence[Order], memory: InvoiceMemory) -> Finished:
        """What the look came to: memories, answers, findings, and when to look again."""
        results: dict[tuple[str, str], Result] = {}
        for o in orders:  # one milestone may want two invoices of this number, of two business units
            place = (o.contract, o.milestone)
            results[place] = worse(results.get(place), self._result(o, sight, memory))
        now = await self._wanted.now()
        answers, findings = self._remember(sight, memory, now)
        raw = await look.memories({order.contract for order in orders}, lock=True)
        memories = {contract: contract_memory(found) for contract, found in raw.items()}
        for order in orders:
            result = results[order.contract, order.milestone]
            answer = self._settle(memories[order.contract], order, result, now)
            answers += [answer] if answer else []
            if result.state in ("unknown", "rejected") or (result.state == "waiting" and result != NOT_THERE):
                findings.append(f"{order.contract}/{order.milestone}: {result.state}: {result.detail}")
        found = differences(sight.outlooks, memory.bills, results)
        memory.differences = since(found, memory.differences, now)
        findings = findings or [f"{d.invoice}: {d.detail}" for d in found]
        states = {result.state for result in results.values()}
        changed = bool(answers) or any(sight.called.values())
        tries = 0 if changed else look.row.tries + 1
        return Finished(
            memory=encode_memory(memory), tries=tries, again_s=self._again_s(states, sight, tries),
            memories={name: encode_memory(kept) for name, kept in memories.items()}, answers=answers,
            finding="; ".join(dict.fromkeys(findings))[:2000],
        )  # fmt: skip

    def _result(self, order: Order, sight: Sight, memory: InvoiceMemory) -> Result:
        """The result of an order: that of the open invoice it means, else of another one, else it is not there yet."""
        mine = [o for o in sight.outlooks if order in o.orders]
        mine.sort(key=lambda o: (o.bill.state != "open", o.bill.id not in order.wish.ids, o.bill.state != "paid"))
        if not mine:
            return NOT_THERE
        bill = mine[0].bill
        called, before = sight.called.get(bill.id, {}), sight.before.get(bill.id, bill)
        tried = Tried(before, called, observing=not self._manner.acts)
        return judged(mine[0], order, memory.bills.get(bill.id, BillMemory()), tried)

    def _remember(self, sight: Sight, memory: InvoiceMemory, now: int) -> tuple[list[PublishRow], list[str]]:
        """Renew the memory; what is to be told of blocks that are not as the gate left them."""
        answers: list[PublishRow] = []
        findings: list[str] = []
        for outlook in sight.outlooks:
            bill = outlook.bill
            old = memory.bills.get(bill.id, BillMemory())
            kept = remembered(outlook, old, sight.called.get(bill.id, {}))
            for seen in sightings(outlook, kept) if outlook.orders else ():
                kept.tellings += 1
                answers += [
                    observed(self._voice, o.contract, o.milestone, bill, seen, kept, now) for o in outlook.orders
                ]
            findings += _findings(outlook, kept)
            if outlook.orders or kept.unclaimed or bill.id in memory.bills:
                memory.bills[bill.id] = kept
        return answers, findings

    def _settle(self, memory: ContractMemory, order: Order, result: Result, now: int) -> PublishRow | None:
        kept = memory.milestones.get(order.milestone)
        if kept is None or kept.command_id != order.kept.command_id:
            return None  # a newer command came meanwhile
        kept.results[order.wish.number] = result
        return settled(kept, order.contract, order.milestone, now, self._voice)

    def _again_s(self, states: Collection[str], sight: Sight, tries: int) -> float | None:
        manner = self._manner
        calls = [called for lines in sight.called.values() for called in lines.values()]  # also where nobody orders
        if "unknown" in states or "waiting" in states or any(called.state is CallState.UNKNOWN for called in calls):
            return float(min(manner.most_s, manner.first_s * 2 ** min(tries, 20)))
        watched = [o for o in sight.outlooks if o.stopped or o.orders]
        return manner.settled_s if any(o.bill.state == "open" for o in watched) else None

    def _later(self, look: Look, memory: InvoiceMemory, why: str, now: int) -> Finished:
        """Nothing could be asked; what was known before is still so, as far as anybody knows."""
        tries = look.row.tries + 1
        again_s = min(self._manner.most_s, self._manner.first_s * 2 ** min(tries, 20))
        known = [d for d in memory.differences if d.kind is not DriftKind.FINANCE_SILENT]
        silent = Difference(DriftKind.FINANCE_SILENT, look.row.subject.partition(":")[2], why[:2000])
        memory.differences = since([*known, silent], memory.differences, now)
        return Finished(encode_memory(memory), tries, again_s, finding=f"finance does not answer: {why}"[:2000])


def orders_of(memory: ContractMemory, contract: str, milestone: str, subject: str) -> list[Order]:
    """What a milestone wants of the invoices that a subject names."""
    kept = memory.milestones.get(milestone)
    found = [wish for wish in kept.wishes if f"n:{wish.number}" == subject] if kept else []
    stale = memory.is_stale
    return [Order(contract, milestone, kept, wish, memory.payable(kept, wish), stale) for wish in found if kept]


def _in_hand(memory: InvoiceMemory) -> set[str]:
    """Invoices of which the gate has freed or blocked a line: no command need name them any more."""
    return {number for number, kept in memory.bills.items() if kept.freed or kept.held}


async def claimants(
    wanted: Wanted, bills: Sequence[Bill], sources: Sequence[str]
) -> dict[str, tuple[str, ...]]:  # fmt: skip
    """By invoice, the contracts that claim one of its keys."""
    keys = {(source, key) for bill in bills for key in bill.keys for source in sources}
    claims = await wanted.claimed(keys) if keys else {}
    found = {}
    for bill in bills:
        names = {name for key in bill.keys for source in sources for name in claims.get((source, key), ())}
        if names:
            found[bill.id] = tuple(sorted(names))
    return found


def _in_doubt(called: Mapping[str, dict[str, Called]], why: str) -> dict[str, dict[str, Called]]:
    """The same calls, none of which can be told the end of."""
    return {bill: dict.fromkeys(lines, Called(CallState.UNKNOWN, why)) for bill, lines in called.items()}


def _findings(outlook: Outlook, kept: BillMemory) -> list[str]:
    bill = outlook.bill
    found = []
    if kept.unclaimed:
        found.append(f"{bill.id}: unclaimed: it concerns a contract, and no command names it")
    if kept.lifted:
        found.append(f"{bill.id}: lifted: our block of lines {', '.join(kept.lifted)} was taken away by hand or lapsed")
    return found
