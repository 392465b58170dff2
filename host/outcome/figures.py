"""Distributions of what runs and agents take: the one table of them, and where they are counted.

`host/metrics` shows them to Prometheus and OpenTelemetry. Each run and each attempt of an agent is counted as
it ends, whether anybody looks or not, so what counts them is plain: names are looked up when they are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, Protocol, TypeAlias

from flowcage.host.outcome.histogram import OTHER, Histogram, Labels, label
from flowcage.host.outcome.report import Report

# Pairs of provider and model with figures of their own. Workflows and providers choose these names.
MAX_MODELS = 50

Outcome: TypeAlias = Literal[
    "answered", "refused", "timeout", "wrong_answer", "bad_call", "share", "cancelled"
]

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
    """

    unit: str
    help: str
    labels: Labels
    bounds: tuple[float, ...]


KINDS: Mapping[str, Kind] = {
    "run_seconds": Kind("s", "From the launch of a run's child to its end.", ("verdict",), _SECONDS),
    "run_queue_seconds": Kind("s", "From a run's call to its turn.", (), _SECONDS),
    "run_cost_usd": Kind("{USD}", "What the agents of a run have cost.", (), _DOLLARS),
    "agent_seconds": Kind("s", "One attempt of an agent.", ("provider", "model"), _AGENT_SECONDS),
    "agent_cost_usd": Kind(
        "{USD}", "One attempt of an agent, where its cost is known.", ("provider", "model"), _DOLLARS
    ),
    "agent_tokens": Kind("{token}", "Tokens of one attempt of an agent.", ("kind",), _TOKENS),
}
_TOKEN_KINDS = {
    "input": ("input",),
    "output": ("output",),
    "cacheRead": ("cache_read",),
    "cacheWrite": ("cache_write",),
}


class Attempted(Protocol):
    """Takes what one attempt of an agent came to."""

    def __call__(
        self,
        outcome: Outcome,
        provider: str | None,
        model: str | None,
        seconds: float,
        usage: Mapping[str, int] | None,
        cost_usd: float | None,
    ) -> None:
        """An attempt is over.

        Args:
            outcome: how.
            provider, model: that answered; else those that the call asks for, if any.
            seconds: that it took.
            usage: tokens, by the names that events have.
            cost_usd: None where nobody knows.
        """


# Told of each value: name of the distribution, the value, its labels by name.
Watcher: TypeAlias = Callable[[str, float, Mapping[str, str]], None]


class _Model:
    """The attempts of one model."""

    __slots__ = ("cost_usd", "labels", "outcomes", "seconds")

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self.seconds = Histogram(_AGENT_SECONDS)
        self.cost_usd = Histogram(_DOLLARS)
        self.outcomes: dict[Outcome, int] = {}


class Figures:
    """Of all runs of one host, or of one run."""

    def __init__(self) -> None:
        self._queue = Histogram(_SECONDS)
        self._runs: dict[Labels, Histogram] = {}
        self._run_costs = Histogram(_DOLLARS)
        self._tokens: dict[Labels, Histogram] = {}
        self._models: dict[tuple[str | None, str | None], _Model] = {}
        self._others = _Model((OTHER, OTHER))
        self._watchers: list[Watcher] = []

    def watch(self, watcher: Watcher) -> None:
        """Have each value told from now on. It must neither wait nor raise."""
        self._watchers.append(watcher)

    def waited(self, seconds: float) -> None:
        """A run has its turn."""
        self._queue.add(seconds)
        if self._watchers:
            self._tell("run_queue_seconds", seconds)

    def ended(self, report: Report) -> None:
        """A run is over."""
        usage, labels = report.usage, (report.verdict._value_,)
        _of(self._runs, labels, _SECONDS).add(usage.wall_seconds)
        if usage.agents:
            self._run_costs.add(usage.cost_usd)
        if self._watchers:
            self._tell("run_seconds", usage.wall_seconds, labels)
            if usage.agents:
                self._tell("run_cost_usd", usage.cost_usd)

    def attempted(
        self,
        outcome: Outcome,
        provider: str | None,
        model: str | None,
        seconds: float,
        usage: Mapping[str, int] | None,
        cost_usd: float | None,
    ) -> None:
        """As `Attempted`."""
        of_model = self._models.get((provider, model)) or self._model(provider, model)
        of_model.seconds.add(seconds)
        of_model.outcomes[outcome] = of_model.outcomes.get(outcome, 0) + 1
        if cost_usd is not None:
            of_model.cost_usd.add(cost_usd)
        if usage is not None:
            self._used(usage)
        if self._watchers:
            self._tell("agent_seconds", seconds, of_model.labels)
            if cost_usd is not None:
                self._tell("agent_cost_usd", cost_usd, of_model.labels)

    def histograms(self) -> Mapping[str, Mapping[Labels, Histogram]]:
        """All by name, as in `KINDS`, and by labels; they are counted on."""
        models = self._all_models()
        return {
            "run_seconds": self._runs,
            "run_queue_seconds": {(): self._queue},
            "run_cost_usd": {(): self._run_costs},
            "agent_seconds": {each.labels: each.seconds for each in models},
            "agent_cost_usd": {each.labels: each.cost_usd for each in models},
            "agent_tokens": self._tokens,
        }

    def attempts(self) -> Mapping[tuple[str, ...], int]:
        """Attempts by provider, model and outcome."""
        return {
            (*each.labels, outcome): count
            for each in self._all_models()
            for outcome, count in each.outcomes.items()
        }

    def _all_models(self) -> list[_Model]:
        known = list({each.labels: each for each in self._models.values()}.values())
        return [*known, self._others] if self._others.outcomes else known

    def _model(self, provider: str | None, model: str | None) -> _Model:
        """One that was not seen before, or all others."""
        if len(self._models) >= MAX_MODELS:
            return self._others
        labels = (label(provider), label(model))
        same = next((each for each in self._models.values() if each.labels == labels), None)
        found = self._models[provider, model] = same or _Model(labels)
        return found

    def _used(self, usage: Mapping[str, int]) -> None:
        for name, count in usage.items():
            if count and (labels := _TOKEN_KINDS.get(name)) is not None:
                _of(self._tokens, labels, _TOKENS).add(count)
                if self._watchers:
                    self._tell("agent_tokens", count, labels)

    def _tell(self, name: str, value: float, labels: Labels = ()) -> None:
        told = dict(zip(KINDS[name].labels, labels, strict=True))
        for watcher in self._watchers:
            watcher(name, value, told)


def _of(histograms: dict[Labels, Histogram], labels: Labels, bounds: tuple[float, ...]) -> Histogram:
    histogram = histograms.get(labels)
    if histogram is None:
        histogram = histograms[labels] = Histogram(bounds)
    return histogram
