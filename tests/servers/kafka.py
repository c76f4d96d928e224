"""A real Apache Kafka for tests.

Tried in this order, each with a plain reason when it cannot be had: the broker named by MILEPOST_TEST_KAFKA, a
container where a Docker engine answers, Apache Kafka's own jars from Maven Central on a Java of 17 or newer.
"""

import os
import subprocess
from pathlib import Path
from typing import Protocol

from servers.kafka_jars import KAFKA_VERSION, JarBroker
from servers.kafka_wire import api_versions
from servers.process import UnavailableError, await_condition, free_port


class Kafka(Protocol):
    """What a test may do with the broker. Only one of our own can be ended (`own`)."""

    bootstrap: str
    origin: str
    own: bool

    @property
    def pid(self) -> int: ...
    @property
    def running(self) -> bool: ...
    def kill(self) -> None: ...
    def stop(self) -> None: ...
    def start(self) -> None: ...
    def discard(self) -> None: ...


def start_kafka(folder: Path, port: int | None = None) -> Kafka:
    """The first broker of the order above that this machine can have, running. Raises UnavailableError if none."""
    named = os.environ.get("MILEPOST_TEST_KAFKA")
    if named:
        return NamedBroker(named)
    without_docker = why_no_docker()
    if without_docker is None:
        from servers.kafka_container import ContainerBroker  # testcontainers is slow to import

        container = ContainerBroker(KAFKA_VERSION, port or free_port())
        container.start()
        return container
    try:
        broker = JarBroker(folder, port or free_port())
    except UnavailableError as absent:
        raise UnavailableError(f"{without_docker}; {absent.reason}", absent.remedy) from absent
    broker.start()
    return broker


class NamedBroker:
    """The broker of MILEPOST_TEST_KAFKA. It belongs to somebody else, so it is never ended."""

    own = False
    running = True

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.origin = f"the broker of MILEPOST_TEST_KAFKA, {bootstrap}"
        await_condition(lambda: bool(api_versions(bootstrap)), f"{self.origin} answers", 30)

    @property
    def pid(self) -> int:
        raise UnavailableError(f"{self.origin}, is not ours to end", "unset MILEPOST_TEST_KAFKA")

    def kill(self) -> None:
        _ = self.pid

    def stop(self) -> None:
        _ = self.pid

    def start(self) -> None:
        """It runs."""

    def discard(self) -> None:
        """It stays."""


def why_no_docker() -> str | None:
    """None where a Docker engine answers, else the reason."""
    command = ["docker", "version", "--format", "{{.Server.Version}}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return "no docker"
    return None if done.returncode == 0 else "no Docker engine answers"
