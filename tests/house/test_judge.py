"""The judge of a chaos campaign shares no code with Milepost: it would share its mistakes."""

import ast
import sys
from pathlib import Path

CHAOS = Path(__file__).parents[1] / "chaos"
DRIVERS = {"asyncpg", "aiokafka"}
OWN = {"judging"}
LINES_MOST = 200


def imported(file):
    """The first names of all modules that a file imports."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file.name} imports from where it stands"
            yield str(node.module).split(".")[0]


def judges():
    return [CHAOS / "judge.py", *sorted((CHAOS / "judging").glob("*.py"))]


def test_the_judge_imports_the_standard_library_and_two_drivers_only():
    others = {name for file in judges() for name in imported(file)} - sys.stdlib_module_names - DRIVERS - OWN
    assert not others


def test_the_judge_stays_small_enough_to_be_trusted():
    assert all(len(file.read_text().splitlines()) < LINES_MOST for file in judges())
