"""Registration documents in files: YAML or JSON, one or several each; every fault with the line it stands in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

import yaml
from msgspec import Struct
from msgspec.json import decode, encode

from contracts_schema.faults import Path
from contracts_schema.plan import Plan
from contracts_schema.registration import check_registration

BYTES_MAX = 4 * 1024 * 1024


class Loader(yaml.SafeLoader):
    """Reads dates as the text they are, so that one that does not exist is a fault with its field and line."""

    yaml_implicit_resolvers = {
        first: [(tag, regexp) for tag, regexp in known if tag != "tag:yaml.org,2002:timestamp"]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


class Document(Struct, frozen=True):
    """One registration as it will be sent, the plan that it describes, and where it stands."""

    where: str
    content: dict[str, Any]
    plan: Plan


def read_documents(paths: list[FilePath]) -> tuple[list[Document], list[str]]:
    """The registrations in the files, and every fault. Nothing is to be sent where there is one."""
    found: list[Document] = []
    faults: list[str] = []
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            faults.append(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is no UTF-8 text'}")
            continue
        if len(text) > BYTES_MAX:
            faults.append(f"{path} is larger than {BYTES_MAX} characters")
            continue
        documents, wrong = _read(path, text)
        found += documents
        faults += wrong
    return found, faults or _twice(found)


def _read(path: FilePath, text: str) -> tuple[list[Document], list[str]]:
    try:
        nodes = [node for node in yaml.compose_all(text, Loader) if node is not None]
        contents = [content for content in yaml.load_all(text, Loader) if content is not None]
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return [], [f"{path}{_mark(error)}: it is neither YAML nor JSON: {' '.join(str(error).split())[:200]}"]
    if not nodes:
        return [], [f"{path}: it holds no document"]
    found, faults = [], []
    for node, content in zip(nodes, contents, strict=True):
        where = f"{path}:{node.start_mark.line + 1}"
        twice = [f"{path}:{line}: {key} stands twice" for key, line in _doubled(node)]
        try:
            sent = decode(encode(content))
        except (TypeError, ValueError) as error:
            faults.append(f"{where}: it cannot be written as JSON: {error}")
            continue
        plan = check_registration(sent)
        if isinstance(plan, list):
            faults += twice + [f"{path}:{line_of(node, fault.path)}: {fault.sentence}" for fault in plan]
        elif twice:
            faults += twice
        else:
            found.append(Document(where, sent, plan))
    return found, faults


def _twice(documents: list[Document]) -> list[str]:
    seen: dict[tuple[str, int], Document] = {}
    faults = []
    for document in documents:
        key = (document.plan.contract, document.plan.version)
        other = seen.setdefault(key, document)
        if other is not document and other.content != document.content:
            faults.append(f"{document.where}: version {key[1]} of {key[0]} stands in {other.where} with other content")
    return faults


def _mark(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f":{mark.line + 1}" if mark is not None else ""


def _doubled(node: yaml.Node) -> Iterator[tuple[str, int]]:
    """Keys that stand twice in one mapping: YAML would silently keep the last."""
    pending = [node]
    while pending:
        at = pending.pop()
        if isinstance(at, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in at.value:
                if key.value in seen and isinstance(key, yaml.ScalarNode):
                    yield str(key.value), key.start_mark.line + 1
                seen.add(str(key.value))
                pending.append(value)
        elif isinstance(at, yaml.SequenceNode):
            pending += at.value


def line_of(node: yaml.Node, path: Path) -> int:
    """The line of the part to which a path leads, or of the nearest part around it."""
    line = node.start_mark.line
    for step in path:
        found = _step(node, step)
        if found is None:
            break
        line, node = found
    return int(line) + 1


def _step(node: yaml.Node, step: str | int) -> tuple[int, yaml.Node] | None:
    """One step into a mapping by key, into a list by position or by the id of the part."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                return key.start_mark.line, value
    if isinstance(node, yaml.SequenceNode):
        if isinstance(step, int):
            part = node.value[step] if step < len(node.value) else None
            return None if part is None else (part.start_mark.line, part)
        for part in node.value:
            named = _step(part, "id")
            if named is not None and getattr(named[1], "value", None) == step:
                return part.start_mark.line, part
    return None
