"""Each server that the other tests stand on is what it says, and keeps what it acknowledged through kill -9."""

import base64
import json
from datetime import UTC, datetime

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from servers.kafka_topics import make_topics
from servers.kafka_wire import is_apache_kafka


def today():
    return str(datetime.now(UTC).date())


def domain(*clauses):
    return base64.urlsafe_b64encode(json.dumps(clauses).encode()).decode()


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


async def test_kafka_keeps_acknowledged_records_through_kill_9(own_kafka):
    await make_topics(own_kafka.bootstrap, {"servers.killed": 1})
    producer = AIOKafkaProducer(bootstrap_servers=own_kafka.bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        before = [b"%d" % number for number in range(200)]
        for value in before:
            await producer.send_and_wait("servers.killed", value)
        dead = own_kafka.pid
        own_kafka.kill()
        own_kafka.start()
        assert own_kafka.pid != dead
        await producer.send_and_wait("servers.killed", b"after")
    finally:
        await producer.stop()
    assert await read_all(own_kafka.bootstrap, "servers.killed") == [*before, b"after"]


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


def test_tryton_refuses_to_block_a_blocked_payable_and_says_who_blocked_it(tryton):
    goods = {"product": tryton.ids["rotor"], "quantity": 2, "unit_price": "118500", "delivery_date": "2027-02-20"}
    service = {"product": tryton.ids["service"], "quantity": 1, "unit_price": "30000", "delivery_date": "2027-01-20"}
    order = tryton.create_purchase([goods, service], reference="C-1/M1")
    tryton.receive(order["id"], {order["lines"][0]: 1})
    invoice = tryton.post_invoice(order["id"], "INV-9001", today(), line=order["lines"][0])
    assert invoice["total"] == "118500.00"
    payable = f"model/account.move.line/{invoice['lines_to_pay'][0]}"

    assert tryton.rest("POST", f"{payable}/payment_block", {}, who="gate")[0] == 200
    assert tryton.rest("POST", f"{payable}/payment_block", {}, who="gate")[0] == 400
    who_pressed = domain(["resource", "=", f"account.move.line,{invoice['lines_to_pay'][0]}"])
    pressed = tryton.rest("GET", f"model/ir.model.log?f=user&f=target&d={who_pressed}", who="gate")[1]
    assert [(entry["target"], entry["user"]) for entry in pressed] == [("payment_block", tryton.users["gate"])]
    assert tryton.rest("POST", f"{payable}/payment_unblock", {}, who="gate")[0] == 200
    assert tryton.rest("POST", f"{payable}/payment_unblock", {}, who="gate")[0] == 400


def test_tryton_takes_the_rest_of_the_order_and_a_payment_through_approval(tryton):
    goods = {"product": tryton.ids["rotor"], "quantity": 3, "unit_price": "1000", "delivery_date": "2027-02-20"}
    order = tryton.create_purchase([goods], reference="C-2/M1")
    (line,) = order["lines"]
    tryton.receive(order["id"], {line: 1})
    tryton.receive(order["id"], {line: 2})
    assert (
        tryton.rest("GET", f"model/purchase.purchase/{order['id']}?f=shipment_state")[1]["shipment_state"] == "received"
    )
    invoice = tryton.post_invoice(order["id"], "INV-9002", today())
    payment = tryton.create_payment(invoice["lines_to_pay"][0], today())
    assert tryton.click("account.payment", payment["id"], "submit")["state"] == "submitted"
    assert tryton.click("account.payment", payment["id"], "approve")["state"] == "approved"


def test_a_reset_tryton_has_forgotten_every_order(tryton):
    tryton.reset()
    assert tryton.rest("GET", "model/purchase.purchase") == (200, [])


def test_redmine_moves_and_closes_a_version_and_shows_it_to_the_collector(redmine):
    project = redmine.create_project("turbine-hall")["id"]
    version = redmine.create_version(project, "M1 Factory acceptance test", "2026-12-15", description="PO 1 item 10")
    assert (version["status"], version["due_date"]) == ("open", "2026-12-15")
    moved = redmine.update_version(version["id"], due_date="2027-01-21", status="closed")
    assert (moved["status"], moved["due_date"]) == ("closed", "2027-01-21")
    _, seen = redmine.rest("GET", f"/projects/{project}/versions.json", who="collector")
    assert [(found["id"], found["status"]) for found in seen["versions"]] == [(version["id"], "closed")]


def test_redmine_closes_an_issue_keeps_its_history_and_forgets_a_deleted_one(redmine):
    project = redmine.create_project("boiler-house")["id"]
    version = redmine.create_version(project, "M1", "2026-12-15")["id"]
    issue = redmine.create_issue(project, "Witness FAT", fixed_version_id=version, due_date="2026-12-14")["id"]
    assert redmine.update_issue(issue, status="Closed", notes="done")["status"]["name"] == "Closed"
    _, answer = redmine.rest("GET", f"/issues/{issue}.json?include=journals", who="collector")
    assert answer["issue"]["journals"][0]["notes"] == "done"
    redmine.delete(f"/issues/{issue}.json")
    assert redmine.rest("GET", f"/issues/{issue}.json") == (404, None)


def test_redmine_keeps_what_it_acknowledged_through_kill_9(redmine):
    project = redmine.create_project("killed")["id"]
    redmine.kill()
    redmine.start()
    assert redmine.rest("GET", f"/projects/{project}.json")[0] == 200
