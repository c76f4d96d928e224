"""Asking a system over HTTP, against a real server that misbehaves as it is told."""

import asyncio
import gzip
import os
import time
import tracemalloc
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from connectors.finance.web import Web, WebSettings
from connectors.http_server import serving
from connectors.project.redmine import RedminePoller
from connectors.rest import Rest, RestSettings, TooLarge
from contracts_schema.collected import Busy
from contracts_schema.errors import ConfigurationError, TransientError
from contracts_schema.payables import CallState

KEY = "canary-4711"


class Vendor:
    """Answers each request with the next of its answers, the last one for ever."""

    def __init__(self):
        self.answers = []
        self.requests = []

    async def answer(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(request) if callable(answer) and not isinstance(answer, Response) else answer


@pytest.fixture
def token(tmp_path):
    file = tmp_path / "token"
    file.write_text(KEY + "\n")
    return file


@pytest.fixture
async def vendor():
    vendor = Vendor()
    app = Starlette(routes=[Route("/{path:path}", vendor.answer)])
    async with serving(app, "127.0.0.1", 0) as port:
        vendor.url = f"http://127.0.0.1:{port}"
        yield vendor


@asynccontextmanager
async def asking(vendor, token, **settings):
    quick = {"wait_s": 0.2, "read_s": 1.0, "answer_s": 2.0, **settings}
    async with Rest(RestSettings(vendor.url + "/base/", token, "Authorization", "bearer ", **quick)) as rest:
        yield rest


def answer(status=200, body="{}", **headers):
    return PlainTextResponse(body, status, {name.replace("_", "-"): value for name, value in headers.items()})


async def test_a_get_bears_the_key_and_stays_under_the_base(vendor, token):
    vendor.answers = [answer(body="[1]")]
    async with asking(vendor, token) as rest:
        assert await rest.get("/things.json", [("f[]", "a b"), ("f[]", "c")]) == b"[1]"
    (request,) = vendor.requests
    assert request.url.path == "/base/things.json"
    assert request.query_params.getlist("f[]") == ["a b", "c"]
    assert request.headers["authorization"] == "bearer " + KEY
    assert request.headers["accept-encoding"] == "identity"


async def test_a_key_that_is_exchanged_is_used_from_the_next_request_on(vendor, token):
    vendor.answers = [answer()]
    async with asking(vendor, token) as rest:
        await rest.get("/a")
        token.write_text("new-key")
        await rest.get("/a")
    assert [r.headers["authorization"] for r in vendor.requests] == ["bearer " + KEY, "bearer new-key"]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_what_is_over_in_a_moment_is_tried_again(vendor, token, status):
    vendor.answers = [answer(status), answer(status), answer(body="[]")]
    async with asking(vendor, token) as rest:
        assert await rest.get("/a") == b"[]"
    assert len(vendor.requests) == 3


async def test_after_three_attempts_the_caller_decides(vendor, token):
    vendor.answers = [answer(503)]
    async with asking(vendor, token) as rest:
        with pytest.raises(TransientError, match="/base/a answers 503"):
            await rest.get("/a")
    assert len(vendor.requests) == 3


async def test_an_inner_error_is_not_repeated_at_once(vendor, token):
    vendor.answers = [answer(500)]
    async with asking(vendor, token) as rest:
        with pytest.raises(TransientError):
            await rest.get("/a")
    assert len(vendor.requests) == 1


async def test_a_short_retry_after_is_waited_for(vendor, token):
    vendor.answers = [answer(429, Retry_After="1"), answer()]
    async with asking(vendor, token, wait_s=1.5) as rest:
        began = time.monotonic()
        await rest.get("/a")
    assert time.monotonic() - began >= 1


@pytest.mark.parametrize(
    ("told", "seconds"), [("600", 600), ("999999999", 3600), ("Thu, 01 Jan 2099 00:00:00 GMT", 3600)]
)
async def test_a_long_retry_after_is_left_to_the_caller(vendor, token, told, seconds):
    vendor.answers = [answer(503, Retry_After=told)]
    async with asking(vendor, token) as rest:
        with pytest.raises(Busy) as busy:
            await rest.get("/a")
    assert busy.value.retry_after_s == seconds
    assert len(vendor.requests) == 1


async def test_a_missing_thing_is_none(vendor, token):
    vendor.answers = [answer(404)]
    async with asking(vendor, token) as rest:
        assert await rest.get("/a") is None


@pytest.mark.parametrize(
    ("status", "words"), [(401, "does not know the key"), (403, "give it the right"), (400, "right")]
)
async def test_a_refusal_is_a_fault_of_the_set_up_with_its_remedy_and_without_secrets(vendor, token, status, words):
    vendor.answers = [answer(status, body=f"user jane with {KEY}")]
    async with asking(vendor, token) as rest:
        with pytest.raises(ConfigurationError, match=words) as refused:
            await rest.get("/a", [("q", "jane")])
    assert KEY not in repr(refused.value)
    assert "jane" not in repr(refused.value)


async def test_a_redirect_is_not_followed(vendor, token):
    vendor.answers = [RedirectResponse("http://169.254.169.254/latest")]
    async with asking(vendor, token) as rest:
        with pytest.raises(ConfigurationError, match="we do not follow"):
            await rest.get("/a")
    assert len(vendor.requests) == 1


async def test_an_answer_larger_than_what_is_read_is_broken_off(vendor, token):
    async def large(_):
        async def chunks():
            for _ in range(100):
                yield b"x" * 65536

        return StreamingResponse(chunks())

    vendor.answers = [large]
    async with asking(vendor, token, answer_bytes=200_000) as rest:
        with pytest.raises(TooLarge) as broken_off:
            await rest.get("/a")
    assert len(broken_off.value.start) == 200_000


async def test_an_answer_that_trickles_is_given_up(vendor, token):
    async def slow(_):
        async def chunks():
            for _ in range(20):
                yield b"x"
                await asyncio.sleep(0.1)

        return StreamingResponse(chunks())

    vendor.answers = [slow]
    async with asking(vendor, token, answer_s=0.5, attempts=1) as rest:
        with pytest.raises(TransientError, match="not in time"):
            await rest.get("/a")


async def test_a_server_that_is_not_there_is_transient(vendor, token):
    vendor.url = "http://127.0.0.1:9"
    async with asking(vendor, token, attempts=2) as rest:
        with pytest.raises(TransientError, match="ConnectError"):
            await rest.get("/a")


async def test_proxies_of_the_environment_are_ignored(vendor, token, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setitem(os.environ, name, "http://127.0.0.1:9")
    vendor.answers = [answer()]
    async with asking(vendor, token) as rest:
        assert await rest.get("/a") == b"{}"


@pytest.mark.parametrize("content", ["", "two words", "\x00"])
async def test_a_file_without_a_key_is_a_fault_and_no_request(vendor, token, content):
    token.write_text(content)
    async with asking(vendor, token) as rest:
        with pytest.raises(ConfigurationError, match="holds no key"):
            await rest.get("/a")
    assert vendor.requests == []


@pytest.mark.parametrize("ahead_s", [0, 3600, -3600])
async def test_the_clock_of_the_system_is_believed_where_it_differs_by_seconds(vendor, token, ahead_s):
    vendor.answers = [answer()]
    settings = RestSettings(vendor.url, token, "Authorization")
    async with Rest(settings, lambda: time.time_ns() // 1000 + ahead_s * 1_000_000) as rest:
        await rest.get("/a")
        assert abs(rest.now() - time.time_ns() // 1000) < 2_000_000
        assert bool(rest.skew) is bool(ahead_s)


@pytest.mark.parametrize("url", ["ftp://erp/x", "erp", "https://user:pw@erp", "https://erp/?a=1"])
def test_an_address_that_is_none_is_refused(token, url):
    with pytest.raises(ConfigurationError) as refused:
        Rest(RestSettings(url, token, "Authorization"))
    assert "pw" not in str(refused.value)


def test_a_key_travels_in_clear_only_where_that_was_asked_for(token):
    with pytest.raises(ConfigurationError, match="in clear"):
        Rest(RestSettings("http://erp.example", token, "Authorization"))
    Rest(RestSettings("http://erp.example", token, "Authorization", plain_http=True))


async def test_a_redmine_that_gives_the_same_projects_without_end_is_given_up(vendor, token):
    vendor.answers = [answer(body='{"projects": [{"id": 1}, {"id": 2}]}')]
    async with asking(vendor, token) as rest, asyncio.timeout(5):
        with pytest.raises(TransientError, match="again and again"):
            await RedminePoller(rest, page=2).page("version", 1, None)


async def test_a_packed_answer_is_refused_before_it_grows(vendor, token):
    vendor.answers = [Response(gzip.compress(bytes(10**8)), headers={"content-encoding": "gzip"})]
    tracemalloc.start()
    async with asking(vendor, token) as rest:
        with pytest.raises(ConfigurationError, match="packs its answer"):
            await rest.get("/x")
    finance = Web(WebSettings(vendor.url, token, 2))
    with pytest.raises(TransientError, match="packs its answer"):
        await finance.read("x")
    assert (await finance.change("GET", "x", {})).state is CallState.UNKNOWN
    await finance.close()
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()
