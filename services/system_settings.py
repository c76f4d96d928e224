"""The systems of the configuration: those that speak, and those that the gate acts on.

A new dialect is named here, in `Dialect`, and in `FOLDERS` where it has a role by itself.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from contracts_schema.records import ROLES, SPEAKER, Role, Source
from services.server_settings import Part

FOLDERS: Mapping[str, Role] = {"tryton": "erp", "redmine": "project", "ubl": "supplier_portal"}
Dialect = Literal["milepost", "tryton", "redmine", "ubl"]
ALONE: frozenset[Role] = frozenset({"register", "operator", "finance"})  # roles that share a topic with no other


class Collect(Part):
    """How to ask a system that does not tell by itself.

    `projects` (Redmine): identifiers; all that the key may see where empty. `company`, `gate_user` (Tryton): the number
    of the one company to read, and the login of the gate's own user, whose blocks are ours. `plain_http`: the way to a
    host that is not this machine is secured by other means than TLS.
    """

    url: str
    token_file: Path
    every: str = Field("30s", pattern=r"^[0-9]{1,5}(ms|s|m|h)$")
    sweep_every: str = Field("24h", pattern=r"^[0-9]{1,5}(ms|s|m|h)$")
    projects: list[str] = []
    company: int | None = Field(None, ge=1)
    gate_user: str | None = Field(None, min_length=1)
    cafile: Path | None = None
    plain_http: bool = False


class Webhook(Part):
    """How a system that calls us signs what it sends.

    `prefix` stands before the signature ("sha256="). The secret's file may have a second line while secrets are
    exchanged. `kind` is told as `milepost-kind`. `delivery_header` bears the vendor's own id of the delivery.
    """

    path: str = Field(pattern=r"^/[a-z0-9/_-]{1,100}$")
    secret_file: Path
    header: str
    scheme: Literal["sha256-hex", "sha1-hex", "sha256-base64"] = "sha256-hex"
    prefix: str = ""
    kind: str | None = None
    delivery_header: str | None = None


class Statuses(Part):
    """Which statuses of issues mean met, and which not yet (rule F8)."""

    met: list[str] = []
    open: list[str] = []


class SourceSettings(Part):
    """A system that speaks."""

    dialect: Dialect
    topic: str
    role: Role | None = None
    timezone: str = "UTC"
    statuses: Statuses = Statuses()
    collect: Collect | None = None
    webhook: Webhook | None = None

    @property
    def acts_as(self) -> Role | None:
        """The role that it says, else the one that its dialect has by itself; None where neither is known."""
        return self.role or FOLDERS.get(self.dialect)

    def source(self, name: str) -> Source:
        """The same for mappers and core. It must have a role."""
        assert self.acts_as is not None  # noqa: S101 -- checked by faults_among
        met, not_yet = frozenset(self.statuses.met), frozenset(self.statuses.open)
        return Source(name, self.dialect, self.acts_as, self.topic, self.timezone, met, not_yet)

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):  # a zone that is not found is a KeyError
            raise ValueError("is no IANA time zone such as Europe/Berlin") from None
        return value


class FinanceSettings(Part):
    """A finance system that the gate acts on; its name is also a source of role finance.

    `company` (Tryton): the number of the company whose invoices it pays. `cafile`: the authority that signed the
    server's certificate. `plain_http`: as in `collect`.
    """

    dialect: Literal["tryton", "http"]
    url: str
    token_file: Path | None = None
    same_keys_as: str | None = None
    mode: Literal["act", "observe"] = "act"
    unclaimed: Literal["hold", "observe"] = "hold"
    topic: str = "finance.events"
    timeout_s: float = Field(10, gt=0)
    company: int = Field(1, ge=1)
    cafile: Path | None = None
    plain_http: bool = False


def faults_among(
    sources: Mapping[str, SourceSettings], finance: Mapping[str, FinanceSettings], known: Container[str] = ()
) -> Iterator[str]:
    """What is wrong between systems and no single field can show. `known` names sources beside `sources`."""
    if SPEAKER in sources or SPEAKER in finance:
        yield f"sources: {SPEAKER!r} is the name under which Milepost itself says facts; name yours otherwise"
    for name, source in sources.items():
        if source.acts_as is None:
            roles = ", ".join(ROLES)
            yield f"sources.{name}.role: dialect {source.dialect} must say it, one of {roles} (rule F2)"
    yield from _faults_of_sharing(sources)
    for name, system in finance.items():
        same = system.same_keys_as
        if same is not None and same not in sources and same not in known:
            yield f"finance.{name}.same_keys_as: {same!r} is no source"
        declared = sources.get(name)
        if declared is not None and declared.role != "finance":
            yield f"sources.{name}.role: finance.{name} makes it a source of role finance"


def _faults_of_sharing(sources: Mapping[str, SourceSettings]) -> Iterator[str]:
    """Register, operator and finance share a topic with no other role."""
    topics: dict[str, list[str]] = {}
    for name, source in sources.items():
        topics.setdefault(source.topic, []).append(name)
    for topic, names in topics.items():
        roles = {sources[name].acts_as for name in names}
        alone = sorted(str(role) for role in roles & ALONE)
        if len(roles) > 1 and alone:
            yield f"sources: {', '.join(names)} share topic {topic}; role {alone[0]} shares with no other role"
