"""Values that mean to hurt, as strangers could send them: what makes the bytes, and what must be said of them.

Large ones are made when they are sent, and not before.
"""

import gzip
import json
from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"
UBL = (GOLDEN / "ubl/invoice_slash_in_order.xml").read_bytes()
ROOT = UBL[UBL.index(b"<Invoice") if b"<Invoice" in UBL else UBL.index(b"<", 5) :]
EVENT = {
    "specversion": "1.0", "id": "evil", "source": "office", "type": "milepost.sign_off.given.v1",
    "time": "2026-03-01T08:00:00Z",
    "data": {"contract": "C-1", "milestone": "M1", "by": "jane", "role": "site-manager",
             "signed_at": "2026-03-01T08:00:00Z", "evidence": {}},
}  # fmt: skip


def event(**data):
    return json.dumps(EVENT | {"data": EVENT["data"] | data}).encode()


def dispute(amount):
    money = amount if isinstance(amount, dict) else {"amount": amount, "currency": "EUR"}
    data = {"contract": "C-1", "milestone": "M1", "dispute": "D", "amount": money, "reason": "r", "by": "olga"}
    return json.dumps(EVENT | {"type": "milepost.dispute.opened.v1", "data": data}).encode()


def text_in(field, raw):
    """The event with raw JSON text in the place of a field of its data."""
    return json.dumps(EVENT | {"data": EVENT["data"] | {field: "HERE"}}).encode().replace(b'"HERE"', raw)


def entities(levels):
    return b"".join(b'<!ENTITY e%d "%s">' % (n, b"&e%d;" % (n - 1) * 10 if n else b"boom") for n in range(levels))


DOCTYPE = "a document type declaration is not accepted"
XML = {
    "bomb of entities": (lambda: b"<!DOCTYPE a [" + entities(30) + b"]><a>&e29;</a>", DOCTYPE),
    "quadratic bomb": (
        lambda: b'<!DOCTYPE a [<!ENTITY x "' + b"x" * 10**5 + b'">]><a>' + b"&x;" * 10**5 + b"</a>", DOCTYPE),
    "external entity": (lambda: b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', DOCTYPE),
    "parameter entity": (lambda: b'<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:9/p"> %p;]><a/>', DOCTYPE),
    "external subset": (lambda: b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a/>', DOCTYPE),
    "entity that nobody declared": (lambda: b"<a>&boom;</a>", "no well-formed XML"),
    "deep": (lambda: b"<a>" * 200_000, "nest deeper"),
    "many elements": (lambda: b"<r>" + b"<a/>" * 300_000 + b"</r>", "elements"),
    "many attributes": (lambda: b"<r " + b" ".join(b'a%d=""' % n for n in range(50_000)) + b"/>", "attributes"),
    "many namespaces": (
        lambda: b"<r>" + b"".join(b'<a xmlns:n%d="urn:%d"/>' % (n, n) for n in range(60_000)) + b"</r>", "elements"),
    "huger than any record may be": (lambda: b"<a>" + b"x" * 9_000_000 + b"</a>", "at most"),
    "UTF-7": (lambda: b'<?xml version="1.0" encoding="UTF-7"?>' + ROOT, "is declared"),
    "EBCDIC": (lambda: ('<?xml version="1.0" encoding="IBM037"?>' + ROOT.decode()).encode("cp037"), "no UTF-8"),
    "EBCDIC that is none": (lambda: b'<?xml version="1.0" encoding="IBM037"?>' + ROOT, "is declared"),
    "UTF-16 that is none": (lambda: b'<?xml version="1.0" encoding="UTF-16"?>' + ROOT, "is declared"),
    "UTF-32": (lambda: ROOT.decode().encode("utf-32"), "well-formed"),
    "half a character": (lambda: "<a>ü</a>".encode("utf-16")[:-1], "no UTF-16"),
    "NUL": (lambda: ROOT.replace(b"<", b"\x00<", 1), "well-formed"),
    "NUL as a reference": (lambda: b"<a>&#0;</a>", "well-formed"),
    "nothing but an instruction": (lambda: b'<?xml-stylesheet href="http://127.0.0.1:9/x.xsl"?>', "well-formed"),
    "inclusion": (
        lambda: b'<a xmlns:x="http://www.w3.org/2001/XInclude"><x:include href="/etc/passwd"/></a>', "no UBL"),
    "compressed": (lambda: gzip.compress(ROOT), "gzip"),
}  # fmt: skip
JSON = {
    "key twice": (lambda: event().replace(b'"by"', b'"role": "x", "by"', 1), "stands twice"),
    "key twice, once escaped": (lambda: event().replace(b'"by"', b'"r\\u006fle": "x", "by"', 1), "stands twice"),
    "NaN": (lambda: text_in("by", b"NaN"), "not JSON"),
    "Infinity": (lambda: text_in("by", b"-Infinity"), "not JSON"),
    "ten to the 400th": (lambda: text_in("by", b"1e400"), "out of range"),
    "as many digits": (lambda: text_in("by", b"9" * 400), "no text in quotes"),
    "a million digits": (lambda: text_in("by", b"9" * 10**6), "out of range"),
    "deep lists": (lambda: text_in("by", b"[" * 10**5 + b"]" * 10**5), "nested deeper"),
    "deep objects": (lambda: text_in("by", b'{"a":' * 10**5 + b"1" + b"}" * 10**5), "nested deeper"),
    "lone surrogate": (lambda: text_in("by", b'"\\ud800"'), "not JSON"),
    "lone surrogate in a key": (lambda: event().replace(b'"by"', b'"\\udfff": 1, "by"', 1), "not JSON"),
    "NUL": (lambda: text_in("by", b'"a\\u0000b"'), "NUL"),
    "UTF-16": (lambda: event().decode().encode("utf-16"), "not JSON"),
    "not UTF-8": (lambda: text_in("by", b'"\xff"'), "not UTF-8"),
    "overlong UTF-8": (lambda: text_in("by", b'"\xc0\xaf"'), "not UTF-8"),
    "100,000 keys": (lambda: event(evidence={str(n): "a" for n in range(10**5)}), "more than"),
    "one key 100,000 times": (lambda: text_in("by", b"{" + b'"a":1,' * 10**5 + b'"a":1}'), "stands twice"),
    "amount of a million characters": (lambda: dispute("9" * 10**6), "amount '999"),
    "money that is no money": (lambda: dispute({"iban": "x" * 10**6}), "<dict> is not of the form"),
    "identifier of a million characters": (lambda: event(milestone="M" * 10**6), "milestone 'MMM"),
    "long identifier": (lambda: event(by="x" * 301), "by"),
    "text turned round": (lambda: event(by="jane\u202e"), "by"),
    "text of no width": (lambda: event(by="ja\u200bne"), "by"),
    "text with a soft hyphen": (lambda: event(by="ja\xadne"), "by"),
    "huge": (lambda: b'"' + b"x" * 9_000_000 + b'"', "at most"),
    "compressed": (lambda: gzip.compress(bytes(10**7)), "gzip"),
    "two documents": (lambda: event() + event(), "not JSON"),
    "nothing": (lambda: b"", "is empty"),
}  # fmt: skip
