"""FIGURES.md says what the code counts: every section, drift kind, table and column stands in it."""

import re
from pathlib import Path

import pytest

from contracts_schema.drift import ADVICE, DriftKind
from services.reporting.answers import FINAL
from services.reporting.control import ENDS
from services.reporting.sections import GROUPS, NAMES, SECTIONS
from services.reporting.tables import COLUMNS, TABLES

ROOM = Path(__file__).parents[2] / "services/reporting"
FIGURES = (ROOM / "FIGURES.md").read_text()
HEADS = [
    name.strip() for line in re.findall(r"^### (.*)$", FIGURES, re.MULTILINE) for name in line.split("(")[0].split(",")
]
BESIDE = {"contract", "milestone", "currency", "revision"}  # said once for all tables


@pytest.mark.parametrize("name", NAMES)
def test_every_section_is_defined(name):
    assert name in HEADS


@pytest.mark.parametrize("kind", DriftKind)
def test_every_kind_of_drift_has_its_row_and_its_advice(kind):
    assert re.search(rf"^\| `{kind}` \|", FIGURES, re.MULTILINE)
    assert ADVICE[kind]


def test_every_section_is_counted_by_something_and_is_in_a_group():
    assert {*SECTIONS, "unclaimed", "control"} == set(NAMES)
    assert {name for group in ("figures", "finance", "audit") for name in GROUPS[group]} == set(NAMES)


@pytest.mark.parametrize("table", TABLES)
def test_every_column_of_an_exported_table_is_named(table):
    row = next(line for line in FIGURES.splitlines() if line.startswith(f"| `{table}` |"))
    assert [c for c in COLUMNS[table] if c not in BESIDE and not re.search(rf"\b{c}\b", row)] == []


def test_the_sum_of_control_totals_is_written_as_it_is_counted():
    assert f"read = {' + '.join(ENDS)}" in " ".join(FIGURES.split())


def test_final_answers_are_named():
    assert all(f"`{state}`" in FIGURES for state in FINAL)


@pytest.mark.parametrize("name", re.findall(r"^###? .*\(`([a-z_]+\.py)`", FIGURES, re.MULTILINE))
def test_every_module_that_is_named_exists(name):
    assert (ROOM / name).exists()
