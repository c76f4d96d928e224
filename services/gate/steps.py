"""What to do with one invoice so that it is as all milestones that name it want it together. Pure.

Blocks come first, then what is freed. A line that somebody else blocked is left blocked. A line of which our block was
taken away by hand is not blocked again under the same orders, unless the policy says so (rule E5).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import NamedTuple

from contracts_schema.payables import Bill, Payable
from mappers.finance.allocation import Allocation, allocate
from services.gate.fence import normal
from services.gate.memory import BillMemory, Kept, Wish

UNCLAIMED = "unclaimed"


class Order(NamedTuple):
    """What one milestone wants of an invoice: `payable` of its net may leave now. `stale`: finance may have been told
    something newer."""

    contract: str
    milestone: str
    kept: Kept
    wish: Wish
    payable: int
    stale: bool = False


class Step(NamedTuple):
    """One call to make: block or free a line."""

    line: Payable
    block: bool


class Outlook(NamedTuple):
    """One invoice, everything that is wanted of it, and how its lines should be.

    `stopped`: lines that must be blocked. `orders` is empty where no command names it; `claimed` says that it concerns
    a contract all the same; `ambiguous` that the command may mean another invoice.
    """

    bill: Bill
    orders: tuple[Order, ...]
    allocation: Allocation
    stopped: frozenset[str]
    mark: str
    claimed: bool = False
    ambiguous: bool = False


def subject_of(bill: Bill) -> str:
    """What an invoice is looked at under: its number, or its id where it has none."""
    return f"n:{normal(bill.number)}" if bill.number else f"i:{bill.id}"


def matches(bill: Bill, wish: Wish) -> bool:
    """Whether a command means this invoice: number, supplier (any common identifier) and business unit (rule C3)."""
    same_unit = wish.unit is None or bill.business_unit is None or wish.unit == bill.business_unit
    return bill.number == wish.number and same_unit and not set(bill.suppliers).isdisjoint(wish.suppliers)


def outlooks(
    bills: Sequence[Bill], orders: Sequence[Order], claimed: Collection[str], *, holds_unclaimed: bool,
    gone: Sequence[Bill] = (),
) -> list[Outlook]:  # fmt: skip
    """How each of these invoices should be. `claimed`: invoices that concern a contract although no command may name
    them; `gone`: invoices that were paid under a release of ours, as they were then.

    Where several invoices fit one order, the one that the command names by id is meant; where none is, all that are
    open are held: which one may be paid is not to be guessed. What one invoice was paid for pays no other one.
    """
    made = []
    for bill in bills:
        mine = tuple(order for order in orders if matches(bill, order.wish))
        doubtful = _is_doubtful(bill, mine, bills, gone)
        wanted = _outlook(bill, mine, stop=bool(mine) or (holds_unclaimed and bill.id in claimed), doubtful=doubtful)
        made.append(wanted._replace(claimed=bill.id in claimed))
    return made


def steps(outlook: Outlook, memory: BillMemory, *, reassert: bool) -> list[Step]:
    """The calls that bring the invoice to what is wanted, blocks first."""
    found = []
    for line in outlook.bill.lines:
        if line.state == "paid" or line.gross <= 0 or outlook.bill.state != "open":
            continue
        if line.id in outlook.stopped and not line.blocked:
            if reassert or not is_lifted(line, outlook, memory):
                found.append(Step(line, block=True))
        elif line.id in outlook.allocation.free and line.blocked and line.holder == "ours" and outlook.orders:
            if any(order.stale for order in outlook.orders):
                continue
            found.append(Step(line, block=False))
    return sorted(found, key=lambda step: not step.block)


def is_lifted(line: Payable, outlook: Outlook, memory: BillMemory) -> bool:
    """Whether somebody else took our block away, or it lapsed, while the same orders stand (rule E5)."""
    return not line.blocked and line.lifted_by != "ours" and memory.held.get(line.id) == outlook.mark


def mark(orders: Sequence[Order]) -> str:
    """What stands for these orders: our block is placed once under each."""
    told = "\n".join(sorted(f"{o.contract}\0{o.milestone}\0{o.kept.sequence}" for o in orders))
    return hashlib.sha256(told.encode()).hexdigest()[:16] if orders else UNCLAIMED


def _outlook(bill: Bill, orders: tuple[Order, ...], *, stop: bool, doubtful: bool) -> Outlook:
    ambiguous = doubtful and bill.state == "open"
    payable = sum(order.payable for order in orders if order.wish.currency == bill.currency)
    allocation = allocate(bill, 0 if ambiguous else payable)
    stopped = frozenset(p.id for p in bill.lines if stop and p.id not in allocation.free and p.gross > 0)
    return Outlook(bill, orders, allocation, stopped, mark(orders), ambiguous=ambiguous)


def _is_doubtful(bill: Bill, orders: Sequence[Order], bills: Sequence[Bill], gone: Sequence[Bill]) -> bool:
    """Whether another invoice may be the one that these orders mean."""
    if any(_share_an_order(b, orders) for b in gone if b.id != bill.id):
        return True
    rivals = [b for b in bills if b.id != bill.id and b.state != "cancelled" and _share_an_order(b, orders)]
    return bool(rivals) and (not _is_named(bill, orders) or any(_is_named(b, orders) for b in rivals))


def _share_an_order(bill: Bill, orders: Sequence[Order]) -> bool:
    return any(matches(bill, order.wish) for order in orders)


def _is_named(bill: Bill, orders: Sequence[Order]) -> bool:
    return any(bill.id in order.wish.ids for order in orders)
