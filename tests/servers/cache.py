"""What is fetched or built once and then kept: broker jars, virtual environments, seeded databases."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from servers.process import say


def cache_folder() -> Path:
    """`MILEPOST_CACHE`, else the user's cache folder, so that all working copies share it."""
    chosen = os.environ.get("MILEPOST_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "milepost"


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Of processes that fetch or install the same, one does it at a time; the others wait."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    with (cache_folder() / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # let go when it is closed, or its process ends
        yield


def kept(name: str, build: Callable[[Path], None], *recipe: str) -> Path:
    """The kept folder `name`; on first use `build` fills it. A changed recipe is another folder.

    It is built aside and renamed into place, so nobody ever sees half of it.
    """
    folder = cache_folder() / f"{name}-{hashlib.sha256('|'.join(recipe).encode()).hexdigest()[:12]}"
    if not folder.is_dir():
        with alone(folder.name):
            if not folder.is_dir():
                _build(name, build, folder)
    return folder


def _build(name: str, build: Callable[[Path], None], folder: Path) -> None:
    aside = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder.parent))
    say(f"first use: preparing {name} in {folder}")
    try:
        build(aside)
        aside.chmod(0o755)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
