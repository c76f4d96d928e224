"""The OpenAPI 3.1 document of the API, made from the structures that are answered and read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from inspect import cleandoc
from typing import Any

import msgspec

from services.console import acts
from services.console.api import PART, PART_MOST, PREFIX, QUESTIONS, REVISION_MOST, Question
from services.console.problems import MEDIA_TYPE, Problem

PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "after": {"description": "Behind which one it goes on, as the Link header says.", "schema": {"type": "string"}},
    "limit": {
        "description": "How many at most.",
        "schema": {"type": "integer", "minimum": 1, "maximum": PART_MOST, "default": PART},
    },
    "contract": {"description": "One contract; left out: all.", "schema": {"type": "string"}},
}
REVISION = {"type": "integer", "minimum": 0, "maximum": REVISION_MOST, "default": 0}
LINK = {"description": 'Where the next part is, as rel="next" (RFC 8288).', "schema": {"type": "string"}}
COUNTS = {
    "200": "It counts.",
    "202": "It was sent; what becomes of it is still open.",
    "409": "It does not count; the sentence says why.",
}


def document(answers: Mapping[str, Any], verdict: type, release: str) -> dict[str, Any]:
    """The document. `answers` says what is answered to each question, by the question's name."""
    parts = _Parts([*answers.values(), verdict, Problem, *acts.ACTS])
    paths = {_templated(q.path): {"get": _looking(q, parts(answers[q.name]), parts(Problem))} for q in QUESTIONS}
    paths |= {acts.path_of(act): {"post": _acting(act, parts, verdict)} for act in acts.ACTS}
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Milepost",
            "version": release,
            "description": "What is held and why, and what persons do about it. Answers are those of the command line. "
            "Inside an id in a path, `/` is written as %2F.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": PREFIX}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": dict(sorted(parts.schemas.items())),
        },
    }


class _Parts:
    """Schemas of everything, each named once."""

    def __init__(self, types: list[Any]) -> None:
        made, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
        self._made = list(zip(types, made, strict=True))
        self.schemas: dict[str, Any] = _plain(components)

    def __call__(self, wanted: Any) -> Any:
        return next(schema for kind, schema in self._made if kind == wanted)


def _plain(part: Any) -> Any:
    """The schema with its descriptions as they are meant to be read."""
    if isinstance(part, dict):
        return {k: cleandoc(v) if k == "description" and isinstance(v, str) else _plain(v) for k, v in part.items()}
    return [_plain(item) for item in part] if isinstance(part, list) else part


def _templated(path: str) -> str:
    return path.replace(":path}", "}")


def _looking(question: Question, schema: Any, problem: Any) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": question.summary, "content": _json(schema)}
    if "after" in question.query:
        answer["headers"] = {"Link": LINK}
    inside = re.findall(r"\{(\w+)", question.path)
    parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in inside]
    parameters += [{"name": name, "in": "query", **PARAMETERS[name]} for name in question.query]
    if question.name == "log":
        parameters = [p | {"schema": REVISION} if p["name"] == "after" else p for p in parameters]
    return {
        "operationId": question.name,
        "summary": question.summary,
        "parameters": parameters,
        "responses": {"200": answer, "default": _problem(problem)},
    }


def _acting(act: type[acts.Said], parts: _Parts, verdict: type) -> dict[str, Any]:
    content = _json(parts(verdict))
    return {
        "operationId": act.command.replace(" ", "_"),
        "summary": f"{cleandoc(act.__doc__ or '')} `by` is the login.",
        "requestBody": {"required": True, "content": _json(parts(act))},
        "responses": {code: {"description": why, "content": content} for code, why in COUNTS.items()}
        | {"default": _problem(parts(Problem))},
    }


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _problem(schema: Any) -> dict[str, Any]:
    return {"description": "It was not answered (RFC 9457).", "content": {MEDIA_TYPE: {"schema": schema}}}
