"""Runs of the simulation from the shell.

python tests/simulation/run.py --seed 17 --trace          one run again, with everything that happened
python tests/simulation/run.py --seeds 100000             many, from seed 0 or `--first`, on all cores
python tests/simulation/run.py --systematic 2             every single and double fault in a tiny history
"""

import argparse
import os
import sys
import time
from collections import Counter
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from simulation import systematic
from simulation.world import run

AT_A_TIME = 50


def again(seed):
    """How to see a run again."""
    return f"python tests/simulation/run.py --seed {seed} --trace"


def chunk(seeds):
    """Run these seeds: what fired, how much was said, and what did not hold, by seed."""
    fired, broken, sizes = Counter(), {}, Counter()
    for seed in seeds:
        try:
            ran = run(seed)
        except Exception as fault:  # noqa: BLE001 -- whatever it is, the seed is what counts
            broken[seed] = f"{type(fault).__name__}: {fault}"
            continue
        fired.update(ran.fired)
        sizes.update(records=ran.records, commands=ran.commands, seconds=ran.seconds)
    return fired, broken, sizes


def many(first, count, jobs):
    """Run `count` seeds from `first` on; everything that was broken."""
    began, fired, broken, sizes = time.monotonic(), Counter(), {}, Counter()
    seeds = range(first, first + count)
    chunks = [seeds[at : at + AT_A_TIME] for at in range(0, count, AT_A_TIME)]
    with get_context("spawn").Pool(jobs) as pool:
        for some in pool.imap_unordered(chunk, chunks):
            fired.update(some[0])
            broken.update(some[1])
            sizes.update(some[2])
            for seed, fault in sorted(some[1].items()):
                print(f"seed {seed}: {fault[:500]}\n  again: {again(seed)}", flush=True)
    kinds = Counter()
    for what, times in fired.items():
        kinds[what.partition(" ")[0]] += times
    print(f"{count} seeds, {first} to {first + count - 1}, in {time.monotonic() - began:.0f} s: {len(broken)} broken; "
          f"{sizes['records']} records, {sizes['commands']} commands, {sizes['seconds'] / 3600:.1f} simulated hours; "
          f"faults fired: {', '.join(f'{n} {kind}' for kind, n in sorted(kinds.items()))}")  # fmt: skip
    return broken


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, help="one run")
    parser.add_argument("--trace", action="store_true", help="tell everything that happens in it")
    parser.add_argument("--seeds", type=int, default=2000, help="how many runs")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many at once")
    parser.add_argument("--systematic", type=int, choices=(1, 2), help="instead: every so many faults at once")
    chosen = parser.parse_args()
    if chosen.seed is not None:
        ran = run(chosen.seed, print if chosen.trace else None)
        print(f"seed {chosen.seed}: {ran.records} records, {ran.commands} commands, trace {ran.digest}")
        return 0
    if chosen.systematic:
        return int(bool(systematic.search(chosen.systematic)))
    return int(bool(many(chosen.first, chosen.seeds, chosen.jobs)))


if __name__ == "__main__":
    sys.exit(main())
