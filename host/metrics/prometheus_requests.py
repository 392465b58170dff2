"""Requests to ``flowcage ui`` as Prometheus metrics. Needs the extra ``flowcage[prometheus]``."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from flowcage.host.metrics.requests import Requests


class RequestsCollector(Collector):
    """Reads counters of another thread, each by itself."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    def collect(self) -> Iterable[CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily]:
        """All metrics now."""
        requests = self._requests
        at_work = "Requests that are being answered, streams of events among them."
        yield GaugeMetricFamily("flowcage_ui_requests_open", at_work, value=requests.open)
        answered = CounterMetricFamily("flowcage_ui_requests", "Requests by status.", labels=["status"])
        for status, count in list(requests.answered.items()):
            answered.add_metric([str(status)], count)
        yield answered
        seconds = HistogramMetricFamily("flowcage_ui_request_seconds", "To the end of an answer.")
        seconds.add_metric([], list(requests.seconds.cumulative()), requests.seconds.total)
        yield seconds

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing, so that registering does not scrape."""
        return []
