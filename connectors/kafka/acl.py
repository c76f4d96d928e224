"""Who may do what on a cluster that denies by default, and the kafka-acls.sh commands that allow it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Literal

from msgspec import Struct

Operation = Literal["Read", "Write", "Describe", "DescribeConfigs", "Create", "Alter", "AlterConfigs"]
Kind = Literal["topic", "group", "cluster"]


class Allowed(Struct, frozen=True, order=True):
    """One principal may do one thing to one topic, group or the cluster; `prefixed`: to all whose name begins so."""

    principal: str
    kind: Kind
    name: str
    prefixed: bool
    operation: Operation


def commands(allowed: Iterable[Allowed], bootstrap: str, login: str) -> Iterator[str]:
    """The same for a shell: one command for all resources of a principal to which the same is allowed.

    `login` is the properties file of an administrator of the cluster. Done again, they change nothing.
    """
    operations: dict[tuple[str, Kind, bool, str], list[Operation]] = {}
    for one in sorted(allowed):
        operations.setdefault((one.principal, one.kind, one.prefixed, one.name), []).append(one.operation)
    lines = sorted((*resource[:3], sorted(done), resource[3]) for resource, done in operations.items())
    for (principal, kind, prefixed, done), resources in groupby(lines, lambda line: line[:4]):
        words = ["kafka-acls.sh", "--bootstrap-server", bootstrap, "--command-config", login, "--add"]
        words += ["--allow-principal", f"User:{principal}"]
        words += [word for operation in done for word in ("--operation", operation)]
        words += ["--resource-pattern-type", "prefixed"] if prefixed else []
        for *_, name in resources:
            words += ["--cluster"] if kind == "cluster" else [f"--{kind}", name]
        yield shlex.join(words)
