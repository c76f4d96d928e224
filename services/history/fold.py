"""A contract's log folded into its state, revision by revision, under the rules that each revision names."""

from __future__ import annotations

from collections.abc import Iterable

from contracts_schema.reasons import HoldReason
from contracts_schema.rows import LogRow
from services.history.rulebooks import Shelf
from services.reconciliation.log import Decided, LogEntry, Said
from services.reconciliation.policy import Rules
from services.reconciliation.react import catch_up, refold, replay
from services.reconciliation.revise import Revision
from services.reconciliation.state import LastCommand, State, packed
from services.reconciliation.versions import put_in_force, version_in_force


class Fold:
    """The state as the log tells it so far.

    `take` does a revision again and leaves the state as the log says that it was, whether or not the same came out:
    one revision that differs does not make all that follow it differ too.
    """

    def __init__(self, contract: str, shelf: Shelf) -> None:
        self.state = State(contract)
        self.decided: dict[str, Decided] = {}
        self.said: dict[str, Said] = {}
        self.taken = 0  # revisions whose decisions were taken as logged
        self._shelf = shelf

    def take(self, row: LogRow, entry: LogEntry) -> Revision | None:
        """Do one revision again; None where it cannot be decided here: its rulebook is missing, or of another rules
        version than this program's. Its decisions are then taken as they were logged."""
        rules = self._shelf.present(entry.rulebook)
        if rules is None:
            refold(self.state, entry)
            _into_force(self.state, entry.moment)
            redone = None
        else:
            redone = replay(self.state, entry, rules)
        if redone is None or redone.entry is None or redone.entry.decisions != entry.decisions:
            self._as_logged(entry)
        self._note(row, entry)
        return redone

    def _note(self, row: LogRow, entry: LogEntry) -> None:
        state = self.state
        state.revision, state.head, state.rulebook = entry.revision, row.head, entry.rulebook
        state.moment = max(state.moment, entry.moment)
        for decided in entry.decisions:
            self.decided[decided.milestone] = decided
            if decided.said is not None:
                self.said[decided.milestone] = decided.said

    def _as_logged(self, entry: LogEntry) -> None:
        """Take the decisions of a revision as they were logged."""
        self.taken += 1
        for decided in entry.decisions:
            known = self.state.milestones.get(decided.milestone)
            if known is None:
                continue
            known.released = decided.released
            others = {name: since for name, since in known.since.items() if name not in HoldReason.__members__}
            known.since = others | {reason.code: reason.since for reason in decided.reasons}
            if decided.said is not None:
                known.last = last_command(decided, decided.said, entry.revision)
                self.state.sequence = decided.said.sequence

    def rules(self, otherwise: Rules) -> Rules:
        """The rules by which the contract was last decided, as far as they can still be used."""
        return self._shelf.present(self.state.rulebook) or otherwise


def _into_force(state: State, moment: int) -> None:
    """Put the version that counts in force, as deciding would have done."""
    version = version_in_force(state, moment)
    if version != state.in_force:
        put_in_force(state, version)


def last_command(decided: Decided, said: Said, revision: int) -> LastCommand:
    """What the state remembers of a command."""
    paid = {t.identity: t.payable.minor for t in said.targets if t.payable.minor > 0}
    return LastCommand(
        said.action, decided.value, decided.released, decided.held, packed(said.targets), said.sequence,
        said.command_id, revision, paid,
    )  # fmt: skip


def folded(contract: str, log: Iterable[tuple[LogRow, LogEntry]], shelf: Shelf, until: int | None = None) -> Fold:
    """The contract as its log tells it, or as it was known at the moment `until` (µs): what was logged later does not
    count."""
    fold = Fold(contract, shelf)
    for row, entry in log:
        if until is not None and entry.moment > until:
            break
        fold.take(row, entry)
    if until is not None:
        catch_up(fold.state, until)
    return fold
