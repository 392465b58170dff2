"""Functions that need an optional library; each imports it when called, and its error names the extra."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer
    from prometheus_client.registry import Collector

    from flowcage.host.events.records import Listener
    from flowcage.host.tenants.host import Host


def prometheus_collector(host: Host, max_tenants: int = 100) -> Collector:
    """A collector for a registry of ``prometheus_client``; make it in the host's trio program.

    It may be scraped from any thread; in another thread than the host's a scrape waits for the host's event
    loop.

    Args:
        host: whose statistics it reads.
        max_tenants: tenants with metrics of their own, which are seven time series each.

    Raises:
        ImportError: prometheus-client is not installed; ``flowcage[prometheus]`` installs it.
    """
    from flowcage.host.metrics.prometheus import HostCollector

    return HostCollector(host, max_tenants)


def prometheus_text(host: Host) -> bytes:
    """The metrics of this host in Prometheus' text format; call it in the host's trio program.

    Raises:
        ImportError: prometheus-client is not installed; ``flowcage[prometheus]`` installs it.
    """
    from flowcage.host.metrics import prometheus

    return prometheus.prometheus_text(host)


def spans(tracer: Tracer) -> Listener:
    """A listener for ``RunOptions.listener`` that makes OpenTelemetry spans, of one run or of a host's runs.

    A run is a span under the span that is current where it was started; its child workflows and its agents'
    attempts are spans under it. Prompts and answers are not recorded.

    Args:
        tracer: makes the spans.

    Raises:
        ImportError: opentelemetry-api is not installed; ``flowcage[opentelemetry]`` installs it.
    """
    from flowcage.host.metrics import opentelemetry

    return opentelemetry.spans(tracer)
