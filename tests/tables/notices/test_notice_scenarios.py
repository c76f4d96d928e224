"""Runs the scenarios of notices in this folder (README.md says what the columns hold)."""

from dataclasses import dataclass, field
from datetime import UTC, date
from pathlib import Path

import pytest
import yaml
from builders import Story
from noticing import records
from tables.steps import Row, event_of, moment

from services.notice_settings import NoticeSettings
from services.reconciliation.calendar import day_of
from services.reconciliation.policy import Policy

HERE = Path(__file__).parent
COLUMNS = ("day", "who", "says", "on", "told", "about", "cause", "severity", "step", "to")
NOTHING = "nothing"


@dataclass
class Scenario:
    """A story with what people are told at each step."""

    title: str
    terms: dict
    steps: list = field(default_factory=list)  # what happens, and the notices that it leads to


def read(path):
    """All scenarios of a file."""
    found, header = [], []
    for line in path.read_text().splitlines():
        if line.startswith("== "):
            found.append(Scenario(line[3:], {}))
            header = []
        elif line.startswith("|"):
            if header:
                found[-1].terms, header = yaml.load("\n".join(header), yaml.BaseLoader), []
            cells = dict(zip(COLUMNS, (cell.strip() for cell in line.strip().strip("|").split("|")), strict=True))
            if cells["says"] not in ("", "says"):
                found[-1].steps.append((cells, []))
            if cells["told"] not in (NOTHING, "told"):
                found[-1].steps[-1][1].append([cells[name] for name in COLUMNS[3:]])
        elif found and line.strip() and not line.startswith("#"):
            header.append(line)
    return found


SCENARIOS = [scenario for path in sorted(HERE.glob("*.txt")) for scenario in read(path)]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.title)
def test_people_are_told_what_the_rows_say_and_nothing_else(scenario):
    thresholds = NoticeSettings.model_validate(plain(scenario.terms.get("policy", {})))
    story = Story(policy=Policy(notices=thresholds.policy()))
    seen = 0
    for cells, expected in scenario.steps:
        happens(story, scenario, cells)
        assert not story.defects
        told = shown(story)
        assert told[seen:] == expected, f"{cells['day']} {cells['says']}"
        seen = len(told)


def plain(policy):
    return {name: int(text) if isinstance(text, str) and text.isdigit() else text for name, text in policy.items()}


def happens(story, scenario, cells):
    story.now = max(story.now, moment(cells["day"]))
    if cells["says"] == "the time passes":
        story.clock(moment(cells["day"]))
    else:
        story.tell(event_of(scenario, Row(0, cells["day"], cells["who"], cells["says"], "", "", "", "", ())))


def shown(story):
    """Everything that was told so far, as rows."""
    return [
        [day_of(entry.moment, "UTC").isoformat(), f"{n.state} {n.kind}", n.milestone or "all", n.cause, n.severity,
         str(n.step), n.told_to]
        for entry in story.entries()
        for n in entry.notices
    ]  # fmt: skip


def test_what_is_told_is_in_the_log_alone():
    """A row of the table is a notice of the log, and a notice has everything that a person needs."""
    story = Story()
    for cells, _ in SCENARIOS[0].steps:
        happens(story, SCENARIOS[0], cells)
    assert len(shown(story)) == len(records(story))
    for n in records(story):
        assert date.fromordinal(n.since) <= story.now.astimezone(UTC).date()
        assert n.owner
        assert n.detail
