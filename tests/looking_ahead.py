"""What tests that look ahead share: a chain of milestones, what is seen on a day, and retention with all its terms."""

from datetime import date

from builders import a_contract, a_milestone, said

from services.outlook.picture import picture

TODAY = date(2026, 3, 1)
RETENTION = {
    "retention": {
        "steps": [{"until_percent": "50", "rate_percent": "10"}, {"rate_percent": "5", "returns_percent": "50"}],
        "release_on": "M2",
        "defects_days": 30,
    }
}


def day(text):
    return date.fromisoformat(f"2026-{text}")


def seen(story, today=TODAY):
    return picture(story.state(), story.rules, today)


def a_chain(*dues, **terms):
    """M1, M2, ... of 100.00, each after the one before."""
    return a_contract(
        *(
            a_milestone(f"M{n}", requires=["met"], due=f"2026-{due}", after=[f"M{n - 1}"] if n > 1 else [])
            for n, due in enumerate(dues, 1)
        ),
        **terms,
    )


def expected(story, **more):
    return {name: e.day for name, e in seen(story, **more).network.expected().items()}


def forecast(milestone, text):
    return said("pm", "milestone.scheduled", milestone, forecast=f"2026-{text}")
