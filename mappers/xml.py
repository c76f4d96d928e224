"""Hardened XML: bytes of a stranger to a small tree, or one sentence that says why not.

A few hundred bytes of XML can ask for gigabytes, for files of this machine and for the network. What opens those
doors is the document type declaration, so any is refused the moment it begins, before an entity is declared. Size,
depth, and the number of elements and attributes are capped while the tree grows, not afterwards. Comments and
processing instructions are dropped, so that a comment inside a value cannot cut it in two.
"""

from __future__ import annotations

import re
from typing import NoReturn

from lxml import etree

BYTES_MAX = 8 * 1024 * 1024  # documents bear their attachments inside
DEPTH_MAX = 64
ELEMENTS_MAX = 50_000
ATTRIBUTES_MAX = 64  # of one element
NAME_MAX = 300  # with its namespace

Element = etree._Element  # noqa: SLF001 -- lxml's only name for the type
_DECLARED = re.compile(r"\A<\?xml\s[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_DECLARATION = re.compile(r"\A<\?xml\s[^>]*\?>")
_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_UNMARKED = ((b"<\x00", "utf-16-le"), (b"\x00<", "utf-16-be"))
_ONE_BYTE = frozenset(  # a byte for each character, those of ASCII as in ASCII: markup looks the same in all of them
    (
        "us-ascii",
        "iso-8859-1",
        "iso-8859-2",
        "iso-8859-5",
        "iso-8859-7",
        "iso-8859-9",
        "iso-8859-13",
        "iso-8859-15",
        "windows-1250",
        "windows-1251",
        "windows-1252",
        "windows-1253",
        "windows-1254",
        "windows-1257",
    )
)


class Unfinished(ValueError):
    """XML that could not be read to its end.

    `root` is the tree of what stood before the fault. `crowded` tells that it has more elements than are read, and that
    nothing was wrong with it so far.
    """

    def __init__(self, sentence: str, root: Element, crowded: bool) -> None:
        super().__init__(sentence)
        self.root = root
        self.crowded = crowded


class _Growth:
    """Target of the parser: builds the tree while it stays within bounds, and remembers why it stopped.

    The parser swallows the sentence of an exception raised in here, so `refused` keeps it.
    """

    def __init__(self) -> None:
        self.refused: str | None = None
        self.root: Element | None = None
        self.crowded = False
        self._builder = etree.TreeBuilder()
        self._depth = 0
        self._elements = 0

    def start(self, tag: str, attributes: dict[str | bytes, str | bytes]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > DEPTH_MAX:
            self._refuse(f"elements nest deeper than {DEPTH_MAX}")
        if self._elements > ELEMENTS_MAX:
            self.crowded = True
            self._refuse(f"there are more than {ELEMENTS_MAX} elements")
        if len(attributes) > ATTRIBUTES_MAX:
            self._refuse(f"an element has more than {ATTRIBUTES_MAX} attributes")
        if len(tag) > NAME_MAX or (attributes and any(len(name) > NAME_MAX for name in attributes)):
            self._refuse(f"a name is longer than {NAME_MAX} characters")  # it would be repeated by every child
        element = self._builder.start(tag, attributes)  # type: ignore[func-returns-value]  # the stubs forget it
        if self._elements == 1:
            self.root = element

    def end(self, tag: str) -> None:
        self._depth -= 1
        self._builder.end(tag)

    def data(self, text: str) -> None:
        self._builder.data(text)

    def doctype(self, _name: str, _public: str | None, _system: str | None) -> None:
        self._refuse("a document type declaration is not accepted")

    def close(self) -> Element:
        return self._builder.close()

    def _refuse(self, sentence: str) -> NoReturn:
        self.refused = sentence
        raise ValueError(sentence)


def parse(value: bytes) -> Element:
    """The root element of an XML document in UTF-8, UTF-16 or a declared encoding of one byte for each character,
    without comments and processing instructions.

    Raises:
        Unfinished: not well-formed, too deep, too many elements, or bytes that are no text, after its root began.
        ValueError: the same before that, or too large, another encoding, a DOCTYPE.
    """
    if len(value) > BYTES_MAX:
        raise ValueError(f"the document has {len(value)} bytes, more than {BYTES_MAX}")
    growth = _Growth()
    parser = etree.XMLParser(
        target=growth,  # type: ignore[arg-type]  # the stubs want `comment`; without one, comments go
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
    )
    text, fault = _decoded(value)
    try:
        root: Element = etree.fromstring(text.encode(), parser)
    except (etree.XMLSyntaxError, ValueError):
        sentence = fault or growth.refused or _malformed(parser)
        if growth.root is None:
            raise ValueError(sentence) from None
        raise Unfinished(sentence, growth.root, growth.crowded) from None
    if fault is None and len(parser.error_log.filter_from_errors()):
        fault = _malformed(parser)  # a prefix that stands for no namespace is not fatal to the parser
    if fault is not None:
        raise Unfinished(fault, root, crowded=False)
    return root


def _malformed(parser: etree.XMLParser) -> str:
    errors = parser.error_log.filter_from_errors()
    place = f" (line {errors[0].line}, column {errors[0].column})" if len(errors) else ""
    return f"this is no well-formed XML{place}"


def _decoded(value: bytes) -> tuple[str, str | None]:
    """The text without its byte order mark and XML declaration; its encoding must be the declared one. Where the bytes
    are no text from some place on, it ends there, and a sentence tells so."""
    marked = next((name for mark, name in (*_MARKS, *_UNMARKED) if value.startswith(mark)), None)
    encoding = marked or "utf-8"
    head = value[:800].decode(encoding, "replace").removeprefix("\ufeff")
    declared = _DECLARED.match(head)
    stated = declared[1].lower() if declared else encoding
    plain = encoding.replace("-", "")
    if marked is None and stated in _ONE_BYTE:
        encoding = stated
    elif stated.replace("-", "") not in (plain, plain[:5]):
        known = f"UTF-8, UTF-16, {', '.join(sorted(_ONE_BYTE)).upper()}"
        raise ValueError(f"encoding {stated!r} is declared; {known} are accepted, if they are true")
    fault = None
    try:
        text = value.decode(encoding)
    except UnicodeDecodeError as error:
        text = value[: error.start].decode(encoding)
        fault = f"the bytes are no {encoding.upper()} (at byte {error.start})"
    return _DECLARATION.sub("", text.removeprefix("\ufeff"), count=1), fault
