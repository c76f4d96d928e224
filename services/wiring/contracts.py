"""Wires `milepost contract apply`: registrations sent as canonical events, and the verdict on each."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from msgspec.json import encode
from msgspec.structs import replace

from contracts_schema.errors import MessageError
from contracts_schema.facts import ContractRegistered
from contracts_schema.persons import plan_with
from contracts_schema.plan import Plan
from services.ports import Store
from services.reconciliation.crosswalk import Index
from services.reconciliation.pseudonyms import Pseudonyms
from services.reconciliation.versions import faults_against
from services.settings import Settings
from services.settings import load as load_settings
from services.wiring import doors
from services.wiring.documents import Document
from services.wiring.house import House
from services.wiring.sending import Desk, Sent, Verdict, in_force, load, outcome_of, source_of
from services.wiring.templates import Templates

CONTRACT_SHOWN_MAX = 200
RIVALS_SHOWN = 3


def house_of(settings: Settings | None, source: str | None) -> House:
    """The house that registers, and the name under which it speaks where that is clear."""
    if settings is None:
        return House(None)
    registers = [name for name, s in settings.source_table().items() if s.role == "register"]
    return House(settings, source or (registers[0] if len(registers) == 1 else ""))


def templates_of(config: Path) -> Templates:
    """The templates that come with Milepost and, where there is a configuration, the house's own."""
    return House(load_settings(config) if config.exists() else None).templates


async def apply(
    settings: Settings, documents: list[Document], source: str | None, timeout_s: float | None
) -> list[Verdict]:
    """Send every registration that the store does not have yet, then wait for all verdicts, in the order given."""
    speaker = source_of(settings, "register", source)
    async with doors.open_store(settings) as store, doors.open_teller(settings) as teller:
        desk = Desk(settings, store, teller, speaker)
        sent = [await _send(desk, store, document, settings.persons()) for document in documents]
        verdicts = [await outcome_of(desk, said, timeout_s) for said in sent]
        return [await with_rivals(store, d.plan, v) for d, v in zip(documents, verdicts, strict=True)]


async def with_rivals(store: Store, plan: Plan, verdict: Verdict) -> Verdict:
    """A good verdict, with the keys that other contracts claim, too (rules A10, B5)."""
    keys = Index(plan).keys
    if not keys or not verdict.good or verdict.outcome == "sent":
        return verdict
    async with store.batch() as batch:
        claims = await batch.claims(keys)
    shared = {key: [c for c in contracts if c != plan.contract] for key, contracts in sorted(claims.items())}
    told = [f"{source}:{key} by {', '.join(others)}" for (source, key), others in shared.items() if others]
    if not told:
        return verdict
    more = f" and {len(told) - RIVALS_SHOWN} more" if len(told) > RIVALS_SHOWN else ""
    sentence = f"claimed by others, too: {'; '.join(told[:RIVALS_SHOWN])}{more}; what is said under these is nobody's"
    return replace(verdict, sentence=f"{verdict.sentence}; {sentence} until one gives them up")


async def _send(desk: Desk, store: Store, document: Document, persons: Pseudonyms | None) -> Sent | Verdict:
    """A registration that is stored as it is here is not sent again."""
    plan = document.plan if persons is None else plan_with(document.plan, persons.of)
    state = await load(store, plan.contract)
    known = state.plans.get(plan.version) if state else None
    event = event_id(document, None)
    faults = faults_against(state, plan) if state else []
    if faults:
        return Verdict("refused", "; ".join(document.text.tell(faults)), plan.contract, event=event)
    try:
        draft = await desk.draft("contract.registered", plan.contract, document.content, event)
        if state is not None and known is not None:
            body = draft.fact.body
            if isinstance(body, ContractRegistered) and known.plan == body.plan:
                sentence = in_force(state, plan.version)
                return Verdict("duplicate", sentence, plan.contract, event=event, revision=state.revision)
            event = event_id(document, known.plan)
            draft = await desk.draft("contract.registered", plan.contract, document.content, event)
        return await desk.send(draft)
    except MessageError as error:
        return Verdict("refused", error.sentence, plan.contract, event=event)


def event_id(document: Document, stored: bytes | None) -> str:
    """Contract, version and a hash: the same document applied again is the same event.

    Where another content of the version is stored (an amendment's state may change under it, rule B3) that one is part
    of the hash, so that going back to an earlier state is an event of its own.
    """
    plan = document.plan
    content = sha256(encode(document.content, order="sorted"))
    if stored is not None:
        content.update(stored)
    return f"{plan.contract[:CONTRACT_SHOWN_MAX]}/{plan.version}/{content.hexdigest()[:32]}"
