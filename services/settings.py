"""The configuration file, checked whole: every fault is listed at once, with the field, the value and the remedy.

YAML, with every value open to the environment: `MILEPOST__KAFKA__BOOTSTRAP_SERVERS=...` overrides `kafka.
bootstrap_servers`. Secrets come from the environment or from files, never from the file itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from copy import deepcopy
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import Field, ValidationError, field_validator

from contracts_schema.errors import ConfigurationError
from contracts_schema.records import Source
from services.notice_settings import NoticeSettings
from services.reconciliation.policy import Policy, Rules, make_rules
from services.reconciliation.pseudonyms import Pseudonyms
from services.server_settings import SECRETS, Console, Kafka, Part, Postgres, Pseudonymity, plain_secrets
from services.system_settings import FinanceSettings, SourceSettings, faults_among

ENVIRONMENT = "MILEPOST__"
SECRET_WORDS = ("dsn", "password", "secret", "token", "url", "pseudonyms")
MENDED_MOST = 3  # times that faulty parts are left out to see what else is wrong


class PolicySettings(Part):
    """Choices of the house; each default is the careful one."""

    reassert_holds: bool = False
    parked_days_max: int = Field(400, ge=1)
    notices: NoticeSettings = NoticeSettings()

    def policy(self) -> Policy:
        """The same for the core."""
        return Policy(self.reassert_holds, self.parked_days_max, self.notices.policy())


class NamingRule(Part):
    """How the house names one kind of thing: a pattern that the name must fit, and the words that explain it.

    `kind` limits a rule about milestones, titles or deliverables to milestones of that kind.
    """

    of: Literal["contract", "milestone", "title", "deliverable", "evidence", "amendment"]
    pattern: str = Field(max_length=500)
    explanation: str = Field(min_length=1)
    kind: Literal["project", "deliverable", "payment"] | None = None

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from None
        return value


class Naming(Part):
    """The naming standard of the house, which `contract apply` and `config check` look after."""

    policy: Literal["refuse", "warn"] = "refuse"
    rules: list[NamingRule] = []


class TopicNames(Part):
    """Names of the topics that Milepost writes."""

    commands: str = "finance.commands"
    decisions: str = "milestone.decisions"
    snapshots: str = "milestone.snapshots"
    quarantine: str = "milepost.quarantine"
    notices: str = "milestone.notices"


class Http(Part):
    """Where health, readiness and metrics are served, and webhooks received."""

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)


class Worker(Part):
    """How the worker works; the defaults suit most. It takes `batch` records at once, up to `batch_behind` while more
    are waiting. After `session_s` without a sign of life others take over. With `outbox_rows` waiting to be published
    it stops reading until half of them are out; each batch leaves a handful. `keep_records_days`: how long records
    that were used are kept in the store for `milepost replay`, people's data with them; with 0 none are, and those that
    are there are deleted. `leave_out`: topics that nobody reads here need not be written; the log has it all.
    """

    batch: int = Field(500, ge=1, le=5_000)
    batch_behind: int = Field(16_000, ge=1, le=20_000)
    drain_s: float = Field(5, gt=0)
    lease_s: float = Field(10, gt=0)
    session_s: float = Field(10, ge=1, le=300)
    outbox_rows: int = Field(50_000, ge=10)
    keep_records_days: int = Field(0, ge=0, le=36_500)
    leave_out: list[Literal["decisions", "snapshots"]] = []


class Ocds(Part):
    """Who publishes exports in OCDS. `prefix`: of ocids, as Open Contracting has registered it; `uri` names the package
    and should be where it can be found; `homepage`, `license` and `policy` are URIs too.
    """

    prefix: str | None = Field(None, pattern=r"^ocds-[a-z0-9]{6}$")
    publisher: str | None = Field(None, min_length=1)
    uri: str | None = Field(None, pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:\S+$")
    scheme: str | None = None
    uid: str | None = None
    homepage: str | None = Field(None, pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:\S+$")
    license: str | None = Field(None, pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:\S+$")
    policy: str | None = Field(None, pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:\S+$")


class Settings(Part):
    """The whole configuration."""

    kafka: Kafka = Kafka()
    postgres: Postgres = Postgres()
    sources: dict[str, SourceSettings] = Field(min_length=1)
    finance: dict[str, FinanceSettings] = {}
    policy: PolicySettings = PolicySettings()
    people: dict[str, list[str]] = {}
    pseudonyms: Pseudonymity | None = None
    templates: str | None = None
    naming: Naming = Naming()
    topics: TopicNames = TopicNames()
    http: Http = Http()
    console: Console = Console()
    worker: Worker = Worker()
    ocds: Ocds = Ocds()
    tracing: bool = False

    def source_table(self) -> dict[str, Source]:
        """All sources by name; finance systems that the gate acts on are sources too."""
        table = {name: settings.source(name) for name, settings in self.sources.items()}
        for name, system in self.finance.items():
            table.setdefault(name, Source(name, "milepost", "finance", system.topic))
        return table

    def persons(self) -> Pseudonyms | None:
        """What makes pseudonyms of persons, where the house wants them. Raises ConfigurationError without a key."""
        return self.pseudonyms.made() if self.pseudonyms is not None else None

    def rules(self) -> Rules:
        """What decisions depend on beside facts. Raises ConfigurationError where pseudonyms lack their key."""
        roles = {name: source.role for name, source in self.source_table().items()}
        systems = list(self.finance) or [name for name, role in roles.items() if role == "finance"]
        only = systems[0] if len(systems) == 1 else None
        persons = self.persons()
        people = self.people if persons is None else persons.people(self.people)
        return make_rules(roles, people, self.policy.policy(), only, f"holidays {version('holidays')}")

    def dsn(self) -> str:
        """The database's DSN, read now, so that it may be rotated."""
        if self.postgres.dsn_file is not None:
            return self.postgres.dsn_file.read_text(encoding="utf-8").strip()
        return self.postgres.dsn.get_secret_value() if self.postgres.dsn else "postgresql:///milepost"


