"""Wires `milepost archive`: logs of closed contracts leave the database for files, proven before and still provable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from msgspec import Struct

from connectors.archive import Archive
from connectors.postgres import PostgresStore
from contracts_schema.errors import ConfigurationError, TransientError
from services.history.verify import verify
from services.ports import Store
from services.reconciliation.crosswalk import index_of
from services.reconciliation.log import read_entry
from services.settings import Settings
from services.wiring import doors
from services.wiring.history import History, named_or_all, read_history

DAY_US = 86_400_000_000
PUBLISHED_S, ASK_EVERY_S = 60.0, 0.2


class Archived(Struct, frozen=True):
    """One contract: how many revisions leave the database, their file once they have, or what hinders it."""

    contract: str
    revisions: int
    file: str = ""
    hindered: str = ""


async def archive(
    settings: Settings, contracts: Sequence[str], *, do: bool, older_than_days: int
) -> AsyncIterator[Archived]:
    """Every contract that could be archived, and each that was named; with `do` it is done.

    Raises:
        ConfigurationError: there is no folder for it, or this user may not do it.
    """
    if settings.postgres.archive is None or not settings.postgres.archive.is_dir():
        raise ConfigurationError(["postgres.archive: name a folder that is there, and that all processes see"])
    folder = Archive(settings.postgres.archive)
    async with PostgresStore(doors.postgres(settings, "milepost archive", connections=2)) as store:
        before = await store.now() - older_than_days * DAY_US
        async for contract in named_or_all(store, contracts):
            history = await read_history(store, contract)
            hindered = _hindered(contract, history, before)
            if hindered and not contracts:
                continue
            yield await _archive(store, folder, contract, history, hindered, do)


def _hindered(contract: str, history: History, before: int) -> str:
    """Why this contract stays, or nothing."""
    state = history.state
    if state is None or state.in_force == 0 or index_of(state.plans[state.in_force].plan).plan.status != "closed":
        return "it is not closed"
    if not history.rows or read_entry(history.rows[-1]).moment >= before:
        return "something was said about it lately"
    faults = verify(contract, history.rows, state, history.books).faults
    return f"it does not prove: {faults[0].sentence}" if faults else ""


async def _archive(
    store: PostgresStore, folder: Archive, contract: str, history: History, hindered: str, do: bool
) -> Archived:
    rows = history.rows
    if hindered or not do:
        return Archived(contract, len(rows), hindered=hindered)
    await _published(store, await store.now())
    path = folder.write(contract, rows)
    if folder.read(contract) != list(rows):
        raise ConfigurationError([f"archive: {path} does not hold what was written to it"])
    await store.archive_log(contract, rows[-1].head)
    return Archived(contract, len(rows), file=str(path))


async def _published(store: Store, moment: int) -> None:
    """Wait until all that was in the outbox at this moment is out: it is made from the log.

    Raises:
        TransientError: it is not, after a minute.
    """
    try:
        async with asyncio.timeout(PUBLISHED_S):
            while await _oldest(store) <= moment:  # noqa: ASYNC110  a relay of another process empties it
                await asyncio.sleep(ASK_EVERY_S)
    except TimeoutError:
        raise TransientError("the outbox does not get empty; archive when what was decided is published") from None


async def _oldest(store: Store) -> int:
    """When the oldest row of the outbox was written (µs); now, where it is empty."""
    ages = [lane.age for lane in (await store.backlog()).values()]
    return await store.now() - max(ages, default=-1)
