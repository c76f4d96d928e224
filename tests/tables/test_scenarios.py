"""Runs every scenario of the tables beside this file."""

import pytest
from tables.steps import SCENARIOS, Scenario, place, run

from contracts_schema.money import format_amount


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: f"{s.file}: {s.title}")
def test_each_step_leads_to_what_its_row_says(scenario):
    for row, story, commands in run(scenario):
        assert not story.defects
        assert shown(row, story, commands) == expected(row), f"{scenario.file}.txt, line {row.line}: {row.says}"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: f"{s.file}: {s.title}")
def test_each_step_told_twice_leads_to_the_same(scenario):
    once, twice = list(run(scenario)), list(run(Scenario(**vars(scenario) | {"rows": doubled(scenario.rows)})))
    said = [[c["command_id"] for c in story.commands] for _, story, _ in (once[-1], twice[-1])]
    assert said[0] == said[1]


def doubled(rows):
    return [row if not row.says or row.says == "the time passes" else again(row) for row in rows]


def again(row):
    says = row.says if row.says.startswith("again ") else f"again {row.says}"
    return type(row)(**vars(row) | {"says": says})


def shown(row, story, commands):
    """What the row's columns say of the story as it stands."""
    if row.action in ("refused", "unreadable", "parked"):
        return {"action": last_outcome(story)} | ({} if not row.milestone else standing(row, story))
    spoken_of = place(row.milestone)
    actions = [c["action"] for c in commands if (c["contract"], c["milestone"]) == spoken_of]
    return {"action": " ".join(actions) or "-"} | standing(row, story)


def standing(row, story):
    contract, milestone = place(row.milestone)
    now = story.standings(contract)[milestone]
    p, currency = now.position, now.currency
    exceptions = [f"!{code}" for code in p.exceptions]
    conflicts = [f"~{conflict.field}" for conflict in p.conflicts if f"~{conflict.field}" in row.reasons]
    return {
        "released": format_amount(p.released, currency), "held": format_amount(p.held, currency),
        "reasons": (*(str(reason.code) for reason in p.reasons), *exceptions, *conflicts),
    }  # fmt: skip


def last_outcome(story):
    report = [r for r in story.reports if r.outcomes or r.quarantined][-1]
    if report.quarantined:
        refused = "refused" in report.quarantined[-1][1] or "nothing of it was used" in report.quarantined[-1][1]
        return "refused" if refused else "unreadable"
    return report.outcomes[-1].merged.value


def expected(row):
    told = {"action": row.action}
    return told if not row.milestone else told | {"released": row.released, "held": row.held, "reasons": row.reasons}