def load(path: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings in a file, with the environment's overrides.

    Raises:
        ConfigurationError: the file cannot be read, or something in it is wrong; every fault is listed.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise ConfigurationError([f"{path} cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise ConfigurationError([f"{path} is no UTF-8 text: byte {error.start + 1} cannot be read"]) from None
    except yaml.YAMLError as error:
        raise ConfigurationError([f"{path} is no YAML{_whereabouts(error)}"]) from None
    if not isinstance(content, dict):
        raise ConfigurationError([f"{path} is no mapping of kafka, postgres, sources, ..."])
    plain = plain_secrets(content, path.name)
    _override(content, os.environ if environment is None else environment)
    return check(content, plain)


def _whereabouts(error: yaml.YAMLError) -> str:
    """Where it fails and why; the library's own text quotes the line, which may hold what is secret."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f": line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}: {error.problem}"
    return ""


def check(content: Mapping[str, Any], known: Sequence[str] = ()) -> Settings:
    """Settings from plain values; `known` are faults that were found before.

    Raises:
        ConfigurationError: with every fault.
    """
    try:
        settings = Settings.model_validate(content)
    except ValidationError as error:
        faults = [_fault(e) for e in error.errors(include_url=False)]
        raise ConfigurationError([*known, *faults, *_faults_of_the_rest(content, error)]) from None
    faults = [*known, *_faults(settings)]
    if faults:
        raise ConfigurationError(faults)
    return settings


def _fault(error: Any) -> str:
    """The field, its value where that can be no secret, and what is wrong with it."""
    field = ".".join(str(part) for part in error["loc"]) or "the file"
    if error["type"] == "extra_forbidden":
        return f"{field}: no such setting{_near(error['loc'])}"
    if error["type"] == "missing":
        return f"{field} is missing"
    value = "" if _is_secret(error) else f"{error['input']!r}: "
    return f"{field}: {value}{error['msg'].removeprefix('Value error, ')}"


def _near(path: Sequence[int | str]) -> str:
    """The setting of that part whose name is most like the one that is none."""
    part: type[Part] = Settings
    for step in path[:-1]:  # the name of a source or of a finance system is no field: the part is that of all of them
        field = part.model_fields.get(str(step))
        part = next(_parts_in(field.annotation), part) if field is not None else part
    names = get_close_matches(str(path[-1]), part.model_fields, 1)
    return f"; {names[0]} is near it" if names else ""


def _parts_in(annotation: Any) -> Iterator[type[Part]]:
    if isinstance(annotation, type) and issubclass(annotation, Part):
        yield annotation
    for inner in get_args(annotation):
        yield from _parts_in(inner)


def _is_secret(error: Any) -> bool:
    """Whether a value must not be shown: it may hold a password, or is too much to read."""
    named = any(word in str(part) for part in error["loc"] for word in SECRET_WORDS)
    return named or not isinstance(error["input"], str | int | float | bool) or len(str(error["input"])) > 100


def _faults_of_the_rest(content: Mapping[str, Any], error: ValidationError) -> list[str]:
    """What single fields cannot show, of a configuration without its faulty parts; what lacks them then, goes too."""
    rest = deepcopy(dict(content))
    for _ in range(MENDED_MOST):
        for fault in error.errors(include_url=False, include_input=False):
            _leave_out(rest, fault["loc"][:-1] if fault["type"] == "missing" else fault["loc"])
        try:
            return _faults(Settings.model_validate(rest), known=content.get("sources") or {})
        except ValidationError as still:
            error = still
    return []


def _leave_out(content: Any, path: Sequence[int | str]) -> None:
    *steps, last = path or ("",)
    for step in steps:
        if not isinstance(content, dict) or step not in content:
            return
        content = content[step]
    if isinstance(content, dict):
        content.pop(last, None)


def _faults(settings: Settings, known: Container[str] = ()) -> list[str]:
    """What single fields cannot show. `known` names sources beside those in the settings."""
    identities = [identity for those_of_one in settings.people.values() for identity in those_of_one]
    twice = sorted({i for i in identities if identities.count(i) > 1})
    return [
        *faults_among(settings.sources, settings.finance, known),
        *_faults_of_console(settings, known),
        *(f"people: {i!r} stands for two persons" for i in twice),
    ]


def _faults_of_console(settings: Settings, known: Container[str]) -> Iterator[str]:
    """It speaks as one source of role operator."""
    name, operators = settings.console.source, [n for n, s in settings.sources.items() if s.acts_as == "operator"]
    acting = any("act" in login.may for login in settings.console.logins.values())
    if name is not None and name not in operators and (name in settings.sources or name not in known):
        yield f"console.source: {name!r} is no source of role operator; use one of {', '.join(operators) or 'none'}"
    elif name is None and acting and len(operators) > 1:
        yield f"console.source is missing: as which source do they speak? One of {', '.join(operators)}"
    elif acting and not operators and not known:
        yield "console.logins: somebody may act, and no source has role operator; add one"


def _override(content: dict[str, Any], environment: Mapping[str, str]) -> None:
    for name, value in sorted(environment.items()):
        if name.startswith(ENVIRONMENT):
            *path, last = name.removeprefix(ENVIRONMENT).lower().split("__")
            at = content
            for step in path:
                inner = at.setdefault(_existing(at, step), {})
                at = inner if isinstance(inner, dict) else {}
            at[_existing(at, last)] = value if ".".join((*path, last)) in SECRETS else _read(name, value)


def _existing(at: Mapping[Any, Any], name: str) -> Any:
    """The key as the file spells it: environment names know no case and no dashes."""
    return next((key for key in at if str(key).lower().replace("-", "_") == name), name)


def _read(name: str, value: str) -> Any:
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        raise ConfigurationError([f"{name} in the environment is no YAML: put its value in quotes"]) from None
