"""How to reach a Kafka cluster, and what its errors mean to us."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from typing import Any, Literal

from aiokafka import errors as kafka
from faststream.kafka.security import parse_security
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from contracts_schema.errors import ConfigurationError, TransientError

# More than a record batch, its record, and the lengths of header names and values ever add to a record (bytes).
ENVELOPE = 16 * 1024

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

_SASL = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}

# Errors that waiting does not mend. Everything else that Kafka answers is worth another try, also an unknown topic: a
# broker that was killed does not know its partitions for a while. Whether topics are there is asked at the start.
_SET_UP_AT_FAULT = (
    kafka.AuthenticationFailedError,
    kafka.AuthenticationMethodNotSupported,
    kafka.ClusterAuthorizationFailedError,
    kafka.GroupAuthorizationFailedError,
    kafka.IncompatibleBrokerVersion,
    kafka.InconsistentGroupProtocolError,
    kafka.InvalidGroupIdError,
    kafka.InvalidSessionTimeoutError,
    kafka.InvalidTopicError,
    kafka.MessageSizeTooLargeError,
    kafka.RecordTooLargeError,
    kafka.SaslAuthenticationFailed,
    kafka.TopicAuthorizationFailedError,
    kafka.UnrecognizedBrokerVersion,
    kafka.UnsupportedCodecError,
    kafka.UnsupportedSaslMechanismError,
    kafka.UnsupportedVersionError,
)

_RIGHTS = "`milepost topics acl` prints the rights that each process needs"
MISSING = "run `milepost topics apply`"
_LOGIN = "check kafka.username and its password"
_REMEDIES = {
    kafka.ClusterAuthorizationFailedError: _RIGHTS,
    kafka.GroupAuthorizationFailedError: _RIGHTS,
    kafka.TopicAuthorizationFailedError: _RIGHTS,
    kafka.AuthenticationFailedError: _LOGIN,
    kafka.SaslAuthenticationFailed: _LOGIN,
    kafka.UnknownTopicOrPartitionError: MISSING,
}


@dataclass(frozen=True)
class KafkaConnection:
    """Address and credentials of one cluster. `cafile` alone verifies the broker; with `certfile` it is mutual TLS."""

    bootstrap_servers: str
    client_id: str = "milepost"
    security_protocol: Protocol = "PLAINTEXT"
    sasl_mechanism: Mechanism = "SCRAM-SHA-512"
    username: str = ""
    password: str = field(default="", repr=False)
    cafile: str | None = None
    certfile: str | None = None
    keyfile: str | None = None

    def security(self) -> BaseSecurity | None:
        """The security settings as FastStream takes them.

        Raises:
            ConfigurationError: a certificate or key file cannot be used.
        """
        encrypted = self.security_protocol.endswith("SSL")
        context = self._tls() if encrypted else None
        if not self.security_protocol.startswith("SASL"):
            return BaseSecurity(ssl_context=context, use_ssl=encrypted) if encrypted else None
        chosen = _SASL[self.sasl_mechanism]
        return chosen(username=self.username, password=self.password, ssl_context=context, use_ssl=encrypted)

    def client_options(self) -> dict[str, Any]:
        """The same for clients of aiokafka: bootstrap servers, client id and security."""
        servers = {"bootstrap_servers": self.bootstrap_servers, "client_id": self.client_id}
        return {**servers, **parse_security(self.security())}

    def _tls(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.cafile)
            if self.certfile is not None:
                context.load_cert_chain(self.certfile, self.keyfile)
        except OSError as unusable:
            raise ConfigurationError([f"kafka: a certificate or key file cannot be used: {unusable}"]) from unusable
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


def as_ours(error: BaseException, doing: str) -> TransientError | ConfigurationError:
    """An error of aiokafka, or a timeout, as one of the families. `doing` tells what was tried: "read erp.events"."""
    if isinstance(error, kafka.KafkaConnectionError) and "Unable to bootstrap" in str(error):
        return TransientError(
            f"kafka: cannot {doing}: no broker answers; see kafka.bootstrap_servers and kafka.security_protocol"
        )
    name = type(error).__name__
    said = re.sub(rf"^(\[Error -?\d+\] )?{name}(: )?", "", str(error))
    sentence = f"kafka: cannot {doing}: {name}" + (f" ({said})" if said else "")
    sentence += next((f"; {remedy}" for kind, remedy in _REMEDIES.items() if isinstance(error, kind)), "")
    if isinstance(error, _SET_UP_AT_FAULT):
        return ConfigurationError([sentence])
    return TransientError(sentence)
