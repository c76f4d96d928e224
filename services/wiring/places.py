"""`CONTRACT` or `CONTRACT/MILESTONE` as people write it, with `%` and `/` inside either percent-encoded."""

from __future__ import annotations

from msgspec import Struct

from contracts_schema.errors import ConfigurationError
from contracts_schema.records import is_identifier


class Place(Struct, frozen=True):
    """A contract, or one milestone of it."""

    contract: str
    milestone: str | None = None

    @property
    def address(self) -> dict[str, str]:
        """The address as canonical events bear it."""
        return {"contract": self.contract} | ({"milestone": self.milestone} if self.milestone else {})


def read_place(text: str, *, milestone: bool = False) -> Place:
    """The place that a text names; `milestone` asks for one of its milestones.

    Raises:
        ConfigurationError: it names none.
    """
    parts = [_decoded(part) for part in text.split("/")]
    if len(parts) > 2 or not all(is_identifier(part) for part in parts):
        raise ConfigurationError(
            [f"{text!r} is not CONTRACT or CONTRACT/MILESTONE; inside a name write %2F for / and %25 for %"]
        )
    if milestone and len(parts) == 1:
        raise ConfigurationError([f"{text!r} names no milestone: write {text}/MILESTONE"])
    return Place(*parts)


def _decoded(part: str) -> str:
    return part.replace("%2F", "/").replace("%2f", "/").replace("%25", "%")
