"""Three brokers of Apache Kafka from its own jars, for tests that end one of them while the others go on.

Each has a further listener for every way that a test wants to hinder, and tells the clients that come by it to reach it
on another port: there stands whatever the test puts between them and the broker.
"""

import base64
import shutil
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from servers.kafka_jars import SETTINGS, broker_jars, find_java, formatted_storage, jvm
from servers.kafka_wire import api_versions
from servers.process import ServerProcess, free_port

BROKERS = 3
MORE_SETTINGS = """\
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}{behind}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}{proxied}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT{plain}
inter.broker.listener.name=PLAINTEXT
broker.session.timeout.ms=3000
min.insync.replicas=2
offsets.topic.num.partitions=3
offsets.topic.replication.factor=3
"""


class Way(NamedTuple):
    """How some clients come to a broker: the port it listens on for them, and the one that it names to them."""

    behind: int
    proxied: int


class ClusterBroker(ServerProcess):
    """One of the three; `ways` by name."""

    start_deadline_s = 180.0  # three at once

    def __init__(self, folder: Path, node: int, controllers: Sequence[int], ways: Sequence[str]) -> None:
        self.port = free_port()
        self.ways = {name: Way(free_port(), free_port()) for name in ways}
        self.bootstrap = f"127.0.0.1:{self.port}"
        java = find_java()
        jars = broker_jars(java)
        folder.mkdir(parents=True)
        shutil.copytree(formatted_storage(java, jars), folder / "logs")
        _rename(folder / "logs" / "meta.properties", node)
        controller = controllers[node - 1]
        voters = ",".join(f"{n}@127.0.0.1:{port}" for n, port in enumerate(controllers, 1))
        base = SETTINGS.format(port=self.port, controller_port=controller, folder=folder.as_posix())
        more = MORE_SETTINGS.format(
            node=node, voters=voters, port=self.port, controller=controller,
            behind="".join(f",{name}://127.0.0.1:{way.behind}" for name, way in self.ways.items()),
            proxied="".join(f",{name}://127.0.0.1:{way.proxied}" for name, way in self.ways.items()),
            plain="".join(f",{name}:PLAINTEXT" for name in self.ways),
        )  # fmt: skip
        (folder / "server.properties").write_text(base + more)  # of a setting given twice the later one counts
        command = [*jvm(java, jars), "kafka.Kafka", str(folder / "server.properties")]
        super().__init__(f"Kafka {node}", command, folder / "kafka.log")

    def ready(self) -> bool:
        return bool(api_versions(self.bootstrap))


class KafkaCluster:
    """All three. Topics are to have three copies, of which two must confirm."""

    def __init__(self, folder: Path, ways: Sequence[str]) -> None:
        controllers = [free_port() for _ in range(BROKERS)]
        self.brokers = [ClusterBroker(folder / f"broker-{n}", n, controllers, ways) for n in range(1, BROKERS + 1)]
        self.bootstrap = ",".join(broker.bootstrap for broker in self.brokers)

    def start(self) -> None:
        """Start whichever does not run; a broker alone does not answer, so all are started at once."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(ClusterBroker.start, self.brokers))

    def discard(self) -> None:
        for broker in self.brokers:
            broker.kill()
            broker.discard()

    async def whole(self, topics: Sequence[str]) -> bool:
        """Whether every partition of these topics has all its copies in sync: another broker may be ended now."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            described = await admin.describe_topics([*topics, "__consumer_offsets"])
        finally:
            await admin.close()
        return all(len(p["isr"]) == BROKERS for topic in described for p in topic["partitions"])


def _rename(properties: Path, node: int) -> None:
    """A formatted storage belongs to one node and has an id of its own."""
    directory = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    own = {"node.id": str(node), "directory.id": directory}
    lines = [line.partition("=") for line in properties.read_text().splitlines()]
    properties.write_text("".join(f"{name}{equals}{own.get(name, value)}\n" for name, equals, value in lines))
