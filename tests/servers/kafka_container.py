"""Apache Kafka's own image under a Docker engine, driven by testcontainers, with the verbs of the other brokers."""

from servers.kafka_wire import api_versions
from servers.process import await_condition
from testcontainers.core.container import DockerContainer


class ContainerBroker:
    """One container on a fixed port: killed, stopped and started again, it keeps its data."""

    own = True

    def __init__(self, version: str, port: int) -> None:
        self.port = port
        self.bootstrap = f"127.0.0.1:{port}"
        self.origin = f"Apache Kafka {version} in a container"
        self._container = DockerContainer(f"apache/kafka:{version}").with_bind_ports(port, port)
        for name, value in settings(port).items():
            self._container.with_env(f"KAFKA_{name}", value)

    @property
    def pid(self) -> int:
        inner = self._container.get_wrapped_container()
        inner.reload()
        return int(inner.attrs["State"]["Pid"])

    @property
    def running(self) -> bool:
        inner = self._container.get_wrapped_container()
        if inner is None:
            return False
        inner.reload()
        return bool(inner.status == "running")

    def start(self) -> None:
        inner = self._container.get_wrapped_container()
        if inner is None:
            self._container.start()
        elif not self.running:
            inner.start()
        await_condition(lambda: bool(api_versions(self.bootstrap)), f"{self.origin} answers", 120)

    def kill(self) -> None:
        self._container.get_wrapped_container().kill()
        self._await_end()

    def stop(self) -> None:
        self._container.get_wrapped_container().stop(timeout=20)
        self._await_end()

    def discard(self) -> None:
        self._container.stop()

    def _await_end(self) -> None:
        await_condition(lambda: not self.running, f"{self.origin} ends", 30)


def settings(port: int) -> dict[str, str]:
    """The image's environment: broker and controller in one, reached from the host under the port it has inside."""
    return {
        "PROCESS_ROLES": "broker,controller",
        "NODE_ID": "1",
        "CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "LISTENERS": f"PLAINTEXT://:{port},CONTROLLER://:9093",
        "ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
        "LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "AUTO_CREATE_TOPICS_ENABLE": "false",
        "BROKER_SESSION_TIMEOUT_MS": "1000",
        "BROKER_HEARTBEAT_INTERVAL_MS": "100",
        "GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "GROUP_MIN_SESSION_TIMEOUT_MS": "1000",
        "OFFSETS_TOPIC_NUM_PARTITIONS": "1",
        "OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "TRANSACTION_STATE_LOG_NUM_PARTITIONS": "1",
        "TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "TRANSACTION_STATE_LOG_MIN_ISR": "1",
    }
