"""What people should know of an invoice after a look at it: every way in which it is not as it is wanted. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from contracts_schema.drift import Difference, place
from contracts_schema.drift import DriftKind as K
from contracts_schema.payables import Payable
from services.gate.judge import NOT_THERE, OUTSIDE
from services.gate.memory import BillMemory, Result
from services.gate.steps import Outlook
from services.reconciliation.exceptions import TOO_LATE

Place = tuple[str, str]  # contract and milestone
# Kinds that a result repeats in words.
_TOLD = frozenset({K.HELD_TOO_LATE, K.CANCELLED_AFTER_RELEASE, K.AMBIGUOUS, K.NOT_TO_BE_SPLIT, K.HELD_BY_OTHERS})


def differences(
    outlooks: Sequence[Outlook], memories: Mapping[str, BillMemory], results: Mapping[Place, Result]
) -> list[Difference]:
    """All differences at the invoices of one number; what is only said in an answer stands behind them."""
    found = [d for outlook in outlooks for d in _at(outlook, memories.get(outlook.bill.id, BillMemory()))]
    told = {where for d in found if d.kind in _TOLD for where in d.places}
    for (contract, milestone), result in results.items():
        where, kind = place(contract, milestone), _kind_of(result)
        if kind is not None and where not in told:
            bill = next((o.bill for o in outlooks if where in _places(o)), None)
            whole = (None, None) if bill is None else (bill.gross, bill.currency)
            number = (bill.number or bill.id) if bill is not None else ""
            found.append(Difference(kind, number, result.detail, (where,), *whole))
    return found


def _kind_of(result: Result) -> K | None:
    """The kind of a result that is not what was wanted."""
    match result.state:
        case "rejected":
            code = result.detail.partition(":")[0]
            return {TOO_LATE: K.HELD_TOO_LATE, OUTSIDE: K.PAID_OUTSIDE_CONTROL}.get(code, K.COMMAND_REJECTED)
        case "waiting":
            return None if result == NOT_THERE else K.NOT_AS_WANTED
        case "unknown":
            return K.UNANSWERED
        case _:
            return None


def _at(outlook: Outlook, memory: BillMemory) -> Iterator[Difference]:
    """Everything about one invoice, whatever was answered."""
    bill = outlook.bill
    if memory.unclaimed:
        yield _one(K.UNCLAIMED, outlook, "it concerns a contract, and no command names it", bill.lines)
    lifted = [p for p in bill.lines if p.id in memory.lifted]
    if lifted:
        yield _one(
            K.LIFTED_BY_HAND, outlook, f"our block of {_named(lifted)} was taken away by hand, or lapsed", lifted
        )
    if outlook.orders:
        yield from _ordered(outlook, memory)


def _ordered(outlook: Outlook, memory: BillMemory) -> Iterator[Difference]:
    bill, late = outlook.bill, outlook.allocation.late
    wanted = sum(order.wish.payable for order in outlook.orders)
    if late and not all(order.kept.carried for order in outlook.orders):
        shown = ", ".join(p.payment or f"line {p.id} is {p.state}" for p in late)
        yield _one(K.HELD_TOO_LATE, outlook, f"the hold came after the payment could be stopped ({shown})", late)
    if bill.state == "cancelled" and (memory.freed or wanted > 0):
        yield _one(K.CANCELLED_AFTER_RELEASE, outlook, "it was released, and then cancelled in finance", bill.lines)
    elif memory.net is not None and memory.net != bill.net:
        yield _amended(outlook, memory.net)
    if outlook.ambiguous:
        yield _one(K.AMBIGUOUS, outlook, "several invoices bear this number; none that is open is freed", bill.lines)
    elif outlook.allocation.left > 0 and _open(outlook):
        yield _split(outlook)
    theirs = [p for p in bill.lines if p.blocked and p.holder == "other" and p.state == "open"]
    if theirs:
        users = ", ".join(sorted({p.by or "unknown" for p in theirs}))
        yield _one(K.HELD_BY_OTHERS, outlook, f"{_named(theirs)} blocked by somebody else (user {users})", theirs)


def _amended(outlook: Outlook, before: int) -> Difference:
    bill = outlook.bill
    detail = "its net in finance is not the one under which it was freed"
    return Difference(
        K.AMENDED_AFTER_RELEASE, bill.number or bill.id, detail, _places(outlook), abs(bill.net - before), bill.currency
    )


def _split(outlook: Outlook) -> Difference:
    bill, left = outlook.bill, outlook.allocation.left
    detail = "may be paid, and no line that is still open is small enough for it"
    return Difference(K.NOT_TO_BE_SPLIT, bill.number or bill.id, detail, _places(outlook), left, bill.currency)


def _open(outlook: Outlook) -> bool:
    return any(p.id in outlook.stopped and p.state == "open" for p in outlook.bill.lines)


def _one(kind: K, outlook: Outlook, detail: str, lines: Sequence[Payable]) -> Difference:
    bill = outlook.bill
    amount = sum(p.gross for p in lines) if lines else bill.gross
    return Difference(kind, bill.number or bill.id, detail, _places(outlook), amount, bill.currency)


def _named(lines: Sequence[Payable]) -> str:
    return f"{'line' if len(lines) == 1 else 'lines'} {', '.join(p.id for p in lines)}"


def _places(outlook: Outlook) -> tuple[str, ...]:
    return tuple(place(order.contract, order.milestone) for order in outlook.orders)


def since(found: Sequence[Difference], before: Sequence[Difference], now: int) -> list[Difference]:
    """The same, each with the moment (µs) at which it was first seen; one that was seen before keeps its own."""
    known = {(d.kind, d.invoice, d.places): d.since for d in before}
    return [replace(d, since=known.get((d.kind, d.invoice, d.places), now)) for d in found]
