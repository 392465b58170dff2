"""One run of the command line as Prometheus metrics. Needs the extra ``flowcage[prometheus]``."""

from __future__ import annotations

from collections.abc import Iterable

import trio
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from flowcage.host.metrics.prometheus import Family, of_figures
from flowcage.host.outcome.figures import Figures
from flowcage.host.run.run import Run

_COUNTED = (
    ("agents_started", "Agent calls that were begun."),
    ("agents_completed", "Agent calls that were answered."),
    ("agents_failed", "Agent calls that were begun and have no answer."),
    ("tokens", "Tokens, as agents reported."),
)


class RunCollector(Collector):
    """Of one run through all of its lives."""

    def __init__(self) -> None:
        self._figures = Figures()
        self._run: Run | None = None
        self._token: trio.lowlevel.TrioToken | None = None

    def begin(self, run: Run) -> None:
        """The run, or another life of it, is about to be carried out."""
        self._run, self._token = run, trio.lowlevel.current_trio_token()
        run.driver.witness.watch(self._figures.attempted)

    def collect(self) -> Iterable[Family]:
        """All metrics now; none before the run has begun, nor after its end."""
        if self._token is None:
            return []
        try:
            return trio.from_thread.run_sync(self._read, trio_token=self._token)
        except trio.RunFinishedError:
            return []

    def describe(self) -> Iterable[Family]:
        """Nothing, so that registering does not scrape."""
        return []

    def _read(self) -> list[Family]:
        assert self._run is not None
        statistics = self._run.statistics()
        counted = [
            CounterMetricFamily(f"flowcage_run_{name}", help_text, value=getattr(statistics, name))
            for name, help_text in _COUNTED
        ]
        waiting, age = "Agent calls without an answer yet.", "Since the run began."
        return [
            *counted,
            GaugeMetricFamily("flowcage_run_agents_waiting", waiting, value=statistics.agents_waiting),
            GaugeMetricFamily("flowcage_run_age_seconds", age, value=statistics.wall_seconds),
            *of_figures(self._figures),
        ]
