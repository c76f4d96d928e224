"""Commands that documents, alerts and deployments tell people to type exist, with these options."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from services.cli.app import app

ROOT = Path(__file__).parents[2]
ROOMS = ("connectors", "contracts_schema", "deploy", "mappers", "services")
SAID_IN = [
    ROOT / "README.md",
    *sorted(p for room in ROOMS for p in (ROOT / room).rglob("*") if p.suffix in (".md", ".yaml", ".tpl")),
]
WORD = r"[\w./%:|-]+"


def commands(text):
    """What follows `milepost` in code, or at the start of a line of a shell, up to where a person's words go on."""
    for found in re.findall(rf"(?:`|^|&& |do: )milepost((?: {WORD})+)", text, re.MULTILINE):
        yield found.split()


def test_commands_are_found_where_they_are_told():
    found = [words for path in SAID_IN for words in commands(path.read_text())]
    assert ["quarantine", "list"] in found
    assert ["cascade", "C-2026-0042/M1", "--delay", "10"] in found


@pytest.mark.parametrize("path", SAID_IN, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_command_that_people_are_told_to_type_exists_with_its_options(path):
    for words in commands(path.read_text()):
        at, rest = get_command(app), list(words)
        while rest and hasattr(at, "commands"):
            names = rest.pop(0).split("|")
            assert set(names) <= at.commands.keys(), words
            at = at.commands[names[0]]
        options = {name for parameter in at.params for name in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= options, words
