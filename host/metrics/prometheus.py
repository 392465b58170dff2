"""A host's statistics as Prometheus metrics. Needs the extra ``flowcage[prometheus]``.

Nothing is counted here: a scrape reads the host's own figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

import trio

from flowcage.host.outcome.figures import KINDS, Figures
from flowcage.host.tenants.host import Host
from flowcage.host.tenants.scheduler import SchedulerStatistics
from flowcage.host.tenants.statistics import RunTotals
from flowcage.host.tenants.tenant import Tally

try:
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
    from prometheus_client.registry import Collector
except ImportError as error:
    raise ImportError(
        "metrics need prometheus-client, which is not installed: pip install 'flowcage[prometheus]'"
    ) from error

# Tenants with metrics of their own, which are seven time series each and one for each verdict that was met.
MAX_TENANTS = 100

Family: TypeAlias = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily


class HostCollector(Collector):
    """A collector for a registry of ``prometheus_client``; make it in the host's trio program.

    It may be scraped from any thread; in another thread than the host's a scrape waits for the host's event
    loop. The first tenants that the host remembers have metrics of their own; the host's metrics include all
    tenants.

    Args:
        host: whose statistics it reads.
        max_tenants: tenants with metrics of their own.
    """

    def __init__(self, host: Host, max_tenants: int = MAX_TENANTS) -> None:
        self._host = host
        self._max_tenants = max_tenants
        self._token = trio.lowlevel.current_trio_token()

    def collect(self) -> Iterable[Family]:
        """All metrics now; none after the end of the host's trio program."""
        try:
            if trio.lowlevel.in_trio_run():
                return self._read()
            return trio.from_thread.run_sync(self._read, trio_token=self._token)
        except trio.RunFinishedError:
            return []

    def describe(self) -> Iterable[Family]:
        """Nothing, so that registering does not scrape; names are then not checked for duplicates."""
        return []

    def _read(self) -> list[Family]:
        statistics = self._host.statistics()
        names = [name for name in self._host.tenants() if _can_be_a_label(name)][: self._max_tenants]
        tallies = {name: self._host.tenant_statistics(name) for name in names}
        return [
            *_of_scheduler(statistics.scheduler),
            *_of_runs(statistics.runs),
            _gauge("flowcage_launchers", "Tenants with a launcher of their own.", statistics.launchers),
            *_of_tallies("flowcage_", "", {(): statistics.scheduler.tally}),
            *_of_tallies("flowcage_tenant_", " of one tenant", {(name,): tallies[name] for name in names}),
            _of_verdicts(tallies),
            *of_figures(statistics.figures),
        ]


def prometheus_text(host: Host) -> bytes:
    """The metrics of this host in Prometheus' text format; call it in the host's trio program."""
    registry = CollectorRegistry()
    registry.register(HostCollector(host))
    return generate_latest(registry)


def _of_scheduler(statistics: SchedulerStatistics) -> Iterator[Family]:
    yield _gauge("flowcage_tenants", "Tenants that are remembered.", statistics.tenants)
    yield _gauge("flowcage_memory_charged_bytes", "Memory of runs.", statistics.charged_bytes)
    yield _gauge("flowcage_memory_budget_bytes", "Memory that runs may have.", statistics.budget_bytes)
    yield _gauge("flowcage_memory_available_bytes", "Memory left around them.", statistics.available_bytes)


def _of_runs(runs: RunTotals) -> Iterator[Family]:
    ended = CounterMetricFamily("flowcage_runs_ended", "Runs that have ended.", labels=["verdict"])
    for verdict, count in runs.by_verdict.items():
        ended.add_metric([verdict], count)
    yield ended
    yield _counter("flowcage_agents", "Agent calls of ended runs.", runs.agents)
    yield _counter("flowcage_tokens", "Tokens of ended runs, as agents reported.", runs.tokens)
    yield from _of_costs(runs)
    yield _counter("flowcage_wire_bytes", "Said to and by children of ended runs.", runs.wire_bytes)
    yield _counter("flowcage_run_wall_seconds", "Wall clock of ended runs.", runs.wall_seconds)
    yield _counter("flowcage_run_cpu_seconds", "CPU of ended runs.", runs.cpu_seconds)


