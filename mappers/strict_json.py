"""JSON that says one thing only. What two parsers could read differently is no JSON here.

The fast ways decode first and prove afterwards that no key stood twice. A text that comes out again, byte for byte,
when its value is encoded lost nothing: so it is with compact texts. Else, every key of the text is a `"` followed by a
`:`, and the only other places where these two meet are inside strings. So when the text has as many such places as the
decoded value has keys, none was lost. Where the numbers differ, a slower parser looks at every pair.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

BYTES_MAX = 1024 * 1024  # about what a topic takes: an order of hundreds of lines with their moves fits
DEPTH_MAX = 32

_key_end = re.compile(rb'"[ \t\r\n]*:')
_MARK = b"\xef\xbb\xbf"  # of UTF-8, which says nothing
_CONTAINERS = frozenset({dict, list})
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def parse(raw: bytes, bytes_max: int = BYTES_MAX) -> Any:
    """The value of one JSON text.

    Raises:
        ValueError: with a sentence; malformed, larger than `bytes_max`, nested deeper than 32, not UTF-8, a key that
            stands twice in one object, NaN, Infinity, a number beyond a double, a lone surrogate, or NUL in a string.
    """
    if len(raw) > bytes_max:
        raise ValueError(f"it has {len(raw)} bytes, more than the {bytes_max} that are read")
    if not raw:
        raise ValueError("it is empty: there is no value")
    if raw.startswith(_MARK):
        raw = raw[len(_MARK) :]
    try:
        value = _decode(raw)
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except RecursionError:
        raise ValueError(f"it is nested deeper than {DEPTH_MAX}") from None
    except ValueError as error:
        raise ValueError(f"it is not JSON: {error}") from None
    if _is_shallow(raw) and b"\\" not in raw and _encode(value) == raw:
        return value
    if _keys(value, 0) != len(_key_end.findall(raw)) or b"\\u0000" in raw:
        return _parse_slowly(raw)
    return value


def _is_shallow(raw: bytes) -> bool:
    """Whether it has too few brackets to be nested too deep."""
    return raw.count(b"{") + raw.count(b"[") <= DEPTH_MAX


def _keys(value: Any, depth: int) -> int:
    """How many keys `value` has, in all of its objects."""
    if type(value) not in _CONTAINERS:
        return 0
    if depth >= DEPTH_MAX:
        raise ValueError(f"it is nested deeper than {DEPTH_MAX}")
    found, children = (len(value), value.values()) if type(value) is dict else (0, value)
    for child in children:
        if type(child) in _CONTAINERS:
            found += _keys(child, depth + 1)
    return found


def _parse_slowly(raw: bytes) -> Any:
    """The same value, every pair looked at; `raw` has been decoded once and is known to be shallow."""
    value = json.loads(raw.decode(), object_pairs_hook=_object)
    _refuse_nul(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"the key {key[:80]!r} stands twice in one object")
        result[key] = value
    return result


def _refuse_nul(value: Any) -> None:
    if isinstance(value, dict):
        _refuse_nul([*value.keys(), *value.values()])
    elif isinstance(value, list):
        for entry in value:
            _refuse_nul(entry)
    elif isinstance(value, str) and "\x00" in value:
        raise ValueError("a string has a NUL in it")
