"""Words for tests of notices: what people were told in a story, and what is open."""

from datetime import UTC, datetime

from builders import Story, a_contract, registered, said

from services.reconciliation.calendar import day_of
from services.reconciliation.crosswalk import index_of
from services.reconciliation.notices.now import notices_now
from services.reconciliation.policy import Policy


def told(story, contract="C-1", *kinds):
    """Every notice that was told, in order, as a line: its day, what, about what, severity and step."""
    lines = []
    for entry in story.entries(contract):
        zone = index_of(story.state(contract).plans[1].plan).plan.timezone
        said = [n for n in entry.notices if not kinds or n.kind in kinds]
        lines += [f"{day_of(entry.moment, zone)} {line(n)}" for n in said]
    return lines


def line(n):
    """`opened LATE M1 due red 0`; of the whole contract there is no milestone."""
    cause = "" if n.cause == n.kind else f" {n.cause}"
    return f"{n.state} {n.kind}{f' {n.milestone}' if n.milestone else ''}{cause} {n.severity} {n.step}"


def open_now(story, contract="C-1"):
    """What is open, the reddest first."""
    return [f"{n.kind}{f' {n.milestone}' if n.milestone else ''} {n.cause} {n.severity} {n.step}"
            for n in notices_now(story.state(contract), story.rules)]  # fmt: skip


def records(story, contract="C-1"):
    """The notices of the log, whole."""
    return [n for entry in story.entries(contract) for n in entry.notices]


def day(text, hour=12):
    """A moment on a day, UTC."""
    return datetime.fromisoformat(text).replace(hour=hour, tzinfo=UTC)


def story_of(*milestones, people=None, policy=None, **terms):
    """A contract of these milestones, registered."""
    return Story(people=people or {}, policy=policy or Policy()).tell(registered(a_contract(*milestones, **terms)))


def forecast(when, milestone="M1"):
    """The project tool expects it on this day."""
    return said("pm", "milestone.scheduled", milestone, forecast=when)
