"""Functions that need an optional library; each imports it when called, and its error names the extra."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter
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
        max_tenants: tenants with metrics of their own, which are seven time series each, and one for each
            verdict.

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


def opentelemetry_metrics(host: Host, meter: Meter) -> None:
    """Have OpenTelemetry histograms of this host's runs and agents recorded from now on.

    Agents are told by the semantic conventions for generative AI. Each value is recorded in the host's trio
    program as it comes, so the meter must not wait.

    Args:
        host: whose runs and agents are told.
        meter: makes the instruments.

    Raises:
        ImportError: opentelemetry-api is not installed; ``flowcage[opentelemetry]`` installs it.
    """
    from flowcage.host.metrics.opentelemetry_metrics import record

    record(host.statistics().figures, meter)


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
