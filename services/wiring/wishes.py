"""Reads what to suppose: a plan, a policy, another configuration, facts, a date. Nothing is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct
from msgspec.json import encode
from pydantic import ValidationError

from contracts_schema.errors import ConfigurationError
from contracts_schema.facts import Fact
from contracts_schema.records import Record
from services import settings as s
from services.reconciliation.calendar import show_moment
from services.reconciliation.policy import Rules
from services.runtime.reading import SOURCE_HEADER, Reader
from services.runtime.trial import Clock, read_lines
from services.settings import Settings
from services.wiring import doors
from services.wiring.contracts import house_of
from services.wiring.documents import Document, read_documents
from services.wiring.history import read_moment
from services.wiring.sending import source_of


class Wish(Struct, frozen=True):
    """What to suppose; each may be left out."""

    plan: Path | None = None
    policy: Path | None = None
    other_config: Path | None = None
    facts: Path | None = None
    clock: str | None = None
    version: int | None = None


class Supposed(Struct):
    """A wish, read. `lines`: moments (µs) with facts; without any, time that passes. `now` is the store's clock."""

    rules: Rules | None
    plans: dict[str, tuple[Document, Fact]]
    lines: list[tuple[int, tuple[Fact, ...]]]
    set_aside: list[str]
    now: int


def read_wish(settings: Settings, wish: Wish, now: int) -> Supposed:
    """Everything that a wish names, read and checked.

    Raises:
        ConfigurationError: a file or a moment is faulty; every fault of it is listed.
    """
    rules = _other_rules(settings, wish)
    reader = doors.reader(settings, rules or settings.rules(), "what-if")
    lines, set_aside = _lines(reader, wish.facts)
    plans = {} if wish.plan is None else _plans(settings, reader, wish.plan, now)
    if wish.clock is not None:
        read_moment("--clock", wish.clock, "UTC")  # faults are told before anything is run
    return Supposed(rules, plans, lines, set_aside, now)


def _other_rules(settings: Settings, wish: Wish) -> Rules | None:
    if wish.other_config is not None:
        settings = s.load(wish.other_config).model_copy(update={"pseudonyms": settings.pseudonyms})
    if wish.policy is not None:
        policy = type(settings.policy)
        try:
            settings = settings.model_copy(update={"policy": policy.model_validate(_mapping(wish.policy))})
        except ValidationError as error:
            faults = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False)]
            raise ConfigurationError([f"{wish.policy}: {fault}" for fault in faults]) from None
    return settings.rules() if wish.policy is not None or wish.other_config is not None else None


def _mapping(path: Path) -> dict[str, Any]:
    """The policy in a file: its settings alone, or under `policy:` as in the configuration."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError([f"{path} cannot be read: {error.strerror}"]) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"{path} is no YAML: {' '.join(str(error).split())}"]) from None
    inner = content.get("policy", content) if isinstance(content, dict) else content
    if not isinstance(inner, dict):
        raise ConfigurationError([f"{path} is no mapping of the policy's settings"])
    return inner


def _lines(reader: Reader, path: Path | None) -> tuple[list[tuple[int, tuple[Fact, ...]]], list[str]]:
    """The lines of `milepost try`: facts with their moments, clocks, and what cannot be used."""
    if path is None:
        return [], []
    try:
        read = read_lines(path.read_bytes().splitlines())
    except OSError as error:
        raise ConfigurationError([f"{path} cannot be read: {error.strerror}"]) from None
    lines: list[tuple[int, tuple[Fact, ...]]] = []
    set_aside = []
    for number, line in enumerate(read, 1):
        if isinstance(line, Clock):
            lines.append((line.moment, ()))
            continue
        reading = reader.read(line)
        if reading.set_aside is not None:
            set_aside.append(f"line {number}: {reading.set_aside.sentence}")
        if reading.facts:
            lines.append((line.timestamp * 1000, reading.facts))
    return lines, set_aside


def _plans(settings: Settings, reader: Reader, path: Path, now: int) -> dict[str, tuple[Document, Fact]]:
    read = read_documents([path], house_of(settings, None))
    if read.faults:
        raise ConfigurationError(read.faults)
    found: dict[str, tuple[Document, Fact]] = {}
    for document in read.documents:
        reading = reader.read(_event(settings, document, now))
        if reading.set_aside is not None:
            raise ConfigurationError([f"{document.where}: {reading.set_aside.sentence}"])
        if document.plan.contract in found:
            raise ConfigurationError([f"{document.where}: one version of a contract at a time"])
        found[document.plan.contract] = (document, reading.facts[0])
    return found


def _event(settings: Settings, document: Document, now: int) -> Record:
    """The registration as it would lie in its topic."""
    source = source_of(settings, "register", None)
    headers = {
        "ce_specversion": "1.0", "ce_id": f"what-if/{document.plan.version}", "ce_source": "milepost/what-if",
        "ce_type": "milepost.contract.registered.v1", "ce_time": show_moment(now), "content-type": "application/json",
        SOURCE_HEADER: source.name,
    }  # fmt: skip
    encoded = tuple((name, text.encode()) for name, text in headers.items())
    return Record(source.topic, 0, 0, now // 1000, document.plan.contract.encode(), encoded, encode(document.content))
