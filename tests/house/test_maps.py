"""A room's map, in the docstring of its package, leads to each of its modules, and to nothing else."""

import ast
import re
from pathlib import Path

import pytest

SERVICES = Path(__file__).parents[2] / "services"


@pytest.mark.parametrize("room", ["reconciliation", "runtime", "gate", "wiring"])
def test_the_map_of_a_room_names_each_of_its_modules_once(room):
    told = ast.get_docstring(ast.parse((SERVICES / room / "__init__.py").read_text()))
    there = [
        path.stem for path in (SERVICES / room).iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    ]
    assert sorted(re.findall(r"`(\w+)`", told)) == sorted(set(there) - {"__init__"})
