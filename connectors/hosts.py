"""Which hosts are trusted over HTTP: those on this machine, and those whose certificate an authority has signed."""

from __future__ import annotations

import ipaddress
import ssl
from pathlib import Path

from contracts_schema.errors import ConfigurationError


def is_here(host: str) -> bool:
    """Whether a host is this machine, so that what is sent to it travels over no wire."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def trust(cafile: Path | None, field: str) -> ssl.SSLContext:
    """Certificates of the authorities in this file, else of those that the system knows. Host names are checked.

    Raises:
        ConfigurationError: the file, which `field` of the configuration names, cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=cafile)
    except OSError as error:
        raise ConfigurationError([f"{field} {cafile} cannot be used: {error.strerror or error}"]) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
