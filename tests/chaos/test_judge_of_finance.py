"""The judge on a gate and its finance system, behind real HTTP: it finds nothing, whatever goes wrong around them."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # the judge stands by itself: it finds its own modules beside it
from judge import CHECKS
from judged_gate import OFFICES, an_office
from judging.commands import check_decisions
from memory_evidence import says_nothing


@pytest.mark.parametrize("happens", OFFICES, ids=lambda happens: happens.__name__)
async def test_the_judge_finds_nothing_at_finance(happens):
    async with an_office() as office:
        await happens(office)
        evidence = office.evidence()
    checks = [check for check in CHECKS if check.__name__ in office.only or not office.only]
    checks = [check for check in checks if check is not check_decisions]  # nobody publishes them
    says_nothing([finding for check in checks for finding in check(evidence)])
