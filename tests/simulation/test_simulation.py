"""2,000 runs by seed, every single fault at every step of a tiny history, and defects that must not go unnoticed."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from simulation import planted, systematic
from simulation.fate import EVENTS, Fault
from simulation.run import again, chunk
from simulation.world import run

SEEDS, AT_A_TIME, PARTS = 2000, 100, 4
SCRIPT = Path(__file__).with_name("run.py")


@pytest.mark.parametrize("first", range(0, SEEDS, AT_A_TIME))
def test_nothing_is_lost_doubled_or_early_whatever_fails(first):
    fired, broken, _ = chunk(range(first, first + AT_A_TIME))
    assert not broken, "\n".join(f"seed {seed}: {fault[:1000]}\n  {again(seed)}" for seed, fault in broken.items())
    kinds = Counter(what.partition(" ")[0] for what in fired)
    assert kinds.keys() >= {*EVENTS, *(fault.value for fault in Fault)}, "a fault that was planned never fired"


def test_a_seed_always_gives_the_same_trace():
    seed = 17
    traces = []
    for hashes in ("1", "2"):
        command = [sys.executable, str(SCRIPT), "--seed", str(seed)]
        done = subprocess.run(
            command, env=os.environ | {"PYTHONHASHSEED": hashes}, capture_output=True, text=True, check=True
        )
        traces.append(done.stdout.split()[-1])
    assert traces == [run(seed).digest] * 2
    assert run(seed + 1).digest != traces[0]


@pytest.mark.parametrize("part", range(PARTS))
def test_one_fault_at_any_step_of_a_tiny_history_breaks_nothing(part):
    _, steps, _, fault = systematic.attempt(())
    assert fault is None
    scripts = systematic.following((), steps, systematic.KINDS)[part::PARTS]
    ran = [systematic.attempt(script) for script in scripts]
    assert not [(script, fault) for script, _, _, fault in ran if fault]
    assert all(fired for _, _, fired, _ in ran), "a fault that was planned never fired"


@pytest.mark.parametrize("defect", planted.PLANTED)
def test_a_planted_defect_is_found(defect):
    seed, _ = planted.found(defect)
    assert seed is not None
