"""A gate acts on nothing old while something newer waits to be read.

What a gate knows may be hours behind: it was down, or its database was restored. A release that it still has to carry
out may have been followed by a hold, which lies in the topic. So whoever begins to own a finance system first asks
where the topic of commands ends, and acts once everything up to there has been taken in, by whichever gate reads it.
Commands are not written in transactions, whose markers would count as records here.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from contracts_schema.rows import Partition
from services.gate.ports import Wanted

log = logging.getLogger(__name__)

Ends = Callable[[], Awaitable[Mapping[Partition, int]]]


class Informed:
    """`ends` tells the offset behind the last record of every partition that has records; `cluster` whose they are."""

    def __init__(self, wanted: Wanted, cluster: Callable[[], str], ends: Ends) -> None:
        self._wanted = wanted
        self._cluster = cluster
        self._ends = ends
        self._term = 0
        self._ahead: Mapping[Partition, int] = {}

    async def since(self, term: int) -> bool:
        """Whether everything that lay there when this term began has been taken in.

        Raises:
            TransientError: the store or the broker does not answer.
        """
        if term != self._term:
            self._ahead, self._term = await self._ends(), term
            log.info(
                "commands in %d partitions are read to their present end before anything is done", len(self._ahead)
            )
        if self._ahead:
            stands = await self._wanted.stands(self._cluster())
            self._ahead = {place: end for place, end in self._ahead.items() if (stands.get(place) or 0) < end}
        return not self._ahead
