"""Which payable lines of an invoice may be paid, where finance can only block or free (rule E4).

The payable share of the net, applied to the gross and rounded down, is a budget. What has left already, and what can no
longer be stopped, takes its part of it first, whether it fits or not: what is still in our hands must not be freed as
if that money had stayed. What of the gross no line shows may have left, too. Then the open lines are freed in order of
maturity, until the first that does not fit.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from contracts_schema.payables import Bill, Payable


class Allocation(NamedTuple):
    """`allowed` gross minor units may leave. `free`: ids of lines that may be paid, also those that are; `late`: lines
    that leave although they do not fit; `left`: how much of what is allowed no line is small enough for.
    """

    allowed: int
    free: frozenset[str]
    late: tuple[Payable, ...]
    left: int


def allocate(bill: Bill, payable: int) -> Allocation:
    """The lines that may be paid when `payable` minor units of the invoice's net may."""
    allowed = budget(bill, payable)
    absent = bill.gross - sum(line.gross for line in bill.lines)
    left, whole = max(0, allowed - max(0, absent)), payable >= bill.net
    free: list[str] = []
    late: list[Payable] = []
    for line in sorted((p for p in bill.lines if p.state != "open"), key=_leaves_first):
        (free.append(line.id) if line.gross <= left else late.append(line))
        left = max(0, left - line.gross)
    for line in sorted((p for p in bill.lines if p.state == "open"), key=_matures_first):
        if line.gross > left:
            break
        free.append(line.id)
        left -= line.gross if whole else max(0, line.gross)  # what is owed to us may never be taken off the payment
    return Allocation(allowed, frozenset(free), tuple(late), left)


def budget(bill: Bill, payable: int) -> int:
    """`floor(gross * payable / net)`, never more than the gross; nothing of a credit note, nor where two lines have one
    id, since nobody knows which of them a call would free."""
    if bill.net <= 0 or payable <= 0 or len({line.id for line in bill.lines}) < len(bill.lines):
        return 0
    return bill.gross * min(payable, bill.net) // bill.net


def _leaves_first(line: Payable) -> tuple[bool, date, str]:
    return line.state != "paid", line.maturity or date.max, line.id.zfill(20)


def _matures_first(line: Payable) -> tuple[date, str]:
    return line.maturity or date.max, line.id.zfill(20)
