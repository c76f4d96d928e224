"""How broker and database are reached, the key of pseudonyms, and where secrets may stand: in files and in the
environment, nowhere else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from contracts_schema.errors import ConfigurationError
from contracts_schema.records import is_identifier
from services.reconciliation.pseudonyms import Pseudonyms

# Fields that hold a secret themselves, and where it belongs instead. The environment gives their text as it is.
SECRETS: Mapping[str, str] = {
    "kafka.password": "a file that kafka.password_file names, or MILEPOST__KAFKA__PASSWORD",
    "postgres.dsn": "a file that postgres.dsn_file names, or MILEPOST__POSTGRES__DSN",
    "pseudonyms.key": "a file that pseudonyms.key_file names, or MILEPOST__PSEUDONYMS__KEY",
}
KEY_LEAST = 32  # characters: a shorter one could be found by trying


class Part(BaseModel):
    """Base of all parts: unknown fields are faults."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Kafka(Part):
    """The broker. `replication` below 3 is for single-broker set-ups and must be asked for.

    `SASL_SSL` takes a user and a password, `SSL` with `certfile` and `keyfile` is mutual TLS; `cafile` is the authority
    that signed the brokers' certificates, where it is none that the system knows. Certificates and host names are
    always checked.
    """

    bootstrap_servers: str = "127.0.0.1:9092"
    embedded: bool = False
    group: str = "milepost"
    replication: int = Field(3, ge=1, le=9)
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = "SCRAM-SHA-512"
    username: str | None = None
    password: SecretStr | None = None
    password_file: Path | None = None
    cafile: Path | None = None
    certfile: Path | None = None
    keyfile: Path | None = None
    max_record_bytes: int = Field(1_000_000, ge=10_000)

    @model_validator(mode="after")
    def _fits(self) -> Kafka:
        faults = [*self._faults_of_login(), *self._faults_of_certificates()]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _faults_of_login(self) -> Iterator[str]:
        login = self.username or self.password or self.password_file
        if self.security_protocol != "SASL_SSL" and login:
            yield f"username and password with {self.security_protocol}: they are for security_protocol SASL_SSL alone"
        if self.security_protocol == "SASL_SSL" and not self.username:
            yield "SASL_SSL needs a username"
        if self.security_protocol == "SASL_SSL" and (self.password is None) == (self.password_file is None):
            yield "SASL_SSL needs a password, from password_file or from MILEPOST__KAFKA__PASSWORD, not from both"

    def _faults_of_certificates(self) -> Iterator[str]:
        if self.security_protocol == "PLAINTEXT" and (self.cafile or self.certfile or self.keyfile):
            yield "certificates with PLAINTEXT: say security_protocol SSL or SASL_SSL"
        if (self.certfile is None) != (self.keyfile is None):
            yield "certfile and keyfile go together"


class Postgres(Part):
    """The database; the DSN may lie in a file, since it holds a password. `archive` is the folder that all processes
    see, with the logs of contracts that were archived."""

    dsn: SecretStr | None = None
    dsn_file: Path | None = None
    embedded: bool = False
    statement_cache: bool = True
    timeout_s: float = Field(30, gt=0)
    archive: Path | None = None


class Pseudonymity(Part):
    """Pseudonyms in the place of persons, made with this key, which is never exchanged: with another one the same
    person would be somebody else."""

    key: SecretStr | None = None
    key_file: Path | None = None

    @model_validator(mode="after")
    def _fits(self) -> Pseudonymity:
        if (self.key is None) == (self.key_file is None):
            raise ValueError("a key is needed, from key_file or from MILEPOST__PSEUDONYMS__KEY, not from both")
        return self

    def made(self) -> Pseudonyms:
        """What makes them. Raises ConfigurationError where the key cannot be read, or is too short."""
        try:
            key = (self.key_file.read_text(encoding="utf-8") if self.key_file else self._given()).strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise ConfigurationError([f"pseudonyms.key_file: {self.key_file} cannot be read: {reason}"]) from None
        if len(key) < KEY_LEAST:
            raise ConfigurationError([f"pseudonyms: the key has fewer than {KEY_LEAST} characters; make a longer one"])
        return Pseudonyms(key.encode())

    def _given(self) -> str:
        return self.key.get_secret_value() if self.key is not None else ""


class ConsoleLogin(Part):
    """Somebody who may look at the console, or act: with a token in a file, of 32 characters or more."""

    token_file: Path
    may: list[Literal["look", "act"]] = Field(min_length=1)


class Console(Part):
    """Where the operators' pages and the API are served, and who may. `source`: as which source they speak, where
    several have the role operator. Without logins it serves this machine alone, and only shows."""

    host: str = "127.0.0.1"
    port: int = Field(8090, ge=0, le=65535)
    source: str | None = None
    logins: dict[str, ConsoleLogin] = {}

    @model_validator(mode="after")
    def _fits(self) -> Console:
        if not self.logins and not _is_loopback(self.host):
            raise ValueError(
                f"host {self.host!r} is reached from elsewhere and nobody has a login: name some under "
                "console.logins, or take 127.0.0.1"
            )
        unfit = [name for name in self.logins if not is_identifier(name) or ":" in name]
        if unfit:
            raise ValueError(f"logins: {unfit[0]!r} is no name to log in with; leave out : and what cannot be seen")
        return self


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def plain_secrets(content: Mapping[str, Any], where: str) -> list[str]:
    """A fault for each secret that stands in the configuration file itself, never with the secret."""
    return [
        f"{field}: a secret must not stand in {where}; put it into {SECRETS.get(field, 'a file, as in token_file')}"
        for field, value in _texts("", content)
        if field in ("kafka.password", "pseudonyms.key") or _bears_password(value)
    ]


def _texts(at: str, part: object) -> Iterator[tuple[str, str]]:
    if isinstance(part, Mapping):
        for name, inner in part.items():
            yield from _texts(f"{at}.{name}" if at else str(name), inner)
    elif isinstance(part, list):
        for number, inner in enumerate(part):
            yield from _texts(f"{at}.{number}", inner)
    elif part is not None:
        yield at, str(part)


def _bears_password(text: str) -> bool:
    """Whether it is an address with a password, `scheme://user:secret@host` or `...?password=secret`."""
    if "://" not in text:
        return False
    try:
        parts = urlsplit(text)
        return bool(parts.password) or "password=" in parts.query
    except ValueError:
        return "@" in text
