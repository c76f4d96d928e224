import json
from datetime import UTC, date, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutated import mutations

from contracts_schema.errors import MessageError, Unreadable
from contracts_schema.facts import Assessed, Fact, Scheduled
from contracts_schema.records import Record, Source
from mappers.project import redmine

PM = Source("pm", "redmine", "project", "project.events", timezone="Europe/Berlin",
            met=frozenset({"Closed", "Resolved"}), open=frozenset({"Feedback", "Rejected"}))  # fmt: skip


def micros(hour, minute=0, second=0, microsecond=0):
    moment = datetime(2026, 11, 22, hour, minute, second, tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000 + microsecond


def a_version(**fields):
    return {"id": 3, "status": "open", "due_date": "2026-12-15", "created_on": "2026-11-22T01:17:04Z",
            "updated_on": "2026-11-22T01:17:06Z"} | fields  # fmt: skip


def an_issue(name="New", closed=False, **fields):
    status = {"id": 1, "name": name} | ({} if closed is None else {"is_closed": closed})
    return {"id": 1, "status": status, "done_ratio": 0, "due_date": None, "created_on": "2026-11-22T01:17:04Z",
            "updated_on": "2026-11-22T01:17:06Z", "closed_on": None, "fixed_version": {"id": 3}} | fields  # fmt: skip


def facts(value, source=PM, **headers):
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    encoded = tuple((name.replace("_", "-"), text.encode()) for name, text in headers.items())
    return redmine.translate(Record("project.events", 0, 0, 1_795_996_800_000, None, encoded, raw), source)


def said(value, kind, **headers):
    (fact,) = [fact for fact in facts(value, **headers) if isinstance(fact.body, kind)]
    return fact


def refused(value, **headers):
    with pytest.raises(Unreadable) as caught:
        facts(value, **headers)
    return caught.value


@pytest.mark.parametrize(("status", "word"), [("open", "scheduled"), ("locked", "scheduled"), ("closed", "met")])
def test_a_closed_version_is_met(status, word):
    fact = said({"version": a_version(status=status)}, Assessed)
    assert fact.body == Assessed(status=word, percent=None, met_on=None)
    assert fact.address.keys == ("version:3",)


def test_closing_an_issue_says_nothing_of_its_version():
    found = facts({"issue": an_issue("Closed", closed=True)})
    assert {fact.address.keys for fact in found} == {("issue:1",)}


@pytest.mark.parametrize(
    ("name", "closed", "done", "word"),
    [
        ("Closed", True, 100, "met"),
        ("Resolved", False, 80, "met"),
        ("New", False, 0, "scheduled"),
        ("In Progress", False, 40, "partiallyMet"),
        ("In Progress", None, None, "scheduled"),
        ("Feedback", False, 100, "partiallyMet"),
        ("Rejected", True, 0, "scheduled"),
    ],
)
def test_the_configuration_says_which_statuses_of_issues_are_met(name, closed, done, word):
    body = said({"issue": an_issue(name, closed, done_ratio=done)}, Assessed).body
    assert (body.status, body.percent) == (word, None if done is None else str(done))


def test_a_closed_status_that_is_not_listed_is_unreadable():
    error = refused({"issue": an_issue("Abandoned", closed=True)})
    assert "'Abandoned' is listed neither" in error.sentence
    assert [doubt.address.keys for doubt in error.doubts] == [("issue:1",)]


def test_a_webhook_does_not_tell_whether_a_status_is_closed():
    assert said({"issue": an_issue("New", closed=None)}, Assessed).body.status == "scheduled"
    assert refused({"issue": an_issue("Abandoned", closed=None, closed_on="2026-11-22T01:17:06.822Z")})


def test_an_issue_is_met_on_the_day_of_its_closing_in_the_sources_zone():
    late = an_issue("Closed", closed=True, closed_on="2026-11-22T23:30:00Z")
    assert said({"issue": late}, Assessed).body.met_on == date(2026, 11, 23)


def test_an_earlier_closing_is_no_day_of_being_met():
    again = an_issue("Resolved", closed=False, closed_on="2026-11-01T10:00:00Z")
    assert said({"issue": again}, Assessed).body.met_on is None
    opened = an_issue("New", closed=False, closed_on="2026-11-01T10:00:00Z")
    assert said({"issue": opened}, Assessed).body == Assessed(status="scheduled", percent="0", met_on=None)


def test_a_snapshot_without_a_date_clears_it_and_a_due_date_stays_that_date():
    assert said({"version": a_version(due_date=None)}, Scheduled).body == Scheduled(due=None, forecast=None)
    dated = said({"version": a_version()}, Scheduled).body
    assert dated == Scheduled(due=date(2026, 12, 15), forecast=date(2026, 12, 15))
    hidden = a_version()
    del hidden["due_date"]
    assert said({"version": hidden}, Scheduled).body.due is msgspec.UNSET


def test_within_one_second_what_was_seen_later_is_later():
    def time(observed):
        return said({"version": a_version()}, Assessed, milepost_observed_at=observed).time

    assert time("2026-11-22T01:17:06.250000Z") == micros(1, 17, 6, 250_000)
    assert time("2026-11-22T01:17:06.250001Z") == micros(1, 17, 6, 250_001)
    assert time("2026-11-22T01:17:36Z") == time("2026-11-23T00:00:00Z") == micros(1, 17, 6, 999_999)
    assert time("2026-11-22T01:17:05Z") == micros(1, 17, 6)


def test_a_webhook_and_a_snapshot_of_the_same_change_keep_their_order():
    webhook = said({"issue": an_issue(updated_on="2026-11-22T01:17:06.822Z")}, Assessed)
    snapshot = said({"issue": an_issue()}, Assessed, milepost_observed_at="2026-11-22T01:17:06.9Z")
    assert webhook.time == micros(1, 17, 6, 822_000) < snapshot.time
    assert webhook.document == snapshot.document == "issue:1@2026-11-22T01:17:04Z"


def test_the_moment_of_creation_binds_the_key_to_the_second():
    rest, webhook = a_version(), a_version(created_on="2026-11-22T01:17:04.471Z")
    reused = a_version(created_on="2026-11-29T10:00:00Z")
    documents = [said({"version": version}, Assessed).document for version in (rest, webhook, reused)]
    assert documents == ["version:3@2026-11-22T01:17:04Z"] * 2 + ["version:3@2026-11-29T10:00:00Z"]


def test_a_deleted_object_has_no_word_and_no_date_from_the_moment_it_was_missed():
    gone = {"version": {"id": 3, "deleted": True, "created_on": "2026-11-22T01:17:04Z"}}
    found = facts(gone, milepost_observed_at="2026-11-22T03:00:00Z")
    assert [fact.body for fact in found] == [Assessed(None, None, None), Scheduled(due=None, forecast=None)]
    assert {fact.time for fact in found} == {micros(3)}


@pytest.mark.parametrize(
    "value",
    [
        {"version": a_version()},
        {"versions": [a_version()], "total_count": 1},
        {"payload": {"action": "updated", "version": a_version()}},
        {"type": "version.updated", "timestamp": "2026-11-22T01:17:06Z", "data": {"version": a_version()}},
        a_version(),
        [a_version()],
    ],
)
def test_every_shape_gives_the_same_facts(value):
    assert facts(value) == facts({"version": a_version()})


def test_a_core_webhook_tells_of_a_deletion():
    event = {"type": "issue.deleted", "timestamp": "2026-11-22T02:00:00.5Z", "data": {"issue": an_issue()}}
    fact = said(event, Assessed)
    assert (fact.body.status, fact.time) == (None, micros(2, microsecond=500_000))


def test_events_about_anything_else_and_empty_pages_are_ignored():
    assert facts({"type": "news.created", "timestamp": "2026-11-22T02:00:00Z", "data": {"news": {"id": 1}}}) == ()
    assert facts({"issues": [], "total_count": 0}) == ()


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({}, "neither a version nor an issue"),
        ({"payload": {"action": "updated"}}, "neither a version nor an issue"),
        ({"payload": {"issue": None}}, "neither a version nor an issue"),
        ([1], "neither a version nor an issue"),
        ("text", "neither a version nor an issue"),
        ({"type": "version.updated", "data": {}}, "has no version"),
        ({"type": "???", "data": {}}, "no type of event"),
        ({"version": a_version(status="frozen")}, "'frozen'"),
        ({"version": a_version(id=0)}, "no number"),
        ({"version": a_version(updated_on=None)}, "no updated_on"),
        ({"version": a_version(updated_on="2026/11/22 02:17:06 +0100")}, "updated_on: '2026/11/22 02:17:06 +0100'"),
        ({"version": a_version(created_on="")}, "created_on: ''"),
        ({"version": a_version(due_date="soon")}, "due_date: 'soon' is no date"),
        ({"issue": an_issue("Closed", closed=True, closed_on="soon")}, "closed_on: 'soon'"),
        ({"version": a_version(deleted="yes")}, "not true or false"),
        ({"issue": an_issue(done_ratio=101)}, "done_ratio"),
        ({"issue": an_issue(status="Closed")}, "no status"),
        ({"issue": an_issue("")}, "no identifier"),
    ],
)
def test_what_cannot_be_understood_says_why(value, sentence):
    assert sentence in refused(value).sentence


