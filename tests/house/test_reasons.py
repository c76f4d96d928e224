"""Every hold reason and exception has its code, its row in DECISIONS.md, and a scenario that raises and clears it."""

import re
from pathlib import Path

import pytest
from tables.steps import SCENARIOS

from contracts_schema.reasons import BLOCKING, PARTIAL, PROOFS, REMEDIES, WAIVABLE, ExceptionCode, HoldReason
from services.reconciliation.checks import CHECKS

ROOT = Path(__file__).parents[2]
ROOM = ROOT / "services/reconciliation"
DECISIONS = (ROOM / "DECISIONS.md").read_text()
NO_TABLE = {ExceptionCode.UNDECIDED: "tests/unit/test_react.py"}  # takes a defect of our own, which no source can tell


def test_every_blocking_reason_has_its_check_in_order_of_precedence():
    checked = [row.reason for row in CHECKS]
    assert [*checked, HoldReason.OVER_RELEASED] == list(BLOCKING)


def test_reasons_are_blocking_first_and_then_partial():
    assert list(HoldReason) == [*BLOCKING, *PARTIAL]
    assert set(PROOFS) <= WAIVABLE <= set(BLOCKING)


@pytest.mark.parametrize("reason", PARTIAL)
def test_every_partial_reason_is_made_by_a_money_rule(reason):
    rules = "".join((ROOM / name).read_text() for name in ("money.py", "decide.py"))
    assert f"R.{reason.name}" in rules


@pytest.mark.parametrize("reason", HoldReason)
def test_every_reason_says_what_clears_it_and_who_can(reason):
    assert REMEDIES[reason].clears_when
    assert REMEDIES[reason].owner


@pytest.mark.parametrize("code", [*HoldReason, *ExceptionCode])
def test_every_code_has_a_row_that_names_its_rule_and_its_code(code):
    row = next((line for line in DECISIONS.splitlines() if line.startswith(f"| `{code}` |")), "")
    assert re.search(r"\| [A-F][0-9]{1,2}(, [A-F][0-9]{1,2})* \|", row), f"{code} has no rule"
    files = re.findall(r"`([a-z_/]+\.py)`", row)
    assert files
    assert all((ROOM / name).exists() or (ROOT / name).exists() for name in files)
    for name, function in re.findall(r"`([a-z_/]+\.py)` `([a-z_]+)`", row):
        assert f"def {function}(" in (ROOM / name).read_text()


@pytest.mark.parametrize("reason", sorted(WAIVABLE))
def test_what_may_be_waived_is_what_the_table_says(reason):
    assert waive_column(reason) == "yes"


@pytest.mark.parametrize("reason", sorted(set(BLOCKING) - WAIVABLE))
def test_what_may_not_be_waived_is_what_the_table_says(reason):
    assert waive_column(reason).startswith("no")


def waive_column(reason):
    return next(line for line in DECISIONS.splitlines() if line.startswith(f"| `{reason}` |")).split(" | ")[4]


def test_the_order_of_precedence_is_written_down():
    written = re.search(r"## Order of precedence(.*?)##", DECISIONS, re.DOTALL)[1]
    assert re.findall(r"`([A-Z_]+)`", written) == [str(reason) for reason in HoldReason]


@pytest.mark.parametrize("code", [*HoldReason, *(f"!{code}" for code in ExceptionCode if code not in NO_TABLE)])
def test_every_code_is_raised_and_cleared_in_a_scenario(code):
    assert any(is_raised_and_cleared(scenario, code) for scenario in SCENARIOS), f"no scenario clears {code}"


def is_raised_and_cleared(scenario, code):
    raised = set()
    for row in scenario.rows:
        if code in row.reasons:
            raised.add(row.milestone)
        elif row.milestone in raised:
            return True
    return False


def test_scenarios_name_no_code_that_does_not_exist():
    known = {str(code) for code in (*HoldReason, *(f"!{code}" for code in ExceptionCode))}
    named = {code for scenario in SCENARIOS for code in scenario.codes if not code.startswith("~")}
    assert named <= known


@pytest.mark.parametrize("code", NO_TABLE)
def test_what_no_table_can_show_a_test_does(code):
    assert code in (ROOT / NO_TABLE[code]).read_text()
