"""A server that runs as our own child: started, killed, stopped and started again by the test that needs it.

Only processes started here are ever ended, each by its own pid. Nothing waits for a fixed time: every wait asks a
question again until the answer is yes or its deadline has passed.
"""

import atexit
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

POLL_S = 0.02
UserAndGroup = tuple[int, int]


class UnavailableError(Exception):
    """The machine cannot have this server. Carries why, and what would bring it."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; to have it: {remedy}")
        self.reason = reason
        self.remedy = remedy


def await_condition(question: Callable[[], bool], what: str, deadline_s: float) -> None:
    """Ask until the answer is yes. Raises TimeoutError, naming what was awaited, after `deadline_s` seconds."""
    end = time.monotonic() + deadline_s
    while not question():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {deadline_s:g} s")
        time.sleep(POLL_S)


def free_port() -> int:
    """A loopback port below the range from which systems take ports for outgoing connections.

    A client that keeps dialling a dead server on a port of that range can end up connected to itself, and the server
    can then never come back on its own port.
    """
    while True:
        port = random.SystemRandom().randrange(12_000, 32_000)  # a seeded test beside us would take the same
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def port_answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class ServerProcess:
    """One child process with a log file, on a port that stays the same over kill, stop and start."""

    start_deadline_s = 60.0
    stop_deadline_s = 20.0
    stop_signal = signal.SIGTERM

    def __init__(self, name: str, command: Sequence[str], log: Path, *, environment: Mapping[str, str] | None = None,
                 folder: Path | None = None, identity: UserAndGroup | None = None) -> None:  # fmt: skip
        self.name = name
        self.log = log
        self._command = list(command)
        self._environment = {**os.environ, **(environment or {})}
        self._folder = folder
        self._identity = identity
        self._child: subprocess.Popen[bytes] | None = None
        atexit.register(self.discard)

    @property
    def pid(self) -> int:
        if self._child is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def ready(self) -> bool:
        """Whether it answers. Each server says here what an answer is."""
        raise NotImplementedError

    def start(self) -> None:
        """Start, or start again on the same port and data, and wait until it answers.

        Raises RuntimeError with the end of its log if it ends instead, TimeoutError if it neither ends nor answers.
        """
        if self.running:
            return
        self._launch()
        await_condition(self._ready_or_ended, f"{self.name} answers", self.start_deadline_s)

    def kill(self) -> None:
        """kill -9, as a crash would; returns once the process is gone."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in an orderly way; returns once the process is gone."""
        try:
            self._end(self.stop_signal)
        except subprocess.TimeoutExpired:
            self._end(signal.SIGKILL)
            raise

    def discard(self) -> None:
        """End it for good, by whatever it takes. Never raises."""
        with contextlib.suppress(subprocess.TimeoutExpired, OSError):
            self.stop()
        atexit.unregister(self.discard)

    def log_end(self, lines: int = 30) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    def _launch(self) -> None:
        user, group = self._identity or (None, None)
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self._environment, cwd=self._folder,
                user=user, group=group, extra_groups=[] if self._identity else None,
            )  # fmt: skip

    def _ready_or_ended(self) -> bool:
        if not self.running:
            raise RuntimeError(f"{self.name} ended instead of starting; its log ends:\n{self.log_end()}")
        return self.ready()

    def _end(self, how: signal.Signals) -> None:
        """Signal and reap the child: unreaped it stays a zombie, and looks alive to whoever asks for its pid."""
        if self.running:
            assert self._child is not None
            self._child.send_signal(how)
            self._child.wait(timeout=self.stop_deadline_s)


def run(command: Sequence[str], *, what: str, deadline_s: float, environment: Mapping[str, str] | None = None,
        folder: Path | None = None, identity: UserAndGroup | None = None) -> str:  # fmt: skip
    """Run one command to its end and answer what it printed. Raises RuntimeError with its output if it fails."""
    user, group = identity or (None, None)
    done = subprocess.run(
        list(command), env={**os.environ, **(environment or {})}, cwd=folder, timeout=deadline_s,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        user=user, group=group, extra_groups=[] if identity else None,
    )  # fmt: skip
    if done.returncode:
        told = done.stdout + done.stderr
        shown = told if len(told) < 4000 else f"{told[:2000]}\n...\n{told[-2000:]}"  # some say why first, some last
        raise RuntimeError(f"{what} failed with exit {done.returncode}:\n{shown}")
    return done.stdout


# pytest's capture stands in the way of say(); conftest.py puts here what lifts it.
lift_capture: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext


def say(line: str) -> None:
    """Tell whoever waits what takes long."""
    with lift_capture():
        print(f"\n{line}", file=sys.stderr, flush=True)
