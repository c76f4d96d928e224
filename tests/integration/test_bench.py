"""The bench runs, and whoever performs in it ends in the true state. Its figures are for quiet machines."""

import json
import sys
from pathlib import Path

import pytest
from servers.process import run

RUN = Path(__file__).parents[1] / "bench" / "run.py"
SMALL = ("--events", "1500", "--contracts", "40", "--plain", "150", "--rounds", "1", "--partitions", "6")


@pytest.mark.kafka
@pytest.mark.postgres
@pytest.mark.parametrize(
    ("keyed", "contenders"), [("contract", ("milepost", "milepost-2", "plain")), ("source", ("milepost-2", "plain"))]
)
def test_every_contender_of_a_small_bench_ends_in_the_true_state(tmp_path, keyed, contenders):
    how = ("--contenders", ",".join(contenders), "--keyed", keyed, "--latency", "none")
    command = [sys.executable, str(RUN), *SMALL, *how]
    run(command, what="a small bench", deadline_s=300, folder=tmp_path)
    told = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))
    assert told["contenders"].keys() == set(contenders)
    assert {name: (found["differ"], found["doubled"]) for name, found in told["contenders"].items()} == dict.fromkeys(
        contenders, (0, 0)
    )
