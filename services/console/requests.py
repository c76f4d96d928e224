"""What a request bears, bounded: parts of lists, ids in its path, a form or an object in its body."""

from __future__ import annotations

import asyncio
import re
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote

import msgspec
from starlette.requests import ClientDisconnect, Request

from contracts_schema.records import is_identifier
from services.console.problems import Wrong

BODY_BYTES = 64 * 1024
BODY_S = 10.0
FIELDS_MOST = 20
T = TypeVar("T")
_AT = re.compile(r"\s*-? ?at `\$\.?(.*)`$")
_UNKNOWN = re.compile(r"unknown field `(.*)`")


def named(request: Request, name: str) -> str:
    """An id in the path. Raises Wrong where it is none."""
    text = unquote(request.path_params[name])
    if not is_identifier(text):
        raise Wrong(404, "there is nothing of this name", "write / inside a name as %2F", name, text)
    return text


def after(request: Request, name: str = "after") -> str:
    """An id in the query, behind which a list goes on; empty where it is left out. Raises Wrong where it is none."""
    text = request.query_params.get(name, "")
    if text and not is_identifier(text):
        raise Wrong(400, "this is no id", "leave it out, or take it from an answer", name, text)
    return text


def number(request: Request, name: str, default: int, least: int, most: int) -> int:
    """A number in the query. Raises Wrong where it is none, or out of bounds."""
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 19 and least <= int(text) <= most):
        raise Wrong(400, "this number is not possible", f"give a number from {least} to {most}", name, text)
    return int(text)


def same_origin(request: Request) -> None:
    """Raises Wrong where a form was not sent from one of our own pages, or that cannot be seen."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    host = request.headers.get("host", "")
    ours = origin is not None and origin.partition("://")[2] == host != ""
    if site != "same-origin" and (site is not None or not ours):
        raise Wrong(403, "this form was not sent from a page of this console", "open the page here and send it again")


async def form(request: Request) -> dict[str, str]:
    """The fields of a form; those that are empty are left out. Raises Wrong."""
    body = await _body(request, "application/x-www-form-urlencoded")
    try:
        fields = parse_qsl(body.decode("ascii"), encoding="utf-8", errors="strict", max_num_fields=FIELDS_MOST)
    except ValueError:
        raise Wrong(400, "this form cannot be read", "send it from a page of this console") from None
    return {name: value.strip() for name, value in fields if value.strip()}


async def body_as(request: Request, wanted: type[T]) -> T:
    """The JSON object in the body. Raises Wrong, with the field that does not fit."""
    body = await _body(request, "application/json")
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Wrong(400, "the body is no JSON", "send one JSON object, in UTF-8") from None
    return fitting(content, wanted)


def fitting(content: Any, wanted: type[T]) -> T:
    """Plain values as an object. Raises Wrong, with the field that does not fit."""
    try:
        return msgspec.convert(content, wanted)
    except msgspec.ValidationError as error:
        raise _misfit(str(error), content) from None


def _misfit(sentence: str, content: Any) -> Wrong:
    """The decoder's sentence ends with where, as `$.reason`."""
    if unknown := _UNKNOWN.search(sentence):
        field = unknown[1]
        remedy = "leave it out: it is whose login this is" if field == "by" else "leave it out"
        return Wrong(422, f"there is no field {field!r} here", remedy, field, _value(content, field))
    where = _AT.search(sentence)
    field = where[1] if where else ""
    return Wrong(422, _AT.sub("", sentence), "see /api/v1/openapi.json for what fits", field, _value(content, field))


def _value(content: Any, field: str) -> Any:
    return content.get(field) if isinstance(content, dict) else None


async def _body(request: Request, kind: str) -> bytes:
    """The whole body, not decoded. Bounded in bytes and time before it is read whole."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != kind:
        raise Wrong(415, "the body is of another kind", f"send {kind}", "content-type", given)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_BYTES:
                    raise Wrong(413, "the body is too large", f"send at most {BODY_BYTES} bytes")
    except (TimeoutError, ClientDisconnect):
        raise Wrong(408, "the body did not arrive", "send it whole") from None
    return bytes(body)
