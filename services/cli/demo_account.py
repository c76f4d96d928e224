"""The account at the end of `milepost demo`: what may be paid, what is held and why, and where to look next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from contracts_schema.reasons import clearing
from services.runtime.sentences import word

if TYPE_CHECKING:
    from rich.console import Console

    from contracts_schema.commands import Amount, ConflictLine, ReasonLine
    from services.wiring.demo_outcome import Chain, Outcome, Sent

NEXT = """[bold]What to do next[/bold]
  {milepost} demo --write story
  {milepost} try --config story/milepost.yaml story/records.jsonl
                                              these records in memory: change a line, see what changes
  make test                                   everything that CI runs
  deploy/milepost.example.yaml                a configuration with everything in it; README.md says how to run for real
  contracts_schema/GLOSSARY.md                what the words mean
  services/reconciliation/DECISIONS.md        each reason to hold, and what clears it
  services/ARCHITECTURE.md                    the house, its hallway and its laws"""


NOTHING_HELD = "[green]nothing is held[/green]"


class Account:
    """Shows an outcome on a console. `program` is how the reader may start Milepost again."""

    def __init__(self, console: Console, outcome: Outcome, program: str) -> None:
        self._console = console
        self._program = program
        self._outcome = outcome

    def show(self) -> None:
        """Everything, in the order in which a reader asks."""
        self._console.rule(f"[bold]{escape(' and '.join(self._outcome.contracts))}")
        for part in (self._milestones, self._conflicts, self._set_aside, self._parked, self._commands, self._ledger):
            part()
        self._chains()
        self._notices()
        self._ahead()
        self._console.print("\n" + NEXT.format(milepost=escape(self._program)))
        self._console.print(f"\n[dim]{self._outcome.seconds} s; everything that was started has been stopped.[/dim]")

    def _milestones(self) -> None:
        table = self._table("Milestone", "Value", "May be paid", "Held", "Why, and what clears it", money=(1, 2, 3))
        for milestone in self._outcome.milestones:
            s = milestone.snapshot
            why = "\n".join(_reason(reason) for reason in milestone.decision.reasons)
            name = f"[bold]{escape(s.milestone)}[/bold] {escape(s.title)}"
            table.add_row(name, _money(s.value), _money(s.released_to_date), _money(s.held), why or NOTHING_HELD)
        self._print("What may be paid, and why the rest is held", table)

    def _conflicts(self) -> None:
        lines = [
            f"  {escape(m.snapshot.milestone)}: {_conflict(conflict)}"
            for m in self._outcome.milestones
            for conflict in m.decision.conflicts
        ]
        self._say("Systems that disagree", lines)

    def _set_aside(self) -> None:
        lines = [
            f"  {r.origin} ({r.size} bytes, sha256 {r.sha256[:12]}...): {escape(r.sentence)}"
            for r in self._outcome.quarantine
        ]
        told = "  The bytes lie whole in Postgres, the record on topic milepost.quarantine."
        told += " In earnest: milepost quarantine list, show, redrive"
        self._say("Set aside, because it cannot be read", [*lines, told] if lines else [])

    def _parked(self) -> None:
        lines = [f"  {escape(p.fact)}: {escape(p.keys[0])} ({p.reason})" for p in self._outcome.parked]
        self._say("Parked: facts that no contract claims (unknown), or that fit several milestones (ambiguous)", lines)

    def _commands(self) -> None:
        columns = ("#", "Command", "Milestone", "May be paid", "Held", "Invoices", "The gate answered")
        table = self._table(*columns, money=(3, 4))
        for sent in self._outcome.commands:
            c = sent.command
            colour = "green" if c.action == "release" else "yellow"
            invoices = ", ".join(f"{escape(t.invoice)} {t.state}" for t in c.targets)
            row = (f"[{colour}]{c.action}[/{colour}]", escape(c.milestone), _money(c.released_to_date), _money(c.held))
            table.add_row(str(c.sequence), *row, invoices, _answers(sent))
        self._print("Commands, as finance received them (amounts are totals: a repeat does no harm)", table)

    def _ledger(self) -> None:
        table = self._table("Invoice", "Payable line", "Matures", "Gross", "In finance's books", money=(3,))
        for line in self._outcome.ledger:
            state = "[red]blocked[/red]" if line.blocked else "[green]free[/green]"
            gross = f"{_grouped(line.gross)} {line.currency}"
            table.add_row(escape(line.invoice), str(line.line), line.maturity, gross, state)
        self._print("What the finance system's own books say", table)
        for finding in self._outcome.findings:
            self._console.print(f"  [dim]drift: {escape(finding)}[/dim]")

    def _notices(self) -> None:
        table = self._table("", "Notice", "About", "What", "Told to", "Cleared when")
        for notice in self._outcome.notices:
            about = "/".join(part for part in (notice.contract, notice.milestone) if part)
            colour = {"red": "red", "amber": "yellow", "green": "green"}[notice.severity]
            severity = f"[{colour}]{notice.severity}[/{colour}]"
            table.add_row(severity, notice.kind, escape(about), escape(notice.detail), escape(notice.told_to),
                          escape(notice.clears_when))  # fmt: skip
        self._print("What people have been told, each once, and is still open", table)

    def _ahead(self) -> None:
        cascade = self._outcome.cascade
        said = ", ".join(f"{name} on {day}" for name, day in cascade.said.items())
        title = f"Looking ahead from {cascade.today} in {escape(cascade.contract)}: what if {escape(said)}"
        self._say(f"{title} (milepost cascade)", [f"  {escape(sentence)}" for sentence in cascade.sentences()])

    def _chains(self) -> None:
        self._say(
            "The logs, in which each revision is bound to all before it", [_chain(c) for c in self._outcome.chains]
        )

    def _table(self, *columns: str, money: tuple[int, ...] = ()) -> Table:
        table = Table(box=None, pad_edge=True, header_style="dim", padding=(0, 2, 0, 0))
        for number, column in enumerate(columns):
            table.add_column(column, justify="right" if number in money else "left", no_wrap=number in money)
        return table

    def _print(self, title: str, table: Table) -> None:
        self._console.print(f"\n[bold]{title}[/bold]")
        self._console.print(table)

    def _say(self, title: str, lines: list[str]) -> None:
        if lines:
            self._console.print(f"\n[bold]{title}[/bold]")
            for line in lines:
                self._console.print(line)


def _chain(chain: Chain) -> str:
    verdict = "[green]whole[/green]" if chain.whole else "[red]BROKEN[/red]"
    told = f"{chain.revisions} revisions, every hash computed again: {verdict}; newest {chain.head[:16]}..."
    return f"  {escape(chain.contract)}: {told}"


def _money(amount: Amount) -> str:
    return f"{_grouped(amount.amount)} {amount.currency}"


def _grouped(amount: str) -> str:
    whole, dot, rest = amount.partition(".")
    return f"{int(whole):,}{dot}{rest}"


def _reason(reason: ReasonLine) -> str:
    return (
        f"[yellow]{reason.code}[/yellow] {_money(reason.amount)}: {escape(reason.detail)}. "
        f"It {escape(clearing(reason.clears_when))} ({escape(reason.owner)})"
    )


def _conflict(conflict: ConflictLine) -> str:
    words = "; ".join(f"{escape(w.source)} says {escape(word(conflict.field, w.value))}" for w in conflict.values)
    return f"{escape(conflict.field)}: {words}. To be settled by: {escape(conflict.resolve)}"


def _answers(sent: Sent) -> str:
    told = " then ".join(dict.fromkeys(escape(answer.state) for answer in sent.answers))
    last = sent.answers[-1] if sent.answers else None
    why = (
        f": {escape(last.detail)}" if last and last.detail and last.state in ("waiting", "rejected", "unknown") else ""
    )
    return f"{told}{why}" or "[dim]nothing[/dim]"
