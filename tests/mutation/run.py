"""Mutation testing of the pure rooms: which small faults would no test notice?

    python tests/mutation/run.py                     every module, every mutant
    python tests/mutation/run.py FILE…               some modules
    python tests/mutation/run.py --rest              only what was not tried yet
    python tests/mutation/run.py --again --tests T…  only what no test noticed so far, on new tests alone
    python tests/mutation/run.py --changed [COMMIT]  mutants of lines that differ from a commit (default: where this
                                                     branch left origin/main, else the commit before); fails below 95 %

Results are added to build/mutation.jsonl; `--scores` prints the table of tests/mutation/SCORES.md from it.
"""

import argparse
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ASKED = 95  # percent of the mutants that the tests must notice
OUT = ROOT / "build" / "mutation.jsonl"
TESTS = [
    *(f"tests/unit/test_{name}.py" for name in (
        "admission", "adoption", "bad_documents", "bad_facts", "calendar", "claims", "control_totals", "crosswalk",
        "decide", "edges", "edges_of_money", "edges_of_notices", "edges_of_plans", "end_of_time", "explain",
        "history_evidence", "history_past", "history_published", "history_shadow", "history_verify", "house_papers",
        "key_changes", "known", "merge", "money", "notice_settings", "notices_ageing", "notices_dates",
        "notices_papers", "notices_telling", "payments", "plan_changes", "react", "redrive", "registration", "reviews",
        "settled", "turn", "values", "versions", "void_parts", "working_days")),
    "tests/tables", "tests/mutation/agreeing.py",
]  # fmt: skip
OF_MAPPERS = [
    f"tests/unit/test_{name}.py"
    for name in ("redmine", "tryton", "tryton_finance", "ubl", "ubl_delivery", "ubl_invoice", "values")
] + ["tests/golden"]


def targets():
    """The modules of the thinking room, and the values that all mappers share."""
    room = sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / "services/reconciliation").rglob("*.py"))
    return [*room, "mappers/values.py"]


def git(*words):
    """What git answers; None where there is no git, no history, or no such commit."""
    try:
        ran = subprocess.run(["git", "-C", str(ROOT), *words], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return ran.stdout.strip()


def base_of(asked):
    """The commit to compare with: the one asked for, else where we left origin/main, else the one before."""
    if asked:
        return git("rev-parse", "--verify", asked)
    left = git("merge-base", "HEAD", "origin/main")
    return left if left and left != git("rev-parse", "HEAD") else git("rev-parse", "--verify", "HEAD^")


def changed(base):
    """By module, the numbers of the lines that differ from a commit."""
    found, file = {}, None
    for line in (git("diff", "--unified=0", base, "--", *targets()) or "").splitlines():
        if line.startswith("+++ b/"):
            file = line.removeprefix("+++ b/")
        elif match := re.match(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@", line):
            first, count = int(match[1]), int(match[2] or 1)
            found.setdefault(file, set()).update(range(first, first + count))
    return {file: lines for file, lines in found.items() if lines and (ROOT / file).exists()}


def trial(modules, wanted, seconds=None, tests=None):
    """Run the tests over the mutants, in a pytest of its own kind. Its verdict, and how many mutants are left."""
    import pytest

    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    from mutation.plugin import Trial

    OUT.parent.mkdir(exist_ok=True)
    quiet = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly", "--rootdir", str(ROOT)]
    mappers = OF_MAPPERS if any(module.startswith("mappers") for module in modules) else []
    here = [str(ROOT / test) for test in tests or dict.fromkeys([*mappers, *TESTS])]
    it = Trial(modules, wanted, str(OUT), seconds)
    return pytest.main([*quiet, *here], plugins=[it]), it.left


def results():
    """The newest result of each mutant."""
    lines = OUT.read_text().splitlines() if OUT.exists() else []
    return {(r["file"], r.get("number"), r["function"], r["line"], r["change"]): r for r in map(json.loads, lines)}


def is_killed(result):
    return result["result"].startswith("killed")


def explained():
    """The survivors that SCORES.md explains: (file, function, change)."""
    rows = (ROOT / "tests/mutation/SCORES.md").read_text().splitlines()
    cells = [[cell.strip("| `") for cell in row.split(" | ")] for row in rows]
    return {tuple(row[:3]) for row in cells if len(row) == 4}


def scores(found):
    """One row a file: mutants, killed, percent; then each survivor."""
    tried = Counter(r["file"] for r in found)
    killed = Counter(r["file"] for r in found if is_killed(r))
    yield "| file | mutants tried | killed | score |\n|---|---|---|---|"
    for file in sorted(tried):
        yield f"| `{file}` | {tried[file]} | {killed[file]} | {100 * killed[file] / tried[file]:.1f} % |"
    total, dead = sum(tried.values()), sum(killed.values())
    yield f"| all | {total} | {dead} | {100 * dead / max(total, 1):.1f} % |"
    for r in found:
        if not is_killed(r):
            where = f"`{r['file']}` {r['function']}, line {r['line']}"
            yield f"- {where}: {r['change']} ({r['result']}, {r['tests']} tests)"


def try_changed(base, seconds):
    """Mutants of changed lines. What lives unexplained may be one in twenty, or a single one of a few."""
    lines = changed(base)
    if not lines:
        print(f"mutation: no line of the pure rooms differs from {base[:12]}")
        return 0
    before = set(OUT.read_text().splitlines()) if OUT.exists() else set()
    code, left = trial([*lines], lambda path, _, mutant: not lines[path].isdisjoint(mutant.lines), seconds)
    mine = [json.loads(line) for line in OUT.read_text().splitlines() if line not in before]
    print("\n".join(scores(mine)))
    print(f"mutation: {len(mine)} mutants of lines that differ from {base[:12]}; {left} more for which time was up")
    known = explained()
    alive = sum(not is_killed(r) and (r["file"], r["function"], r["change"]) not in known for r in mine)
    return code or int(alive * 100 > max(100, (100 - ASKED) * len(mine)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*")
    parser.add_argument("--again", action="store_true", help="only mutants that no test noticed so far")
    parser.add_argument("--rest", action="store_true", help="only mutants that were not tried yet")
    parser.add_argument("--tests", nargs="*", help="try these tests, and no others")
    parser.add_argument("--changed", action="store_true", help="only mutants of lines that differ from a commit")
    parser.add_argument("--base", metavar="COMMIT", help="the commit that --changed compares with")
    parser.add_argument("--seconds", type=float, help="try no further mutant after so many seconds")
    parser.add_argument("--scores", action="store_true", help="print the table of what was tried so far")
    asked = parser.parse_args()
    if asked.scores:
        print("\n".join(scores(list(results().values()))))
        return 0
    if asked.changed:
        base = base_of(asked.base)
        if base is None:
            print("mutation: skipped, as git has no commit here to compare with")
            return 0
        return try_changed(base, asked.seconds)
    modules = asked.files or targets()
    known = results()
    alive = {key for key, r in known.items() if not is_killed(r)}

    def wanted(path, n, m):
        key = (path, n, m.function, m.line, m.change)
        return key in alive if asked.again else not asked.rest or key not in known

    code, _ = trial(modules, wanted, asked.seconds, asked.tests)
    mine = [r for r in results().values() if r["file"] in modules]
    print("\n".join(scores(mine)))
    return code or int(sum(map(is_killed, mine)) * 100 < ASKED * len(mine))


if __name__ == "__main__":
    sys.exit(main())