def test_one_unreadable_object_puts_the_whole_page_in_doubt():
    error = refused({"versions": [a_version(), a_version(id=4, status="frozen", updated_on=None)]})
    assert [(doubt.address.keys, doubt.time) for doubt in error.doubts] == [
        (("version:3",), micros(1, 17, 6)),
        (("version:4",), 1_795_996_800_000_000),
    ]
    assert len({doubt.id for doubt in error.doubts}) == 2


def test_a_broken_text_still_puts_the_object_it_names_in_doubt():
    text = json.dumps({"payload": {"issue": an_issue()}}).encode()
    assert [doubt.address.keys for doubt in refused(text[:-10]).doubts] == [("issue:1",)]


def test_the_same_broken_bytes_are_the_same_doubt_whenever_they_come():
    raw = b'{"version":{"id":3,'
    doubts = []
    for timestamp in (1_795_996_800_000, 1_795_999_900_000):
        with pytest.raises(Unreadable) as caught:
            redmine.translate(Record("project.events", 0, 0, timestamp, None, (), raw), PM)
        doubts += caught.value.doubts
    assert doubts[0].id == doubts[1].id


def test_there_and_back_again_are_three_events_and_a_repeat_is_none():
    def ids(status, second):
        return {
            fact.id for fact in facts({"version": a_version(status=status, updated_on=f"2026-11-22T01:17:{second}Z")})
        }

    first, second, third = ids("open", "06"), ids("closed", "07"), ids("open", "08")
    assert len(first | second | third) == 6
    assert third == ids("open", "08")


