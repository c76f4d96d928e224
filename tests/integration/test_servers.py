"""Each server that the other tests stand on is what it says, and keeps what it acknowledged through kill -9."""

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from servers.kafka_topics import make_topics
from servers.kafka_wire import is_apache_kafka


async def read_all(bootstrap, topic):
    partition = TopicPartition(topic, 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        found = []
        while len(found) < end:
            found += [record.value for record in (await consumer.getmany(timeout_ms=500)).get(partition, [])]
        return found
    finally:
        await consumer.stop()


async def test_kafka_is_apache_kafka_and_describes_the_topic_it_made(kafka):
    await make_topics(kafka.bootstrap, {"servers.metadata": 3})
    assert is_apache_kafka(kafka.bootstrap)


async def test_kafka_keeps_acknowledged_records_through_kill_9(kafka):
    await make_topics(kafka.bootstrap, {"servers.killed": 1})
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        before = [b"%d" % number for number in range(200)]
        for value in before:
            await producer.send_and_wait("servers.killed", value)
        dead = kafka.pid
        kafka.kill()
        kafka.start()
        assert kafka.pid != dead
        await producer.send_and_wait("servers.killed", b"after")
    finally:
        await producer.stop()
    assert await read_all(kafka.bootstrap, "servers.killed") == [*before, b"after"]


async def test_postgres_keeps_committed_rows_through_kill_9_and_forgets_the_uncommitted(postgres_server, postgres_dsn):
    connection = await asyncpg.connect(postgres_dsn)
    assert await connection.fetchval("show fsync") == "on"
    await connection.execute("create table kept (n int)")
    await connection.executemany("insert into kept values ($1)", [(n,) for n in range(1000)])
    open_transaction = connection.transaction()
    await open_transaction.start()
    await connection.execute("insert into kept values (-1)")
    postgres_server.kill()
    connection.terminate()
    postgres_server.start()
    again = await asyncpg.connect(postgres_dsn)
    assert await again.fetchval("select count(*) from kept where n >= 0") == 1000
    assert await again.fetchval("select count(*) from kept where n < 0") == 0
    await again.close()


async def test_a_postgres_database_is_copied_from_a_template(postgres_server, postgres_dsn):
    connection = await asyncpg.connect(postgres_dsn)
    await connection.execute("create table pattern (n int)")
    await connection.close()
    copy = postgres_server.create_database(template=postgres_dsn.rpartition("/")[2])
    connection = await asyncpg.connect(copy)
    assert await connection.fetchval("select count(*) from pattern") == 0
    await connection.close()
    postgres_server.drop_database(copy)
