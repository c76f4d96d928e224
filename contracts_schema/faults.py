"""A fault of a document that people write: where it stands, and a sentence that names field, value and rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

Path = tuple[str | int, ...]
FAULTS_SHOWN_MAX = 200


class Fault(NamedTuple):
    """What is wrong and where. `path` leads to the part: keys of mappings, ids of milestones, positions in lists.
    `sentence` says it to people, who count from 1 where the path counts from 0."""

    path: Path
    sentence: str


def fault(path: Path, text: str) -> Fault:
    """A fault whose sentence begins with its field."""
    return Fault(path, f"{shown(path)}: {text}")


def shown(path: Path) -> str:
    """A path as people write it."""
    return ".".join(str(step + 1) if isinstance(step, int) else step for step in path)


def twice(path: Path, names: Iterable[str], word: str) -> Iterator[Fault]:
    """A fault for each name that stands twice in a list."""
    for name, times in Counter(names).items():
        if times > 1:
            yield fault(path, f"{word} {name!r} stands twice")


def refusal(what: str, faults: Sequence[Fault]) -> str:
    """All faults in one sentence; of a great many the first, so that the quarantine can keep it."""
    first = "; ".join(one.sentence for one in faults[:FAULTS_SHOWN_MAX])
    more = len(faults) - FAULTS_SHOWN_MAX
    return f"{what} refused: {first}" + (f"; and {more} faults more" if more > 0 else "")