def _of_costs(runs: RunTotals) -> Iterator[Family]:
    yield _counter("flowcage_cost_usd", "US dollars of ended runs, as far as costs are known.", runs.cost_usd)
    yield _counter("flowcage_unpriced_answers", "Answers of ended runs without a known cost.", runs.unpriced)
    detail = CounterMetricFamily(
        "flowcage_model_tokens", "Tokens of ended runs, by what was done with them.", labels=["kind"]
    )
    for kind in ("input", "output", "cache_read", "cache_write"):
        detail.add_metric([kind], getattr(runs, f"{kind}_tokens"))
    yield detail


_TALLIED: tuple[
    tuple[str, str, type[CounterMetricFamily | GaugeMetricFamily], Callable[[Tally], float]], ...
] = (
    ("runs_running", "Runs now", GaugeMetricFamily, lambda tally: tally.running),
    ("runs_queued", "Runs that wait for their turn", GaugeMetricFamily, lambda tally: tally.queued),
    ("runs_admitted", "Runs that were not refused", CounterMetricFamily, lambda tally: tally.admitted),
    ("runs_withdrawn", "Runs given up before their turn", CounterMetricFamily, lambda tally: tally.withdrawn),
    ("cpu_seconds", "CPU that quotas count", CounterMetricFamily, lambda tally: tally.cpu_seconds),
    ("waited_seconds", "Time spent in the queue", CounterMetricFamily, lambda tally: tally.waited_seconds),
)


def _of_tallies(prefix: str, whose: str, tallies: Mapping[tuple[str, ...], Tally]) -> Iterator[Family]:
    """The same metrics for the host, without a label, and for tenants."""
    labels = ["tenant"] if whose else []
    for name, help_text, family, value in _TALLIED:
        metric = family(f"{prefix}{name}", f"{help_text}{whose}.", labels=labels)
        for label, tally in tallies.items():
            metric.add_metric(label, value(tally))
        yield metric
    refused = CounterMetricFamily(
        f"{prefix}runs_refused", f"Runs refused{whose}, by quota.", labels=[*labels, "quota"]
    )
    for label, tally in tallies.items():
        for quota, count in tally.refused.items():
            refused.add_metric([*label, quota], count)
    yield refused


def _of_verdicts(tallies: Mapping[str, Tally]) -> Family:
    ended = CounterMetricFamily(
        "flowcage_tenant_runs_ended",
        "Runs of one tenant that have ended, those that were cancelled, too.",
        labels=["tenant", "verdict"],
    )
    for name, tally in tallies.items():
        for verdict, count in tally.ended.items():
            ended.add_metric([name, verdict], count)
    return ended


def of_figures(figures: Figures) -> Iterator[Family]:
    """All distributions, as of now."""
    for name, histograms in figures.histograms().items():
        kind = KINDS[name]
        family = HistogramMetricFamily(f"flowcage_{name}", kind.help, labels=kind.labels)
        for labels, histogram in histograms.items():
            family.add_metric(labels, list(histogram.cumulative()), round(histogram.total, 9))
        yield family
    attempts = CounterMetricFamily(
        "flowcage_agent_attempts",
        "Attempts of agents, by what they came to.",
        labels=["provider", "model", "outcome"],
    )
    for of_attempts, count in figures.attempts().items():
        attempts.add_metric(of_attempts, count)
    yield attempts


def _gauge(name: str, help_text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help_text, value=value)


def _counter(name: str, help_text: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(name, help_text, value=value)


def _can_be_a_label(name: str) -> bool:
    """A label is UTF-8; a name with half of a surrogate pair would spoil the whole scrape."""
    return not any("\ud800" <= character <= "\udfff" for character in name)
