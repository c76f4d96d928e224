"""What came of the demo, read where everybody can read it: Milepost's topics, its store, and finance's own books."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.json import decode

from connectors.embedded_finance import Ledger, LedgerLine
from connectors.embedded_kafka import Listener
from contracts_schema.commands import Command, DecisionRecord, QuarantineRecord, Snapshot
from contracts_schema.payables import Finding
from services.ports import Store
from services.reconciliation.log import is_chained
from services.reconciliation.policy import Rules
from services.reconciliation.state import State, decode_state
from services.settings import Settings
from services.wiring.demo_story import Story
from services.wiring.notices import NoticeLine, lines_of
from services.wiring.outlook import CascadeView, ahead_of

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
    """A fact that waits: for its contract (unknown), or for a word on which milestone it belongs to (ambiguous)."""

    fact: str
    keys: list[str]
    reason: str


class Chain(Struct, frozen=True):
    """A contract's log: how many revisions, the newest hash, and whether every link holds."""

    contract: str
    revisions: int
    head: str
    whole: bool


class Outcome(Struct):
    """Everything that there is to show."""

    contracts: list[str]
    records: int
    milestones: list[Milestone]
    commands: list[Sent]
    ledger: list[LedgerLine]
    ledger_calls: int
    findings: list[str]
    quarantine: list[SetAside]
    parked: list[Parked]
    chains: list[Chain]
    notices: list[NoticeLine]
    cascade: CascadeView
    seconds: float = 0.0


async def gather(
    story: Story, settings: Settings, store: Store, listener: Listener, ledger: Ledger,
    findings: Sequence[Finding],
) -> Outcome:  # fmt: skip
    """Everything, as it stands now."""
    topics, rules = settings.topics, settings.rules()
    raw = await store.states_of(story.contracts)
    states = {contract: decode_state(raw[contract]) for contract in story.contracts}
    return Outcome(
        contracts=list(story.contracts),
        records=sum(len(scene.letters) for scene in story.scenes),
        milestones=_milestones(listener, topics.snapshots, topics.decisions),
        commands=_commands(listener, topics.commands, [system.topic for system in settings.finance.values()]),
        ledger=ledger.lines(),
        ledger_calls=ledger.calls,
        findings=[found.finding for found in findings],
        quarantine=[_set_aside(r.value or b"") for r in listener.of(topics.quarantine)],
        parked=await _parked(store, list(states.values())),
        chains=[await _chain(store, contract) for contract in story.contracts],
        notices=[notice for state in states.values() for notice in lines_of(state, rules)],
        cascade=_cascade(states[story.ahead.contract], rules, story),
    )


def _milestones(listener: Listener, snapshots: str, decisions: str) -> list[Milestone]:
    shown = (decode(record.value, type=Snapshot) for record in listener.of(snapshots) if record.value)
    newest = {(s.contract, s.milestone): s for s in shown}
    said = (decode(record.value or b"", type=DecisionRecord) for record in listener.of(decisions))
    decided = {(d.contract, d.milestone): d for d in said}
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


def _cascade(state: State, rules: Rules, story: Story) -> CascadeView:
    """What a delay would have moved on the day on which the story ends, whatever day it is now."""
    state.moment = max(letter.timestamp for scene in story.scenes for letter in scene.letters) * 1000
    return ahead_of(state, rules, state.moment, (story.ahead.milestone, story.ahead.days), {})


async def _parked(store: Store, states: Sequence[State]) -> list[Parked]:
    """What no contract claims, and what a contract claims but cannot place."""
    rows = [*await store.parked(LISTED_MOST), *await store.stranded(LISTED_MOST)]
    homeless = [Parked(row.origin, [key for _, key in row.keys], row.reason) for row in rows]
    slots = (slot for state in states for slot in state.slots.values())
    return homeless + [Parked(slot.fact, list(slot.address.keys), slot.parked) for slot in slots if slot.parked]


async def _chain(store: Store, contract: str) -> Chain:
    """Compute the hash of every revision again, from its content and the one before."""
    previous, whole = State(contract).head, True
    log = await store.log(contract)
    for row in log:
        whole = whole and is_chained(row, previous)
        previous = row.head
    return Chain(contract, len(log), previous.hex(), whole and bool(log))
