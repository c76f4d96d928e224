"""Maps lead to everything that is there, and to nothing else: a room's in the docstring of its package, the tests' in
their README."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = (
    "contracts_schema",
    "mappers",
    "connectors",
    *(f"services/{name}" for name in ("reconciliation", "runtime", "gate", "console", "wiring")),
)
TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("room", ROOMS)
def test_the_map_of_a_room_names_each_of_its_modules_once(room):
    told = ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text()))
    there = [path.stem for path in (ROOT / room).iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
    assert sorted(re.findall(r"`(\w+)`", told)) == sorted(set(there) - {"__init__"})


def test_the_map_of_the_tests_names_each_folder_and_each_file_that_helps():
    told = set(re.findall(r"`(\w+(?:\.py)?)`", (TESTS / "README.md").read_text()))
    files = {path.name for path in TESTS.glob("*.py")}
    folders = {path.name for path in TESTS.iterdir() if any(path.glob("*.py"))}
    assert files | folders <= told
