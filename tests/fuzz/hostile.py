"""Mutations that keep a message almost whole, so that they reach what lies behind the parser."""

import re
from random import Random

TOKEN = re.compile(rb'"(?:[^"\\\n]|\\.)*"|<[^<>]*>|[A-Za-z_][\w.-]*|-?[0-9][0-9.]*|[^\sA-Za-z0-9]|\s+')
ATOMS = [
    b"0", b"-1", b"1e999", b"1E-400", b"NaN", b"-Infinity", b"9" * 15, b"9" * 16, b"9" * 400, b"0.000000001", b"-0.00",
    b"null", b"true", b"{}", b"[]", b"[[]]", b'""', b'"NaN"', b'" 1"', b'"1_000"', b'"0010"', b'"1e2"',
    '"１２"'.encode(), b'"\\u0000"', b'"\\ud800"', '"a\u202eb"'.encode(), '"e\u0301"'.encode(), '"\u200b"'.encode(),
    '"\ufeff"'.encode(), b"\xff", b"\x00", b"\xed\xa0\x80", b'"9999-12-31"', b'"0001-01-01"', b'"2026-02-30"',
    b'"2026-03-29T02:30:00"', b'"2026-01-01T00:00:00+99:99"',
    b'"/Date(253402300799999)/"', b'"/Date(-99999999999999)/"',
    b'{"__class__":"Decimal","decimal":"NaN"}', b'{"__class__":"date","year":0,"month":1,"day":1}',
    b'{"__class__":"datetime","year":9999,"month":12,"day":31,"hour":23,"minute":59,"second":59,"microsecond":999999}',
    b'"%"', b'"%2F"', b'"a/b"', b'"' + b"x" * 301 + b'"', b"<a/>", b"<!DOCTYPE a>", b"<!--", b"<![CDATA[", b"]]>",
    b"&x;",
    b"&#0;", b"&#x202e;", b'<?xml version="1.0" encoding="UTF-16"?>', b"\xff\xfe", b"\xfe\xff", b"&a", b"*a", b"!!set",
    b"<<: ", b"---\n", b"\n", b"\t", b": ", b"- ",
]  # fmt: skip


def mutated(data: bytes, rng: Random, most: int = 1 << 17) -> bytes:
    """The data with one to four of its tokens replaced, left out, doubled or exchanged, or with a byte changed."""
    tokens = TOKEN.findall(data[:most])
    for _ in range(rng.randint(1, 4)):
        if not tokens:
            tokens = [rng.choice(ATOMS)]
        at = rng.randrange(len(tokens))
        match rng.randrange(7):
            case 0 | 1:
                tokens[at] = rng.choice(ATOMS)
            case 2:
                tokens[at] = rng.choice(tokens)
            case 3:
                del tokens[at : at + rng.choice([1, 1, 2, 5, 20])]
            case 4:
                tokens[at:at] = tokens[at : at + rng.choice([1, 3, 10, 60])] * rng.choice([1, 1, 2, 30])
            case 5:
                tokens.insert(at, rng.choice(ATOMS))
            case 6:
                spoilt = bytearray(tokens[at])
                spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
                tokens[at] = bytes(spoilt)
    return b"".join(tokens)[:most]
