"""The bench: Milepost and what one could pick instead, on one real Kafka and one real Postgres (fsync on).

    python tests/bench/run.py [--events 60000] [--contracts 2000] [--about 2000] [--milestones 3] [--keyed contract]
                              [--rounds 3] [--contenders milepost,plain] [--plain 3000] [--readme BLOCK]

Ratios of one run are what counts; absolute numbers belong to the machine. The contenders take turns. Prints tables and
writes bench.json; `--readme` puts the tables into the block of that name in tests/bench/README.md.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(ROOT)]

import floors  # noqa: E402 -- found on the path above
import latency  # noqa: E402 -- as above
import milepost_runs  # noqa: E402 -- as above
import other_runs  # noqa: E402 -- as above
import report  # noqa: E402 -- as above
import workload  # noqa: E402 -- as above
from core_cost import core_cost  # noqa: E402 -- as above
from outcome import Outcome  # noqa: E402 -- as above
from rule import truth  # noqa: E402 -- as above
from stage import Stage  # noqa: E402 -- as above

CONTRACTS, MILESTONES = 2_000, 3  # of the standard bench
CONTENDERS = {
    "milepost": (milepost_runs.run, {"workers": 1}),
    "milepost-2": (milepost_runs.run, {"workers": 2}),
    "milepost-2-telling": (milepost_runs.run, {"workers": 2, "left_out": ()}),
    "plain": (other_runs.plain, {}),
    "streams": (other_runs.kafka_streams, {}),
    "quix": (other_runs.quix, {}),
}
STANDARD = "milepost,plain"
NAMES = {
    "milepost": "Milepost, one worker", "milepost-2": "Milepost, two workers",
    "milepost-2-telling": "Milepost, two workers, decisions and snapshots written",
    "plain": "FastStream, a transaction a record", "streams": "Kafka Streams, exactly_once_v2, RocksDB, two threads",
    "quix": "Quix Streams, exactly-once, RocksDB",
}  # fmt: skip


async def contest(stage: Stage, options: argparse.Namespace, console: Console) -> dict[str, list[Outcome]]:
    """Every contender in every round, on the same events; the plain one has fewer of them."""
    runs: dict[str, list[Outcome]] = {}
    size = {"contracts": options.contracts, "milestones": options.milestones}
    key = workload.keyed_by_source if options.keyed == "source" else list
    spoken_of = size | {"contracts": options.about or options.contracts}
    events = key(workload.events(options.events, **spoken_of))
    few = key(workload.events(min(options.plain, options.events), **spoken_of))
    for n in range(options.rounds):
        for name in options.contenders.split(","):
            perform, how = CONTENDERS[name]
            mine = few if name == "plain" else events
            outcome = await perform(stage, f"{name}{n}", mine, truth(mine), keyed=options.keyed, **size, **how)
            runs.setdefault(name, []).append(outcome)
            console.print(f"round {n + 1}: {name} {outcome.events_s:,.0f} records/s")
    return runs


async def delays(stage: Stage, options: argparse.Namespace) -> dict[str, float]:
    """Latency and recovery, in milliseconds and seconds."""
    found: dict[str, float] = {}
    rates = (100, 1_000) if options.latency == "all" else (100,)
    programs = {"milepost": latency.of_milepost}
    if "streams" in options.contenders:
        programs["streams"] = latency.of_streams
    for name, measure in programs.items():
        for rate in rates:
            took = (await measure(stage, f"{name}.at{rate}", rate, 10 if rate < 500 else 5)).took_ms
            found |= {f"{name}_p{q}_ms_at_{rate}": latency.quantile(took, q / 100) for q in (50, 99)}
        if options.latency == "all":
            killed = await measure(stage, f"{name}.killed", 100, 40, killed=True)
            found[f"{name}_recovery_s"] = killed.recovery_s
    return found


def ratios_of(contenders: dict[str, dict[str, float]], cost: dict[int, dict[str, float]]) -> dict[str, float]:
    """Milepost's rate over each of the others', and what deciding costs over decoding."""
    mine = [name for name in ("milepost", "milepost-2") if name in contenders]
    rates = {name: found["events_s"] for name, found in contenders.items()}
    words = {"plain": "plain_faststream", "streams": "kafka_streams", "quix": "quix_streams"}
    found = {
        f"{'throughput' if name == 'milepost' else 'two_workers'}_vs_{words[other]}": rates[name] / rates[other]
        for name in mine
        for other in rates.keys() & words.keys()
    }
    for size, told in cost.items():
        name = "core_vs_decode" if size == MILESTONES else f"core_vs_decode_{size}_milestones"
        found[name] = told["core_us"] / told["decode_us"]
    if "milepost-2" in rates and "milepost-2-telling" in rates:
        found["two_workers_telling_vs_two_workers"] = rates["milepost-2-telling"] / rates["milepost-2"]
    return found


def start_seconds(arguments: list[str]) -> float:
    """The best of five starts of the command line, in seconds."""
    command = [sys.executable, "-c", "from services.cli import main; main()", *arguments]
    best = 9.9
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
        best = min(best, time.perf_counter() - began)
    return best


async def measure(stage: Stage, options: argparse.Namespace, console: Console) -> None:
    """Every figure."""
    runs = await contest(stage, options, console)
    figures = {} if options.latency == "none" else await delays(stage, options)
    if options.floors:
        events = workload.events(options.events, options.contracts, options.milestones)
        figures["floor_read_and_write_s"] = await floors.read_and_write(stage, "floor", events)
        figures["floor_batch_transactions_s"] = await floors.batch_transactions(stage)
    cost = {size: core_cost(size) for size in (MILESTONES, 30, 300)}
    figures |= {"help_s": start_seconds(["--help"]), **cost[MILESTONES]}
    contenders = report.summed(runs)
    ratios = ratios_of(contenders, cost)
    named = {NAMES[name]: found for name, found in contenders.items()}
    report.shown(console, named, ratios | figures)
    report.written(Path("bench.json"), ratios, figures, contenders)
    if options.readme:
        of = f"{options.about:,} of " if options.about else ""
        contracts = f"{of}{options.contracts:,} contracts of {options.milestones} milestones"
        size = f"{options.events:,} records about {contracts}"
        rounds = "one round" if options.rounds == 1 else f"{options.rounds} rounds"
        how = f"{size}, {rounds}, {options.partitions} partitions a topic, keyed by {options.keyed}."
        report.put_into_readme(options.readme, named, ratios, figures, how)


def main() -> None:
    """Run, print the tables, write bench.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--contracts", type=int, default=CONTRACTS)
    parser.add_argument("--about", type=int, help="events are about so many of the contracts (default: all)")
    parser.add_argument("--milestones", type=int, default=MILESTONES, help="of each contract")
    parser.add_argument("--plain", type=int, default=3_000, help="records of the plain handler")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--partitions", type=int, default=24, help="as many as `milepost topics apply` makes")
    parser.add_argument("--contenders", default=STANDARD, help=f"of {', '.join(CONTENDERS)}; all: every one")
    parser.add_argument("--latency", choices=("none", "100", "all"), default="100")
    parser.add_argument("--floors", action="store_true")
    parser.add_argument("--keyed", choices=("contract", "source"), default="contract", help="the key of the records")
    parser.add_argument("--readme", metavar="BLOCK", help="of tests/bench/README.md, to be written anew")
    options = parser.parse_args()
    if options.contenders == "all":
        options.contenders = ",".join(CONTENDERS)
    workload.START = datetime.now(UTC).replace(hour=0, minute=30, second=0, microsecond=0) - timedelta(days=1)
    workload.STEP = min(workload.STEP, timedelta(hours=20) / options.events)
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder), options.partitions)
        try:
            asyncio.run(measure(stage, options, Console()))
        finally:
            stage.end()


if __name__ == "__main__":
    main()
