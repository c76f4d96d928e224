"""Records as they come from a topic, sources as the configuration describes them, and text fit for identifiers."""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

Role = Literal["erp", "project", "supplier_portal", "finance", "operator", "register"]
ROLES: tuple[Role, ...] = ("erp", "project", "supplier_portal", "finance", "operator", "register")

SPEAKER = "milepost"  # the source of facts that Milepost says itself; no other source may bear the name
REDRIVE_HEADER = "milepost-redrive"  # on a record sent again by `milepost quarantine redrive`: the id it had there

# Characters that nobody sees, or that turn the text around, have no place in an identifier: they hide differences, and
# Postgres cannot keep NUL or a lone surrogate.
IDENTIFIER = (
    "^[^\\x00-\\x1f\\x7f-\\x9f\\xad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b-\\u200f\\u2028-\\u202e"
    "\\u2060-\\u206f\\u3164\\ud800-\\udfff\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffb]{1,300}(?!\\n)$"
)
_identifier = re.compile(IDENTIFIER)


def is_identifier(text: object) -> bool:
    """Whether `text` may serve as an id, a key or a name: 1 to 300 characters, none of them invisible."""
    if not isinstance(text, str):
        return False
    if text.isascii() and text.isprintable():  # most are, and that is seen sooner
        return 0 < len(text) <= 300
    return _identifier.fullmatch(text) is not None


class Record(Struct, frozen=True):
    """One record as it came from a topic, untouched. `timestamp` is in milliseconds since 1970 (UTC)."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    value: bytes | None

    def header(self, name: str) -> str | None:
        """The last header called `name`, as text; None where it is missing or no UTF-8."""
        for key, value in reversed(self.headers):
            if key == name and value is not None:
                try:
                    return value.decode()
                except UnicodeDecodeError:
                    return None
        return None

    def has(self, name: str) -> bool:
        """Whether there is a header called `name`, whatever it holds."""
        for key, _ in self.headers:  # noqa: SIM110 -- asked of every record: a generator would cost four times as much
            if key == name:
                return True
        return False

    @property
    def origin(self) -> str:
        """Where the record came from, as operators write it: topic/partition/offset."""
        return f"{self.topic}/{self.partition}/{self.offset}"


class Source(Struct, frozen=True):
    """One system that speaks to Milepost, as the configuration names it.

    `timezone` is the zone in which the system writes dates and times that bear none. `met` and `open` list the
    statuses of issues that mean met and not yet met (rule F8).
    """

    name: str
    dialect: str
    role: Role
    topic: str
    timezone: str = "UTC"
    met: frozenset[str] = frozenset()
    open: frozenset[str] = frozenset()
