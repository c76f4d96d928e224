"""A fault of a document that people write: where it stands, and a sentence that names field, value and rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

Path = tuple[str | int, ...]


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
    listed = [*names]
    for name in dict.fromkeys(n for n in listed if listed.count(n) > 1):
        yield fault(path, f"{word} {name!r} stands twice")
