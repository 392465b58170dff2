"""What needs an optional library: each function imports it when called, or says which extra brings it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer
    from prometheus_client.registry import Collector

    from flowcage.host.events.records import Listener
    from flowcage.host.tenants.host import Host


def prometheus_collector(host: Host, max_tenants: int = 100) -> Collector:
    """A collector for a registry of ``prometheus_client``; make it in the trio program that the host is in.

    It may be scraped from any thread; from another one than the host's it waits for the host's event loop.

    Args:
        host: whose statistics.
        max_tenants: that have metrics of their own; each costs whoever scrapes seven time series.

    Raises:
        ImportError: there is no prometheus-client; ``flowcage[prometheus]`` brings it.
    """
    from flowcage.host.metrics.prometheus import HostCollector

    return HostCollector(host, max_tenants)


def prometheus_text(host: Host) -> bytes:
    """What a scrape of this host alone gets, in Prometheus' text format; call it in the host's program.

    Raises:
        ImportError: there is no prometheus-client; ``flowcage[prometheus]`` brings it.
    """
    from flowcage.host.metrics import prometheus

    return prometheus.prometheus_text(host)


def spans(tracer: Tracer) -> Listener:
    """A listener for ``RunOptions.listener`` that makes OpenTelemetry spans, of one run or of a host's runs.

    A run is a span under the span that is current where it was started; its child workflows and its agents'
    attempts are spans under it. Prompts and answers are not recorded.

    Raises:
        ImportError: there is no opentelemetry-api; ``flowcage[opentelemetry]`` brings it.
    """
    from flowcage.host.metrics import opentelemetry

    return opentelemetry.spans(tracer)
