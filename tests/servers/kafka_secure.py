"""An Apache Kafka that denies by default: passwords over TLS on one listener, client certificates on another.

Certificates are made anew for each broker. Principals are short names: the user of a password, the common name of a
certificate.
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import trustme
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from servers.cache import kept
from servers.kafka_jars import CLUSTER_ID, COPY_JARS, KAFKA_VERSION, SETTINGS, broker_jars, find_java, jvm
from servers.process import ServerProcess, free_port, port_answers, run

from connectors.kafka import KafkaConnection
from connectors.kafka.acl import Allowed

COPY_ONE = COPY_JARS.removesuffix("-dependencies")
ACL_COMMAND = "org.apache.kafka.tools.AclCommand"
ADMIN = "admin"  # the brokers' own user, who may do everything
MORE_SETTINGS = """\
listeners=SECURE://127.0.0.1:{port},MUTUAL://127.0.0.1:{mutual},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=SECURE://127.0.0.1:{port},MUTUAL://127.0.0.1:{mutual}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,SECURE:SASL_SSL,MUTUAL:SSL
inter.broker.listener.name=SECURE
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.secure.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \
username="{admin}" password="{password}";
ssl.keystore.type=PEM
ssl.keystore.location={folder}/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location={folder}/ca.pem
listener.name.mutual.ssl.client.auth=required
ssl.principal.mapping.rules=RULE:^.*CN=([^,]+).*$/$1/
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:{admin};User:ANONYMOUS
"""  # only the controllers' listener knows anybody without a name
KINDS = {"topic": 2, "group": 3, "cluster": 4}
OPERATIONS = {"Read": 3, "Write": 4, "Create": 5, "Alter": 7, "Describe": 8, "DescribeConfigs": 10, "AlterConfigs": 11}
LITERAL, PREFIXED, ALLOW = 3, 4, 3


class SecureKafka(ServerProcess):
    """One broker. Every one of `users` has the password `password_of(user)`."""

    def __init__(self, folder: Path, users: Iterable[str]) -> None:
        self.port, self.mutual, controller = free_port(), free_port(), free_port()
        self.bootstrap, self.mutual_bootstrap = f"127.0.0.1:{self.port}", f"127.0.0.1:{self.mutual}"
        self.folder, self.cafile = folder, folder / "ca.pem"
        java = find_java()
        self._java = jvm(java, broker_jars(java))
        self._ca = trustme.CA()
        self._ca.cert_pem.write_to_path(self.cafile)
        broker = self._ca.issue_cert("127.0.0.1")
        chain = b"".join(blob.bytes() for blob in broker.cert_chain_pems)
        (folder / "broker.pem").write_bytes(_pkcs8(broker.private_key_pem.bytes()) + chain)
        shutil.copytree(_formatted(self._java, sorted({ADMIN, *users})), folder / "logs")
        base = SETTINGS.format(port=self.port, controller_port=controller, folder=folder.as_posix())
        more = MORE_SETTINGS.format(
            port=self.port, mutual=self.mutual, controller=controller, folder=folder.as_posix(), admin=ADMIN,
            password=password_of(ADMIN),
        )  # fmt: skip
        (folder / "server.properties").write_text(base + more)  # of a setting given twice the later one counts
        command = [*self._java, "kafka.Kafka", str(folder / "server.properties")]
        super().__init__("Kafka", command, folder / "kafka.log")

    def ready(self) -> bool:
        return port_answers(self.port) and port_answers(self.mutual)

    def settings(self, user: str) -> dict[str, object]:
        """The section `kafka` of a configuration that logs in as this user, with a password."""
        secret = self.folder / f"{user}.password"
        secret.write_text(password_of(user) + "\n")
        return {"bootstrap_servers": self.bootstrap, "security_protocol": "SASL_SSL", "username": user,
                "password_file": str(secret), "cafile": str(self.cafile)}  # fmt: skip

    def mutual_settings(self, user: str) -> dict[str, object]:
        """The same with a certificate."""
        made = self._ca.issue_cert(f"{user}.example", common_name=user)
        certfile, keyfile = self.folder / f"{user}.pem", self.folder / f"{user}.key"
        made.cert_chain_pems[0].write_to_path(certfile)
        made.private_key_pem.write_to_path(keyfile)
        return {"bootstrap_servers": self.mutual_bootstrap, "security_protocol": "SSL", "cafile": str(self.cafile),
                "certfile": str(certfile), "keyfile": str(keyfile)}  # fmt: skip

    def connection(self, user: str, **changes: str) -> KafkaConnection:
        """The same for a client."""
        login = {"username": user, "password": password_of(user), "cafile": str(self.cafile)}
        known = {"bootstrap_servers": self.bootstrap, "security_protocol": "SASL_SSL", **login}
        return KafkaConnection(**{**known, **changes})  # type: ignore[arg-type]  # the protocol is a literal

    async def allow(self, allowed: Iterable[Allowed]) -> None:
        """Allow these, as the brokers' own user; returns when the broker itself knows of them."""
        admin = AIOKafkaAdminClient(**self.connection(ADMIN).client_options())
        await admin.start()
        try:
            for one in allowed:
                pattern = PREFIXED if one.prefixed else LITERAL
                request = CreateAclsRequest(
                    KINDS[one.kind], one.name, pattern, f"User:{one.principal}", "*", OPERATIONS[one.operation], ALLOW
                )
                [(code, sentence)] = (await admin._send_request(request)).creation_responses
                assert code == 0, sentence
        finally:
            await admin.close()

    def shell(self, command: str) -> str:
        """Run one line that begins with kafka-acls.sh, as the brokers' own user."""
        login = self.folder / "admin.properties"
        login.write_text(
            "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\nssl.truststore.type=PEM\n"
            f"ssl.truststore.location={self.cafile}\nsasl.jaas.config=org.apache.kafka.common.security.scram."
            f'ScramLoginModule required username="{ADMIN}" password="{password_of(ADMIN)}";\n'
        )
        words = command.replace("admin.properties", str(login)).split()
        assert words[0] == "kafka-acls.sh"
        classpath = f"{self._java[-1]}{os.pathsep}{_tools()}{os.sep}*"
        command = [*self._java[:-1], classpath, ACL_COMMAND, *words[1:]]
        return run(command, what="kafka-acls.sh", deadline_s=60)