@pytest.mark.parametrize(
    ("key", "normal"),
    [("version:03", "version:3"), ("issue: 7", "issue:7"), ("project:Halle 2/b", "project:Halle 2%2Fb")],
)
def test_a_key_is_normalised(key, normal):
    assert redmine.normalise_key(key) == normal == redmine.normalise_key(normal)


@pytest.mark.parametrize("key", ["", "3", "version:", "version:M1", "issue:-1", "purchase:1", "project: "])
def test_what_is_no_key_is_refused(key):
    with pytest.raises(ValueError):
        redmine.normalise_key(key)


THINGS = [
    {"version": a_version()},
    {"issue": an_issue("Closed", closed=True, closed_on="2026-11-22T01:17:06Z")},
    {"versions": [a_version(), a_version(id=4)]},
    {"payload": {"issue": an_issue("New", closed=None)}},
    {"type": "version.updated", "timestamp": "2026-11-22T01:17:06Z", "data": {"version": a_version()}},
]


@given(st.data())
def test_any_payload_gives_facts_or_a_message_error(data):
    value = mutations(data, data.draw(st.sampled_from(THINGS)))
    try:
        found = facts(value)
    except MessageError as error:
        assert len(error.sentence) < 500  # noqa: PT017 -- both outcomes are right, and one is looked at
        return
    for fact in found:
        assert msgspec.json.decode(msgspec.json.encode(fact), type=Fact) == fact


@given(st.binary() | st.text().map(str.encode), st.sampled_from([None, "version", "issue"]), st.text())
def test_any_bytes_give_facts_or_a_message_error(raw, kind, observed):
    try:
        facts(raw, milepost_observed_at=observed, **({"milepost_kind": kind} if kind else {}))
    except MessageError:
        return
