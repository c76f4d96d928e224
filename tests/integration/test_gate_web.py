"""HTTP to finance: bounded, to its own host, and nothing that changes something is sent twice."""

import asyncio
import ssl
from contextlib import asynccontextmanager

import pytest
import trustme
from msgspec.json import encode

from connectors.finance.tryton import TrytonFinance
from connectors.finance.web import ANSWER_BYTES_MAX, Web, WebSettings
from contracts_schema.errors import ConfigurationError, TransientError
from contracts_schema.payables import CallState


@asynccontextmanager
async def a_host(*answers, tls=None):
    """A host that gives these raw answers, one a request; the last one for ever. None: it never answers."""
    asked, left = [], list(answers)

    async def serve(reader, writer):
        try:
            asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
            answer = left.pop(0) if len(left) > 1 else left[0]
            if answer is None:
                await asyncio.sleep(30)
            writer.write(answer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    yield f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
    server.close()


def reply(status, body=b"{}", *headers):
    head = [f"HTTP/1.1 {status} x", f"content-length: {len(body)}", "connection: close", *headers]
    return "\r\n".join([*head, "", ""]).encode() + body


@asynccontextmanager
async def a_web(url, token_file=None, timeout_s=0.3):
    web = Web(WebSettings(url, token_file, timeout_s))
    yield web
    await web.close()


async def test_reading_is_repeated_where_the_host_is_busy():
    async with a_host(reply(503), reply(500), reply(200, b'{"a":1}')) as (url, asked), a_web(url) as web:
        assert await web.read("x") == {"a": 1}
        assert len(asked) == 3


async def test_reading_gives_up_after_a_few_tries():
    async with a_host(reply(503)) as (url, asked), a_web(url) as web:
        with pytest.raises(TransientError, match="503"):
            await web.read("x")
        assert len(asked) == 3


@pytest.mark.parametrize("status", [301, 302, 401, 403])
async def test_a_redirect_is_not_followed_and_a_refusal_is_a_fault_of_the_set_up(status):
    async with (
        a_host(reply(status, b"{}", "location: http://127.0.0.1:9/elsewhere")) as (url, asked),
        a_web(url) as web,
    ):
        with pytest.raises(ConfigurationError, match=str(status)):
            await web.read("x")
        assert len(asked) == 1


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (reply(200), CallState.DONE), (reply(204, b""), CallState.DONE), (reply(400), CallState.REFUSED),
        (reply(403), CallState.REFUSED), (reply(500), CallState.UNKNOWN), (reply(502), CallState.UNKNOWN),
        (reply(429), CallState.UNKNOWN), (b"", CallState.UNKNOWN), (b"nonsense\r\n\r\n", CallState.UNKNOWN),
        (None, CallState.UNKNOWN), (reply(303, b"", "location: http://127.0.0.1:9/done"), CallState.UNKNOWN),
    ],
)  # fmt: skip
async def test_a_change_is_sent_once_whatever_comes_back(answer, state):
    async with a_host(answer) as (url, asked), a_web(url) as web:
        assert (await web.change("POST", "x", {})).state is state
        assert len(asked) == 1


@pytest.mark.parametrize(
    "nonsense", ["[{}]", '[{"user": {}}]', '[{"user": [[]]}, {"user": 1}]', "[1]", "{}", "[]", '"x"', "null"]
)
async def test_a_tryton_that_answers_nonsense_is_not_understood_and_ends_nothing(nonsense):
    async with a_host(reply(200, nonsense.encode())) as (url, _):
        finance = TrytonFinance(WebSettings(url, None, 0.3))
        for ask in (finance.check(), finance.find("INV-1"), finance.get("account.invoice:1"), finance.open_bills(None)):
            with pytest.raises((TransientError, ConfigurationError)):
                await ask
        await finance.close()


