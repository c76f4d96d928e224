"""How the command line speaks: tables and sentences for people, JSON for programs, and the exit code."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

import typer

T = TypeVar("T")
WIDTH_IN_A_PIPE = 160


def run(work: Coroutine[Any, Any, T]) -> T:
    """Do the work of one command."""
    return asyncio.run(work)


def print_json(value: Any) -> None:
    """One JSON document."""
    from msgspec import json

    sys.stdout.write(json.format(json.encode(value), indent=2).decode() + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """A table, or the sentence where it has no rows."""
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(plain("" if cell is None else cell)) for cell in row))
    if table.row_count:
        _console().print(table)
    else:
        say(empty)


def say(*sentences: str) -> None:
    """Sentences on standard output, a line each."""
    for sentence in sentences:
        sys.stdout.write(plain(sentence) + "\n")


def give_up(*sentences: str, code: int = 1) -> NoReturn:
    """Say on standard error what went wrong, and end with the exit code."""
    for sentence in sentences:
        sys.stderr.write(f"milepost: {plain(sentence)}\n")
    raise typer.Exit(code)


def warn(*sentences: str) -> None:
    """Say on standard error what people should know; the command goes on."""
    for sentence in sentences:
        sys.stderr.write(f"milepost: warning: {plain(sentence)}\n")


@contextmanager
def working(sentence: str) -> Iterator[None]:
    """Show on a terminal that something takes its time; in a pipe nothing is shown."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(plain(sentence)):
        yield


@contextmanager
def counting(sentence: str) -> Iterator[Callable[[int, str], None]]:
    """Show on a terminal how far long work has come; what is yielded takes the number done and the last one's name."""
    if not sys.stderr.isatty():
        yield lambda _done, _name: None
        return
    from rich.console import Console

    with Console(stderr=True).status(plain(sentence)) as shown:
        yield lambda done, name: shown.update(plain(f"{done} {sentence}, {name}"))


def plain(value: object) -> str:
    """Text of others, fit for a terminal: characters that could steer it are shown as escapes."""
    text = str(value)
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def _console() -> Any:
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else WIDTH_IN_A_PIPE, soft_wrap=False)
