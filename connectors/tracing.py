"""Spans for OpenTelemetry, where somebody asks for them: one a batch, a publish, a call to a finance system.

Off until `turn_on`, and then free. Where spans go, and by which key, say OpenTelemetry's own variables of the
environment (`OTEL_EXPORTER_OTLP_ENDPOINT`, ...). A span tells how long something took and how it ended, never of whom
or what it was.
"""

from __future__ import annotations

import time
from typing import Any

from contracts_schema.errors import ConfigurationError

_tracer: Any = None
_provider: Any = None


def turn_on(process: str, release: str, exporter: Any = None) -> None:
    """Send spans from now on; to `exporter`, else by OTLP over HTTP.

    Raises:
        ConfigurationError: the packages for it are not installed.
    """
    global _tracer, _provider
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise ConfigurationError(["tracing: OpenTelemetry is not installed; pip install 'milepost[otel]'"]) from None
    known = {"service.name": f"milepost-{process}", "service.version": release}
    _provider = TracerProvider(resource=Resource.create(known))
    _provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
    _tracer = _provider.get_tracer("milepost")


def turn_off() -> None:
    """Send what waits, and no more."""
    global _tracer, _provider
    provider, _tracer, _provider = _provider, None, None
    if provider is not None:
        provider.shutdown()


def ended(name: str, seconds: float, **attributes: str | int) -> None:
    """Something has just ended that took so many seconds."""
    if _tracer is not None:
        now = time.time_ns()
        _tracer.start_span(name, start_time=now - round(seconds * 1e9), attributes=attributes).end(now)
