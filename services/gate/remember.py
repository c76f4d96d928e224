"""What the gate remembers of an invoice after a look at it, and what it has to say about its holders. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from msgspec.structs import replace

from contracts_schema.payables import Bill, Called, CallState, Holder
from services.gate.memory import BillMemory
from services.gate.steps import Outlook, is_lifted


class Seen(NamedTuple):
    """A block that finance shows and that was not told yet, or its end."""

    holder: Holder
    held: bool
    by: str | None
    reason: str


def remembered(outlook: Outlook, memory: BillMemory, called: dict[str, Called]) -> BillMemory:
    """The memory after the look: where our block stands, what was freed, what others took away."""
    held, freed, lifted = dict(memory.held), set(memory.freed), set(memory.lifted)
    for line in outlook.bill.lines:
        if is_lifted(line, outlook, memory) and line.id in outlook.stopped:
            lifted.add(line.id)
        elif line.blocked:
            lifted.discard(line.id)
            if line.id in outlook.stopped:
                freed.discard(line.id)
            if line.holder != "ours":
                held.pop(line.id, None)
            elif line.id in outlook.stopped:
                held[line.id] = outlook.mark
        elif line.id in outlook.allocation.free:
            held.pop(line.id, None)
            lifted.discard(line.id)
            done = line.id in called and called[line.id].state is not CallState.REFUSED
            if line.state == "open" or done or line.lifted_by == "ours":  # killed after the call, it would not know
                freed.add(line.id)
    unclaimed = not outlook.orders and outlook.claimed and outlook.bill.state == "open" and outlook.bill.gross > 0
    net = memory.net if memory.net_mark == outlook.mark else None
    if net is None and freed:
        net = outlook.bill.net
    return replace(
        memory, held=held, freed=sorted(freed), lifted=sorted(lifted), unclaimed=unclaimed, net=net,
        net_mark=outlook.mark, gone=_gone(outlook.bill, freed, memory.gone),
    )  # fmt: skip


def _gone(bill: Bill, freed: Collection[str], before: Bill | None) -> Bill | None:
    """The invoice where a payment of a freed line has left, or had left before it was cancelled."""
    if any(line.state != "open" and line.id in freed for line in bill.lines):
        return replace(bill, lines=())
    return before if bill.state == "cancelled" else None


def sightings(outlook: Outlook, memory: BillMemory) -> list[Seen]:
    """What is to be told of holders, each once: another's block and its end, and ours when it was taken away.

    Changes `memory.told`, which is that of after the look.
    """
    others = [p for p in outlook.bill.lines if p.blocked and p.holder == "other" and p.state == "open"]
    found = []
    if bool(others) != memory.told.get("other", False):
        reason = "somebody else's block; it is shown and never ours to lift" if others else "their block is gone"
        found.append(Seen("other", bool(others), others[0].by if others else None, reason))
    taken = [p for p in outlook.bill.lines if p.id in memory.lifted]
    stands = any(p.blocked and p.holder == "ours" for p in outlook.bill.lines)
    if taken and memory.told.get("ours", True):
        found.append(Seen("ours", held=False, by=taken[0].by, reason="our block was lifted by hand, or lapsed"))
    elif not taken and stands and not memory.told.get("ours", True):
        found.append(Seen("ours", held=True, by=None, reason="our block stands again"))
    memory.told = {**memory.told, **{seen.holder: seen.held for seen in found}}
    return found
