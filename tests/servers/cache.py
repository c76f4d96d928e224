"""What is fetched or built once and then kept: broker jars, virtual environments, seeded databases."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from servers.process import say


def cache_folder() -> Path:
    """`MILEPOST_CACHE`, else the user's cache folder, so that all working copies share it."""
    chosen = os.environ.get("MILEPOST_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "milepost"


def kept(name: str, build: Callable[[Path], None], *recipe: str) -> Path:
    """The kept folder `name`; on first use `build` fills it. A changed recipe is another folder.

    It is built aside and renamed into place, so nobody ever sees half of it; of two who build at once, the first wins.
    """
    folder = cache_folder() / f"{name}-{hashlib.sha256('|'.join(recipe).encode()).hexdigest()[:12]}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder.parent))
    say(f"first use: preparing {name} in {folder}")
    try:
        build(aside)
        aside.chmod(0o755)
        if not folder.is_dir():
            aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder
