"""The contender: what a team writes first. One FastStream handler a message, one row transaction, one awaited publish.

It applies the bench's rule (met, signed off, invoiced within value) to the same topics and keeps the same final state.

    python tests/bench/plain_handler.py BOOTSTRAP DSN PREFIX COUNT     prints {"events", "seconds", "commands"}
"""

import asyncio
import json
import sys
import time
from datetime import datetime
from typing import Any

import asyncpg
from faststream import FastStream
from faststream.kafka import KafkaBroker
from pydantic import BaseModel
from rule import allowed, learn, value_of

TABLE = """
CREATE TABLE IF NOT EXISTS plain_milestone (
    contract text, milestone text, allowed numeric DEFAULT 0, sequence int DEFAULT 0,
    known jsonb DEFAULT '{"assessed": [], "signed": {}, "invoice": null}', PRIMARY KEY (contract, milestone))
"""


class Event(BaseModel):
    """A CloudEvent, read with pydantic as the framework's manual shows."""

    id: str
    type: str
    time: datetime
    data: dict[str, Any]


class Handler:
    """Counts what it has handled and stops the app after `count`."""

    def __init__(self, pool: asyncpg.Pool, broker: KafkaBroker, prefix: str, count: int) -> None:
        self.pool, self.broker, self.prefix, self.count = pool, broker, prefix, count
        self.handled, self.commands, self.began, self.ended = 0, 0, 0.0, 0.0
        self.done = asyncio.Event()

    async def handle(self, body: bytes) -> None:
        """One message, one transaction, at most one command."""
        event = Event.model_validate_json(body)  # the framework knows no CloudEvents content type and hands over bytes
        self.began = self.began or time.perf_counter()
        contract, milestone = event.data["contract"], event.data["milestone"]
        command = await self.apply(event, contract, milestone)
        if command is not None:
            await self.broker.publish(command, topic=f"{self.prefix}.commands", key=contract.encode())
            self.commands += 1
        self.handled += 1
        if self.handled == self.count:
            self.ended = time.perf_counter()
            self.done.set()

    async def apply(self, event: Event, contract: str, milestone: str) -> dict[str, Any] | None:
        """Change one row under its lock; the command if its decision changed."""
        async with self.pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(
                "SELECT * FROM plain_milestone WHERE contract = $1 AND milestone = $2 FOR UPDATE", contract, milestone
            )
            known = json.loads(row["known"])
            learn(known, event.type, event.time.timestamp(), event.data)
            may = allowed(known, value_of(milestone))
            changed = may != row["allowed"]
            await connection.execute(
                "UPDATE plain_milestone SET known = $3, allowed = $4, sequence = sequence + $5 "
                "WHERE contract = $1 AND milestone = $2",
                contract, milestone, json.dumps(known), may, int(changed),
            )  # fmt: skip
        if not changed:
            return None
        return {"contract": contract, "milestone": milestone, "allowed": str(may), "sequence": row["sequence"] + 1}


async def run(bootstrap: str, dsn: str, prefix: str, count: int) -> dict[str, Any]:
    """Handle `count` messages and say how long it took."""
    pool = await asyncpg.create_pool(dsn, min_size=1, max_size=4)
    broker = KafkaBroker(bootstrap, logger=None)
    handler = Handler(pool, broker, prefix, count)
    topics = [f"{prefix}.{topic}" for topic in ("project.events", "erp.events", "operator.events")]
    broker.subscriber(*topics, group_id=prefix, auto_offset_reset="earliest")(handler.handle)
    app = FastStream(broker, logger=None)
    task = asyncio.create_task(app.run())
    await handler.done.wait()
    app.exit()
    await task
    await pool.close()
    return {"events": count, "seconds": handler.ended - handler.began, "commands": handler.commands}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))))
