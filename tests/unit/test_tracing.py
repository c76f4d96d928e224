"""Spans where somebody asks for them, and nothing at all where nobody does."""

import sys

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from connectors import tracing
from connectors.finance.simulator import Ledger, serving
from connectors.finance.web import Web, WebSettings
from connectors.telemetry import Telemetry
from contracts_schema.errors import ConfigurationError


@pytest.fixture
def exporter():
    made = InMemorySpanExporter()
    tracing.turn_on("test", "0", made)
    yield made
    tracing.turn_off()


def seen(exporter):
    tracing._provider.force_flush()
    return {span.name: span for span in exporter.get_finished_spans()}


async def test_a_batch_a_publish_and_a_call_to_finance_are_spans_that_name_nobody(exporter):
    telemetry = Telemetry()
    telemetry.took("milepost_batch_seconds", 0.25)
    telemetry.took("milepost_publish_seconds", 0.5)
    async with serving(Ledger()) as url:
        web = Web(WebSettings(url))
        await web.read("whoami")
        await web.close()
    spans = seen(exporter)
    assert set(spans) == {"batch", "publish", "finance call"}
    assert spans["batch"].end_time - spans["batch"].start_time == 250_000_000
    assert spans["batch"].resource.attributes["service.name"] == "milepost-test"
    assert dict(spans["finance call"].attributes) == {"method": "GET", "status": 200}


async def test_a_call_without_an_answer_is_a_span_too(exporter):
    web = Web(WebSettings("http://127.0.0.1:9", timeout_s=0.2))
    await web.change("PUT", "x", {})
    await web.close()
    assert seen(exporter)["finance call"].attributes["status"] == "no answer"


def test_off_nothing_is_made():
    tracing.ended("batch", 1.0)
    assert tracing._tracer is None


def test_without_the_packages_it_is_refused_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'milepost\[otel\]'"):
        tracing.turn_on("test", "0")
