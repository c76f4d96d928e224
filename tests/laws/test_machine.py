"""One state machine over all laws: on the real core alone (`Lawful`), and beside the reference model (`Agreeing`), of
which the same is wanted for every milestone after each step.

A history is its rules with their seeds: a failure prints them as a program. MILEPOST_LAWS=long runs 50,000 of each in
parts, with the seeds MILEPOST_SEED, MILEPOST_SEED + 1, ...
"""

import os
import secrets

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from laws.agreeing import Agreeing
from laws.lawful import Lawful
from laws.profiles import LONG, OTHER_SEEDS

STEPS = 10 if LONG else 9
HISTORIES = {"Lawful": 2_000, "Agreeing": 2_000 if LONG else 1_000}
PARTS = range(25 if LONG else 1)  # each is a test of its own, with a seed of its own


def profile(histories, steps):
    return settings(
        max_examples=histories, stateful_step_count=steps, derandomize=not OTHER_SEEDS, deadline=None, database=None,
        print_blob=True, phases=[Phase.generate, Phase.shrink], report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("machine", [Lawful, Agreeing])
def test_every_history_keeps_the_laws_and_core_and_model_agree(machine, part):
    number = int(os.environ.get("MILEPOST_SEED") or secrets.randbelow(2**32)) + part
    print(f"seed {number}")
    run = seed(number)(machine) if OTHER_SEEDS else machine
    run_state_machine_as_test(run, settings=profile(HISTORIES[machine.__name__], STEPS))
