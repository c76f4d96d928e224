"""The processes of Milepost that a campaign ends, stops and starts again: `milepost run`, `gate` and `collect`."""

import asyncio
import os
import re
import signal
import sys
import time
import urllib.request
from pathlib import Path

from servers.process import ServerProcess

PROJECT = Path(__file__).parents[2]
LIMIT_S = 180.0  # for what takes seconds, a minute where locks must time out, and longer on a busy machine
COMMANDS = {"worker": "run", "gate": "gate", "collect": "collect"}


class Member(ServerProcess):
    """One process; its log goes on over all its lives. It may only end when it is ended."""

    start_deadline_s = 120.0

    def __init__(self, kind: str, number: int, folder: Path, environment: dict[str, str]) -> None:
        command = [sys.executable, "-m", "services.cli", COMMANDS[kind], "--config", str(folder / "milepost.yaml")]
        super().__init__(
            f"{kind} {number}", command, folder / f"{kind}-{number}.log", folder=PROJECT,
            environment=environment | {"MILEPOST_FAILPOINTS": ""},
        )  # fmt: skip
        self.kind = kind
        self._seen = 0
        self.may_end = False  # it is being ended, or a failpoint is to end it

    def launch(self, failpoints: str = "") -> None:
        """Start without waiting for an answer, with these failpoints armed."""
        self._seen = self.log.stat().st_size if self.log.exists() else 0
        self._environment["MILEPOST_FAILPOINTS"] = failpoints
        self.may_end = bool(failpoints)
        self._launch()

    def kill(self) -> None:
        self.may_end = True
        super().kill()

    def told(self) -> str:
        """What this life has logged."""
        return self.log.read_bytes()[self._seen :].decode(errors="replace") if self.log.exists() else ""

    def fired(self) -> list[str]:
        """Failpoints that fired in this life."""
        return re.findall(r'"event": "failpoint fired", "name": "([a-z_.]+)"', self.told())

    def plain_lines(self) -> list[str]:
        """What it has logged in all its lives that is no line of JSON."""
        return [line for line in self.log.read_text(errors="replace").splitlines() if not line.startswith("{")]

    @property
    def address(self) -> str | None:
        found = re.findall(r'"http": ?"(http://[^"]+)"', self.told())
        return found[-1] if found else None

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (OSError, ValueError):
            return False

    def stop_still(self) -> None:
        """SIGSTOP: it neither works nor dies."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def check(self) -> None:
        """Raises where it has ended by itself."""
        if not self.running and not self.may_end and self._child is not None:
            raise AssertionError(f"{self.name} ended by itself with {self._child.returncode}:\n{self.log_end()}")


async def until(question, what: str, within_s: float = LIMIT_S, every_s: float = 0.05) -> float:
    """Ask, plainly or by awaiting, until the answer is yes; how long that took. Raises TimeoutError with `what`."""
    began = time.monotonic()
    while True:
        answer = question()
        if await answer if asyncio.iscoroutine(answer) else answer:
            return time.monotonic() - began
        if time.monotonic() - began > within_s:
            raise TimeoutError(f"{what}: not within {within_s:g} s")
        await asyncio.sleep(every_s)
