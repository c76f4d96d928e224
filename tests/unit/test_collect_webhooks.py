"""The receiver of webhooks, over a real socket: what is not signed is not taken, and what is taken is untouched."""

import asyncio
import base64
import hmac
from collections import Counter

import httpx
import pytest
from collecting import Rig

from connectors import http_server, webhooks
from connectors.webhooks import Hook, receiver
from contracts_schema.errors import ConfigurationError
from services.runtime.health import Health, pages

SECRET = b"s3cret-of-redmine"
BODY = '{"payload":{"action":"updated","issue":{"id":1,"subject":"Prüfung \\u00e4"}}}'.encode()


def signed(body=BODY, secret=SECRET, how="sha256"):
    return hmac.new(secret, body, how).hexdigest()


@pytest.fixture
def hooks(tmp_path):
    def secret(name, content):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    github_like = Hook("pm", "project.events", "/hooks/pm", secret("pm", SECRET + b"\n"), "X-Redmine-Signature-256",
                       prefix="sha256=", kind="issue", delivery_header="X-Delivery")  # fmt: skip
    old = Hook("op", "project.events", "/hooks/op", secret("op", SECRET), "X-OP-Signature", "sha1-hex", "sha1=")
    portal = Hook("portal", "supplier.events", "/portal", secret("portal", SECRET), "X-Signature", "sha256-base64")
    return [github_like, old, portal]


@pytest.fixture
def rig():
    return Rig()


@pytest.fixture
def outcomes():
    return Counter()


@pytest.fixture
async def port(hooks, rig, outcomes):
    def count(source, outcome):
        outcomes[source, outcome] += 1

    health = pages(Health(()), lambda: ("text/plain", b"metrics"))
    async with http_server.serving(receiver(hooks, rig.publisher.publish, count, health), "127.0.0.1", 0) as port:
        yield port


@pytest.fixture
async def client(port):
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        yield client


async def post(client, path="/hooks/pm", body=BODY, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return (await client.post(path, content=body, headers={"content-type": "application/json", **named})).status_code


async def test_a_signed_delivery_is_a_record_as_it_came(client, rig, outcomes):
    said = {"X_Redmine_Signature_256": "sha256=" + signed(), "X_Delivery": "d-1"}
    assert await post(client, **said) == 202
    (record,) = rig.news("project.events")
    assert (record.key, record.value) == (b"pm", BODY)
    assert record.header("milepost-source") == "pm"
    assert record.header("milepost-kind") == "issue"
    assert record.header("content-type") == "application/json"
    assert record.header("milepost-delivery") == "d-1"
    assert record.header("milepost-observed-at") is None
    assert outcomes == {("pm", "accepted"): 1}


async def test_each_source_has_a_scheme_of_its_own(client, rig):
    assert await post(client, "/hooks/op", X_OP_Signature="sha1=" + signed(how="sha1")) == 202
    assert await post(client, "/hooks/op", X_OP_Signature="sha256=" + signed()) == 401
    in_base64 = base64.b64encode(hmac.digest(SECRET, BODY, "sha256")).decode()
    assert await post(client, "/portal", X_Signature=in_base64) == 202
    assert await post(client, "/portal", X_Signature=signed()) == 401
    assert len(rig.news("project.events")) == len(rig.news("supplier.events")) == 1


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "sha256=",
        signed(),
        "sha1=" + signed(how="sha1"),
        "sha256=" + signed(secret=b"other"),
        "sha256=" + signed(b"other"),
        "sha256=" + signed()[:-2],
        "sha256=" + signed() + "00",
        "SHA256=" + signed(),
        "sha256=\xe4",
    ],
)
async def test_a_wrong_signature_is_refused_and_counted(client, rig, outcomes, signature):
    assert await post(client, X_Redmine_Signature_256=signature.encode("latin-1")) == 401
    assert rig.news("project.events") == []
    assert sum(outcomes.values()) == 1


async def test_a_missing_or_doubled_signature_is_refused(client, rig, outcomes):
    assert await post(client) == 401
    twice = [("X-Redmine-Signature-256", "sha256=" + signed()), ("X-Redmine-Signature-256", "sha256=" + signed())]
    assert (await client.post("/hooks/pm", content=BODY, headers=twice)).status_code == 401
    assert outcomes == {("pm", "not signed"): 2}
    assert rig.news("project.events") == []


