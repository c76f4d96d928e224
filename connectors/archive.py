"""Logs of contracts that have left the database: a file a contract, whole from its first revision on.

A file is gzip of one JSON line a revision, in order; bytes are base64. It needs no trust: `milepost verify` computes
every hash again, and the chain of what came later begins at the head of what is here.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from msgspec import DecodeError, Struct
from msgspec.json import Decoder, Encoder

from contracts_schema.errors import ConfigurationError
from contracts_schema.rows import LogRow


class _Line(Struct):
    revision: int
    entry: bytes
    previous: bytes
    head: bytes


_encoder, _decoder = Encoder(), Decoder(_Line)


class Archive:
    """A folder with archived logs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, contract: str) -> Path:
        """The file of one contract."""
        return self._folder / f"{quote(contract, safe='')}.log.gz"

    def read(self, contract: str) -> list[LogRow]:
        """The archived revisions of one contract, oldest first; none where it has no file.

        Raises:
            ConfigurationError: the file is damaged, or may not be read.
        """
        path = self.path(contract)
        try:
            lines = gzip.decompress(path.read_bytes()).splitlines()
            found = [_decoder.decode(line) for line in lines]
        except FileNotFoundError:
            return []
        except (OSError, EOFError, DecodeError) as error:
            raise ConfigurationError([f"archive: {path} cannot be read: {type(error).__name__}"]) from error
        return [LogRow(contract, line.revision, line.entry, line.previous, line.head) for line in found]

    def write(self, contract: str, rows: Sequence[LogRow]) -> Path:
        """Keep a whole log, in place of what was kept before; it is on disk when this returns.

        Raises:
            ConfigurationError: the folder cannot be written to.
        """
        lines = [_encoder.encode(_Line(row.revision, row.entry, row.previous, row.head)) for row in rows]
        path = self.path(contract)
        aside = path.with_name(f".{path.name}.new")
        try:
            with aside.open("wb") as file:
                file.write(gzip.compress(b"\n".join(lines), mtime=0))
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
            _sync(self._folder)
        except OSError as error:
            raise ConfigurationError([f"archive: {path} cannot be written: {error.strerror}"]) from error
        return path


def _sync(folder: Path) -> None:
    """A new name is on disk once its folder is."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
