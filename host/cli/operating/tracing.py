"""Spans of a command's run, where OpenTelemetry's variables ask for them, and the trace it was started in.

``TRACEPARENT`` is the parent of the run's span; where no spans are made, agents pass it on as it is.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from flowcage.host.agents.trace import set_trace, trace_in
from flowcage.host.cli.console import note, tell_record
from flowcage.host.terminal.text import wait_until_told

if TYPE_CHECKING:
    from flowcage.host.events.records import Event, Listener

# Makes of a listener one that makes spans, too.
Traced: TypeAlias = "Callable[[Listener | None], Listener | None]"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_FLUSH_SECONDS = 5.0


def exporter_of(environment: Mapping[str, str]) -> str | None:
    """``otlp`` or ``console``, as OpenTelemetry's variables say; None where nobody asks for spans.

    Raises:
        ValueError: another exporter.
    """
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    chosen = environment.get("OTEL_TRACES_EXPORTER", "")
    if not chosen:
        return "otlp" if any(environment.get(name) for name in _ENDPOINTS) else None
    if chosen not in ("none", "otlp", "console"):
        raise ValueError(f"OTEL_TRACES_EXPORTER={chosen}: flowcage has otlp, console and none")
    return None if chosen == "none" else chosen


@contextmanager
def traced() -> Iterator[Traced]:
    """Make spans for the length of a block, where the environment asks for them."""
    try:
        exporter = exporter_of(os.environ)
        provider, counting = (None, None) if exporter is None else _provider(exporter)
    except (ImportError, ValueError) as error:
        note(f"warning: no spans are made: {error}")
        provider = counting = None
    set_trace(trace_in(os.environ))
    if provider is None:
        yield lambda listener: listener
        return
    try:
        yield _with_spans(provider)
    finally:
        exporting = threading.Thread(target=provider.shutdown, daemon=True)
        exporting.start()
        exporting.join(_FLUSH_SECONDS)  # of a collector that does not answer
        if counting is not None and (exporting.is_alive() or counting.lost):
            note("warning: spans could not be exported; see to the collector, or unset its variables")
        wait_until_told()  # the command has told all else, and is about to exit


def _with_spans(provider: Any) -> Traced:
    from opentelemetry.context import attach
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    from flowcage.host.metrics.opentelemetry import spans

    if (outside := trace_in(os.environ)) is not None:
        carrier = {"traceparent": outside.parent, "tracestate": outside.state}
        attach(TraceContextTextMapPropagator().extract(carrier))
    tell = spans(provider.get_tracer("flowcage"))

    def both(listener: Listener) -> Listener:
        def hear(event: Event) -> None:
            tell(event)
            listener(event)

        return hear

    return lambda listener: tell if listener is None else both(listener)


def _shown() -> Any:
    """An exporter to stderr, a line for each span: OpenTelemetry's own would write into the table."""
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Shown(SpanExporter):
        def export(self, spans: Any) -> Any:
            for span in spans:
                tell_record("span", **json.loads(span.to_json()))
            return SpanExportResult.SUCCESS

    return Shown()


class _Counting:
    """An exporter that knows whether it has lost spans; its own words would be lines of others on stderr."""

    def __init__(self, exporter: Any) -> None:
        self._exporter = exporter
        self.lost = False
        logging.getLogger("opentelemetry").addHandler(logging.NullHandler())

    def export(self, spans: Any) -> Any:
        result = self._exporter.export(spans)
        self.lost = self.lost or result.name != "SUCCESS"
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> Any:
        return self._exporter.force_flush(timeout_millis)


def _provider(exporter: str) -> tuple[Any, _Counting]:
    """What makes spans, and what exports them, set up by OpenTelemetry's variables."""
    try:
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        if exporter == "otlp":
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as error:
        raise ImportError(
            f"{error.name} is not installed: pip install 'flowcage[otlp]', or set OTEL_TRACES_EXPORTER=none"
        ) from None
    resource = Resource.create({"service.name": "flowcage"}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    made: Any = OTLPSpanExporter() if exporter == "otlp" else _shown()
    counting: Any = _Counting(made)
    provider.add_span_processor(BatchSpanProcessor(counting))
    return provider, counting
