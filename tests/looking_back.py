"""Words for tests that look back: a story's log as auditors read it, and hands that tamper with it."""

import hashlib

from msgspec.structs import replace

from services.history.verify import verify
from services.reconciliation.log import append, read_entry


def books(story, *more):
    """Every rulebook that the story was decided by."""
    return {rules.rulebook.hash: rules.rulebook for rules in (story.rules, *more)}


def log_of(story, contract="C-1"):
    return [(row, read_entry(row)) for row in story.log(contract)]


def prove(story, rows=None, state=None, kept=None, contract="C-1"):
    """What `milepost verify` finds."""
    rows = story.log(contract) if rows is None else rows
    return verify(contract, rows, state or story.state(contract), books(story) if kept is None else kept).faults


def forged(rows, number, change):
    """The log with one revision's entry changed, its hash made to fit."""
    row = rows[number - 1]
    entry = change(read_entry(row))
    return [*rows[: number - 1], append(entry, row.previous), *rows[number:]]


def rechained(rows):
    """The log with every hash made anew, as somebody could who may write everything."""
    head, made = bytes(32), []
    for row in rows:
        made.append(replace(row, previous=head, head=hashlib.sha256(head + row.entry).digest()))
        head = made[-1].head
    return made
