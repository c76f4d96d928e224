"""Rules are cited by a letter and a number. DECISIONS.md says what each stands for and which code keeps it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOM = ROOT / "services/reconciliation"
PLACES = (ROOM, ROOT / "contracts_schema", ROOT)  # where the files of a row are looked for
CODE = [
    path
    for package in ("contracts_schema", "mappers", "connectors", "services")
    for path in (ROOT / package).rglob("*.py")
]
CITED = re.compile(
    r"\brules?\s+((?:[A-F]\d{1,2}\b(?:,\s+|\s+and\s+|\s+to\s+)?)+)|\(([A-F]\d{1,2}(?:,\s+[A-F]\d{1,2})*)\)"
)
ROWS = dict(re.findall(r"^\| ([A-F]\d{1,2}) \| .* \| (.*) \|$", (ROOM / "DECISIONS.md").read_text(), re.MULTILINE))


def rules_in(text):
    return {rule for cited in CITED.finditer(text) for rule in re.findall(r"[A-F]\d{1,2}", cited[0])}


def test_every_rule_that_code_cites_is_told():
    told = {path.relative_to(ROOT).as_posix(): rules_in(path.read_text()) - ROWS.keys() for path in CODE}
    assert not {name: rules for name, rules in told.items() if rules}


@pytest.mark.parametrize("rule", ROWS)
def test_the_code_that_keeps_a_rule_says_so(rule):
    for name in re.findall(r"`([a-z_/]+\.py)`", ROWS[rule]):
        file = next(path for place in PLACES if (path := place / name).exists())
        assert re.search(rf"\b{rule}\b", file.read_text()), f"{name} does not name it"


def test_code_points_to_no_paragraph_that_nobody_can_read():
    assert not [path for path in CODE if "\N{SECTION SIGN}" in path.read_text()]
