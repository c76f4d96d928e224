"""Reads scenario tables: plain text that a finance person can read, write and extend (README.md beside it).

A file holds scenarios. Each begins with `== its title`, then its contract as YAML, then rows. A row says who says what
on which day, and what must come of it; a row without day, who and says speaks of another milestone after the same step.
"""

import shlex
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from builders import Story, a_contract, registered, said

COLUMNS = ("day", "who", "says", "milestone", "action", "released", "held", "reasons")
NUMBERS = {"version": int, "held": lambda text: text == "true"}


@dataclass(frozen=True)
class Row:
    """One line of a scenario: what happens, and what is expected after it."""

    line: int
    day: str
    who: str
    says: str
    milestone: str
    action: str
    released: str
    held: str
    reasons: tuple[str, ...]


@dataclass
class Scenario:
    """A story with what must come of each step."""

    title: str
    file: str
    terms: dict
    rows: list[Row] = field(default_factory=list)

    @property
    def codes(self):
        """Every reason and exception that the scenario shows, each with the rows that list it."""
        return {code for row in self.rows for code in row.reasons}


def read(path: Path) -> list[Scenario]:
    """All scenarios of a file."""
    found, header = [], []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("== "):
            found.append(Scenario(line[3:], path.stem, {}))
            header = []
        elif line.startswith("|"):
            if header:
                found[-1].terms, header = yaml.load("\n".join(header), yaml.BaseLoader), []
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if cells[0] != "day" and not set(line) <= {"|", "-", " "}:
                found[-1].rows.append(_row(number, cells))
        elif found and line.strip() and not line.startswith("#"):
            header.append(line)
    return found


def _row(number: int, cells: list[str]) -> Row:
    named = dict(zip(COLUMNS, cells, strict=True))
    return Row(number, **named | {"reasons": tuple(named["reasons"].split())})


def run(scenario: Scenario):
    """Tell the story row by row; yields each row with the story as it then stands, and the commands it led to."""
    story = Story(people=plain(scenario.terms.get("people", {})))
    day, commands = "", []
    for row in scenario.rows:
        before = len(story.commands)
        if row.day and row.day != day:
            day = row.day
            story.now = max(story.now, moment(day))
        if row.says:
            _happens(story, scenario, row)
            commands = story.commands[before:]
        yield row, story, commands


def _happens(story: Story, scenario: Scenario, row: Row) -> None:
    if row.says == "the time passes":
        story.clock(moment(row.day).replace(hour=0) if len(row.day) == 10 else moment(row.day))
        return
    record = story.record(event_of(scenario, row))
    story.carry([record])
    if row.says.startswith("again "):
        story.carry([record])


def event_of(scenario: Scenario, row: Row):
    """The event that a row tells of: `contract`, `contract C-2`, `version 2`, or a kind, a milestone and fields."""
    words = shlex.split(row.says.removeprefix("again "))
    if words[0] in ("contract", "version"):
        return registered(contract_of(scenario, " ".join(words)), row.who)
    kind, *rest = words
    fields = dict(word.split("=", 1) for word in rest if "=" in word)
    named = [word for word in rest if "=" not in word]
    values = {name: value(name, text) for name, text in fields.items() if name not in ("id", "time", "key")}
    contract, milestone = place(named[0] if named else None)
    return said(
        row.who, kind, milestone, contract=contract, event=fields.get("id"), key=fields.get("key"),
        time=moment(fields["time"]) if "time" in fields else None,
        **{"currency": scenario.terms["contract"].get("currency", "EUR")} | defaults(kind, row.day) | values,
    )  # fmt: skip


def place(text: str | None) -> tuple[str, str | None]:
    """Contract and milestone: `M1` is the first contract's, `C-2/M1` that of the contract C-2."""
    contract, between, milestone = (text or "").partition("/")
    return (contract, milestone) if between else ("C-1", text)


def contract_of(scenario: Scenario, name: str) -> dict:
    """The registration that a header line describes: `contract`, `contract C-2` as another one, and `version 2` as what
    differs from the first."""
    terms = scenario.terms["contract"]
    if name.startswith("contract "):
        terms = scenario.terms[name] | {"contract": name.removeprefix("contract ")}
    elif name != "contract":
        number = int(name.split()[1])
        agreed = {"id": f"A-{number}", "state": "approved", "rationale": "agreed", "requested_by": "rita",
                  "approved_by": "anna"}  # fmt: skip
        changed = scenario.terms[name]
        terms = terms | {"version": number, "amendment": agreed} | changed
        terms["amendment"] = agreed | changed.get("amendment", {}) if number > 1 else None
    milestones = [{"title": m["id"], "kind": "payment"} | m for m in terms["milestones"]]
    return a_contract(*[typed(m) for m in milestones], **typed({k: v for k, v in terms.items() if k != "milestones"}))


WHOLE = ("version", "tolerance_days", "defects_days", "quorum", "due_working_days")


def typed(terms):
    """The few fields of a registration that are numbers; everything else is text."""
    if isinstance(terms, dict):
        return {k: int(v) if k in WHOLE else typed(v) for k, v in terms.items() if v is not None}
    return [typed(v) for v in terms] if isinstance(terms, list) else terms


def plain(people):
    return {person: list(names) for person, names in people.items()}


def value(name: str, text: str):
    """A field of an event: text, unless YAML says list or map; `null` clears."""
    if text == "null":
        return None
    if name in NUMBERS:
        return NUMBERS[name](text)
    return yaml.load(text, yaml.BaseLoader) if text[:1] in "[{" else text


def defaults(kind: str, day: str) -> dict:
    """What a row may leave out."""
    date = day[:10]
    return {
        "milestone.assessed": {"status": "met"},
        "goods.received": {"rejected": "0", "unit": "u", "received_on": date},
        "sign_off.given": {"role": "site-manager", "signed_at": f"{date}T07:00:00Z", "evidence": {}},
        "sign_off.withdrawn": {"role": "site-manager"},
        "invoice.received": {"supplier": "SUP-1", "issued_on": date, "state": "open"},
        "evidence.attached": {"name": "fat", "sha256": "a" * 64},
        "evidence.removed": {"name": "fat"},
        "dispute.opened": {"dispute": "D-1", "by": "olga", "reason": "INCORRECT_QUANTITY"},
        "dispute.resolved": {"dispute": "D-1", "by": "olga", "reason": "SETTLED"},
        "hold.placed": {"hold": "H-1", "by": "olga", "reason": "under review"},
        "hold.lifted": {"hold": "H-1", "by": "otto", "reason": "review done"},
        "reason.waived": {"by": "walt", "approved_by": "anna", "ticket": "T-1"},
        "payment.made": {"payment": "P-1", "paid_on": date},
        "milestone.activated": {"by": "olga", "rationale": "fallback agreed"},
        "measure.reported": {"period": "2026-02"},
        "delivery.claimed": {"delivered_on": date, "by": "dora"},
        "compliance.document": {"name": "insurance"},
        "command.acknowledged": {"command_id": "0" * 64},
    }.get(kind, {})


def moment(text: str) -> datetime:
    """A day (eight in the morning) or a day and a time, UTC."""
    if len(text) == 10:
        return datetime.fromisoformat(text).replace(tzinfo=UTC) + timedelta(hours=8)
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


SCENARIOS = [scenario for path in sorted(Path(__file__).parent.glob("*.txt")) for scenario in read(path)]
