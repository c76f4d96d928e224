"""Fuzzing: `python tests/fuzz/run.py MINUTES [TARGET…]` (make fuzz) shares the minutes out among the targets.

Each target runs coverage-guided in a process of its own, from the corpus that the project keeps and from what earlier
runs found (build/fuzz). What breaks our word is left in build/fuzz as `TARGET-crash-…`: it becomes a file of
tests/fuzz/corpus/TARGET, with the repair. `--keep` adds to the corpus what reaches something new, made small.
"""

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOUND = HERE.parents[1] / "build" / "fuzz"
CORPUS = HERE / "corpus"
LONGEST_S, MOST_MB, BYTES_MAX = 5, 768, 16_384
KEPT_BYTES_MAX = 4_096  # of one input that is added to the corpus


def names():
    return sorted(path.name for path in CORPUS.iterdir())


def one(target, *options, seconds):
    """Run atheris on a target; its exit code and what it said."""
    command = [sys.executable, str(HERE / "one.py"), target, f"-timeout={LONGEST_S}", f"-rss_limit_mb={MOST_MB}",
               f"-max_len={BYTES_MAX}", f"-artifact_prefix={FOUND}/{target}-", *options]  # fmt: skip
    FOUND.mkdir(parents=True, exist_ok=True)  # libFuzzer refuses a place that is not there
    ran = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=seconds + 120)
    return ran.returncode, ran.stdout + ran.stderr


def fuzzed(target, seconds):
    """Fuzz one target for so long: whether it kept its word, and one line about it."""
    mine = FOUND / target
    mine.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds}", "-print_final_stats=1", str(mine), str(CORPUS / target)]
    code, said = one(target, *options, seconds=seconds)
    runs = re.search(r"number_of_executed_units: (\d+)", said)
    reached = re.findall(r"cov: (\d+) ft: (\d+)", said)
    lines = [f"{target}: {int(runs[1]) if runs else 0:,} runs, {reached[-1][0] if reached else 0} places reached"]
    if code:
        lines += [line for line in said.splitlines() if not re.match(r"#\d|INFO|WARNING|0x", line)][-40:]
    return code == 0, "\n".join(lines)


def keep(target):
    """Add to the corpus what reaches something that nothing in it does; if it is small."""
    fresh = FOUND / f"{target}-merged"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(CORPUS / target, fresh)
    known = {path.name for path in fresh.iterdir()}
    one(target, "-merge=1", "-use_counters=0", str(fresh), str(FOUND / target), seconds=300)
    for path in sorted(fresh.iterdir()):
        if path.name not in known and path.stat().st_size <= KEPT_BYTES_MAX:
            shutil.copy(path, CORPUS / target / f"found-{path.name[:12]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("minutes", type=float)
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--keep", action="store_true", help="add to the corpus what reaches something new")
    asked = parser.parse_args()
    targets = asked.targets or names()
    whole = True
    for target in targets:
        kept_its_word, told = fuzzed(target, max(1, round(asked.minutes * 60 / len(targets))))
        print(told, flush=True)
        whole = whole and kept_its_word
        if asked.keep:
            keep(target)
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
