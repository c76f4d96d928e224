"""Wires what a person does from the command line: one canonical event as the operators' source, and its verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from contracts_schema.errors import MessageError
from services.reconciliation.calendar import show_moment
from services.settings import Settings
from services.wiring import doors
from services.wiring.places import Place
from services.wiring.sending import Desk, Verdict, load, outcome_of, source_of


class Act(Struct, frozen=True):
    """What is said about a place. Fields that are None are left out; `moments` are set to the database's time."""

    kind: str
    place: Place
    fields: Mapping[str, Any]
    moments: tuple[str, ...] = ()
    amount: str | None = None


async def perform(
    settings: Settings, act: Act, source: str | None, event: str | None, timeout_s: float | None,
    said_at: str = "command-line",
) -> Verdict:  # fmt: skip
    """Send the event and say what became of it."""
    speaker = source_of(settings, "operator", source)
    async with doors.open_store(settings) as store, doors.open_teller(settings) as teller:
        desk = Desk(settings, store, teller, speaker, said_at)
        data = {name: value for name, value in act.fields.items() if value is not None} | act.place.address
        data |= dict.fromkeys(act.moments, show_moment(await store.now()))
        try:
            if act.amount is not None:
                data["amount"] = {"amount": act.amount, "currency": await _currency(store, act.place)}
            draft = await desk.draft(act.kind, act.place.contract, data, event)
            return await outcome_of(desk, await desk.send(draft), timeout_s)
        except MessageError as error:
            return Verdict("refused", error.sentence, act.place.contract, act.place.milestone)


async def _currency(store: Any, place: Place) -> str:
    """The contract's currency, in which people state amounts."""
    from contracts_schema.errors import Refused
    from services.reconciliation.crosswalk import index_of

    state = await load(store, place.contract)
    if state is None or state.in_force == 0:
        raise Refused(f"no contract {place.contract!r} is in force, so the amount has no currency")
    return index_of(state.plans[state.in_force].plan).plan.currency
