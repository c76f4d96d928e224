"""Commands that no worker decided, put on the topic of commands by somebody who may write there."""

import asyncio
import hashlib
import random

import rfc8785
from aiokafka import AIOKafkaProducer
from chaos.reading import FORGED, records
from chaos.site import LANES, Site
from msgspec.json import decode, encode

MARK = (FORGED, b"1")


async def forge(site: Site, rng: random.Random, count: int) -> int:
    """Alter, invent and repeat commands; how many were sent. The mark is for the judge: the gate does not know it."""
    topic = site.topic(LANES["commands"])
    genuine = [r for r in await records(site, [topic]) if r.value]
    async with AIOKafkaProducer(bootstrap_servers=site.cluster.bootstrap, enable_idempotence=True) as producer:
        sent = []
        for _ in range(count):
            record = rng.choice(genuine)
            value, headers = rng.choice((_altered, _invented, _repeated))(record, rng)
            sent.append(await producer.send(topic, value, record.key, headers=[*headers, MARK]))
        await asyncio.gather(*sent)
    return count


def _altered(record, rng):
    """Another content under a genuine id: everything is free."""
    command = _freed(decode(record.value))
    return encode(command), record.headers


def _invented(record, rng):
    """An id that fits its content, of a command that no worker decided, with a sequence of the future."""
    command = _freed(decode(record.value)) | {"sequence": decode(record.value)["sequence"] + rng.randrange(1, 1000)}
    names = ("contract", "milestone", "sequence", "action", "value", "released_to_date", "held", "targets", "carried")
    content = {name: command[name] for name in names if name in command}
    command["command_id"] = hashlib.sha256(rfc8785.dumps(content)).hexdigest()
    headers = [(n, command["command_id"].encode() if n == "ce_id" else v) for n, v in record.headers]
    return encode(command), headers


def _repeated(record, rng):
    """An old one again, as it was."""
    return record.value, record.headers


def _freed(command):
    targets = [t | {"payable_to_date": t["net"], "state": "free"} for t in command["targets"]]
    return command | {"action": "release", "released_to_date": command["value"], "targets": targets}
