"""How the command line speaks: tables and sentences for people, JSON for programs, and the exit code."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import zip_longest
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import typer

T = TypeVar("T")
config_in_use: ContextVar[Path | None] = ContextVar("config_in_use", default=None)  # of the command that runs
WIDTH_IN_A_PIPE = 160
BETWEEN = 2  # blanks between columns
LONGEST_WORD = 20  # longer ones may be broken, where a column has cells of several words


def run(work: Coroutine[Any, Any, T]) -> T:
    """Do the work of one command."""
    return asyncio.run(work)


def print_json(value: Any) -> None:
    """One JSON document."""
    from msgspec import json

    sys.stdout.write(json.format(json.encode(value), indent=2).decode() + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str, *, names: bool = True) -> None:
    """A table, or the sentence where it has no rows; with `names` in place of the pseudonyms that are known.

    No cell is cut: half an amount is another amount. Where the terminal is too narrow, each row is a block of lines.
    """
    shown = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not shown:
        say(empty)
        return
    named = _names_in([cell for row in shown for cell in row]) if names else str
    lines = [columns, *([plain(named(cell)) for cell in row] for row in shown)]
    filled = [column for column in zip_longest(*lines, fillvalue="") if any(column)]
    console = _console()
    widths = _widths(filled, console.width - BETWEEN * (len(filled) - 1))
    heads, *cells = zip(*filled, strict=True)
    for part in [_table(heads, cells, widths)] if widths else (_block(heads, row) for row in cells):
        console.print(part)


def _widths(columns: Sequence[Sequence[str]], room: int) -> list[int]:
    """A width for each column: where a cell has several words it may break, but its longest word has to fit, up to a
    limit. Nothing where there is no room for that."""
    whole = [max(len(line) for cell in column for line in cell.split("\n")) for column in columns]
    words = [max(len(word) for cell in column for word in cell.split() or [""]) for column in columns]
    breaks = [any(" " in cell for cell in column[1:]) for column in columns]
    widths = [min(word, LONGEST_WORD) if b else all_ for all_, word, b in zip(whole, words, breaks, strict=True)]
    if sum(widths) > room:
        return []
    for _ in range(room - sum(widths)):  # the narrowest of those that need more
        wanting = [i for i, width in enumerate(widths) if width < whole[i]]
        if not wanting:
            break
        widths[min(wanting, key=widths.__getitem__)] += 1
    return widths


def _table(columns: Sequence[str], cells: Sequence[Sequence[str]], widths: Sequence[int]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, width in zip(columns, widths, strict=True):
        table.add_column(name, width=width, overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    return table


def _block(columns: Sequence[str], row: Sequence[str]) -> Any:
    """What a row has, a line each, and an empty line."""
    from rich.table import Table
    from rich.text import Text

    block = Table.grid(padding=(0, BETWEEN, 0, 0))
    block.add_column(overflow="fold")
    block.add_column(overflow="fold")
    for name, cell in zip(columns, row, strict=True):
        if cell:
            block.add_row(Text(name, style="bold"), Text(cell))
    block.add_row()
    return block


def say(*sentences: str) -> None:
    """Sentences on standard output, a line each."""
    named = _names_in(sentences)
    for sentence in sentences:
        sys.stdout.write(plain(named(sentence)) + "\n")


def give_up(*sentences: str, code: int = 1) -> NoReturn:
    """Say on standard error what went wrong, and end with the exit code."""
    named = _names_in(sentences)
    for sentence in sentences:
        sys.stderr.write(f"milepost: {plain(named(sentence))}\n")
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


def _names_in(texts: Sequence[str]) -> Callable[[str], str]:
    """What puts names in place of the pseudonyms in these texts, as far as the store of this command's configuration
    still knows them. JSON and files go without: they leave the house, where nothing can be erased."""
    if not any("person-" in text for text in texts):
        return str
    config = config_in_use.get()
    return str if config is None else _names_known(config, texts)


def _names_known(config: Path, texts: Sequence[str]) -> Callable[[str], str]:
    from contracts_schema.errors import ConfigurationError, TransientError
    from contracts_schema.persons import with_names
    from services import settings
    from services.wiring.persons import names_in as ask

    try:
        names = run(ask(settings.load(config), texts))
    except (ConfigurationError, TransientError):  # what was asked for is shown all the same
        return str
    return lambda text: with_names(text, names)


def plain(value: object) -> str:
    """Text of others, fit for a terminal: characters that could steer it are shown as escapes."""
    text = str(value)
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def _console() -> Any:
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else WIDTH_IN_A_PIPE, soft_wrap=False)
