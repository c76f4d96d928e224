"""Registration documents in files: YAML or JSON, one or several each; every fault with the line it stands in.

A document may name a template; what is written over it is merged here, and only the whole registration is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any, NamedTuple

import yaml
from msgspec import Struct
from msgspec.json import decode, encode

from contracts_schema.errors import ConfigurationError
from contracts_schema.faults import Fault, Path
from contracts_schema.plan import Plan
from contracts_schema.registration import check_registration
from contracts_schema.template import NAMES_TEMPLATE, expand
from services.wiring.house import House
from services.wiring.loader import Loader
from services.wiring.templates import Template

BYTES_MAX = 4 * 1024 * 1024


class Text(NamedTuple):
    """A document as it is written: its file, its nodes, and the template under it."""

    path: FilePath
    node: yaml.Node
    template: Template | None = None

    def at(self, path: Path) -> str:
        """Where a part stands, as `file:line`: in the document, or in its template, whichever tells more."""
        depth, line = _found(self.node, path)
        if self.template is not None:
            below, there = _found(self.template.node, path)
            if below > depth:
                return f"{self.path}:{line}: {self.template.path.name}:{there}"
        return f"{self.path}:{line}"

    def tell(self, faults: list[Fault]) -> list[str]:
        """Faults as people read them."""
        return [f"{self.at(fault.path)}: {fault.sentence}" for fault in faults]


class Document(Struct, frozen=True):
    """One registration as it will be sent, the plan that it describes, and where it stands."""

    where: str
    content: dict[str, Any]
    plan: Plan
    text: Text


class Reading(NamedTuple):
    """The registrations in some files. Nothing is to be sent where there is a fault."""

    documents: list[Document]
    faults: list[str]
    warnings: list[str]


def read_documents(paths: list[FilePath], house: House | None = None) -> Reading:
    """The registrations in the files, every fault, and what the house only wants people to know."""
    whole = Reading([], [], [])
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            whole.faults.append(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is no UTF-8 text'}")
            continue
        if len(text) > BYTES_MAX:
            whole.faults.append(f"{path} is larger than {BYTES_MAX} characters")
            continue
        for all_of_them, these in zip(whole, _read_file(path, text, house or House(None)), strict=True):
            all_of_them += these  # type: ignore[operator]  # each list is of one kind
    return whole if whole.faults else whole._replace(faults=_twice(whole.documents))


def _read_file(path: FilePath, text: str, house: House) -> Reading:
    try:
        written = list(zip(yaml.compose_all(text, Loader), yaml.load_all(text, Loader), strict=True))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        sentence = f"{path}{_mark(error)}: it is neither YAML nor JSON: {' '.join(str(error).split())[:200]}"
        return Reading([], [sentence], [])
    whole = Reading([], [], [])
    found = [(node, content) for node, content in written if node is not None and content is not None]
    if not found:
        whole.faults.append(f"{path}: it holds no document")
    for node, content in found:
        _read_document(Text(path, node), content, house, whole)
    return whole


def _read_document(text: Text, content: Any, house: House, whole: Reading) -> None:
    """Read one document into the whole: as a registration, or as its faults."""
    twice = [f"{text.path}:{line}: {key} stands twice" for key, line in _doubled(text.node)]
    try:
        sent = decode(encode(content))
        text, sent, faults = _expanded(text, sent, house)
    except (TypeError, ValueError) as error:
        whole.faults.append(f"{text.at(())}: it cannot be written as JSON: {error}")
        return
    except ConfigurationError as error:
        whole.faults.extend(f"{text.at((NAMES_TEMPLATE,))}: template: {sentence}" for sentence in error.faults)
        return
    plan = check_registration(sent)
    if isinstance(plan, list):
        faults += plan
    else:
        found = house.judge(plan)
        faults += found.faults
        whole.warnings.extend(text.tell(found.warnings))
    whole.faults.extend(twice + text.tell(faults))
    if not isinstance(plan, list) and not (twice or faults):
        whole.documents.append(Document(text.at(()), sent, plan, text))


def _expanded(text: Text, content: Any, house: House) -> tuple[Text, Any, list[Fault]]:
    """The whole registration, where the document names a template.

    Raises:
        ConfigurationError: there is no such template, or it cannot be read.
    """
    if not isinstance(content, dict) or NAMES_TEMPLATE not in content:
        return text, content, []
    template = house.templates.get(content[NAMES_TEMPLATE])
    sent, faults = expand(template.content, content)
    return text._replace(template=template), sent, faults


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


def _found(node: yaml.Node, path: Path) -> tuple[int, int]:
    """How many steps of a path can be followed, and the line to which they lead."""
    line, depth = node.start_mark.line, 0
    for step in path:
        found = _step(node, step)
        if found is None:
            break
        line, node = found
        depth += 1
    return depth, int(line) + 1


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
