"""What the broker and the disk allow: reading alone, reading and writing, and a batch transaction alone."""

import time

import asyncpg
import msgspec
import workload
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from stage import EVENT_TOPICS, Stage

BATCH = 500


async def read_and_write(stage: Stage, prefix: str, events: list[workload.Event]) -> float:
    """Records a second that a bare aiokafka consumer reads and decodes while a producer sends one for each ten."""
    await stage.topics(prefix, (*EVENT_TOPICS, "commands"))
    await stage.send(prefix, events)
    topics = [f"{prefix}.{t}" for t in EVENT_TOPICS]
    consumer = AIOKafkaConsumer(
        *topics, bootstrap_servers=stage.kafka.bootstrap, group_id=prefix, auto_offset_reset="earliest",
        enable_auto_commit=False,
    )  # fmt: skip
    producer = AIOKafkaProducer(bootstrap_servers=stage.kafka.bootstrap, acks="all")
    await consumer.start()
    await producer.start()
    decode, count, began = msgspec.json.Decoder().decode, 0, 0.0
    while count < len(events):
        for records in (await consumer.getmany(timeout_ms=1_000, max_records=BATCH)).values():
            began = began or time.perf_counter()
            for record in records:
                decode(record.value)
            for record in records[::10]:
                await producer.send(f"{prefix}.commands", record.value, key=record.key)
            count += len(records)
    await producer.flush()
    seconds = time.perf_counter() - began
    await consumer.stop()
    await producer.stop()
    return count / seconds


async def batch_transactions(stage: Stage, batches: int = 200) -> float:
    """Rows a second: one transaction for 500 rows of 300 bytes, upserted, with an offset moved on."""
    connection = await asyncpg.connect(stage.postgres.create_database())
    await connection.execute("CREATE TABLE state (id int PRIMARY KEY, value bytea); CREATE TABLE place (next bigint)")
    await connection.execute("INSERT INTO place VALUES (0)")
    values = [b"x" * 300] * BATCH
    began = time.perf_counter()
    for n in range(batches):
        ids = [(n * BATCH + i) % 6_000 for i in range(BATCH)]
        async with connection.transaction():
            await connection.execute("UPDATE place SET next = next + $1", BATCH)
            await connection.execute(
                "INSERT INTO state SELECT * FROM unnest($1::int[], $2::bytea[]) "
                "ON CONFLICT (id) DO UPDATE SET value = excluded.value",
                ids, values,
            )  # fmt: skip
    seconds = time.perf_counter() - began
    await connection.close()
    return batches * BATCH / seconds
