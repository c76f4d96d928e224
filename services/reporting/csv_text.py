"""CSV as RFC 4180 has it, in UTF-8, and safe to open in a spreadsheet.

A cell of text that begins with a character at which spreadsheets begin a formula gets an apostrophe in front: what a
supplier writes into an invoice number is never run on a controller's desk. Numbers stay numbers.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

from services.reporting.sheet import Cell, Sheet

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def safe(cell: Cell) -> str:
    """The text of a cell. Nothing is empty, yes and no are words, and no text can be taken for a formula."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    text = str(cell)
    opening = text.lstrip(" ")
    return f"'{text}" if opening.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text


def line(cells: Iterable[Cell]) -> str:
    """One record, ended by CR LF; cells with a comma, a quote or a line's end are quoted."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([safe(cell) for cell in cells])
    return out.getvalue()


def sheet_csv(sheet: Sheet) -> str:
    """One section as a table with a head."""
    return "".join(map(line, (sheet.columns, *sheet.rows)))


def sheets_csv(sheets: Sequence[Sheet]) -> str:
    """Several sections in one table: a line for each cell."""
    cells: Iterable[Sequence[Cell]] = (
        (sheet.name, number, column, value)
        for sheet in sheets
        for number, row in enumerate(sheet.rows, 1)
        for column, value in zip(sheet.columns, row, strict=True)
    )
    return "".join(map(line, (("section", "row", "column", "value"), *cells)))
