"""A contract decided in shadow: the same rules as for real, on a state of one's own, and nothing of it is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from contracts_schema.facts import Fact
from services.reconciliation.log import Decided, LogEntry
from services.reconciliation.policy import Rules
from services.reconciliation.react import REVIEW, UNPARK, Reaction, react
from services.reconciliation.state import Arrival, State

_AS_THEY_CAME = ("facts", "registered")  # causes of revisions that facts led to by themselves


class Shadow:
    """`entries` are the revisions that the shadow came to, `refused` the sentences of facts that were not let in."""

    def __init__(self, state: State, rules: Rules) -> None:
        self.state = state
        self.rules = rules
        self.entries: list[LogEntry] = []
        self.refused: list[str] = []

    def follow(self, entry: LogEntry) -> None:
        """React to what a logged revision reacted to, at its moment."""
        wake = None if entry.cause in _AS_THEY_CAME else entry.cause
        arrivals = [Arrival(entry.facts, entry.moment, "")] if entry.facts else []
        self._keep(react(self.state, arrivals, entry.moment, self.rules, wake=wake))

    def tell(self, facts: Sequence[Fact], moment: int) -> None:
        """Let facts come in one record; what they bring into force then lets in what had waited for it."""
        before = self.state.in_force
        self._keep(react(self.state, [Arrival(tuple(facts), moment, "")], moment, self.rules))
        self._let_in(before)

    def pass_time(self, until: int) -> None:
        """Run the reviews that fall due until a moment (µs)."""
        while self.state.review is not None and self.state.review <= until:
            before = self.state.in_force
            self._keep(react(self.state, (), self.state.review, self.rules, wake=REVIEW))
            self._let_in(before)
        self.state.moment = max(self.state.moment, until)

    def let_in(self, facts: Sequence[Fact]) -> None:
        """Let facts count that waited outside the contract, with those that waited inside."""
        arrivals = [Arrival(tuple(facts), self.state.moment, "")] if facts else []
        self._keep(react(self.state, arrivals, self.state.moment, self.rules, wake=UNPARK))

    def _let_in(self, before: int) -> None:
        if self.state.in_force != before:
            self.let_in(())

    def _keep(self, reaction: Reaction) -> None:
        self.entries += reaction.entries
        self.refused += [o.sentence for o in reaction.outcomes if o.sentence]

    @property
    def said(self) -> list[tuple[LogEntry, Decided]]:
        """Every command that the shadow came to, in order."""
        return commands(self.entries)


def commands(entries: Iterable[LogEntry]) -> list[tuple[LogEntry, Decided]]:
    """Every command of these revisions, in order."""
    return [(entry, decided) for entry in entries for decided in entry.decisions if decided.said is not None]
