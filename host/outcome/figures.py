"""Distributions of what runs and agents take: the one table of them, and where they are counted.

`host/metrics` shows them to Prometheus and OpenTelemetry. To count one value takes less than a microsecond.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, TypeAlias

from flowcage.host.outcome.histogram import Histograms, Labels, Names
from flowcage.host.outcome.report import Report

# Pairs of provider and model with figures of their own. Workflows and providers choose these names.
MAX_MODELS = 50

Outcome: TypeAlias = Literal["answered", "refused", "timeout", "wrong_answer", "bad_call", "cancelled"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)
_AGENT_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1800.0)
_TOKENS = tuple(float(4**power) for power in range(14))  # as OpenTelemetry's conventions advise
_DOLLARS = (0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 50.0, 100.0)


class Kind(NamedTuple):
    """One distribution.

    Attributes:
        unit: as UCUM has it.
        help: in a sentence.
        labels: their names.
        bounds: of its buckets.
        most: combinations of labels with buckets of their own.
    """

    unit: str
    help: str
    labels: Labels
    bounds: tuple[float, ...]
    most: int


KINDS: Mapping[str, Kind] = {
    "run_seconds": Kind("s", "From the launch of a run's child to its end.", ("verdict",), _SECONDS, 50),
    "run_queue_seconds": Kind("s", "From a run's call to its turn.", (), _SECONDS, 1),
    "run_cost_usd": Kind("{USD}", "What the agents of a run have cost.", (), _DOLLARS, 1),
    "agent_seconds": Kind(
        "s", "One attempt of an agent.", ("provider", "model"), _AGENT_SECONDS, MAX_MODELS + 1
    ),
    "agent_cost_usd": Kind(
        "{USD}",
        "One attempt of an agent, where its cost is known.",
        ("provider", "model"),
        _DOLLARS,
        MAX_MODELS + 1,
    ),
    "agent_tokens": Kind("{token}", "Tokens of one attempt of an agent.", ("kind",), _TOKENS, 4),
}
_TOKEN_KINDS = {
    "input": ("input",),
    "output": ("output",),
    "cacheRead": ("cache_read",),
    "cacheWrite": ("cache_write",),
}


class Attempt(NamedTuple):
    """What one attempt of an agent came to.

    Attributes:
        provider, model: that answered; else those that the call asks for, if any.
        usage: tokens, by the names that events have.
        cost_usd: None where nobody knows.
    """

    outcome: Outcome
    provider: str | None
    model: str | None
    seconds: float
    usage: Mapping[str, int] | None
    cost_usd: float | None


# Told of each value: name of the distribution, the value, its labels by name.
Watcher: TypeAlias = Callable[[str, float, Mapping[str, str]], None]


class Figures:
    """Of all runs of one host, or of one run.

    Attributes:
        attempts: by provider, model and outcome.
    """

    def __init__(self) -> None:
        self.attempts: Counter[tuple[str, str, str]] = Counter()
        self._histograms = {name: Histograms(kind.bounds, kind.most) for name, kind in KINDS.items()}
        self._models = Names(MAX_MODELS)
        self._watchers: list[Watcher] = []

    def watch(self, watcher: Watcher) -> None:
        """Have each value told from now on. It must neither wait nor raise."""
        self._watchers.append(watcher)

    def waited(self, seconds: float) -> None:
        """A run has its turn."""
        self._add("run_queue_seconds", seconds)

    def ended(self, report: Report) -> None:
        """A run is over."""
        self._add("run_seconds", report.usage.wall_seconds, (report.verdict.value,))
        if report.usage.agents:
            self._add("run_cost_usd", report.usage.cost_usd)

    def attempted(self, attempt: Attempt) -> None:
        """An attempt of an agent is over."""
        names = self._models.labels(attempt.provider, attempt.model)
        self.attempts[(*names, attempt.outcome)] += 1
        self._add("agent_seconds", attempt.seconds, names)
        if attempt.cost_usd is not None:
            self._add("agent_cost_usd", attempt.cost_usd, names)
        for kind, count in (attempt.usage or {}).items():
            if count and (labels := _TOKEN_KINDS.get(kind)) is not None:
                self._add("agent_tokens", count, labels)

    def histograms(self) -> Mapping[str, Histograms]:
        """All by name, as in `KINDS`; they are counted on."""
        return self._histograms

    def _add(self, name: str, value: float, labels: Labels = ()) -> None:
        self._histograms[name].add(labels, value)
        for watcher in self._watchers:
            watcher(name, value, dict(zip(KINDS[name].labels, labels, strict=True)))
