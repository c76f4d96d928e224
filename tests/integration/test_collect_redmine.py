"""Collecting from a live Redmine: versions by comparing snapshots, issues by their dates, and what is gone."""

import json
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from itertools import count

import pytest
from collecting import PM, Clock, Rig, facts_of

from connectors.project.redmine import RedminePoller
from connectors.rest import Rest, RestSettings
from contracts_schema.facts import Assessed, Scheduled
from services.runtime.collect import Pace

numbers = count(1)


class Collecting:
    """A collector on a live Redmine, whose cursor's clock can be moved."""

    def __init__(self, rig, collector):
        self.rig = rig
        self.collector = collector

    async def records(self):
        assert await self.collector.round() == []
        return self.rig.news("project.events")

    async def news(self):
        """What one look brings, by key."""
        return {record.key.decode(): record for record in await self.records()}

    async def tomorrow(self):
        """What the daily sweep brings."""
        pace, self.collector._pace = self.collector._pace, Pace(sweep_every_s=0)
        found = await self.news()
        self.collector._pace = pace
        return found


@asynccontextmanager
async def started(redmine, folder, who="collector", **settings):
    token = folder / "token"
    token.write_text(redmine.keys[who])
    async with Rest(RestSettings(redmine.url, token, "X-Redmine-API-Key", wait_s=0.2)) as rest:
        rig = Rig(clock=Clock(datetime.now(UTC).timestamp()))
        yield Collecting(rig, rig.collector(RedminePoller(rest, **settings), PM))


@pytest.fixture
def project(redmine):
    """A project of its own for each test."""
    return redmine.create_project(f"collected-{next(numbers)}")


@pytest.fixture
async def collecting(redmine, project, tmp_path):
    async with started(redmine, tmp_path, projects=[project["identifier"]]) as collecting:
        assert await collecting.news() == {}
        yield collecting


def said(record):
    """The assessment and the schedule in a record."""
    bodies = [fact.body for fact in facts_of([record], PM)]
    (assessed,) = [body for body in bodies if isinstance(body, Assessed)]
    (scheduled,) = [body for body in bodies if isinstance(body, Scheduled)]
    return assessed, scheduled


async def test_a_version_whose_date_moves_is_told_although_it_has_no_history(redmine, project, collecting):
    version = redmine.create_version(project["id"], "M1", "2026-12-15")["id"]
    key = f"version,{version}"
    first = (await collecting.news())[key]
    assert first.header("milepost-kind") == "version"
    assert said(first)[1].due == date(2026, 12, 15)
    redmine.update_version(version, due_date="2027-01-21")
    moved = (await collecting.news())[key]
    assert said(moved)[1].due == date(2027, 1, 21)
    assert await collecting.news() == {}


async def test_a_date_that_moves_twice_within_a_second_is_told_in_the_order_of_the_looks(redmine, project, collecting):
    version = redmine.create_version(project["id"], "M1", "2026-12-15")["id"]
    times = []
    for day in ("2026-12-16", "2026-12-17", "2026-12-18"):
        redmine.update_version(version, due_date=day)
        collecting.rig.clock.at = datetime.now(UTC).timestamp()
        (record,) = await collecting.records()
        times.append(max(fact.time for fact in facts_of([record], PM)))
    assert times == sorted(set(times))


async def test_a_closed_version_is_met(redmine, project, collecting):
    version = redmine.create_version(project["id"], "M1", "2026-12-15")["id"]
    await collecting.news()
    redmine.update_version(version, status="closed")
    assessed, _ = said((await collecting.news())[f"version,{version}"])
    assert assessed.status == "met"


async def test_the_bytes_of_an_object_are_redmines(redmine, project, collecting):
    version = redmine.create_version(project["id"], 'M1 "Prüfung"', "2026-12-15")["id"]
    record = (await collecting.news())[f"version,{version}"]
    _, shown = redmine.rest("GET", f"/versions/{version}.json", who="collector")
    assert json.loads(record.value) == shown


async def test_an_issue_that_is_closed_is_told(redmine, project, collecting):
    issue = redmine.create_issue(project["id"], "Witness FAT", due_date="2027-12-14")["id"]
    assert said((await collecting.news())[f"issue,{issue}"])[0].status == "scheduled"
    redmine.update_issue(issue, status="Closed")
    assert said((await collecting.news())[f"issue,{issue}"])[0].status == "met"
    assert await collecting.news() == {}


