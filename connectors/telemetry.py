"""What a process tells about itself: one JSON line an event, and metrics for Prometheus.

Neither may give away secrets or people's data. So a log line has only fields of a fixed list, texts are cut, and of an
unexpected error only its type and where it happened are told, never its message.
"""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Any, TextIO

import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from structlog.typing import EventDict

from connectors import tracing

FIELDS = frozenset({
    "action", "attempts", "cause", "cluster", "contract", "contracts", "defect", "error", "http", "lane", "loop",
    "milestone", "name", "origin", "owner", "partitions", "pid", "records", "release", "rulebook", "seconds",
    "sentence", "sessions", "source", "topic", "where",
})  # fmt: skip
TEXT_MOST = 500
SPANS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

COUNTERS = {
    "milepost_facts_total": ("Facts by what became of them.", ("outcome",)),
    "milepost_records_total": ("Records carried.", ()),
    "milepost_records_ignored_total": ("Records that say nothing about milestones.", ()),
    "milepost_records_quarantined_total": ("Records set aside.", ()),
    "milepost_commands_total": ("Commands written, by action.", ("action",)),
    "milepost_published_total": ("Records confirmed by the broker, by lane.", ("lane",)),
    "milepost_woken_total": ("Contracts looked at again.", ()),
    "milepost_frozen_total": ("Contracts that could not be decided.", ()),
    "milepost_snapshots_left_out_total": ("Snapshots that could not be rendered.", ()),
    "milepost_parked_expired_total": ("Parked facts that nobody claimed in time.", ()),
    "milepost_fence_lost_total": ("Batches dropped because another worker had the partitions.", ()),
    "milepost_transient_errors_total": ("Attempts that the store or the broker let fail.", ("loop",)),
    "milepost_collected_total": ("Objects that collectors published.", ("source", "kind")),
    "milepost_collect_faults_total": ("Rounds in which something hindered a collector.", ("source",)),
    "milepost_console_logins_failed_total": ("Logins at the console that failed, of API or pages.", ("door",)),
    "milepost_webhooks_total": ("Deliveries of webhooks by what became of them.", ("source", "outcome")),
}
GAUGES = {
    "milepost_collect_skew_seconds": ("How far a system's clock is ahead of the collector's.", ("source",)),
    "milepost_collected_at_seconds": ("Unix time of the last round without a fault.", ("source",)),
    "milepost_lag_records": ("Records not read yet.", ("topic", "partition")),
    "milepost_lag_seconds": ("Age of what is read now, while records wait.", ("topic", "partition")),
    "milepost_read_to_seconds": ("Unix time up to which a partition was read.", ("topic", "partition")),
    "milepost_outbox_rows": ("Rows waiting to be published.", ("lane",)),
    "milepost_outbox_age_seconds": ("Age of the oldest row waiting to be published.", ("lane",)),
    "milepost_outbox_full": ("Whether workers have stopped reading, because too many rows wait.", ()),
    "milepost_parked": ("Parked facts.", ()),
    "milepost_quarantine_open": ("Records in quarantine on which nobody has decided.", ()),
    "milepost_parked_claimed": ("Parked facts although a contract claims one of their keys.", ()),
    "milepost_frozen_at_start": ("Contracts that could not be decided when the process started.", ()),
    "milepost_loop_age_seconds": ("Seconds since a loop moved.", ("loop",)),
}
HISTOGRAMS = {
    "milepost_batch_seconds": "From a batch in hand to its commit.",
    "milepost_publish_seconds": "From sending to the last confirmation.",
}


class Telemetry:
    """Logs to `out` and keeps metrics (port `Telemetry`)."""

    def __init__(self, out: TextIO | None = None, level: str = "info", **known: str) -> None:
        self._log = structlog.wrap_logger(
            structlog.PrintLogger(out or sys.stderr),
            processors=[_allowed, structlog.processors.TimeStamper(fmt="iso", utc=True), _json],
            wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        ).bind(**known)
        self.registry = CollectorRegistry()
        PlatformCollector(self.registry)
        ProcessCollector(registry=self.registry)
        self._counters = {n: Counter(n, h, labels, registry=self.registry) for n, (h, labels) in COUNTERS.items()}
        self._gauges = {n: Gauge(n, h, labels, registry=self.registry) for n, (h, labels) in GAUGES.items()}
        self._spans = {n: Histogram(n, h, buckets=SPANS, registry=self.registry) for n, h in HISTOGRAMS.items()}
        Info("milepost_build", "This process.", registry=self.registry).info(known)

    def event(self, level: str, event: str, **fields: object) -> None:
        """One line of the log."""
        getattr(self._log, level)(event, **fields)

    def count(self, metric: str, by: float = 1, **labels: str) -> None:
        """Add to a counter. Raises KeyError for one that is not declared above."""
        counter = self._counters[metric]
        (counter.labels(**labels) if labels else counter).inc(by)

    def gauge(self, metric: str, value: float, **labels: str) -> None:
        """Set a gauge. Raises KeyError for one that is not declared above."""
        gauge = self._gauges[metric]
        (gauge.labels(**labels) if labels else gauge).set(value)

    def took(self, metric: str, seconds: float) -> None:
        """Add one span. Raises KeyError for a histogram that is not declared above."""
        self._spans[metric].observe(seconds)
        tracing.ended(metric.removeprefix("milepost_").removesuffix("_seconds"), seconds)

    def defect(self, event: str, fault: BaseException) -> None:
        """An unexpected error: its type and where it happened, without its message."""
        frames = traceback.extract_tb(fault.__traceback__)
        where = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames[-12:]]
        self.event("error", event, defect=type(fault).__name__, where=where)

    def metrics(self) -> tuple[str, bytes]:
        """Content type and text of the metrics page."""
        return CONTENT_TYPE_LATEST, generate_latest(self.registry)

    def libraries_too(self) -> None:
        """Let warnings of libraries, which log by themselves, come out as lines of this log."""
        root = logging.getLogger()
        root.handlers[:] = [_Handler(self)]
        root.setLevel(logging.WARNING)


class _Handler(logging.Handler):
    def __init__(self, telemetry: Telemetry) -> None:
        super().__init__()
        self._telemetry = telemetry

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno < logging.WARNING:  # nothing is wrong: a call that was made, and how it ended
            self._telemetry.event("info", "library", name=record.name, sentence=record.getMessage())
            return
        level = "error" if record.levelno >= logging.ERROR else "warning"
        self._telemetry.event(level, "library", name=record.name, error=record.getMessage())


def _allowed(_: object, level: str, event: EventDict) -> EventDict:
    """Only known fields, and no long texts."""
    kept: dict[str, Any] = {"event": event.pop("event"), "level": level}
    left_out = sorted(event.keys() - FIELDS)
    kept |= {name: _short(value) for name, value in event.items() if name in FIELDS}
    return kept | ({"left_out": left_out} if left_out else {})


def _short(value: object) -> object:
    return value[:TEXT_MOST] if isinstance(value, str) else value


_json = structlog.processors.JSONRenderer(sort_keys=False)
