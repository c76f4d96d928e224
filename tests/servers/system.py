"""Programs that are not on the machine yet: Debian's packages where we are root, and wheels that carry programs."""

import os
import sys
from pathlib import Path

from servers.cache import alone
from servers.process import UnavailableError, run, say


def as_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def apt_install(*packages: str) -> None:
    """Install packages without asking. Raises UnavailableError if Debian does not give them."""
    say(f"first use: apt-get install {' '.join(packages)}")
    silent = {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages]
    try:
        with alone("apt"):
            run(["apt-get", "update", "-q"], what="apt-get update", deadline_s=300, environment=silent)
            run(install, what=f"installing {' '.join(packages)}", deadline_s=900, environment=silent)
    except RuntimeError as fault:
        raise UnavailableError(str(fault).splitlines()[-1], f"apt-get install {' '.join(packages)}") from fault


def preseed(answer: str) -> None:
    """Answer a question of a package before it is asked."""
    run(["sh", "-c", 'echo "$0" | debconf-set-selections', answer], what="debconf-set-selections", deadline_s=60)


def fetch_wheel(requirement: str, folder: Path) -> None:
    """Unpack one wheel into a folder of its own. Raises UnavailableError if there is none for this machine."""
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--only-binary", ":all:", "--target"]
    try:
        run([*command, str(folder), requirement], what=f"fetching {requirement}", deadline_s=600)
    except RuntimeError as fault:
        raise UnavailableError(f"no wheel {requirement}", f"pip download {requirement} shows why") from fault
