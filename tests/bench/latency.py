"""From produce to command readable, at a steady rate of events that each release a milestone; and after kill -9."""

import asyncio
import contextlib
import subprocess
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

import workload
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from milepost_runs import EXPLAINING, Worker, register
from other_runs import streams_command
from stage import EVENT_TOPICS, Stage, until

IN_FLIGHT_S = 0.05  # what was said just before it died may arrive so much later
QUIET_S = 3.0  # after so long without a command nothing is left over from the preparations


class Program(Protocol):
    """What is measured: it runs when it is made."""

    def stop(self) -> None:
        """End it."""

    def kill(self) -> None:
        """kill -9."""


class Measured(NamedTuple):
    """Milliseconds of each event, and seconds from kill -9 to the next command (nan where nothing was killed)."""

    took_ms: list[float]
    recovery_s: float


class Streams:
    """The contender in Java, committing every `commit_ms`."""

    def __init__(self, stage: Stage, prefix: str, commit_ms: int) -> None:
        command = streams_command(stage, prefix, 0, commit_ms)
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(60)


async def of_milepost(stage: Stage, prefix: str, rate: int, seconds: int, *, killed: bool = False) -> Measured:
    """One worker."""
    dsn, config = await stage.milepost(prefix, EXPLAINING)
    count = rate * seconds
    await register(stage, prefix, config, count + 1, 1, dsn)
    return await measured(
        stage, prefix, f"{prefix}.finance.commands", lambda: Worker(config), rate, count, killed=killed
    )


async def of_streams(
    stage: Stage, prefix: str, rate: int, seconds: int, *, commit_ms: int = 100, killed: bool = False
) -> Measured:
    """Kafka Streams, exactly_once_v2."""
    await stage.topics(prefix, (*EVENT_TOPICS, "commands"))
    make = lambda: Streams(stage, prefix, commit_ms)  # noqa: E731 -- the twin of the one above
    return await measured(stage, prefix, f"{prefix}.commands", make, rate, rate * seconds, killed=killed)


async def measured(
    stage: Stage, prefix: str, commands: str, make: Callable[[], Program], rate: int, count: int, *, killed: bool
) -> Measured:
    """Send invoices at the rate and wait for each one's release."""
    await stage.send(prefix, [event for contract in range(count + 1) for event in workload.proofs(contract)])
    run = _Run(stage, prefix, commands, make)
    await run.start()
    try:
        await run.probe(count)
        recovery_s = await run.killed_at_half(rate, count) if killed else await run.invoices(rate, range(count))
    finally:
        await run.end()
    return Measured(run.took_ms, recovery_s)


class _Run:
    """What is measured, a producer, a reader of commands, and what was sent when."""

    def __init__(self, stage: Stage, prefix: str, commands: str, make: Callable[[], Program]) -> None:
        self.took_ms: list[float] = []
        self._prefix, self._make = prefix, make
        self._sent: dict[bytes, float] = {}
        self._arrived: dict[bytes, float] = {}
        self._last = 0.0  # when a command came last
        self._producer = AIOKafkaProducer(bootstrap_servers=stage.kafka.bootstrap, acks="all")
        self._consumer = AIOKafkaConsumer(
            commands, bootstrap_servers=stage.kafka.bootstrap, isolation_level="read_committed"
        )

    async def start(self) -> None:
        await self._producer.start()
        await self._consumer.start()
        await self._consumer.seek_to_end()
        self._reader = asyncio.create_task(self._read())
        self._program = self._make()

    async def end(self) -> None:
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader
        await self._consumer.stop()
        await self._producer.stop()
        self._program.stop()

    async def probe(self, contract: int) -> None:
        """One invoice ahead of all: when its release is there, everything before it is done."""
        await self._send(contract)
        await until(lambda: self._has(contract), "the first release")
        await until(self._quiet, "nothing follows")
        self.took_ms.clear()

    async def invoices(self, rate: int, contracts: range) -> float:
        """Send them steadily, then wait for the last release; nan, since nobody has to recover."""
        began = time.perf_counter()
        for n, contract in enumerate(contracts):
            await asyncio.sleep(max(0.0, began + n / rate - time.perf_counter()))
            await self._send(contract)
        await until(lambda: self._have(contracts), "every release", 180)
        return float("nan")

    async def killed_at_half(self, rate: int, count: int) -> float:
        """kill -9 amid the stream, started again at once; seconds until the next command."""
        sending = asyncio.create_task(self.invoices(rate, range(count)))
        await until(lambda: self._has(count // 2), "half of it")
        self._program.kill()
        at = time.perf_counter()
        self._program = self._make()
        await sending
        return min(t for t in self._arrived.values() if t > at + IN_FLIGHT_S) - at

    async def _send(self, contract: int) -> None:
        event = workload.invoice_event(contract)
        self._sent[event.key] = time.perf_counter()
        await self._producer.send(
            f"{self._prefix}.{event.topic}", event.value, key=event.key, headers=list(event.headers)
        )

    async def _quiet(self) -> bool:
        return time.perf_counter() > self._last + QUIET_S

    async def _has(self, contract: int) -> bool:
        return workload.name(contract).encode() in self._arrived

    async def _have(self, contracts: range) -> bool:
        return all([await self._has(contract) for contract in contracts])

    async def _read(self) -> None:
        while True:
            record = await self._consumer.getone()
            self._last = time.perf_counter()
            if record.key in self._sent and record.key not in self._arrived:
                self._arrived[record.key] = self._last
                self.took_ms.append((self._last - self._sent[record.key]) * 1000)


def quantile(values: list[float], share: float) -> float:
    """The value below which a share of all lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