def password_of(user: str) -> str:
    return f"secret-of-{user}"


def _formatted(java: list[str], users: list[str]) -> Path:
    """An empty formatted log folder that knows these users."""

    def build(aside: Path) -> None:
        settings = aside / "format.properties"
        settings.write_text(SETTINGS.format(port=1, controller_port=2, folder=aside.as_posix()))
        logins = [f"SCRAM-SHA-512=[name={user},password={password_of(user)}]" for user in users]
        told = [word for login in logins for word in ("--add-scram", login)]
        command = [*java, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(settings), *told]
        run(command, what="formatting Kafka's storage", deadline_s=60)

    return kept("kafka-secure-storage", build, KAFKA_VERSION, *users) / "logs"


def _tools() -> Path:
    """Folder with the jar of Apache Kafka's command line, which a broker does not need; fetched once."""

    def build(aside: Path) -> None:
        artifact = f"-Dartifact=org.apache.kafka:kafka-tools:{KAFKA_VERSION}"
        command = ["mvn", "-B", "-q", "-C", COPY_ONE, artifact, f"-DoutputDirectory={aside}"]
        run(command, what="fetching Apache Kafka's tools", deadline_s=600)

    return kept("kafka-tools", build, KAFKA_VERSION, COPY_ONE)


def _pkcs8(key: bytes) -> bytes:
    """The only form of a key in a PEM file that Kafka reads."""
    return load_pem_private_key(key, None).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
