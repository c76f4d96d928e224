"""Wires `milepost export evidence`: one contract's pack, written as a zip that is the same for the same contract."""

from __future__ import annotations

import asyncio
import io
import zipfile
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

import services.history
from contracts_schema.errors import Refused
from services.history.fold import folded
from services.history.pack import pack
from services.history.rulebooks import Shelf
from services.history.verify import verify
from services.runtime.evidence import README, account_text
from services.settings import Settings
from services.wiring import doors
from services.wiring.history import entries_of, read_history

BEGINNING = (1980, 1, 1, 0, 0, 0)  # the earliest moment that a zip can name; none of the real ones is part of it
FAULTS_SHOWN = 20


class Packed(Struct, frozen=True):
    """What was written."""

    contract: str
    out: str
    revisions: int
    head: str
    files: int
    bytes: int
    faults: tuple[str, ...] = ()


def export_evidence(settings: Settings, contract: str, out: Path, *, anyway: bool) -> Packed:
    """Write a contract's evidence.

    Raises:
        Refused: the contract is nowhere, cannot be read, or does not prove (and is not asked for anyway); or the file
            cannot be written.
    """
    files, packed = asyncio.run(_gather(settings, contract, anyway=anyway))
    raw = zipped(files)
    try:
        out.write_bytes(raw)
    except OSError as error:
        raise Refused(f"{out} cannot be written: {error.strerror}") from None
    return replace(packed, out=str(out), bytes=len(raw))


async def _gather(settings: Settings, contract: str, *, anyway: bool) -> tuple[dict[str, bytes], Packed]:
    async with doors.open_store(settings) as store:
        history = await read_history(store, contract)
    log = entries_of(contract, history.rows)
    proof = verify(contract, history.rows, history.state, history.books)
    faults = [f"revision {f.revision}: {f.what}: {f.sentence}" for f in proof.faults]
    if faults and not anyway:
        more = f"; and {len(faults) - FAULTS_SHOWN} more" if len(faults) > FAULTS_SHOWN else ""
        raise Refused(f"{contract!r} does not prove: {'; '.join(faults[:FAULTS_SHOWN])}{more}")
    fold = folded(contract, log, Shelf(history.books))
    texts = {
        "README.md": README,
        "account.md": account_text(fold, fold.rules(settings.rules()), log),
        "verify.py": proof_script(),
    }
    if faults:
        texts["FAULTS.md"] = "# What did not prove when this was written\n\n" + "".join(f"- {f}\n" for f in faults)
    files = pack(contract, log, history.books, texts)
    return files, Packed(contract, "", len(log), log[-1][0].head.hex(), len(files), 0, tuple(faults))


def proof_script() -> str:
    """The script that proves a pack, as it lies in each."""
    return (Path(services.history.__file__).parent / "proof.py.txt").read_text(encoding="utf-8")


def zipped(files: dict[str, bytes]) -> bytes:
    """A zip of these files, not compressed, since compressors differ: the same files give the same bytes."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, BEGINNING)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, files[name])
    return made.getvalue()
