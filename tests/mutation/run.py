"""Mutation testing of the pure rooms: which small faults would no test notice?

    python tests/mutation/run.py                         every module, every mutant (hours)
    python tests/mutation/run.py --share 20 FILE…        a fifth of the mutants of some modules
    python tests/mutation/run.py --changed origin/main   modules that differ from a commit; fails below 95 percent

Results are added to build/mutation.jsonl; `--scores` prints the table of tests/mutation/SCORES.md from it.
"""

import argparse
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ASKED = 95  # percent of the mutants that the tests must notice
OUT = ROOT / "build" / "mutation.jsonl"
TESTS = [
    "tests/unit/test_admission.py", "tests/unit/test_calendar.py", "tests/unit/test_crosswalk.py",
    "tests/unit/test_decide.py", "tests/unit/test_merge.py", "tests/unit/test_money.py", "tests/unit/test_react.py",
    "tests/unit/test_redrive.py", "tests/unit/test_versions.py", "tests/unit/test_values.py",
    "tests/unit/test_explain.py",
    "tests/tables", "tests/mutation/agreeing.py",
]  # fmt: skip


def targets():
    """The modules of the thinking room, and the values that all mappers share."""
    room = sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / "services/reconciliation").rglob("*.py"))
    return [p for p in room if not p.endswith("__init__.py")] + ["mappers/values.py"]


def changed(base):
    """Those of them that differ from a commit."""
    git = ["git", "-C", str(ROOT), "diff", "--name-only", base, "--"]
    found = subprocess.run(git, check=True, capture_output=True, text=True).stdout.split()
    return [p for p in targets() if p in found]


def trial(modules, share):
    """Run the tests over the mutants, in a pytest of its own kind."""
    import pytest

    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    from mutation.plugin import Trial

    OUT.parent.mkdir(exist_ok=True)
    quiet = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly", "--rootdir", str(ROOT)]
    extra = [test for test in map(own_tests, modules) if test]
    return pytest.main([*quiet, *dict.fromkeys([*TESTS, *extra])], plugins=[Trial(modules, share, str(OUT))])


def own_tests(module):
    """Tests that bear the module's name, where there are any."""
    name = f"tests/unit/test_{Path(module).stem}.py"
    return name if (ROOT / name).exists() else None


def results():
    """The newest result of each mutant."""
    lines = OUT.read_text().splitlines() if OUT.exists() else []
    return {(r["file"], r["function"], r["line"], r["change"]): r for r in map(json.loads, lines)}


def scores(found):
    """One row a file: mutants, killed, percent; then each survivor."""
    tried = Counter(r["file"] for r in found)
    killed = Counter(r["file"] for r in found if r["result"].startswith("killed"))
    yield "| file | mutants tried | killed | score |\n|---|---|---|---|"
    for file in sorted(tried):
        yield f"| `{file}` | {tried[file]} | {killed[file]} | {100 * killed[file] / tried[file]:.1f} % |"
    total, dead = sum(tried.values()), sum(killed.values())
    yield f"| all | {total} | {dead} | {100 * dead / max(total, 1):.1f} % |"
    for r in found:
        if not r["result"].startswith("killed"):
            where = f"`{r['file']}` {r['function']}, line {r['line']}"
            yield f"- {where}: {r['change']} ({r['result']}, {r['tests']} tests)"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*")
    parser.add_argument("--share", type=int, default=100, help="percent of the mutants, always the same ones")
    parser.add_argument("--changed", metavar="COMMIT", help="only modules that differ from this commit")
    parser.add_argument("--scores", action="store_true", help="print the table of what was tried so far")
    asked = parser.parse_args()
    if asked.scores:
        print("\n".join(scores(list(results().values()))))
        return 0
    modules = changed(asked.changed) if asked.changed else asked.files or targets()
    if not modules:
        print("no module of the pure rooms differs: nothing to try")
        return 0
    code = trial(modules, asked.share)
    mine = [r for r in results().values() if r["file"] in modules]
    print("\n".join(scores(mine)))
    dead = sum(r["result"].startswith("killed") for r in mine)
    return code or int(dead * 100 < ASKED * len(mine))


if __name__ == "__main__":
    sys.exit(main())
