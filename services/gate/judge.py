"""What became of a command at one invoice, told from how finance shows it now, never from how a call ended. Pure.

`rejected` says that it can never be done; its sentence begins with the exception's code where people must look at it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from contracts_schema.money import format_amount
from contracts_schema.payables import Bill, Called, CallState, Payable
from services.gate.memory import BillMemory, Result
from services.gate.steps import Order, Outlook, is_lifted
from services.reconciliation.exceptions import TOO_LATE

OUTSIDE = "PAID_OUTSIDE_CONTROL"
NOT_THERE = Result("waiting", "it is not in finance yet")
SPLIT = "split it by a payment term with a retention line, or let the supplier send a credit note"


class Tried(NamedTuple):
    """What was tried at one invoice: how it was before, and how the call for each line ended."""

    before: Bill
    called: Mapping[str, Called]
    observing: bool = False


def judged(outlook: Outlook, order: Order, memory: BillMemory, tried: Tried) -> Result:
    """What became of `order` at the invoice. `memory` is that of before."""
    bill, wish = outlook.bill, order.wish
    unsettled = [p for p in bill.lines if _differs(p, outlook, memory)]
    if any(tried.called[p.id].state is CallState.UNKNOWN for p in unsettled if p.id in tried.called):
        return Result("unknown", "finance did not answer in time and does not show it done; it is asked again")
    if bill.state == "cancelled":
        return Result("rejected" if wish.payable > 0 else "already_applied", "it is cancelled")
    if bill.gross <= 0:
        return Result("already_applied", "a credit note owes nothing, so nothing of it is blocked")
    return (
        _too_late(outlook, order)
        or _paid_outside(outlook, order, memory)
        or _stale(unsettled, outlook)
        or _unsettled(unsettled, tried)
        or _not_to_be_freed(outlook, order)
        or _done(outlook, memory, tried)
    )


def _differs(line: Payable, outlook: Outlook, memory: BillMemory) -> bool:
    if line.state == "paid" or line.gross <= 0 or outlook.bill.state != "open":
        return False
    if line.id in outlook.stopped:
        return not line.blocked and not is_lifted(line, outlook, memory)
    return line.id in outlook.allocation.free and line.blocked and line.holder == "ours" and bool(outlook.orders)


def _too_late(outlook: Outlook, order: Order) -> Result | None:
    """Money that leaves although it is held: told to the milestones that hold a part of the invoice."""
    late = outlook.allocation.late
    holding = [o for o in outlook.orders if not o.wish.whole] or list(outlook.orders)
    if not late or order not in holding:
        return None
    if order.kept.carried and all(p.state == "paid" for p in late):
        return Result("already_applied", "it was paid before; what was carried over covers it")
    shown = ", ".join(p.payment or f"line {p.id} is {p.state}" for p in late)
    return Result("rejected", f"{TOO_LATE}: the hold came after the payment could be stopped ({shown})")


def _paid_outside(outlook: Outlook, order: Order, memory: BillMemory) -> Result | None:
    """A release for what has left already, without a release of ours."""
    lines = outlook.bill.lines
    gone = bool(lines) and all(p.state != "open" for p in lines)
    if order.payable <= 0 or not gone or any(p.id in memory.freed or p.lifted_by == "ours" for p in lines):
        return None
    return Result("rejected", f"{OUTSIDE}: its payment had left, or could not be stopped, before it was released")


def _stale(unsettled: Collection[Payable], outlook: Outlook) -> Result | None:
    """A release that may be older than what finance was told last."""
    late = sorted({order.contract for order in outlook.orders if order.stale})
    if not late or all(line.id in outlook.stopped for line in unsettled):
        return None
    return Result(
        "waiting",
        f"finance has seen commands of {', '.join(late)} that the log does not know, or that it says anew just now: "
        "nothing is freed until milepost db adopt has taken them over and the newest has come",
    )


def _unsettled(unsettled: Collection[Payable], tried: Tried) -> Result | None:
    if not unsettled:
        return None
    named = ", ".join(p.id for p in unsettled)
    if tried.observing:
        return Result("waiting", f"mode observe: would {_verbs(unsettled)} (lines {named}) and does nothing")
    said = next((tried.called[p.id].sentence for p in unsettled if p.id in tried.called), "it changed meanwhile")
    return Result("waiting", f"lines {named} are not yet as wanted: {said}")


def _verbs(lines: Collection[Payable]) -> str:
    return " and ".join(sorted({"free" if line.blocked else "block" for line in lines}))


def _not_to_be_freed(outlook: Outlook, order: Order) -> Result | None:
    """Why not all that may be paid is free; nothing of it concerns a milestone that pays nothing."""
    wish, bill, allocation = order.wish, outlook.bill, outlook.allocation
    if wish.payable <= 0:
        return None
    if outlook.ambiguous:
        return Result("waiting", "several invoices bear this number; which one is meant is not to be guessed")
    if wish.currency != bill.currency:
        return Result("waiting", f"finance has it in {bill.currency}, the command in {wish.currency}")
    if order.payable < wish.payable:
        return Result("waiting", f"an earlier command of the contract than sequence {order.kept.sequence} is missing")
    foreign = [p for p in bill.lines if p.id in allocation.free and p.state == "open" and p.blocked]
    if foreign:
        users = ", ".join(sorted({p.by or "unknown" for p in foreign}))
        return Result("waiting", f"somebody else's block (user {users}) stands and is not ours to lift")
    if allocation.left > 0 and any(p.id in outlook.stopped and p.state == "open" for p in bill.lines):
        return Result("waiting", _lacking(outlook))
    return None


def _lacking(outlook: Outlook) -> str:
    """What may be paid and no line is small enough for, and how to split it."""
    bill, allocation = outlook.bill, outlook.allocation
    next_line = min(
        (p for p in bill.lines if p.id in outlook.stopped and p.state == "open"),
        key=lambda p: (p.maturity is None, p.maturity or 0, p.id.zfill(20)),
    )

    def money(minor: int) -> str:
        return f"{format_amount(minor, bill.currency)} {bill.currency}"

    return (
        f"{money(allocation.allowed)} of {money(bill.gross)} may be paid; {money(allocation.left)} of it lies in "
        f"line {next_line.id} of {money(next_line.gross)}, which is paid whole or not: {SPLIT}"
    )


def _done(outlook: Outlook, memory: BillMemory, tried: Tried) -> Result:
    """It is as wanted: by us now (or by us before a crash), or it was so before."""
    was = {p.id: p for p in tried.before.lines}
    notes = []
    ours = False
    for line in outlook.bill.lines:
        before = was.get(line.id, line)
        if line.id in outlook.stopped and line.blocked:
            ours = ours or (line.holder == "ours" and line.id not in memory.held)
            if before.drafts and not before.blocked:
                notes.append(f"{before.drafts} draft payments of line {line.id} were deleted by the block")
            if line.holder == "other":
                notes.append(f"line {line.id} is blocked by somebody else (user {line.by or 'unknown'})")
        elif line.id in outlook.allocation.free and not line.blocked:
            ours = ours or (line.id in memory.held and line.lifted_by != "other") or line.id in tried.called
    return Result("applied" if ours else "already_applied", "; ".join(notes))
