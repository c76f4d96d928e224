"""What collectors see of a vendor's objects, and what they remember of having told it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct

from contracts_schema.errors import TransientError


class Busy(TransientError):
    """A system asks not to be asked again for `retry_after_s` seconds."""

    def __init__(self, sentence: str, retry_after_s: float) -> None:
        super().__init__(sentence)
        self.retry_after_s = retry_after_s


class Kind(NamedTuple):
    """One kind of object that a system is asked for: a model of Tryton, a version or an issue of Redmine.

    `whole`: the system cannot be asked for what changed since a moment; every time, all of it is read.
    """

    name: str
    whole: bool = False


class Seen(Struct, frozen=True):
    """One object as it was seen, or seen to be gone.

    `value` are the vendor's bytes. `observed_at` (µs) lies before the system was asked: what is shown is not older.
    `created` tells two objects apart that bear one number, one after the other. `fingerprint` is of the content,
    whatever the order of its fields.
    """

    kind: str
    number: int
    value: bytes
    observed_at: int
    fingerprint: bytes
    created: str = ""
    deleted: bool = False


class Page(NamedTuple):
    """Objects in the order of their numbers.

    `last` is the number up to which nothing was left out, None at the end. `faults` tell what could not be read beside.
    """

    seen: Sequence[Seen]
    last: int | None
    faults: Sequence[str] = ()


class Told(NamedTuple):
    """What was last published of an object, and when (µs)."""

    fingerprint: bytes
    created: str
    at: int


class Place(NamedTuple):
    """How far a collector is with one kind of object.

    `position`: every change before that moment (µs, the system's clock) has been published; 0 is never.
    `swept_to`: the number up to which the present full sweep has come. `swept_at`: when the last one ended (µs).
    """

    position: int = 0
    swept_to: int = 0
    swept_at: int = 0


class Standing(NamedTuple):
    """When a source was last asked (µs), and what hinders it; None where nothing does."""

    source: str
    at: int
    sentence: str | None
