"""Reports add up, whatever happened: nothing is counted twice, nothing is lost, and nothing is worth more than all."""

import csv
import io
import json
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

import jsonschema
import ocdsmerge
from builders import START, Story, done
from hypothesis import given, note
from hypothesis import strategies as st
from laws.histories import PEOPLE, histories, summary
from laws.profiles import tried

from contracts_schema.money import parse_amount
from services.reconciliation.calendar import moment_of
from services.reconciliation.exceptions import paid_to_date
from services.reporting.acceptance import FirstTime
from services.reporting.ageing import Ageing
from services.reporting.control import gap
from services.reporting.csv_text import line
from services.reporting.dossier import EVER, Period, dossier
from services.reporting.hold_time import HoldTime, shares, shares_of_owners
from services.reporting.ocds import Publisher, encoded, record, releases
from services.reporting.payable import due_today, paid_by_invoice
from services.reporting.punctuality import OnTime
from services.reporting.sections import SECTIONS
from services.reporting.tables import COLUMNS, TABLES
from services.reporting.trend import Trend

LATER = START + timedelta(days=60)
NOW = moment_of(LATER)
PUBLISHER = Publisher("ocds-213czf", "P", "https://data.example/p.json")
SCHEMA = json.loads((Path(__file__).parents[2] / "services/reporting/ocds.schema.json").read_text())
MERGER, VALIDATOR = ocdsmerge.Merger(SCHEMA), jsonschema.Draft202012Validator(SCHEMA)
HISTORIES = histories(replaces=True, openings=True)


def told(records):
    note(summary(records))
    story = Story(people=PEOPLE)
    for one in records:
        story.carry([one])
    return story.clock(LATER)


def dossiers(story):
    made = (dossier(story.state(name), story.entries(name), story.rules) for name in story.contracts())
    return [one for one in made if one is not None]


def counted(section, story):
    for one in dossiers(story):
        section.add(one)
    return section


@tried(40)
@given(HISTORIES)
def test_what_is_held_is_shared_out_among_its_reasons_to_the_last_unit(records):
    story = told(records)
    for name in story.contracts():
        for entry in story.entries(name):
            for decided in entry.decisions:
                for split in (shares, shares_of_owners):
                    found = split(decided)
                    assert sum(found.values()) == decided.held
                    assert all(share >= 0 for share in found.values())


@tried(40)
@given(HISTORIES)
def test_money_held_for_a_time_is_the_same_by_reason_and_by_turn_and_in_all(records):
    story = told(records)
    by_reason, by_owner = (counted(HoldTime(EVER, NOW, split), story) for split in (shares, shares_of_owners))
    for hold_time in (by_reason, by_owner):
        sums = {}
        for held in hold_time.held.values():
            for currency, money in held.money.items():
                sums[currency] = sums.get(currency, 0) + money
        assert sums == hold_time.money
    assert by_reason.money == by_owner.money == held_in_all(story)
    assert all(held.alone <= held.time and held.longest <= held.time for held in by_reason.held.values())


def held_in_all(story):
    """Held times time, milestone by milestone, straight from the log."""
    sums = {}
    for one in dossiers(story):
        for name in one.lines:
            for begin, end, decided in one.stretches(name, NOW):
                if decided.reasons:
                    held = Fraction(decided.held * (end - begin))
                    sums[decided.currency] = sums.get(decided.currency, 0) + held
    return sums


@tried(40)
@given(HISTORIES, st.integers(0, 12))
def test_hold_time_of_two_periods_that_meet_is_that_of_both(records, days):
    story = told(records)
    cut = date(2026, 3, 1) + timedelta(days=days)
    whole = counted(HoldTime(EVER, NOW, shares), story)
    parts = [counted(HoldTime(period, NOW, shares), story)
             for period in (Period(until=cut), Period(since=cut + timedelta(days=1)))]  # fmt: skip
    for code, held in whole.held.items():
        assert held.time == sum(part.held[code].time for part in parts if code in part.held)
        assert held.alone == sum(part.held[code].alone for part in parts if code in part.held)


