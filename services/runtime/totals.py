"""Control totals: what became of each record of one transaction. Every record counts once, so that the sum can be
compared with what was read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from contracts_schema.errors import Refused
from services.reconciliation.merge import Merged
from services.reconciliation.react import Outcome

PREFIX = "record."  # of records; names without it count facts
IGNORED = "ignored"
# Of a record of several facts the most telling end counts, in this order.
ENDS = (
    Merged.REPEATED_VERDICT, Merged.REFUSED, Merged.DEFERRED, Merged.PARKED, Merged.APPLIED, Merged.STALE,
    Merged.DUPLICATE, IGNORED,
)  # fmt: skip
_RANK = {end: rank for rank, end in enumerate(ENDS)}
_OF_FAULT = {Refused.fault: Merged.REFUSED}


def record_totals(
    read: Collection[str], set_aside: Mapping[str, str], outcomes: Iterable[Outcome], ignored: Collection[str]
) -> dict[str, int]:  # fmt: skip
    """How many of the records `read` (by origin) ended how. `set_aside`: the fault of each that is in quarantine.

    A record of which nobody says anything ends nowhere: the sum then falls short, and the report says so.
    """
    ends: dict[str, str] = {
        origin: _OF_FAULT.get(fault, Merged.REPEATED_VERDICT) for origin, fault in set_aside.items()
    }
    for origin in ignored:
        ends.setdefault(origin, IGNORED)
    for outcome in outcomes:
        before = ends.setdefault(outcome.origin, outcome.merged)
        if before is not outcome.merged and _RANK[outcome.merged] < _RANK[before]:
            ends[outcome.origin] = outcome.merged
    counted = Counter(end for origin, end in ends.items() if origin in read)
    return {PREFIX + end: n for end, n in counted.items()}
