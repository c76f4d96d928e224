"""What a batch's wakes come to, in the same way for every store."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple


class Wakes(NamedTuple):
    """Wakes (contract, cause) that are replaced, and new ones: contract, moment (µs), cause, whether from another's
    batch.
    """

    replaced: list[tuple[str, str]]
    new: list[tuple[str, int, str, bool]]


def net_wakes(wakes: Iterable[tuple[str, int | None, str]], own: Collection[str]) -> Wakes:
    """Of `own` contracts the last word for a cause counts, and replaces what stood; others are only ever woken."""
    last: dict[tuple[str, str], int | None] = {}
    foreign: list[tuple[str, int, str, bool]] = []
    for contract, moment, cause in wakes:
        if contract in own or moment is None:
            last[contract, cause] = moment
        else:
            foreign.append((contract, moment, cause, True))
    mine = [(contract, moment, cause, False) for (contract, cause), moment in last.items() if moment is not None]
    return Wakes(sorted(last), mine + foreign)
