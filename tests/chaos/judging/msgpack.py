"""A reader of MessagePack, the form in which the log keeps its entries. Written from the format's specification."""

import struct
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# First byte to the format of the number that follows it; and to the format of a length, with what has that length.
NUMBERS = {
    0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q",
    0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q",
}  # fmt: skip
LENGTHS = {
    0xC4: (">B", "bytes"), 0xC5: (">H", "bytes"), 0xC6: (">I", "bytes"),
    0xC7: (">B", "extension"), 0xC8: (">H", "extension"), 0xC9: (">I", "extension"),
    0xD9: (">B", "text"), 0xDA: (">H", "text"), 0xDB: (">I", "text"),
    0xDC: (">H", "list"), 0xDD: (">I", "list"), 0xDE: (">H", "map"), 0xDF: (">I", "map"),
}  # fmt: skip
FIXED = {0xC0: None, 0xC2: False, 0xC3: True}


def unpack(raw):
    """The one value that these bytes hold.

    Raises:
        ValueError: they hold none, or more than one.
    """
    try:
        value, end = _value(raw, 0)
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise ValueError(f"no MessagePack: {error}") from None
    if end != len(raw):
        raise ValueError(f"{len(raw) - end} bytes stand behind the value")
    return value


def _value(raw, at):
    first = raw[at]
    at += 1
    if first < 0x80:
        return first, at
    if first >= 0xE0:
        return first - 0x100, at
    if first in NUMBERS:
        return _number(raw, at, NUMBERS[first])
    if first in FIXED:
        return FIXED[first], at
    if first < 0x90:
        return _map(raw, at, first & 0x0F)
    if first < 0xA0:
        return _list(raw, at, first & 0x0F)
    if first < 0xC0:
        return _text(raw, at, first & 0x1F)
    if 0xD4 <= first <= 0xD8:
        return _extension(raw, at, 1 << (first - 0xD4))
    if first not in LENGTHS:
        raise ValueError(f"byte {first:#x} begins no value")
    form, kind = LENGTHS[first]
    length, at = _number(raw, at, form)
    return READERS[kind](raw, at, length)


def _number(raw, at, form):
    return struct.unpack_from(form, raw, at)[0], at + struct.calcsize(form)


def _list(raw, at, length):
    found = []
    for _ in range(length):
        value, at = _value(raw, at)
        found.append(value)
    return found, at


def _map(raw, at, length):
    flat, at = _list(raw, at, 2 * length)
    return dict(zip(flat[::2], flat[1::2], strict=True)), at


def _bytes(raw, at, length):
    if at + length > len(raw):
        raise ValueError("it ends too early")
    return raw[at : at + length], at + length


def _text(raw, at, length):
    found, at = _bytes(raw, at, length)
    return found.decode(), at


def _extension(raw, at, length):
    """The only extension that the log has is a moment: seconds, or nanoseconds before 34 or 64 bits of seconds."""
    found, at = _bytes(raw, at, length + 1)
    whole = int.from_bytes(found[1:], "big", signed=length == 12)
    nanoseconds, seconds = (0, whole) if length == 4 else divmod(whole, 1 << (34 if length == 8 else 64))
    return EPOCH + timedelta(seconds=seconds, microseconds=nanoseconds // 1000), at


READERS = {"bytes": _bytes, "text": _text, "list": _list, "map": _map, "extension": _extension}
