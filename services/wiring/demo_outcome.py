"""What came of the demo, read where everybody can read it: Milepost's topics, its store, and finance's own books."""

from __future__ import annotations

from msgspec import Struct
from msgspec.json import decode

from connectors.embedded_finance import Ledger, LedgerLine
from connectors.embedded_kafka import Listener
from contracts_schema.commands import Command, DecisionRecord, QuarantineRecord, Snapshot
from services.ports import Store
from services.reconciliation.log import is_chained
from services.settings import Settings
from services.wiring.demo_story import Story

LISTED_MOST = 100


class Milestone(Struct, frozen=True):
    """A milestone as topic milestone.snapshots and topic milestone.decisions show it last."""

    snapshot: Snapshot
    decision: DecisionRecord


class Answer(Struct, frozen=True):
    """What the gate said became of a command."""

    state: str
    detail: str | None = None


class Sent(Struct, frozen=True):
    """A command as finance received it, and every answer to it."""

    command: Command
    answers: list[Answer]


class SetAside(Struct, frozen=True):
    """A record in quarantine: where it came from, and why."""

    origin: str
    source: str
    sentence: str
    size: int
    sha256: str


class Parked(Struct, frozen=True):
    """A fact that waits for its contract."""

    origin: str
    keys: list[str]
    reason: str


class Chain(Struct, frozen=True):
    """The contract's log: how many revisions, the newest hash, and whether every link holds."""

    revisions: int
    head: str
    whole: bool


class Outcome(Struct):
    """Everything that there is to show."""

    contract: str
    records: int
    milestones: list[Milestone]
    commands: list[Sent]
    ledger: list[LedgerLine]
    ledger_calls: int
    quarantine: list[SetAside]
    parked: list[Parked]
    chain: Chain
    seconds: float = 0.0


async def gather(story: Story, settings: Settings, store: Store, listener: Listener, ledger: Ledger) -> Outcome:
    """Everything, as it stands now."""
    topics = settings.topics
    return Outcome(
        contract=story.contract,
        records=sum(len(scene.letters) for scene in story.scenes),
        milestones=_milestones(listener, topics.snapshots, topics.decisions),
        commands=_commands(listener, topics.commands, [system.topic for system in settings.finance.values()]),
        ledger=ledger.lines(),
        ledger_calls=ledger.calls,
        quarantine=[_set_aside(r.value or b"") for r in listener.of(topics.quarantine)],
        parked=[
            Parked(row.origin, [key for _, key in row.keys], row.reason)
            for row in [*await store.parked(LISTED_MOST), *await store.stranded(LISTED_MOST)]
        ],
        chain=await _chain(store, story.contract),
    )


def _milestones(listener: Listener, snapshots: str, decisions: str) -> list[Milestone]:
    newest = {s.milestone: s for s in (decode(r.value, type=Snapshot) for r in listener.of(snapshots) if r.value)}
    decided = {d.milestone: d for d in (decode(r.value or b"", type=DecisionRecord) for r in listener.of(decisions))}
    return [Milestone(newest[name], decided[name]) for name in sorted(newest)]


def _commands(listener: Listener, topic: str, answered_on: list[str]) -> list[Sent]:
    answers: dict[str, list[Answer]] = {}
    for record in (record for name in answered_on for record in listener.of(name)):
        event = decode(record.value or b"{}")
        told = event.get("data", event)
        answers.setdefault(told.get("command_id", ""), []).append(Answer(told.get("state", ""), told.get("detail")))
    said = [decode(record.value or b"", type=Command) for record in listener.of(topic)]
    return [Sent(command, answers.get(command.command_id, [])) for command in said]


def _set_aside(raw: bytes) -> SetAside:
    r = decode(raw, type=QuarantineRecord)
    return SetAside(f"{r.topic}/{r.partition}/{r.offset}", r.source, r.sentence, r.size, r.sha256)


async def _chain(store: Store, contract: str) -> Chain:
    """Compute the hash of every revision again, from its content and the one before."""
    previous, whole = b"", True
    log = await store.log(contract)
    for row in log:
        whole = whole and is_chained(row, previous if row.revision > 1 else row.previous)
        previous = row.head
    return Chain(len(log), previous.hex(), whole and bool(log))
