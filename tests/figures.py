"""What tests of the figures share: days, dossiers, sections, and a story of milestones met early, late or not yet."""

from datetime import UTC, datetime

from builders import Story, a_contract, a_milestone, met, registered

from services.reconciliation.calendar import moment_of
from services.reporting.dossier import dossier

DAY = 86_400_000_000
MARCH_ONE = datetime(2026, 3, 1, 8, tzinfo=UTC)


def day(number, month=3, hour=8):
    return datetime(2026, month, number, hour, tzinfo=UTC)


def of(story, contract="C-1"):
    return dossier(story.state(contract), story.entries(contract), story.rules)


def counted(section, *stories):
    for story in stories:
        section.add(of(story))
    return section.sheet()


def rows(section, *stories):
    return counted(section, *stories).objects()


def at(story, when, *events):
    """Let the time pass, reviews included, and tell."""
    story.clock(when)
    return story.tell(*events)


def four_milestones():
    """On 1 April M1 was met two days early, M2 four days late, M3 is overdue, M4 is not due yet, M5 has no date."""
    plan = a_contract(
        a_milestone("M1", due="2026-03-10", requires=["met"]), a_milestone("M2", due="2026-03-10", requires=["met"]),
        a_milestone("M3", due="2026-03-20", requires=["met"]), a_milestone("M4", due="2026-05-01", requires=["met"]),
        a_milestone("M5", requires=["met"]),
    )  # fmt: skip
    story = Story().tell(registered(plan))
    at(story, day(20), met("M1", met_on="2026-03-08"), met("M2", met_on="2026-03-14"), met("M5", met_on="2026-03-14"))
    return story.clock(day(1, month=4))


NOW = moment_of(day(1, month=4))
