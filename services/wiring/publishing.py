"""Wires `milepost export ocds` and `export csv`: contract by contract, into a file that is whole or not there."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

from msgspec import DecodeError, Struct
from msgspec.json import decode

from contracts_schema.errors import ConfigurationError, Refused
from services.history.rulebooks import Shelf
from services.reconciliation.log import read_entry
from services.reporting.csv_text import line
from services.reporting.ocds import Publisher, encoded, head_of, package, record, releases
from services.reporting.ocds_picture import Json
from services.reporting.tables import COLUMNS, TABLES
from services.settings import Ocds, Settings
from services.wiring import doors
from services.wiring.history import named_or_all, read_history
from services.wiring.ocds_schema import Check
from services.wiring.reporting import Progress, Unread, dossiers

Kind = Literal["records", "releases"]
ALONE = "-"  # standard output


class Exported(Struct):
    """What was written: contracts, and releases or rows; `faults` names what could not be read or does not fit."""

    contracts: int = 0
    parts: int = 0
    faults: list[str] = []


def publisher_of(known: Ocds, prefix: str | None, publisher: str | None, uri: str | None) -> Publisher:
    """Who publishes: what the command line says, else the configuration.

    Raises:
        ConfigurationError: something that OCDS asks for is said nowhere, or makes no sense; every fault is listed.
    """
    given = {"prefix": prefix, "publisher": publisher, "uri": uri}
    wanted = known.model_dump() | {name: value for name, value in given.items() if value is not None}
    remedies = {
        "prefix": "Open Contracting registers one for you; for a trial take ocds-213czf",
        "publisher": "the name of the organisation that publishes",
        "uri": "the address under which the package can be found",
    }
    faults = [f"ocds.{n} is missing: {why}; say --{n} or set ocds.{n}" for n, why in remedies.items() if not wanted[n]]
    faults += _faults_of(given)
    if faults:
        raise ConfigurationError(faults)
    return Publisher(
        wanted["prefix"], wanted["publisher"], wanted["uri"], wanted["scheme"], wanted["uid"], wanted["homepage"],
        wanted["license"], wanted["policy"],
    )  # fmt: skip


def _faults_of(given: dict[str, str | None]) -> list[str]:
    """What is wrong with what the command line says."""
    from pydantic import ValidationError

    try:
        Ocds.model_validate({name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        return [f"--{e['loc'][0]}: {e['input']!r}: {e['msg']}" for e in error.errors(include_url=False)]
    return []


async def export_ocds(
    settings: Settings, contracts: Sequence[str], kind: Kind, publisher: Publisher, out: str, check: Check,
    progress: Progress,
) -> Exported:  # fmt: skip
    """Write one package of all these contracts, or of all there are.

    Raises:
        Refused: a contract that is named is nowhere, or no contract has anything to publish.
        ConfigurationError: the file cannot be written.
        TransientError: the database does not answer.
    """
    done = Exported()
    newest = ""
    with writing(out) as file:
        file.write(encoded(head_of(publisher))[:-1] + f',"{kind}":['.encode())
        async for made in _releases(settings, contracts, publisher, done.faults):
            parts = made if kind == "releases" else [record(made)]
            done.faults += check(decode(encoded(package(publisher, kind, parts, made[-1]["date"]))))
            file.write((b"," if done.contracts else b"") + b",".join(map(encoded, parts)))
            newest = max(newest, made[-1]["date"])
            done.contracts += 1
            done.parts += len(made)
            progress(done.contracts, made[-1]["ocid"])
        if not done.contracts:
            raise Refused("no contract has anything to publish: no version of a plan has come into force")
        file.write(f'],"publishedDate":"{newest}"}}\n'.encode())
    return done


async def _releases(
    settings: Settings, contracts: Sequence[str], publisher: Publisher, faults: list[str]
) -> AsyncIterator[list[Json]]:
    """The releases of each contract that has any."""
    otherwise = settings.rules()
    async with doors.open_store(settings) as store:
        async for contract in named_or_all(store, contracts):
            try:
                history = await read_history(store, contract)
                shelf = Shelf(history.books)
                entries = [read_entry(row) for row in history.rows]
                made = releases(entries, lambda digest: shelf.present(digest) or otherwise, publisher)  # noqa: B023 -- used at once
            except DecodeError as error:
                faults.append(f"{contract}: what the store has of it cannot be read: {error}; see `milepost verify`")
                continue
            if made:
                yield made


async def export_csv(
    settings: Settings, contracts: Sequence[str], tables: Sequence[str], out: str, progress: Progress
) -> Exported:  # fmt: skip
    """Write tables: one into a file, several into a folder, a file each.

    Raises:
        Refused: a contract that is named is nowhere.
        ConfigurationError: the file or folder cannot be written.
        TransientError: the database does not answer.
    """
    done = Exported()
    places = {name: out if len(tables) == 1 else os.fspath(Path(out) / f"{name}.csv") for name in tables}
    with _all_open(places) as files:
        for name, file in files.items():
            file.write(line(COLUMNS[name]).encode())
        async with doors.open_store(settings) as store:
            async for one in dossiers(store, contracts, settings.rules()):
                if isinstance(one, Unread):
                    done.faults.append(f"{one.contract}: {one.sentence}")
                    continue
                for name, file in files.items():
                    for row in TABLES[name](one):
                        file.write(line(row).encode())
                        done.parts += 1
                done.contracts += 1
                progress(done.contracts, one.contract)
    return done


@contextmanager
def _all_open(places: dict[str, str]) -> Iterator[dict[str, BinaryIO]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(writing(place)) for name, place in places.items()}


@contextmanager
def writing(place: str) -> Iterator[BinaryIO]:
    """A file to write that takes its name only once everything is in it; `-` is standard output.

    Raises:
        ConfigurationError: it cannot be written.
    """
    if place == ALONE:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(place)
    half = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        file = half.open("wb")
    except OSError as error:
        raise ConfigurationError([f"--out: {place} cannot be written: {error.strerror}; name another file"]) from None
    try:
        with file:
            yield file
        half.replace(path)
    except OSError as error:
        raise ConfigurationError([f"--out: {place} cannot be written: {error.strerror}; name another file"]) from None
    finally:
        half.unlink(missing_ok=True)
