"""Plants each bug of the tables in a scratch copy of the project and looks whether the tests named beside it find it.

    python tests/planted/run.py                          every bug, on real servers too
    python tests/planted/run.py --changed origin/main    only bugs in files that differ from a commit
    python tests/planted/run.py PART-OF-A-NAME…          only these
    python tests/planted/run.py --judge                  ask the judge alone; all else stays as the table has it

What was found is written into TABLE.md. Ends with 1 where a bug was not found, or a patch no longer fits.
"""

import argparse
import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from planted import doing, doors, gate, thinking
from planted.bug import ROOT, Bug

BUGS: tuple[Bug, ...] = (*thinking.BUGS, *doing.BUGS, *gate.BUGS, *doors.BUGS)
# Where bugs are put to the judge, by the folder they are in; those that need servers where two workers meet in a real
# Postgres.
STORIES, HOUSES, FINANCE, POSTGRES = (
    f"tests/chaos/test_judge_{where}.py" for where in ("in_memory", "of_houses", "of_finance", "on_postgres")
)
JUDGED = {
    "services/gate/": (FINANCE,), "connectors/finance/": (FINANCE,), "mappers/finance/": (FINANCE,),
    "services/runtime/": (STORIES, HOUSES), "": (STORIES,),
}  # fmt: skip
_FOUND = re.compile(r"the judge found: ([a-z, ]+)")
TABLE = Path(__file__).with_name("TABLE.md")
LONGEST_S = 300  # what one bug may take to be found
SERVERS = " \N{WHITE DIAMOND SUIT}"
FAILED = 1  # pytest's word for: tests ran, and some failed
REASONS = {
    "again": "it is asked again before anything goes out",
    "claim": "only a key that is claimed within the milliseconds of a fact shows it",
    "fence": "the fence in the database lets nothing of it pass",
    "Kafka": "only a broker that fails within a few milliseconds shows it",
    "key": "the key of the log lets no revision be written twice; the worker begins anew",
    "late": "the log tells what was let in behind a release, not that it had waited",
    "log": "whatever does not stand in the log is refused, too",
    "names": "a judge who may see names takes them for what they are",
    "offset": "what a partition has passed cannot be passed again, whoever owns it",
    "Postgres": "only a command that comes within the milliseconds of a call shows it",
    "right": "what is decided is right; it is decided sooner than promised",
    "source": "only the system that spoke knows what it has said",
}
WHY = "\n".join(f"| {word} | {sentence} |" for word, sentence in REASONS.items())
HEAD = f"""# Planted bugs

Each was put into a copy of the project by `make planted`, and the tests beside it failed. `make check` looks whether
every one still fits the code, and finds again those whose file has changed (`code` is the beginning of its SHA-256);
those marked{SERVERS} need servers, and only `make planted` finds them again. "The judge finds": what the judge
(`tests/chaos/JUDGE.md`) says when it sees no more than topics, database and finance's ledger of runs that have the bug;
in brackets, why nobody could who sees no more:

| word | |
|---|---|
{WHY}

| bug | file | breaks | found by | the judge finds | seconds | code |
|---|---|---|---|---|---|---|
"""


def code_of(file: str) -> str:
    """What tells one content of a product file from another."""
    return hashlib.sha256((ROOT / file).read_bytes()).hexdigest()[:12]


