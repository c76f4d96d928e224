"""`milepost report` and `drift` on a store in memory."""

import csv
import io
import json
from pathlib import Path

import pytest
from builders import Story, a_contract, a_milestone, met, paid
from builders import registered as registered_at

from services.reporting.csv_text import line, safe
from services.reporting.dossier import dossier
from services.reporting.sections import NAMES
from services.reporting.tables import COLUMNS, facts


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


# Exports

OCDS = ("--prefix", "ocds-213czf", "--publisher", "Stadtwerke Beispiel", "--uri", "https://data.example/p.json")
OURS = Path(__file__).parents[2] / "services/reporting/ocds.schema.json"


def test_a_record_package_is_written_whole_and_checked(registered):
    registered("contract", "apply", registered.plan("C-2", "second.yaml"))
    out = registered.folder / "package.json"
    registered("export", "ocds", "--out", out, "--schema", OURS, *OCDS)
    written = json.loads(out.read_text())
    assert [record["ocid"] for record in written["records"]] == ["ocds-213czf-C-1", "ocds-213czf-C-2"]
    assert (written["version"], written["publisher"]) == ("1.1", {"name": "Stadtwerke Beispiel"})
    assert written["publishedDate"] == max(r["compiledRelease"]["date"] for r in written["records"])
    again = registered.folder / "again.json"
    registered("export", "ocds", "--out", again, *OCDS)
    assert again.read_bytes() == out.read_bytes()
    assert [path.name for path in registered.folder.glob(".*")] == []


def test_a_release_package_names_its_releases(registered):
    out = registered.folder / "package.json"
    registered("export", "ocds", "C-1", "--package", "releases", "--out", out, "--schema", OURS, *OCDS)
    assert [release["tag"] for release in json.loads(out.read_text())["releases"]] == [["contract", "implementation"]]


def test_publisher_and_prefix_come_from_the_configuration_and_faults_name_field_value_and_remedy(registered):
    told = registered("export", "ocds", code=2)
    assert "ocds.prefix is missing: Open Contracting registers one for you" in told
    assert "say --uri or set ocds.uri" in told
    wrong = registered("export", "ocds", "--prefix", "mine", "--publisher", "P", "--uri", "https://x.example/", code=2)
    assert "--prefix: 'mine'" in wrong
    with registered.config.open("a") as file:
        file.write("ocds: {prefix: ocds-213czf, publisher: P, uri: 'https://x.example/p', scheme: DE-CR, uid: '7'}\n")
    out = registered.folder / "package.json"
    registered("export", "ocds", "--out", out)
    assert json.loads(out.read_text())["publisher"] == {"name": "P", "scheme": "DE-CR", "uid": "7"}


def test_what_does_not_fit_a_schema_is_named_and_ends_with_1(registered):
    strict = registered.folder / "strict.json"
    strict.write_text(json.dumps({"properties": {"records": {"maxItems": 0}}}))
    out = registered.folder / "package.json"
    told = registered("export", "ocds", "--out", out, "--schema", strict, *OCDS, code=1)
    assert "--schema: records:" in told


def test_a_schema_that_refers_to_one_that_is_not_there_says_which(registered):
    package = registered.folder / "package-schema.json"
    package.write_text(json.dumps({
        "$schema": "http://json-schema.org/draft-04/schema#", "id": "https://x.example/package.json",
        "properties": {"records": {"items": {"$ref": "https://x.example/record.json"}}},
    }))  # fmt: skip
    out = registered.folder / "package.json"
    told = registered("export", "ocds", "--out", out, "--schema", package, *OCDS, code=2)
    assert "it refers to https://x.example/record.json, which is not there" in told
    assert not out.exists()
    record = registered.folder / "record-schema.json"
    record.write_text(json.dumps({"id": "https://x.example/record.json", "required": ["ocid"]}))
    registered("export", "ocds", "--out", out, "--schema", package, "--schema", record, *OCDS)


@pytest.mark.parametrize(("content", "told"), [(None, "cannot be read"), ("{", "is no JSON"), ("[]", "it is no object"),
                                               ("{}", "describes a package of records")])  # fmt: skip
def test_a_file_that_is_no_schema_is_refused(registered, content, told):
    path = registered.folder / "schema.json"
    if content is not None:
        path.write_text(content)
    assert told in registered("export", "ocds", "--schema", path, *OCDS, code=2)


def test_nothing_to_publish_leaves_no_file(desk):
    out = desk.folder / "package.json"
    assert "no contract has anything to publish" in desk("export", "ocds", "--out", out, *OCDS, code=1)
    assert not out.exists()
    assert "cannot be written" in desk("export", "ocds", "--out", desk.folder / "no" / "way", *OCDS, code=2)


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_all_tables_are_written_into_a_folder(registered):
    registered("sign", "C-1/M1", "--by", "jane", "--role", "site-manager")
    folder = registered.folder / "tables"
    folder.mkdir()
    registered("export", "csv", "--out", folder)
    tables = {path.stem: read_csv(path) for path in folder.iterdir()}
    assert tables.keys() == COLUMNS.keys()
    assert all(set(rows[0]) == set(COLUMNS[name]) for name, rows in tables.items())
    assert [(r["milestone"], r["value"], r["currency"], r["reasons"]) for r in tables["milestones"]] == [
        ("M1", "118500.00", "EUR", "NOT_MET"), ("M2", "1500.00", "EUR", "NOT_MET"),
    ]  # fmt: skip
    assert [(r["sequence"], r["action"], r["answer"]) for r in tables["commands"]] == [
        ("1", "hold", "no answer"), ("2", "hold", "no answer"),
    ]  # fmt: skip
    said = json.loads(tables["facts"][-1]["says"])
    assert (tables["facts"][-1]["kind"], said["by"], said["role"]) == ("sign_off.given", "jane", "site-manager")
    assert tables["decisions"][-1]["reasons"] == "NOT_MET:118500.00"


def test_a_fact_says_what_it_said_and_nothing_that_it_left_out():
    story = Story().tell(registered_at(a_contract(a_milestone("M1", requires=["met"]))), met(), paid("1.00"))
    found = facts(dossier(story.state(), story.entries(), story.rules))
    assert [json.loads(row[-1]) for row in found] == [
        {"version": 1}, {"status": "met"},
        {"amount": {"amount": "1.00", "currency": "EUR"}, "invoice": None, "paid_on": "2026-03-01", "payment": "P-1"},
    ]  # fmt: skip


def test_one_table_is_written_into_a_file_and_several_want_a_folder(registered):
    out = registered.folder / "milestones.csv"
    registered("export", "csv", "C-1", "--table", "milestones", "--out", out)
    assert out.read_bytes().count(b"\r\n") == 3
    assert "name a folder or one --table" in registered("export", "csv", "--out", out, code=2)


def test_a_formula_in_a_vendors_text_is_never_run(desk):
    plan = desk.plan()
    plan.write_text(plan.read_text().replace("title: Site acceptance", 'title: "=HYPERLINK(1)"'))
    desk("contract", "apply", plan)
    out = desk.folder / "milestones.csv"
    desk("export", "csv", "--table", "milestones", "--out", out)
    assert read_csv(out)[1]["title"] == "'=HYPERLINK(1)"
