"""Project work of Tryton: how far a task or a project is. Core Tryton knows no due date for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts_schema.facts import Assessed
from mappers import values
from mappers.erp import tryton_values as read
from mappers.statements import Part

if TYPE_CHECKING:
    from mappers.erp.tryton_values import Thing

_GONE = Assessed(status=None, percent=None, met_on=None)


def work(task: Thing, _timezone: str, _time: int) -> list[Part]:
    """The assessment of a `project.work`; a deleted one has no word any more.

    Raises:
        ValueError: its progress is no share from 0 to 1.
    """
    keys = (values.number_key("project.work", task.get("id")),)
    return [Part(keys, _GONE if read.flag(task.get("deleted")) else _assessed(task))]


def keys_of_work(task: Thing) -> list[tuple[str, ...]]:
    """The address of a task, so far as it can be read."""
    try:
        return [(values.number_key("project.work", task.get("id")),)]
    except ValueError:
        return []


def _assessed(task: Thing) -> Assessed:
    """Progress decides; a status only demands a least progress (Tryton keeps the task at or above it)."""
    if "progress" not in task:
        raise ValueError("the progress of project.work was not read")
    shares = [task["progress"], (read.one(task, "status") or {}).get("progress")]
    known = [read.decimal(share) for share in shares if share is not None]
    if not known:
        return Assessed(status="scheduled", percent=None, met_on=None)
    progress = max(known)
    if not 0 <= progress <= 1:
        raise ValueError(f"a progress of {values.plain(progress)} is no share from 0 to 1")
    percent = values.quantity(progress * 100)
    if progress == 1:
        return Assessed(status="met", percent=percent, met_on=None)
    return Assessed(status="partiallyMet" if progress > 0 else "scheduled", percent=percent, met_on=None)
