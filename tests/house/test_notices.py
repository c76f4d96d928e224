"""What the documents say of notices is what the code does."""

import re
from pathlib import Path

import pytest
import yaml

from contracts_schema.notices import LIKELIHOODS, NoticeKind
from services.notice_settings import NoticeSettings
from services.reconciliation.policy import NoticePolicy

ROOT = Path(__file__).parents[2]
SECTION = (
    (ROOT / "services/reconciliation/DECISIONS.md")
    .read_text()
    .split("\n## Notices\n")[1]
    .partition("\n## Waivers\n")[0]
)
ROWS = [line for line in SECTION.splitlines() if line.startswith("| `")]


@pytest.mark.parametrize("kind", NoticeKind)
def test_every_kind_of_notice_has_one_row(kind):
    (row,) = [row for row in ROWS if f"`{kind}`" in row.split("|")[1]]
    assert len(row.strip("|").split("|")) == 6
    module = re.search(r"`notices/(\w+)\.py`", row.split("|")[6])
    assert (ROOT / "services/reconciliation/notices" / f"{module[1]}.py").exists()


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_matrix_shown_is_the_default(likelihood):
    assert f"| {likelihood} | {' | '.join(NoticePolicy().matrix[likelihood])} |" in SECTION


def test_the_example_shows_the_defaults():
    shown = yaml.safe_load((ROOT / "deploy/milepost.example.yaml").read_text())["policy"]["notices"]
    del shown["amounts"]  # of which there are none by default
    assert shown.keys() == NoticeSettings.model_fields.keys() - {"amounts"}
    assert NoticeSettings.model_validate(shown).policy() == NoticePolicy()