@tried(40)
@given(HISTORIES)
def test_rates_lie_between_nothing_and_all_and_months_add_up_to_the_whole(records):
    story = told(records)
    on_time, trend, first = (
        counted(OnTime(EVER, NOW), story),
        counted(Trend(EVER, NOW), story),
        counted(FirstTime(EVER), story),
    )
    rate = on_time.sheet().objects()[0]
    counts = (rate["on_time"], rate["met_late"], rate["overdue"])
    assert rate["rate_percent"] is None if not sum(counts) else 0 <= Fraction(rate["rate_percent"]) <= 100
    assert sum(month.due for month in trend.months.values()) == sum(counts)
    assert sum(month.on_time for month in trend.months.values()) == rate["on_time"]
    assert 0 <= first.first_time <= first.of
    assert sum(month.first_met for month in trend.months.values()) == first.of
    assert sum(month.first_time for month in trend.months.values()) == first.first_time


@tried(40)
@given(HISTORIES)
def test_what_is_payable_is_never_more_than_was_commanded_and_payments_are_all_counted(records):
    for one in dossiers(told(records)):
        for case in one.cases.values():
            assert sum(paid_by_invoice(case).values()) == paid_to_date(case)
        for due in due_today(one):
            assert 0 <= due.today <= due.target.payable.minor


@tried(40)
@given(HISTORIES)
def test_the_bands_of_ageing_hold_what_all_positions_hold(records):
    story = told(records)
    ageing = counted(Ageing(NOW), story)
    expected = {}
    for one in dossiers(story):
        for milestone, _ in one.counted:
            held = one.standings[milestone.id].position.held
            expected[one.plan.currency] = expected.get(one.plan.currency, 0) + held
    found = {}
    for (currency, _), aged in ageing.bands.items():
        found[currency] = found.get(currency, 0) + aged.held
        assert 0 <= aged.invoiced <= aged.held
    assert {c: n for c, n in expected.items() if n} == found


@tried(40)
@given(HISTORIES)
def test_every_record_has_one_end(records):
    story = told(records)
    for counts in done(story.store.counts(date.min)).values():
        assert gap(counts) == 0


@tried(40)
@given(HISTORIES)
def test_releases_merge_into_the_record_and_fit_our_schema(records):
    story = told(records)
    for name in story.contracts():
        found = releases(story.entries(name), lambda _: story.rules, PUBLISHER)
        if not found:
            continue
        written = json.loads(encoded(record(found)))
        assert MERGER.create_compiled_release(written["releases"]) == written["compiledRelease"]
        for release in (*written["releases"], written["compiledRelease"]):
            VALIDATOR.validate(release)


@tried(40)
@given(HISTORIES)
def test_the_record_shows_every_milestone_of_the_plan_as_it_stands(records):
    story = told(records)
    for one in dossiers(story):
        found = releases(one.entries, lambda _: story.rules, PUBLISHER)
        (contract,) = record(found)["compiledRelease"]["contracts"]
        shown = {m["id"]: m for m in contract["implementation"]["milestones"]}
        if one.spans[-1].plan.version != one.plan.version:
            continue  # it came into force by time alone, and no revision has said so yet
        for name, case in one.cases.items():
            assert shown[name]["status"] == case.completion.status
            assert ("dateMet" in shown[name]) == (case.completion.met_on is not None)
        assert shown.keys() >= one.cases.keys()


@tried(40)
@given(HISTORIES)
def test_tables_and_sections_are_as_wide_as_their_heads_and_can_be_read_back(records):
    story = told(records)
    for one in dossiers(story):
        for name, rows in TABLES.items():
            written = [*rows(one)]
            assert all(len(row) == len(COLUMNS[name]) for row in written)
            text = "".join(map(line, written))
            assert len([*csv.reader(io.StringIO(text, newline=""))]) == len(written)
    for made in SECTIONS.values():
        sheet = counted(made(EVER, NOW), story).sheet()
        assert all(len(row) == len(sheet.columns) for row in sheet.rows)


@tried(40)
@given(HISTORIES)
def test_what_the_trend_says_was_released_is_what_was_released_and_not_carried(records):
    story = told(records)
    expected, found = {}, {}
    for one in dossiers(story):
        for lines in one.lines.values():
            most = max((d.decided.released - (d.decided.carried or 0) for d in lines), default=0)
            currency = lines[-1].decided.currency
            expected[currency] = expected.get(currency, 0) + max(0, most)
    for row in counted(Trend(EVER, NOW), story).sheet().objects():
        if row["currency"]:
            found[row["currency"]] = found.get(row["currency"], 0) + parse_amount(row["released"], row["currency"])
    assert found == {c: n for c, n in expected.items() if n}
