"""What an evidence pack says in words: how to prove it, and the contract's story from its first revision on. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from services.history.fold import Fold
from services.history.grounds import says
from services.history.pack import Log
from services.reconciliation.calendar import show_moment
from services.reconciliation.log import Decided, LogEntry
from services.reconciliation.policy import Rules
from services.reconciliation.wire import amount
from services.runtime.past import explained, grounds_sentences
from services.runtime.sentences import sentences

README = """# Evidence of one contract

Everything that was known and decided about one contract, as its log holds it, for whoever has to check it without the
system that wrote it.

| file | holds |
|---|---|
| `log.jsonl` | every revision: its bytes (base64, MessagePack), the hash before it and its own: SHA-256 over both |
| `facts.jsonl`, `decisions.jsonl` | the same in words; amounts in minor units, bytes as hexadecimal text |
| `commands.jsonl` | every command to finance, with the reasons it gave |
| `registrations/` | every registered version of the plan; the same stands, proven, in `facts.jsonl` |
| `rulebooks/` | the rules that decisions name: roles, people, policy; the name of each is the SHA-256 of its content |
| `account.md` | the contract as it stands and its story, to be read |
| `manifest.json` | the SHA-256 of every file |
| `verify.py` | the proof: `python3 verify.py`, with Python 3.8 or newer and nothing else |

## What verify.py proves

- Every file is the one that the manifest names, and there is none beside them.
- The log is whole: each revision follows the one before it, from the first to the head that is printed.
- Facts and decisions in words are what the log's bytes hold, all of them, in their order.
- Every command that the log speaks of is here, none is added, and its id is the SHA-256 of its content (contract,
  milestone, sequence, action, value, released to date, held, targets, carried; JSON after RFC 8785).
- Every rulebook that a decision names is here, unchanged.

## What it does not prove

- **That this is the log that was written.** Whoever can rewrite all of it can compute all of it anew. Compare the head
  with one that left the house at the time: every command and every decision record bears `chain.height` and
  `chain.head`. `python3 verify.py HEIGHT:HEAD` looks for such a pair in the chain.
- **That a decision follows from the facts.** That takes the rules: `milepost verify` takes every decision again.
- **That a fact is true.** It proves that it was said, by which system, and what followed.
- `account.md`, `registrations/` and the reasons in `commands.jsonl` are covered by the manifest alone.
- The manifest is not signed. Keep its SHA-256, or the head, where the one who made the pack cannot change it.

## Persons

The pack holds what the log holds and nothing more: identities of those who signed, waived, disputed, held, received or
delivered, as their systems call them, and the rulebooks' list of which identities are one person; pseudonyms
(`person-...`) in their place where the house keeps the log without names. Free texts (reasons, rationales) may name
people. It holds no message as it came, no token and no password.
"""


def account_text(fold: Fold, rules: Rules, log: Log) -> str:
    """The account as Markdown. What others wrote stands indented, so that it is shown as it is."""
    lines = [f"# Contract {_plain(fold.state.contract)}", "", "## As it stands", ""]
    if fold.state.in_force:
        for one in explained(fold.state, rules):
            lines += [*_quoted([*sentences(one.account), *grounds_sentences(one)]), ""]
    else:
        lines += ["No version of the plan is in force.", ""]
    lines += ["## Its story", ""]
    for row, entry in log:
        lines += [f"### Revision {entry.revision}, {show_moment(entry.moment)}", "", *_quoted(_story(entry)), ""]
        lines += [f"Chain: `{row.head.hex()}`", ""]
    return "\n".join(lines)


def _story(entry: LogEntry) -> Iterator[str]:
    yield f"Cause: {entry.cause}. Rulebook: {entry.rulebook}."
    for fact in entry.facts:
        place = fact.address.milestone or ", ".join(fact.address.keys) or "the contract"
        yield f"{fact.source} said of {place}: {fact.kind}: {says(fact.body)} [{fact.source}/{fact.id}]"
    for decided in entry.decisions:
        yield from _decision(decided)


def _decision(d: Decided) -> Iterator[str]:
    value, released, held = (amount(x, d.currency).amount for x in (d.value, d.released, d.held))
    yield f"Decided for {d.milestone} ({d.status}): of {d.currency} {value}, {released} released, {held} held."
    for reason in d.reasons:
        yield f"  {reason.code} holds {amount(reason.amount, d.currency).amount}: {reason.detail}"
    if d.said is not None:
        yield f"  Command: {d.said.action}, sequence {d.said.sequence}, id {d.said.command_id}"


def _quoted(lines: Iterable[str]) -> list[str]:
    return [f"    {_plain(line)}" for line in lines]


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
