"""The connections of ``flowcage serve`` as Prometheus metrics. Needs the extra ``flowcage[prometheus]``."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from flowcage.host.serve.counts import Counts


class ServeCollector(Collector):
    """Reads counters of another thread, each by itself."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def collect(self) -> Iterable[CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily]:
        """All metrics now."""
        counts = self._counts
        yield GaugeMetricFamily("flowcage_serve_connections", "Connections now.", value=counts.open)
        yield GaugeMetricFamily("flowcage_serve_children", "Those with a child.", value=counts.children)
        accepted = "Connections that were accepted."
        yield CounterMetricFamily("flowcage_serve_connections_accepted", accepted, value=counts.accepted)
        faults = CounterMetricFamily(
            "flowcage_serve_faults", "Connections with which something went wrong.", labels=["fault"]
        )
        for fault, count in list(counts.faults.items()):
            faults.add_metric([fault], count)
        yield faults
        seconds = HistogramMetricFamily("flowcage_serve_child_seconds", "Lives of children.")
        seconds.add_metric([], list(counts.child_seconds.cumulative()), counts.child_seconds.total)
        yield seconds

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing, so that registering does not scrape."""
        return []