class Copy:
    """A scratch copy of everything that belongs to the project; gone when the block ends."""

    def __enter__(self) -> "Copy":
        self.folder = Path(tempfile.mkdtemp(prefix="planted-"))
        listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], check=True, capture_output=True, text=True)
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).is_file():  # one that was removed and not yet committed is not there
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.folder / name)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder)

    def finds(self, bug: Bug) -> tuple[str | None, float]:
        """The first test that found the bug (None: none did), and in how many seconds."""
        place = self.folder / bug.file
        text = place.read_text()
        began = time.monotonic()
        try:
            place.write_text(bug.applied(text))
            for node in bug.found_by:
                if (failed := self._failed(node)) is not None:
                    return failed, time.monotonic() - began
            return None, time.monotonic() - began
        finally:
            place.write_text(text)

    def judged(self, bug: Bug) -> str:
        """What the judge says of runs that have the bug; in brackets why it cannot say anything, where it cannot."""
        if bug.unseen:
            return f"({bug.unseen})"
        place = self.folder / bug.file
        text = place.read_text()
        try:
            place.write_text(bug.applied(text))
            places = next(places for folder, places in JUDGED.items() if bug.file.startswith(folder))
            failures = [line for where in ((POSTGRES,) if bug.server else places) for line in self._failures(where)]
            said = [match[1].split(", ") for line in failures if (match := _FOUND.search(line))]
            return ", ".join(sorted({word for words in said for word in words}))
        finally:
            place.write_text(text)

    def _failed(self, node: str) -> str | None:
        """The first test that fails under a node."""
        failures = self._failures(node, "-x")
        return failures[0].split(" - ")[0] if failures else None

    def _failures(self, node: str, *options: str) -> list[str]:
        """Pytest's lines on tests that fail under a node."""
        line = [sys.executable, "-m", "pytest", "-q", "-rf", "-p", "no:cacheprovider", "--tb=no", *options, node]
        wide = os.environ | {"COLUMNS": "2000"}
        run = functools.partial(subprocess.run, cwd=self.folder, capture_output=True, text=True, env=wide, check=False)
        try:
            ran = run(line, timeout=LONGEST_S)
        except subprocess.TimeoutExpired:
            return [f"{node} (it did not end within {LONGEST_S} s)"]
        told = ran.stdout.splitlines() if ran.returncode == FAILED else []
        return [failed.removeprefix("FAILED ") for failed in told if failed.startswith("FAILED ")]


def row(bug: Bug, found: str, judged: str, seconds: float, code: str) -> str:
    """A line of the table."""
    name = bug.name + (SERVERS if bug.server else "")
    return f"| {name} | `{bug.file}` | {bug.breaks} | `{found}` | {judged} | {seconds:.1f} | {code} |"


def table() -> dict[str, list[str]]:
    """The rows of the committed table, in cells, by the bug's name."""
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in _rows()]
    return {cells[0].removesuffix(SERVERS): cells for cells in rows}


def _rows() -> list[str]:
    """The lines of the committed table that tell of a bug."""
    lines = TABLE.read_text().splitlines() if TABLE.exists() else []
    starts = [n for n, line in enumerate(lines) if line.startswith("| bug |")]
    return lines[starts[0] + 2 :] if starts else []


def write(found: dict[str, str]) -> None:
    """Write the table anew: what was found now, and of all other bugs what the table had."""
    known = dict(zip(table(), _rows(), strict=True)) | found
    TABLE.write_text(HEAD + "\n".join(known[bug.name] for bug in BUGS if bug.name in known) + "\n")


def judge_anew(copy: Copy, bug: Bug) -> None:
    """Write into the table what the judge says now of a bug that stands there."""
    *_, found, _, seconds, code = table()[bug.name]
    judged = copy.judged(bug)
    print(f"{bug.name}: {judged or 'NOTHING'}", flush=True)
    write({bug.name: row(bug, found, judged, float(seconds), code)})


def changed(base: str) -> tuple[Bug, ...]:
    """The bugs whose file differs from a commit."""
    git = ["git", "-C", str(ROOT), "diff", "--name-only", base, "--"]
    files = subprocess.run(git, check=True, capture_output=True, text=True).stdout.split()
    return tuple(bug for bug in BUGS if bug.file in files)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="parts of names of bugs")
    parser.add_argument("--changed", metavar="COMMIT", help="only bugs in files that differ from this commit")
    parser.add_argument("--judge", action="store_true", help="ask the judge alone")
    asked = parser.parse_args()
    wanted = changed(asked.changed) if asked.changed else BUGS
    wanted = tuple(b for b in wanted if not asked.names or any(name in b.name for name in asked.names))
    if asked.judge:
        with Copy() as copy:
            for bug in wanted:
                judge_anew(copy, bug)
        return 0
    found_now, lost = 0, []
    with Copy() as copy:
        for bug in wanted:
            found, seconds = copy.finds(bug)
            judged = copy.judged(bug)
            print(f"{seconds:6.1f} s  {bug.name}: {found or 'NOT FOUND'} (judge: {judged})", flush=True)
            if found:
                found_now += 1
                write({bug.name: row(bug, found, judged, seconds, code_of(bug.file))})
            else:
                lost.append(bug.name)
    print(f"{found_now} of {len(wanted)} planted bugs found" + "".join(f"\nnot found: {name}" for name in lost))
    return int(bool(lost))


if __name__ == "__main__":
    sys.exit(main())
