"""Hardened XML: what a stranger's document may not do."""

import tracemalloc
from time import perf_counter

import pytest

from mappers.xml import BYTES_MAX, parse


def refusal_of(value):
    with pytest.raises(ValueError) as caught:
        parse(value)
    return str(caught.value)


@pytest.mark.parametrize(
    "declaration",
    [
        b"<!DOCTYPE a>",
        b"<!DOCTYPE a [<!ENTITY x 'y'>]>",
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">',
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>',
        b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x"> %x;]>',
    ],
)
def test_any_document_type_declaration_is_refused(declaration):
    assert refusal_of(declaration + b"<a>&x;</a>") == "a document type declaration is not accepted"


def test_a_bomb_of_entities_takes_neither_time_nor_memory():
    entities = b"".join(b'<!ENTITY e%d "%s">' % (n, b"&e%d;" % (n - 1) * 10 if n else b"boom") for n in range(30))
    tracemalloc.start()
    begun = perf_counter()
    refusal_of(b"<!DOCTYPE a [" + entities + b"]><a b='&e29;'>&e29;</a>")
    assert perf_counter() - begun < 1
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_an_entity_that_nobody_declared_is_not_well_formed():
    assert "no well-formed XML (line 1" in refusal_of(b"<a>&x;</a>")


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (b"<a>" * 100_000, "deeper"),
        (b"<r>" + b"<a/>" * 100_000 + b"</r>", "elements"),
        (b"<r " + b" ".join(b'a%d=""' % n for n in range(1000)) + b"/>", "attributes"),
        (b'<a xmlns="' + b"u" * 1000 + b'"/>', "longer"),
        (b" " * (BYTES_MAX + 1), "bytes"),
        (b"<a><p:b/></a>", "well-formed XML (line 1, column 8)"),
    ],
)
def test_size_depth_numbers_and_names_are_bounded(value, sentence):
    assert sentence in refusal_of(value)


@pytest.mark.parametrize("value", [b"", b" ", b"<a>", b"<a/><b/>", b"<a>\x00</a>", b"<a b='1' b='2'/>", b"text"])
def test_what_is_not_well_formed_is_refused(value):
    assert "well-formed" in refusal_of(value)


@pytest.mark.parametrize(
    "value",
    [
        "<a>ü</a>".encode(),
        b"\xef\xbb\xbf" + '<?xml version="1.0" encoding="utf-8"?><a>ü</a>'.encode(),
        '<?xml version="1.0" encoding="UTF-16"?><a>ü</a>'.encode("utf-16"),
        '<?xml version="1.0" encoding="UTF-16"?><a>ü</a>'.encode("utf-16-be"),
        b"\xfe\xff" + '<?xml version="1.0" encoding="UTF-16BE"?><a>ü</a>'.encode("utf-16-be"),
        '<?xml version="1.0" encoding="ISO-8859-1"?><a>ü</a>'.encode("latin-1"),
        '<?xml version="1.0" encoding="windows-1252"?><a>ü</a>'.encode("cp1252"),
    ],
)
def test_encodings_are_read_as_declared(value):
    assert parse(value).text == "ü"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("windows-1251", "България"), ("ISO-8859-5", "Србија"),
        ("windows-1253", "Ελλάδα"), ("ISO-8859-7", "Ελλάδα"),
        ("windows-1257", "Šiauliai"), ("ISO-8859-13", "Šiauliai"),
    ],
)  # fmt: skip
def test_what_greeks_balts_and_slavs_write_in_is_read(encoding, text):
    assert parse(f'<?xml version="1.0" encoding="{encoding}"?><a>{text}</a>'.encode(encoding)).text == text


@pytest.mark.parametrize(
    "value",
    [
        b"\xef\xbb\xbf" + b'<?xml version="1.0" encoding="ISO-8859-1"?><a>x</a>',
        b'<?xml version="1.0" encoding="UTF-7"?><a>+AGEAYg-</a>',
        '<?xml version="1.0" encoding="UTF-8"?><a/>'.encode("utf-16"),
        b'<?xml version="1.0" encoding="UTF-16"?><a/>',
    ],
)
def test_another_encoding_or_an_untrue_one_is_refused(value):
    assert "is declared" in refusal_of(value)


@pytest.mark.parametrize("value", [b"<a>\xff</a>", b"<a>\xed\xa0\x80</a>", b"\xff\xfe<\x00a"])
def test_bytes_that_are_no_text_are_refused(value):
    assert "the bytes are no UTF" in refusal_of(value)


def test_an_attachment_of_several_megabytes_is_taken_along():
    assert len(parse(b"<a>" + b"QUJD" * 1_500_000 + b"</a>").text) == 6_000_000


def test_comments_and_instructions_leave_no_trace():
    root = parse(b"<a>1<!-- 2 -->3<?x 4?>5</a>")
    assert (root.text, len(root)) == ("135", 0)


def test_nothing_is_included_or_fetched():
    root = parse(b'<a xmlns:x="http://www.w3.org/2001/XInclude"><x:include href="/etc/hostname" parse="text"/></a>')
    assert "".join(root.itertext()) == ""
