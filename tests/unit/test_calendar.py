"""Days in the contract's zone, and the reviews that they call for."""

from datetime import UTC, date, datetime

import pytest
from builders import Story, a_contract, a_milestone, met, micros, registered, said, waived

from services.reconciliation.calendar import day_of, midnight, show_moment
from services.reconciliation.policy import NoticePolicy, Policy, Rules, make_rules, read_rules


@pytest.mark.parametrize(
    ("moment", "zone", "day"),
    [
        (datetime(2026, 3, 1, 22, 59, tzinfo=UTC), "Europe/Berlin", date(2026, 3, 1)),
        (datetime(2026, 3, 1, 23, 0, tzinfo=UTC), "Europe/Berlin", date(2026, 3, 2)),
        (datetime(2026, 6, 1, 22, 0, tzinfo=UTC), "Europe/Berlin", date(2026, 6, 2)),
        (datetime(2026, 3, 1, 18, 14, 59, tzinfo=UTC), "Asia/Kathmandu", date(2026, 3, 1)),
        (datetime(2026, 3, 1, 18, 15, tzinfo=UTC), "Asia/Kathmandu", date(2026, 3, 2)),
        (datetime(1969, 12, 31, 23, 59, tzinfo=UTC), "UTC", date(1969, 12, 31)),
    ],
)
def test_the_day_that_counts_is_that_of_the_zone(moment, zone, day):
    assert day_of(micros(moment), zone) == day


def test_a_day_begins_when_the_clock_of_its_zone_says_so():
    assert midnight(date(2026, 3, 2), "Europe/Berlin") == micros(datetime(2026, 3, 1, 23, tzinfo=UTC))
    # In Beirut the clock skipped midnight on 2022-03-27: the day began at one.
    assert day_of(midnight(date(2022, 3, 27), "Asia/Beirut"), "Asia/Beirut") == date(2022, 3, 27)


def test_moments_are_written_in_utc():
    assert show_moment(micros(datetime(2026, 3, 1, tzinfo=UTC))) == "2026-03-01T00:00:00Z"
    assert micros(datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC)) == 1_000_005


def review(story):
    moment = story.state().review
    return None if moment is None else show_moment(moment)


def test_a_due_date_and_its_tolerance_are_looked_at_until_the_milestone_is_met():
    story = Story().tell(registered(a_contract(a_milestone(requires=["met"], due="2026-03-10", tolerance_days=2))))
    assert review(story) == "2026-03-11T00:00:00Z"
    story.clock(datetime(2026, 3, 11, tzinfo=UTC))
    assert review(story) == "2026-03-13T00:00:00Z"
    story.tell(met())
    assert review(story) is None


def test_documents_waivers_amendments_and_the_defects_period_call_for_reviews():
    amendment = {"id": "A", "state": "approved", "rationale": "r", "requested_by": "r", "approved_by": "a",
                 "effective_from": "2026-09-01"}  # fmt: skip
    terms = {
        "retention": {"steps": [{"rate_percent": "10"}], "release_on": "M9", "defects_days": 30},
        "compliance": ["insurance"],
    }
    milestones = [a_milestone(requires=["met"]), a_milestone("M9", None, requires=["met"])]
    silent = NoticePolicy(hold_days={"default": 1_000}, document_days=1_000)  # notices have days of their own
    story = Story(policy=Policy(notices=silent)).tell(registered(a_contract(*milestones, **terms)))
    story.tell(registered(a_contract(*milestones, version=2, amendment=amendment, **terms)))
    assert review(story) == "2026-09-01T00:00:00Z"
    story.tell(met("M9"))
    assert review(story) == "2026-04-01T00:00:00Z"
    story.tell(waived("NOT_MET", until="2026-03-20"))
    assert review(story) == "2026-03-21T00:00:00Z"
    story.tell(
        said("portal", "compliance.document", None, name="insurance", valid_from="2026-03-05", valid_until="2026-03-07")
    )
    assert review(story) == "2026-03-05T00:00:00Z"
    story.clock(datetime(2026, 3, 5, tzinfo=UTC))
    assert review(story) == "2026-03-08T00:00:00Z"


def test_a_rulebook_is_its_content():
    rules = make_rules({"pm": "project"}, {"jane": ["erp:17", "j.d"]}, Policy(), "ap")
    assert read_rules(rules.rulebook.content) == rules
    assert rules.rulebook.hash == read_rules(rules.rulebook.content).rulebook.hash
    assert rules.rulebook.hash != make_rules({"pm": "project"}, {}, Policy(), "ap").rulebook.hash
    assert [rules.person("erp", "17"), rules.person("x", "j.d"), rules.person("x", "joe")] == ["jane", "jane", "joe"]
    assert isinstance(rules, Rules)
