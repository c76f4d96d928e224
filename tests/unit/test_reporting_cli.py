"""`milepost report` and `drift` on a store in memory."""

import csv
import io

import pytest
from desk import Desk

from services.reporting.csv_text import line, safe
from services.reporting.sections import NAMES


@pytest.fixture
def desk(tmp_path, capsys, monkeypatch):
    desk = Desk(tmp_path, capsys)
    desk.install(monkeypatch)
    return desk


@pytest.fixture
def registered(desk):
    desk("contract", "apply", desk.plan())
    return desk


def sections(desk, *words, code=0):
    return desk.json("report", *words, code=code)["sections"]


def test_every_section_is_shown_and_an_empty_store_has_nothing_to_count(desk):
    found = desk.json("report")
    assert list(found["sections"]) == list(NAMES)
    assert found["contracts"] == 0
    assert found["sections"]["on-time"]["rows"][0]["rate_percent"] is None
    shown = desk("report")
    assert "On-time rate (on-time)" in shown
    assert "0 contracts, as of" in shown


def test_sections_are_chosen_by_name_and_by_group(registered):
    assert list(sections(registered, "lag", "audit")) == ["lag", "control", "rights"]
    refused = registered("report", "nonsense", code=2)
    assert "SECTION: 'nonsense' is none; use figures, finance, audit, all" in refused


def test_hold_time_is_counted_for_a_contract_that_was_registered(registered):
    (row, *_) = sections(registered, "holds-by-reason", "--contract", "C-1")["holds-by-reason"]["rows"]
    assert (row["reason"], row["currency"], row["spells"], row["open"]) == ("NOT_MET", "EUR", 2, 2)


def test_control_totals_add_up(registered):
    found = registered.json("report", "control")["sections"]["control"]
    assert [(row["read"], row["applied"], row["unaccounted"], row["adds_up"]) for row in found["rows"]] == [
        (1, 1, 0, True)
    ]
    assert found["notes"] == []


def test_control_totals_that_do_not_add_up_end_with_1(registered):
    (day,) = registered.store._tables.counts
    registered.store._tables.counts[day]["record.applied"] -= 1
    told = registered("report", "control", code=1)
    assert f"milepost: {day} DOES NOT ADD UP: 1 records are unaccounted for" in told


def test_a_contract_that_is_named_and_is_nowhere_is_refused(registered):
    assert "no contract 'C-9' is registered" in registered("report", "lag", "--contract", "C-9", code=1)


def test_a_period_that_ends_before_it_begins_is_refused_with_a_remedy(registered):
    told = registered("report", "lag", "--since", "2026-03-02", "--until", "2026-03-01", code=2)
    assert "--until: 2026-03-01 lies before --since 2026-03-02; exchange them" in told
    assert registered.json("report", "lag", "--since", "2026-03-01")["since"] == "2026-03-01"


def test_one_section_as_csv_is_its_own_table_and_several_are_one_long_table(registered):
    one = list(csv.DictReader(io.StringIO(registered("report", "rights", "--csv"))))
    assert one[0] | {"detail": ""} == {
        "person": "(anybody)", "what": "may sign", "where": "C-1", "when": "", "detail": "",
    }  # fmt: skip
    several = list(csv.DictReader(io.StringIO(registered("report", "rights", "lag", "--csv"))))
    assert set(several[0]) == {"section", "row", "column", "value"}
    assert {row["section"] for row in several} == {"rights", "lag"}
    assert "choose one" in registered("report", "--csv", "--json", code=2)


def test_a_contract_that_cannot_be_read_is_named_and_the_others_are_counted(registered, monkeypatch):
    registered("contract", "apply", registered.plan("C-2", "second.yaml"))
    from services.wiring import reporting

    def defect(state, entries, rules):
        if state.contract == "C-1":
            raise ValueError("a defect")
        return made(state, entries, rules)

    made = reporting.dossier
    monkeypatch.setattr(reporting, "dossier", defect)
    told = registered("report", "lag", "--json", code=1)
    assert '"contracts": 1' in told
    assert "milepost: C-1: ValueError: a defect" in told


def test_drift_shows_commands_without_an_answer_after_some_patience(registered):
    assert registered("drift") == "finance is as it is wanted\n"
    found = registered.json("drift", "C-1", "--unanswered-after", "0")
    assert [(d["kind"], d["milestones"], d["amount"]) for d in found["findings"]] == [
        ("UNANSWERED", ["C-1/M1"], {"amount": "118500.00", "currency": "EUR"}),
        ("UNANSWERED", ["C-1/M2"], {"amount": "1500.00", "currency": "EUR"}),
    ]  # fmt: skip
    shown = registered("drift", "--unanswered-after", "0")
    assert "UNANSWERED (120000.00 EUR):" in shown
    assert "see that the gate runs" in shown
    assert "2 differences" in registered("drift", "--unanswered-after", "0", "--check", code=1)


# CSV


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-x", "@SUM(A1)", "\t=1", "  =1", "\uff1d1"])
def test_no_text_can_be_taken_for_a_formula(text):
    assert safe(text) == f"'{text}"


@pytest.mark.parametrize(("cell", "text"), [(None, ""), (True, "yes"), (False, "no"), (-5, "-5"), ("-5.00", "-5.00"),
                                            ("a-b", "a-b"), ("", "")])  # fmt: skip
def test_what_is_no_formula_stays_as_it_is(cell, text):
    assert safe(cell) == text


def test_a_record_is_one_of_rfc_4180():
    assert line(["a,b", 'say "x"', "two\nlines", 1]) == '"a,b","say ""x""","two\nlines",1\r\n'
