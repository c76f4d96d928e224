"""YAML of people, read so that it says one thing, and no more than is written.

Dates stay the text they are, so that one that does not exist is a fault with its field and line. Tags are refused: they
ask for objects. Numbers that are none are refused, for they would be written as null. An alias may repeat what stands
elsewhere, but never itself, and not so often that a few lines become millions.
"""

from __future__ import annotations

from typing import Any

import yaml
from yaml.nodes import Node

PARTS_MAX = 200_000  # scalars, lists and mappings, each counted as often as it is repeated


class Loader(yaml.SafeLoader):
    """A SafeLoader that raises yaml.MarkedYAMLError for what only means to hurt."""

    yaml_implicit_resolvers = {  # noqa: RUF012 -- so yaml declares it
        first: [(tag, regexp) for tag, regexp in known if tag != "tag:yaml.org,2002:timestamp"]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._parts = 0
        self._sizes: dict[str, int | None] = {}  # of what each anchor names; None while it is being read

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        """One part of the document, counted."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # yaml has no types here
        anchor = getattr(event, "anchor", None)
        if isinstance(event, yaml.AliasEvent):
            repeated = self._sizes.get(str(event.anchor), 1)  # an unknown one is told by yaml
            if repeated is None:
                raise self._fault(event, f"*{event.anchor} stands for a part that contains it")
            self._count(event, repeated)
            return super().compose_node(parent, index)
        if getattr(event, "tag", None) not in (None, "!"):
            raise self._fault(event, f"tags are not accepted, and this is {event.tag}")
        if anchor is not None:
            self._sizes[anchor] = None
        before = self._parts
        self._count(event, 1)
        node = super().compose_node(parent, index)
        if anchor is not None:
            self._sizes[anchor] = self._parts - before
        return node

    def _count(self, event: Any, parts: int) -> None:
        self._parts += parts
        if self._parts > PARTS_MAX:
            raise self._fault(event, f"it has more than {PARTS_MAX} parts, repeated ones counted each time")

    def _fault(self, event: Any, sentence: str) -> yaml.MarkedYAMLError:
        return yaml.MarkedYAMLError(problem=sentence, problem_mark=event.start_mark)


def _number(loader: Loader, node: yaml.ScalarNode) -> float:
    value: float = loader.construct_yaml_float(node)
    if not abs(value) < float("inf"):
        raise yaml.MarkedYAMLError(problem=f"{node.value} is no number", problem_mark=node.start_mark)
    return value


Loader.add_constructor("tag:yaml.org,2002:float", _number)
