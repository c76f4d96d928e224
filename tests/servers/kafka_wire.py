"""As much of Kafka's wire protocol as it takes to see that a broker answers, and whose it is."""

import socket
import struct


def is_apache_kafka(bootstrap: str) -> bool:
    """Apache Kafka in KRaft mode tells its finalized feature `metadata.version`; brokers of other makers have none."""
    return b"metadata.version" in api_versions(bootstrap)


def api_versions(bootstrap: str) -> bytes:
    """The raw answer of the first broker named to ApiVersions (key 18, version 3), empty if it gives none."""
    host, _, port = bootstrap.split(",")[0].rpartition(":")
    header = struct.pack(">hhih", 18, 3, 1, -1) + b"\x00"  # correlation 1, no client id, no tagged fields
    request = header + b"\x05test\x021\x00"  # client software name and version as compact strings
    try:
        with socket.create_connection((host, int(port)), timeout=2) as wire, wire.makefile("rb") as answer:
            wire.sendall(struct.pack(">i", len(request)) + request)
            return answer.read(int.from_bytes(answer.read(4)))
    except OSError:
        return b""
