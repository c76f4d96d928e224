"""Planted bugs still fit the code, the table tells of each, and those in changed code are found again."""

import time

import pytest
from planted.bug import ROOT
from planted.run import BUGS, REASONS, Copy, code_of, table

BUDGET_S = 100  # for bugs in changed code; what is left after it, `make planted` finds


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_every_planted_bug_still_fits_the_code(bug):
    bug.applied((ROOT / bug.file).read_text())


def test_no_two_bugs_have_one_name_and_the_table_tells_of_each():
    names = [bug.name for bug in BUGS]
    assert len(set(names)) == len(names)
    assert table().keys() == set(names)


def test_the_judge_finds_each_bug_or_the_table_says_why_it_cannot():
    assert not [name for name, cells in table().items() if not cells[4]]
    assert {bug.unseen for bug in BUGS} - {""} <= REASONS.keys()


def test_bugs_in_code_that_has_changed_since_the_table_are_found_again():
    known = table()
    stale = [bug for bug in BUGS if not bug.server and known[bug.name][-1] != code_of(bug.file)]
    stale.sort(key=lambda bug: float(known[bug.name][-2]))
    began, left = time.monotonic(), []
    with Copy() as copy:
        for bug in stale:
            if time.monotonic() - began > BUDGET_S:
                left.append(bug.name)
            else:
                assert copy.finds(bug)[0], f"no test finds: {bug.name}"
    print(f"{len(stale) - len(left)} found again; for `make planted` are left: {', '.join(left) or 'none'}")
