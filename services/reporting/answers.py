"""Commands, and what the finance gate has answered to them (FIGURES.md: unanswered commands)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from contracts_schema.facts import CommandAcknowledged
from services.reconciliation.calendar import show_moment
from services.reconciliation.state import Order, order_of
from services.reconciliation.subject import content_of
from services.reporting.dossier import Dossier, Line
from services.reporting.sheet import Cell, Sheet, days

FINAL = frozenset({"applied", "already_applied", "superseded"})
NO_ANSWER = "no answer"


class Answer(NamedTuple):
    """The newest answer to a command."""

    state: str
    detail: str


class Open(NamedTuple):
    """A milestone's last command that finance has not carried out yet, as far as it has said."""

    line: Line
    answer: Answer


def answers(dossier: Dossier) -> Mapping[str, Answer]:
    """The newest answer to each command, by its id."""
    newest: dict[str, tuple[Order, Answer]] = {}
    for entry in dossier.entries:
        for fact in entry.facts:
            body = fact.body
            if isinstance(body, CommandAcknowledged):
                told = (order_of(fact, content_of(fact)), Answer(body.state, body.detail or ""))
                newest[body.command_id] = max(newest.get(body.command_id, told), told)
    return {name: answer for name, (_, answer) in newest.items()}


def open_commands(dossier: Dossier) -> Iterator[Open]:
    """Every milestone's last command, where its answer is not final, or says that it cannot be done."""
    known = answers(dossier)
    for lines in dossier.lines.values():
        last = next((line for line in reversed(lines) if line.decided.said is not None), None)
        if last is None or last.decided.said is None:
            continue
        answer = known.get(last.decided.said.command_id, Answer(NO_ANSWER, ""))
        if answer.state not in FINAL:
            yield Open(last, answer)


class Unanswered:
    """Rows for commands that are not done."""

    def __init__(self, now: int) -> None:
        self.now = now
        self.rows: list[tuple[Cell, ...]] = []

    def add(self, dossier: Dossier) -> None:
        """Count one contract."""
        for line, answer in open_commands(dossier):
            said = line.decided.said
            if said is not None:
                self.rows.append(
                    (
                        show_moment(line.moment), days(self.now - line.moment), line.finance, dossier.contract,
                        line.decided.milestone, said.sequence, said.action, answer.state, answer.detail or None,
                        said.command_id,
                    )
                )  # fmt: skip

    def sheet(self) -> Sheet:
        """A row a command, the oldest first."""
        columns = (
            "since", "age_days", "finance", "contract", "milestone", "sequence", "action", "answer", "detail",
            "command_id",
        )  # fmt: skip
        return Sheet("unanswered", "Unanswered commands", columns, tuple(sorted(self.rows, key=str)))
