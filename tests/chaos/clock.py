"""The database's clock, moved while it runs (libfaketime). Everything that Milepost decides by goes by this clock."""

from pathlib import Path

from servers.postgres import Postgres
from servers.process import UnavailableError
from servers.system import apt_install, as_root

LIBRARY = "*/faketime/libfaketime.so.1"  # under /usr/lib


class Clock:
    """Moves the clock of one server. `before` makes it, before the server is started."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.move(0)

    @classmethod
    def before(cls, postgres: Postgres, folder: Path) -> "Clock | None":
        """None on a machine where the library is not and cannot be had."""
        library = _library()
        if library is None:
            return None
        clock = cls(folder / "clock")
        postgres._environment |= {
            "LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": str(folder / "clock"), "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }  # fmt: skip
        return clock

    def move(self, seconds: int) -> None:
        """From now on it is so many seconds ahead of the true time."""
        self._file.write_text(f"{seconds:+d}")
        self._file.chmod(0o644)


def _library() -> str | None:
    found = list(Path("/usr/lib").glob(LIBRARY))
    if not found and as_root():
        try:
            apt_install("libfaketime")
        except (UnavailableError, OSError):
            return None
        found = list(Path("/usr/lib").glob(LIBRARY))
    return str(found[0]) if found else None
