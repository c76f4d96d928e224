"""Proving one contract: its chain, every decision and command worked out again, and the state that the store has.

What is proven: that the log is whole and in order, that every decision follows from the facts before it under the
rulebook that it names, that every command's id is the one of its content, and that the state is the fold of the log.
What is not: that the facts are true, and that nobody made the whole chain anew; for that its head is compared with one
that left the house, as every command and decision record bears it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import DecodeError, Struct
from msgspec.json import encode
from msgspec.msgpack import decode
from msgspec.structs import replace

from contracts_schema.commands import command_id
from contracts_schema.own_facts import CommandsAdopted
from contracts_schema.rows import LogRow
from services.history.fold import Fold
from services.history.rulebooks import Books, Shelf, is_whole
from services.history.state_faults import state_faults
from services.reconciliation.log import Decided, LogEntry, is_chained, read_entry
from services.reconciliation.state import State
from services.reconciliation.wire import amount, target_line


class Fault(Struct, frozen=True):
    """Something that does not prove. `what` is chain, revision, entry, rulebook, decision, command or state; revision
    0 means the contract as a whole."""

    contract: str
    revision: int
    what: str
    sentence: str


class Proof(Struct):
    """What was looked at, and what did not prove. `not_redecided` counts revisions decided under another version of
    the rules: chain, ids and order are proven for them, their decisions are taken as logged."""

    contract: str
    revisions: int = 0
    decisions: int = 0
    commands: int = 0
    not_redecided: int = 0
    head: str = ""
    faults: list[Fault] = []


def verify(contract: str, rows: Sequence[LogRow], stored: State | None, books: Books) -> Proof:
    """Prove one contract's log and its stored state; `books` are the rulebooks that its revisions name."""
    proof = Proof(contract)
    verifier = _Verifier(proof, books)
    for row in rows:
        verifier.take(row)
    proof.head = verifier.head.hex()
    if stored is None:
        proof.faults.append(Fault(contract, 0, "state", "the store has no state of this contract, but a log"))
    elif verifier.is_readable:
        found = state_faults(stored, verifier.fold.state, taken=verifier.fold.taken > 0)
        proof.faults += [Fault(contract, stored.revision, "state", sentence) for sentence in found]
    return proof


class _Verifier:
    """Goes through one log, row by row."""

    def __init__(self, proof: Proof, books: Books) -> None:
        self.proof = proof
        self.head = bytes(32)
        self.is_readable = True
        self.fold = Fold(proof.contract, Shelf(books))
        self._books = books
        self._expected = self._sequence = 0
        self._unknown: set[str] = set()

    def take(self, row: LogRow) -> None:
        self._expected += 1
        self.proof.revisions += 1
        self._place(row)
        self.head = row.head
        try:
            entry = read_entry(row)
        except DecodeError as error:
            self.is_readable = False
            self._fault(row.revision, "entry", f"it cannot be read: {error}")
            return
        if (entry.contract, entry.revision) != (self.proof.contract, row.revision):
            self._fault(row.revision, "entry", f"it says of itself {entry.contract} revision {entry.revision}")
        self._rulebook(entry)
        self._commands(entry)
        if self.is_readable:
            self._again(row, entry)

    def _place(self, row: LogRow) -> None:
        if row.revision != self._expected:
            self._fault(row.revision, "revision", f"revision {self._expected} is missing: {row.revision} stands there")
            self._expected = row.revision
        if row.previous != self.head:
            self._fault(row.revision, "chain", "it does not follow the hash of the revision before it")
        if not is_chained(row, row.previous):
            self._fault(row.revision, "chain", "its hash is not the one of its content")

    def _rulebook(self, entry: LogEntry) -> None:
        if entry.rulebook in self._unknown:
            return
        book = self._books.get(entry.rulebook)
        if book is None or not is_whole(book):
            self._unknown.add(entry.rulebook)
            why = "is not in the store" if book is None else "is not what its hash stands for"
            self._fault(entry.revision, "rulebook", f"rulebook {entry.rulebook} {why}: nothing is decided again by it")

    def _commands(self, entry: LogEntry) -> None:
        for fact in entry.facts:
            if isinstance(fact.body, CommandsAdopted):
                self._sequence = max(self._sequence, fact.body.sequence)
        for decided in entry.decisions:
            self.proof.decisions += 1
            if decided.said is None:
                continue
            self.proof.commands += 1
            sequence, named = decided.said.sequence, f"{decided.milestone}, sequence {decided.said.sequence}"
            if sequence != self._sequence + 1:
                self._fault(entry.revision, "command", f"{named}: the one before it was {self._sequence}")
            self._sequence = sequence
            if identity(entry.contract, decided) != decided.said.command_id:
                self._fault(entry.revision, "command", f"{named}: its content is not the one its id stands for")

    def _again(self, row: LogRow, entry: LogEntry) -> None:
        before = dict(self.fold.decided)
        try:
            redone = self.fold.take(row, entry)
        except Exception as defect:  # noqa: BLE001 -- whatever a made-up log does to the rules is its fault, told by name
            self.is_readable = False
            self._fault(entry.revision, "decision", f"it cannot be decided again: {type(defect).__name__}: {defect}")
            return
        if redone is None:
            self.proof.not_redecided += 1
            return
        for sentence in differences(entry, redone.entry, row, before):
            self._fault(entry.revision, "decision", sentence)

    def _fault(self, revision: int, what: str, sentence: str) -> None:
        self.proof.faults.append(Fault(self.proof.contract, revision, what, sentence))