async def test_while_secrets_are_exchanged_both_count_and_afterwards_only_the_new_one(client, hooks):
    old, new = "sha256=" + signed(), "sha256=" + signed(secret=b"new")
    hooks[0].secret_file.write_bytes(SECRET + b"\nnew\n")
    assert [await post(client, X_Redmine_Signature_256=one) for one in (old, new)] == [202, 202]
    hooks[0].secret_file.write_bytes(b"new\n")
    assert [await post(client, X_Redmine_Signature_256=one) for one in (old, new)] == [401, 202]


async def test_without_a_readable_secret_nothing_is_taken_and_the_sender_tries_again(client, hooks, rig):
    hooks[0].secret_file.unlink()
    assert await post(client, X_Redmine_Signature_256="sha256=" + signed()) == 503
    assert rig.news("project.events") == []


async def test_a_broker_that_is_down_is_503_and_then_202(client, rig, outcomes):
    rig.publisher.refuses = True
    answer = await client.post("/hooks/pm", content=BODY, headers={"X-Redmine-Signature-256": "sha256=" + signed()})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    rig.publisher.refuses = False
    assert await post(client, X_Redmine_Signature_256="sha256=" + signed()) == 202
    assert outcomes == {("pm", "not published"): 1, ("pm", "accepted"): 1}


async def test_the_largest_body_is_taken_and_one_byte_more_is_not(client, rig):
    for size, status in ((webhooks.BODY_BYTES, 202), (webhooks.BODY_BYTES + 1, 413)):
        body = b"x" * size
        assert await post(client, body=body, X_Redmine_Signature_256="sha256=" + signed(body)) == status
    assert len(rig.news("project.events")) == 1


async def spoken(port, *parts):
    """What the receiver answers to a sender who says this and then waits."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await writer.drain()
    async with asyncio.timeout(5):
        first = await reader.readline()
    writer.close()
    return first


async def test_a_body_of_untold_length_is_read_no_further_than_allowed(port, outcomes):
    head = b"POST /hooks/pm HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    assert b" 413 " in await spoken(port, head, *[chunk] * 5)
    assert outcomes == {("pm", "too large"): 1}


async def test_a_body_that_does_not_come_is_given_up(port, outcomes, monkeypatch):
    monkeypatch.setattr(webhooks, "BODY_S", 0.3)
    head = b"POST /hooks/pm HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
    assert b" 408 " in await spoken(port, head, b"x")
    assert outcomes == {("pm", "too slow"): 1}


async def test_a_head_that_does_not_come_costs_no_connection(port, monkeypatch):
    monkeypatch.setattr(http_server, "HEAD_S", 0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /hooks/pm HTTP/1.1\r\nHost: x\r\n")
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()


async def test_an_empty_or_compressed_body_is_refused(client):
    assert await post(client, body=b"", X_Redmine_Signature_256="sha256=" + signed(b"")) == 400
    assert await post(client, content_encoding="gzip", X_Redmine_Signature_256="sha256=" + signed()) == 415


async def test_other_paths_and_methods_are_nobodys(client):
    assert await post(client, "/hooks/other") == 404
    assert await post(client, "/hooks/pm/") == 404
    assert (await client.get("/hooks/pm")).status_code == 405


async def test_health_and_metrics_are_served_beside(client):
    assert [(await client.get(path)).text for path in ("/healthz", "/readyz", "/metrics")] == ["ok", "ok", "metrics"]


async def test_an_unfit_delivery_id_is_left_out(client, rig):
    said = {"X_Redmine_Signature_256": "sha256=" + signed(), "X_Delivery": "x" * 400}
    assert await post(client, **said) == 202
    assert rig.news("project.events")[0].header("milepost-delivery") is None


def test_a_path_of_two_sources_and_a_missing_secret_are_faults_of_the_set_up(hooks, tmp_path, rig):
    odd = [*hooks, Hook("x", "t", "/portal", tmp_path / "none", "X-Signature")]
    with pytest.raises(ConfigurationError) as refused:
        receiver(odd, rig.publisher.publish, lambda *_: None)
    assert len(refused.value.faults) == 3