async def test_an_invoice_of_tryton_whose_numbers_are_lists_is_not_understood():
    odd = {"id": 1, "user": 7, "type": "in", "state": "posted", "reference": "INV-1", "lines_to_pay": [], "lines": []}
    odd |= {"currency": {"code": "EUR"}, "untaxed_amount": 1, "total_amount": 1, "purchases": [{"lines": [[1]]}]}
    async with a_host(reply(200, encode([odd]))) as (url, _):
        finance = TrytonFinance(WebSettings(url, None, 0.3))
        with pytest.raises(TransientError, match="another shape"):
            await finance.find("INV-1")
        assert await finance.open_bills(None) == ([], None), "and hides no other open one"
        await finance.close()


async def test_an_answer_that_is_too_large_is_not_read_to_its_end():
    huge = reply(200, b" " * (ANSWER_BYTES_MAX + 1))
    async with a_host(huge) as (url, _), a_web(url, timeout_s=5) as web:
        with pytest.raises(TransientError, match="more than"):
            await web.read("x")


async def test_the_key_is_read_anew_and_never_told(tmp_path):
    key = tmp_path / "key"
    key.write_text("first-secret\n")
    async with a_host(reply(200), reply(401, b'{"message": "no"}')) as (url, asked), a_web(url, key) as web:
        await web.read("x")
        key.write_text("second-secret\n")
        with pytest.raises(ConfigurationError) as fault:
            await web.read("x")
        assert ["bearer first-secret" in asked[0], "bearer second-secret" in asked[1]] == [True, True]
        assert "secret" not in str(fault.value)


async def test_nobody_is_asked_but_the_configured_host(monkeypatch):
    """Neither where an answer sends us nor a proxy of the environment."""
    async with (
        a_host(reply(200)) as (elsewhere, asked),
        a_host(reply(302, b"", f"location: {elsewhere}/x")) as (url, _),
    ):
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, elsewhere)
        async with a_web(url) as web:
            with pytest.raises(ConfigurationError, match="302"):
                await web.read("x")
            assert (await web.change("PUT", "x", {})).state is CallState.UNKNOWN
        assert asked == []


async def test_a_certificate_counts_when_the_configured_authority_has_signed_it_for_this_host(tmp_path):
    ours, other = trustme.CA(), trustme.CA()
    ours.cert_pem.write_to_path(tmp_path / "ca.pem")
    for signed, known in ((ours.issue_cert("127.0.0.1"), True), (other.issue_cert("127.0.0.1"), False),
                          (ours.issue_cert("elsewhere.example"), False)):  # fmt: skip
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        signed.configure_cert(tls)
        async with a_host(reply(200, b"1"), tls=tls) as (url, asked):
            web = Web(WebSettings(url, None, 1, cafile=tmp_path / "ca.pem"))
            if known:
                assert await web.read("x") == 1
            else:
                with pytest.raises(TransientError):
                    await web.read("x")
                assert asked == []
            await web.close()


def test_a_key_does_not_travel_in_clear_unless_that_is_asked_for(tmp_path):
    with pytest.raises(ConfigurationError, match="would travel in clear"):
        Web(WebSettings("http://finance.example/api"))
    Web(WebSettings("http://finance.example/api", plain_http=True))
    with pytest.raises(ConfigurationError, match="cannot be used"):
        Web(WebSettings("https://finance.example", cafile=tmp_path / "none"))


async def test_a_key_that_cannot_be_read_is_a_fault_of_the_set_up(tmp_path):
    async with a_web("http://127.0.0.1:9", tmp_path / "none") as web:
        with pytest.raises(ConfigurationError, match="cannot be read"):
            await web.read("x")


@pytest.mark.parametrize("url", ["ftp://x", "file:///etc/passwd", "https://user:pass@x", "https://x?q=1", "x", ""])
def test_what_is_no_plain_address_is_refused_without_quoting_it(url):
    with pytest.raises(ConfigurationError) as fault:
        Web(WebSettings(url, None, 1))
    assert "pass" not in str(fault.value).replace("passwd", "")
