"""What Postgres and its driver raise, in families: try again, set-up at fault, or (left alone) a defect."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from contracts_schema.errors import ConfigurationError, MilepostError, TransientError

DRIVER_ERRORS = (
    asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError
)  # fmt: skip

# Classes of SQLSTATE: connection, transaction rolled back, resources, operator intervention. Single states: read-only
# server after a failover, transaction idle for too long, lock timeout.
TRANSIENT_CLASSES = ("08", "40", "53", "57")
TRANSIENT_STATES = ("25006", "25P03", "55P03")
NO_ROOM_TO_BEGIN = "could not write init file"  # of a session, on a full disk; the server calls it an internal error
SCHEMA_STATES = ("3F000", "42P01", "42703", "42883")  # no such schema, table, column, function
LOGIN_CLASSES = ("28", "3D")  # authentication, no such database


@contextmanager
def answers() -> Iterator[None]:
    """Around each call of the driver: its errors leave as TransientError, ConfigurationError, or as the defects they
    are.
    """
    try:
        yield
    except DRIVER_ERRORS as fault:
        family = family_of(fault)
        if family is None:
            raise
        raise family from fault


def family_of(fault: BaseException) -> MilepostError | None:
    """The error to raise instead, or None where `fault` is a defect. Sentences never hold the DSN."""
    if isinstance(fault, asyncpg.PostgresError):
        return _family_of_state(getattr(fault, "sqlstate", None) or "", str(fault))
    if isinstance(fault, ssl.SSLCertVerificationError):
        return ConfigurationError([f"Postgres: the server's certificate is not trusted ({fault.verify_message})"])
    if isinstance(fault, asyncpg.ClientConfigurationError):
        return ConfigurationError(["postgres.dsn cannot be read; write postgresql://user@host:5432/database"])
    if isinstance(fault, TimeoutError):
        return TransientError("Postgres did not answer in time")
    if isinstance(fault, OSError) or _is_closed(fault) or _is_cut_short(fault):
        return TransientError(f"Postgres is not reachable: {fault}")
    return None


def _family_of_state(state: str, sentence: str) -> MilepostError | None:
    if state[:2] in TRANSIENT_CLASSES or state in TRANSIENT_STATES or NO_ROOM_TO_BEGIN in sentence:
        return TransientError(f"Postgres {state}: {sentence}")
    if state in SCHEMA_STATES:
        return ConfigurationError([f"Postgres: {sentence}; run `milepost db upgrade`"])
    if state == "42501":
        return ConfigurationError([f"Postgres: {sentence}; grant it to the user of postgres.dsn"])
    if state[:2] in LOGIN_CLASSES:
        return ConfigurationError([f"Postgres refuses the login: {sentence}; check postgres.dsn and its password"])
    return None


def _is_closed(fault: BaseException) -> bool:
    """A connection that ended before or while it was used; the driver has no class of its own for it."""
    return type(fault) is asyncpg.InterfaceError and any(word in str(fault) for word in ("clos", "released back"))


def _is_cut_short(fault: BaseException) -> bool:
    """The server ended the session just as a statement began: the driver meets its farewell in the middle of its own
    protocol ("cannot switch to state ...; another operation is in progress"). The connection is done with."""
    return isinstance(fault, asyncpg.InternalClientError) and "another operation" in str(fault)