def identity(contract: str, decided: Decided) -> str:
    """The id that the content of a decision's command has."""
    said, currency = decided.said, decided.currency
    assert said is not None  # noqa: S101 -- callers ask only for decisions that said something
    return command_id(
        contract=contract, milestone=decided.milestone, sequence=said.sequence, action=said.action,
        value=amount(decided.value, currency), released_to_date=amount(decided.released, currency),
        held=amount(decided.held, currency), targets=tuple(target_line(t) for t in said.targets),
        carried=None if decided.carried is None else amount(decided.carried, currency),
    )  # fmt: skip


def differences(
    logged: LogEntry, redone: LogEntry | None, row: LogRow, before: Mapping[str, Decided]
) -> Iterator[str]:  # fmt: skip
    """How a revision that was done again differs from the one in the log; nothing where both are the same.

    Fields that the log's version of Milepost did not write yet are not compared. `before` is what was last logged of
    each milestone: to decide the same once more is no difference.
    """
    if redone is None:
        yield "nothing follows from these facts any more"
        return
    written = logged.__struct_fields__[: len(decode(row.entry))]
    for name in written:
        a, b = getattr(logged, name), getattr(redone, name)
        if name == "decisions":
            yield from _decisions(logged, redone, before)
        elif a != b:
            yield f"{name}: {_apart(a, b)}"


def _decisions(logged: LogEntry, redone: LogEntry, before: Mapping[str, Decided]) -> Iterator[str]:
    here = {d.milestone: d for d in logged.decisions}
    there = {d.milestone: d for d in redone.decisions if d.milestone in here or not _repeats(d, before)}
    for milestone in dict.fromkeys((*here, *there)):
        a, b = here.get(milestone), there.get(milestone)
        if a is None or b is None:
            which = "is logged and does not follow" if b is None else "follows and is not logged"
            yield f"{milestone}: a decision {which}"
            continue
        for name in a.__struct_fields__:
            if getattr(a, name) != getattr(b, name):
                yield f"{milestone}.{name}: {_apart(getattr(a, name), getattr(b, name))}"
    if tuple(here) != tuple(there) and here.keys() == there.keys():
        yield "the decisions stand in another order"


def _repeats(decided: Decided, before: Mapping[str, Decided]) -> bool:
    last = before.get(decided.milestone)
    return last is not None and decided.said is None and replace(last, said=None, basis=decided.basis) == decided


def _apart(logged: object, again: object) -> str:
    """Both, as JSON; of lists what the other does not have, or all of both where their order alone differs."""
    if isinstance(logged, tuple) and isinstance(again, tuple):
        only = tuple(a for a in logged if a not in again), tuple(b for b in again if b not in logged)
        logged, again = only if any(only) else (logged, again)
    return f"logged {_short(logged)}, worked out again {_short(again)}"


def _short(value: object, most: int = 300) -> str:
    text = encode(value, enc_hook=str).decode()
    return text if len(text) <= most else text[: most - 3] + "..."