async def test_a_deleted_issue_and_a_deleted_version_are_told_with_when_they_were_made(redmine, project, collecting):
    issue = redmine.create_issue(project["id"], "Witness FAT")
    version = redmine.create_version(project["id"], "M1", "2026-12-15")
    await collecting.tomorrow()
    redmine.delete(f"/issues/{issue['id']}.json")
    redmine.delete(f"/versions/{version['id']}.json")
    found = await collecting.tomorrow()
    for kind, gone in (("issue", issue), ("version", version)):
        told = json.loads(found[f"{kind},{gone['id']}"].value)
        assert told == {kind: {"id": gone["id"], "deleted": True, "created_on": gone["created_on"]}}
        assert said(found[f"{kind},{gone['id']}"])[0].status is None
    assert await collecting.tomorrow() == {}


async def test_a_number_that_is_used_again_is_another_object(redmine, project, collecting):
    first = redmine.create_issue(project["id"], "Witness FAT")
    await collecting.tomorrow()
    redmine.delete(f"/issues/{first['id']}.json")
    made_at = datetime.fromisoformat(first["created_on"])
    while datetime.now(UTC).replace(microsecond=0) <= made_at:  # Redmine's dates have whole seconds
        pass
    second = redmine.create_issue(project["id"], "Something else")
    assert second["id"] == first["id"]
    gone, new = await collecting.records()
    assert json.loads(gone.value)["issue"]["created_on"] == first["created_on"]
    assert json.loads(new.value)["issue"]["created_on"] == second["created_on"]
    documents = {fact.document for record in (gone, new) for fact in facts_of([record], PM)}
    assert len(documents) == 2


async def test_pages_of_issues_follow_each_other_without_a_gap(redmine, project, tmp_path):
    issues = [redmine.create_issue(project["id"], f"Task {n}")["id"] for n in range(5)]
    async with started(redmine, tmp_path, projects=[project["identifier"]], page=2) as collecting:
        assert set(await collecting.news()) == {f"issue,{number}" for number in issues}


async def test_without_named_projects_everything_that_may_be_seen_is_read_and_with_them_nothing_else(
    redmine, project, tmp_path
):
    other = redmine.create_project(f"collected-{next(numbers)}")
    mine = redmine.create_version(project["id"], "M1", "2026-12-15")["id"]
    another = redmine.create_version(other["id"], "M1", "2026-12-15")["id"]
    issue = redmine.create_issue(other["id"], "Elsewhere")["id"]
    async with started(redmine, tmp_path) as collecting:
        assert {f"version,{mine}", f"version,{another}", f"issue,{issue}"} <= set(await collecting.news())
    async with started(redmine, tmp_path, projects=[project["identifier"]]) as collecting:
        assert set(await collecting.news()) == {f"version,{mine}"}


async def test_a_version_shared_with_several_projects_is_one_object(redmine, project, tmp_path):
    redmine.create_project(f"collected-{next(numbers)}")
    version = redmine.create_version(project["id"], "Shared", "2026-12-15", sharing="system")["id"]
    async with started(redmine, tmp_path) as collecting:
        records = await collecting.records()
        assert [record.key for record in records].count(b"version,%d" % version) == 1
    redmine.delete(f"/versions/{version}.json")


async def test_a_project_that_is_not_there_is_said_and_the_others_go_on(redmine, project, tmp_path):
    version = redmine.create_version(project["id"], "M1", "2026-12-15")["id"]
    async with started(redmine, tmp_path, projects=["no-such-project", project["identifier"]]) as collecting:
        faults = await collecting.collector.round()
        assert set(faults) == {"collect.projects: there is no project 'no-such-project'"}
        assert {record.key for record in collecting.rig.news("project.events")} == {b"version,%d" % version}


async def test_a_key_that_redmine_does_not_know_tells_nothing_and_deletes_nothing(
    redmine, project, tmp_path, collecting
):
    redmine.create_version(project["id"], "M1", "2026-12-15")
    await collecting.tomorrow()
    (tmp_path / "token").write_text("nobodys-key")
    collecting.collector._pace = Pace(sweep_every_s=0)
    faults = await collecting.collector.round()
    assert all("does not know the key" in fault for fault in faults)
    assert collecting.rig.news("project.events") == []


async def test_a_project_that_may_not_be_seen_any_more_deletes_nothing(redmine, project, tmp_path, collecting):
    redmine.create_version(project["id"], "M1", "2026-12-15")
    redmine.create_issue(project["id"], "Witness FAT")
    await collecting.tomorrow()
    assert redmine.rest("PUT", f"/projects/{project['id']}.json", {"project": {"is_public": False}})[0] == 204
    collecting.collector._pace = Pace(sweep_every_s=0)
    faults = await collecting.collector.round()
    assert faults
    assert all("answers 403" in fault for fault in faults)
    assert collecting.rig.news("project.events") == []
