"""The results: a table on the terminal, bench.json, and the tables of README.md."""

import json
import platform
import re
import statistics
from pathlib import Path

from outcome import Outcome
from rich.console import Console
from rich.table import Table

README = Path(__file__).with_name("README.md")


def summed(runs: dict[str, list[Outcome]]) -> dict[str, dict[str, float]]:
    """Of each contender: the median rate and its spread, CPU by process, memory, and what went wrong."""
    return {
        name: {
            "events_s": statistics.median(o.events_s for o in outcomes),
            "spread": max(o.events_s for o in outcomes) / min(o.events_s for o in outcomes),
            **{f"{p}_us": statistics.median(o.cpu_us[p] for o in outcomes) for p in outcomes[0].cpu_us},
            "memory_mb": max(o.memory_mb for o in outcomes),
            "differ": sum(o.differ for o in outcomes), "doubled": sum(o.doubled for o in outcomes),
        }
        for name, outcomes in runs.items()
    }  # fmt: skip


def shown(console: Console, contenders: dict[str, dict[str, float]], figures: dict[str, float]) -> None:
    """Print what was found."""
    table = Table("contender", *COLUMNS, title="records a second, CPU us a record")
    for name, found in contenders.items():
        table.add_row(name, *cells(found))
    console.print(table)
    other = Table("figure", "value")
    for name, value in figures.items():
        other.add_row(name, number(value))
    console.print(other)


COLUMNS = ("records/s", "spread", "CPU worker", "Kafka", "Postgres", "memory MB", "wrong states", "doubled")


def cells(found: dict[str, float]) -> list[str]:
    """One row of the table of contenders."""
    names = ("events_s", "spread", "worker_us", "kafka_us", "postgres_us", "memory_mb", "differ", "doubled")
    return [number(found[name]) for name in names]


def number(value: float) -> str:
    """As people read it."""
    if value != value:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.2f}"


def written(path: Path, ratios: dict[str, float], figures: dict[str, float], contenders: dict[str, dict]) -> None:
    """bench.json."""
    found = {"ratios": ratios, "figures": figures, "contenders": contenders}
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def put_into_readme(
    block: str, contenders: dict[str, dict], ratios: dict[str, float], figures: dict[str, float], how: str
) -> None:
    """Replace the tables of one block of README.md."""
    marks = (f"<!-- {block}: written by tests/bench/run.py -->", f"<!-- end of {block} -->")
    rows = [f"| {name} | {' | '.join(cells(found))} |" for name, found in contenders.items()]
    lines = [
        marks[0], "", f"{machine()}. {how}", "",
        f"| contender | {' | '.join(COLUMNS)} |", "|---|" + "---:|" * len(COLUMNS), *rows, "",
        "```mermaid", "xychart-beta", '    title "records a second"',
        f"    x-axis [{', '.join(json.dumps(name) for name in contenders)}]",
        f"    bar [{', '.join(str(round(found['events_s'])) for found in contenders.values())}]", "```", "",
        "| figure | value |", "|---|---:|",
        *(f"| {name} | {number(value)} |" for name, value in (ratios | figures).items()), "", marks[1],
    ]  # fmt: skip
    text = README.read_text(encoding="utf-8")
    begin, end = text.index(marks[0]), text.index(marks[1]) + len(marks[1])
    README.write_text(text[:begin] + "\n".join(lines) + text[end:], encoding="utf-8")


def machine() -> str:
    """What it was measured on."""
    told = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = re.search(r"model name\s*: (.*)", told)
    cores = told.count("processor\t")
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text(encoding="utf-8"))[1]) // 1024**2
    name = model[1] if model else platform.machine()
    return f"{cores} cores of {name}, {memory} GiB, Python {platform.python_version()}"
