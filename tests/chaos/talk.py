"""What goes on all the time while faults come: systems speak, invoices come in, the tool changes and calls."""

import asyncio
import contextlib
import itertools
import time

import httpx
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from chaos.load import Load
from chaos.site import TOOL_PLAN, Site
from chaos.systems import deliver

RATE = 60.0  # records a second


class Talk:
    """Speaks until `quiet` is set; then says what is late still, and has the last delivery accepted."""

    def __init__(self, site: Site, load: Load) -> None:
        self.site, self.load = site, load
        self.quiet = asyncio.Event()
        self.sent = self.delivered = 0
        self.accepted: list[bytes] = []

    async def sources(self) -> None:
        """Records at a steady rate. One that was not confirmed is sent again: what systems do."""
        async with AIOKafkaProducer(
            bootstrap_servers=self.site.cluster.bootstrap, enable_idempotence=True, request_timeout_ms=10_000
        ) as producer:
            await self._send(producer, [self._tool_plan()])
            began, spoken = time.monotonic(), 0
            while not self.quiet.is_set():
                some = list(itertools.chain.from_iterable(self.load.next() for _ in range(4)))
                await self._send(producer, some)
                spoken += len(some)
                if self.load.invoices:
                    self.site.ledger.post(self.load.invoices.popleft())
                await self._pause(began + spoken / RATE - time.monotonic())
            await self._send(producer, list(self.load.rest()))
        while self.load.invoices:
            self.site.ledger.post(self.load.invoices.popleft())

    async def tool(self) -> None:
        """The tool changes."""
        while not self.quiet.is_set():
            self.site.tool.change()
            await self._pause(0.3)

    async def calls(self) -> None:
        """The tool calls, whichever collector takes it, until it is accepted."""
        async with httpx.AsyncClient(timeout=5) as client:
            turns = itertools.cycle(self.site.of("collect"))
            while not self.quiet.is_set():
                body = self.site.tool.delivery()
                self.delivered += 1
                while not await deliver(client, next(turns).address or "http://127.0.0.1:1", body):
                    await asyncio.sleep(0.1)
                self.accepted.append(body)
                await self._pause(0.2)

    async def _send(self, producer: AIOKafkaProducer, records: list) -> None:
        while records:
            waiting = [
                await producer.send(self.site.topic(r.topic), r.value, r.key, timestamp_ms=r.timestamp,
                                    headers=list(r.headers)) for r in records
            ]  # fmt: skip
            ended = await asyncio.gather(*waiting, return_exceptions=True)
            failed = [r for r, end in zip(records, ended, strict=True) if isinstance(end, KafkaError)]
            self.sent += len(records) - len(failed)
            records = failed

    def _tool_plan(self):
        (record,) = self.load.registered(TOOL_PLAN)
        return record

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self.quiet.wait()
