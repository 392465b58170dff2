"""Figures as histograms of OpenTelemetry. Needs the extra ``flowcage[opentelemetry]``.

Agents are told by the semantic conventions for generative AI, all else under ``flowcage.``.
"""

from __future__ import annotations

from collections.abc import Mapping

from flowcage.host.outcome.figures import KINDS, Figures, Watcher

try:
    from opentelemetry.metrics import Histogram, Meter
except ImportError as error:
    raise ImportError(
        "metrics need opentelemetry-api, which is not installed: pip install 'flowcage[opentelemetry]'"
    ) from error

# Names of the conventions, in the place of ``flowcage.NAME``.
_CONVENTIONS = {
    "agent_seconds": "gen_ai.client.operation.duration",
    "agent_tokens": "gen_ai.client.token.usage",
    "run_seconds": "flowcage.run.duration",
    "run_queue_seconds": "flowcage.run.queue.duration",
    "run_cost_usd": "flowcage.run.cost",
    "agent_cost_usd": "flowcage.agent.cost",
}
_ATTRIBUTES = {
    "provider": "gen_ai.provider.name",
    "model": "gen_ai.response.model",
    "kind": "gen_ai.token.type",
    "verdict": "flowcage.verdict",
}


def record(figures: Figures, meter: Meter) -> None:
    """Have each value recorded by an instrument of this meter from now on."""
    instruments = {name: _instrument(name, meter) for name in KINDS}
    figures.watch(_watcher(instruments))


def _instrument(name: str, meter: Meter) -> Histogram:
    kind = KINDS[name]
    return meter.create_histogram(
        _CONVENTIONS[name],
        unit=kind.unit,
        description=kind.help,
        explicit_bucket_boundaries_advisory=kind.bounds,
    )


def _watcher(instruments: Mapping[str, Histogram]) -> Watcher:
    def watch(name: str, value: float, labels: Mapping[str, str]) -> None:
        attributes = {_ATTRIBUTES[label]: text for label, text in labels.items() if text}
        if name.startswith("agent_"):
            attributes["gen_ai.operation.name"] = "invoke_agent"
        instruments[name].record(value, attributes)

    return watch
