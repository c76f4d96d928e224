"""Wires `milepost contract apply`: registrations sent as canonical events, and the verdict on each."""

from __future__ import annotations

from hashlib import sha256

from msgspec.json import encode

from contracts_schema.errors import MessageError
from services.ports import Store
from services.settings import Settings
from services.wiring import doors
from services.wiring.documents import Document
from services.wiring.sending import Desk, Sent, Verdict, in_force, load, refusal, source_of

CONTRACT_SHOWN_MAX = 200


async def apply(
    settings: Settings, documents: list[Document], source: str | None, wait: bool, timeout_s: float
) -> list[Verdict]:
    """Send every registration that the store does not have yet, then wait for all verdicts, in the order given."""
    speaker = source_of(settings, "register", source)
    async with doors.open_store(settings) as store, doors.open_teller(settings) as teller:
        desk = Desk(settings, store, teller, speaker)
        sent = [await _send(desk, store, document) for document in documents]
        verdicts = []
        for said in sent:
            if isinstance(said, Verdict):
                verdicts.append(said)
            elif wait:
                verdicts.append(await desk.verdict(said, timeout_s))
            else:
                verdicts.append(_not_waited_for(said))
    return verdicts


async def _send(desk: Desk, store: Store, document: Document) -> Sent | Verdict:
    plan = document.plan
    state = await load(store, plan.contract)
    known = state.plans.get(plan.version) if state else None
    event = event_id(document, known.plan if known else None)
    try:
        said = await desk.send("contract.registered", plan.contract, document.content, event)
    except MessageError as error:
        return refusal(error, plan.contract)
    if isinstance(said, Verdict) and state is not None:
        return Verdict("duplicate", in_force(state, plan.version), plan.contract, event=event, revision=state.revision)
    return said


def _not_waited_for(sent: Sent) -> Verdict:
    fact = sent.fact
    sentence = "sent, and not waited for"
    return Verdict("sent", sentence, fact.address.contract or "", fact.address.milestone, fact.id, sent.record)


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
