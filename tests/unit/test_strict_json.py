import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappers import strict_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", 'c":', "d\\", " :"]), inner),
    max_leaves=20,
)  # fmt: skip


@given(VALUES, st.sampled_from([None, 2]), st.booleans())
def test_what_json_wrote_is_read_back(value, indent, ascii_only):
    raw = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    assert strict_json.parse(raw) == value


@given(st.binary())
def test_any_bytes_give_a_value_or_a_sentence(raw):
    with contextlib.suppress(ValueError):
        strict_json.parse(raw)


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b'{"a":1,"a":1}', "stands twice"),
        (b'[{"a":{"b" :1,\n"b"\t: 2}}]', "stands twice"),
        (b'{"a":1,"\\u0061":2}', "stands twice"),
        (b'{"x":"\\":","a":1,"a":2}', "stands twice"),
        (b"NaN", "not JSON"),
        (b"[-Infinity]", "not JSON"),
        (b"1e400", "out of range"),
        (b'"\\ud800"', "not JSON"),
        (b'{"a":"\\u0000"}', "NUL"),
        (b'["\\u0000"]', "NUL"),
        (b'"\\u0000"', "NUL"),
        (b'{"\\u0000":1}', "NUL"),
        (b'"\xff"', "not UTF-8"),
        (b"[" * 100_000, "nested deeper"),
        (b"[" * 33 + b"]" * 33, "nested deeper"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "nested deeper"),
        (b"\xef\xbb\xbf\xef\xbb\xbf{}", "not JSON"),
        (b"", "is empty"),
        (b"{} {}", "not JSON"),
        (b'"' + b"a" * strict_json.BYTES_MAX + b'"', "more than"),
        (b"9" * 5000, "out of range"),
    ],
)
def test_what_two_parsers_could_read_differently_is_refused(raw, sentence):
    with pytest.raises(ValueError, match=sentence):
        strict_json.parse(raw)


def test_a_quote_and_a_colon_inside_a_string_are_no_key():
    raw = b'{"a":"say \\": twice \\" :","b":"\\\\u0000"}'
    assert strict_json.parse(raw) == {"a": 'say ": twice " :', "b": "\\u0000"}


def test_thirty_two_levels_are_read():
    assert strict_json.parse(b"[" * 32 + b"]" * 32)
