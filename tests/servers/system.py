"""What Debian's package system brings, where we are root and it is there."""

import os

from servers.process import UnavailableError, run, say


def as_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def apt_install(*packages: str) -> None:
    """Install packages without asking. Raises UnavailableError if Debian does not give them."""
    say(f"first use: apt-get install {' '.join(packages)}")
    silent = {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        run(["apt-get", "update", "-q"], what="apt-get update", deadline_s=300, environment=silent)
        install = ["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages]
        run(install, what=f"installing {' '.join(packages)}", deadline_s=900, environment=silent)
    except RuntimeError as fault:
        raise UnavailableError(str(fault).splitlines()[-1], f"apt-get install {' '.join(packages)}") from fault
