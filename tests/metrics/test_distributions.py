"""Histograms of a host's runs and agents, as Prometheus and OpenTelemetry get them."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from flowcage.agents import AgentAnswer, AgentCall, AgentError, AgentUsage
from flowcage.host import Host, RunOptions, WorkflowFailed, opentelemetry_metrics
from flowcage.host.metrics.prometheus import prometheus_text

from .test_prometheus import in_trio, parse, value


async def agent(call: AgentCall) -> AgentAnswer:
    if call.prompt == "bad":
        raise AgentError("no", model="m-2", provider="acme")
    if call.prompt == "never":
        await trio.sleep_forever()
    usage = AgentUsage(100, 20, 3, 0)
    return AgentAnswer("x", usage=usage, cost_usd=0.25, model="m-1", provider="acme")


SOURCE = """
await agent("good");
await agent("bad", {retry: {maxAttempts: 2, backoffMs: 0}}).catch(() => 0);
await agent("never", {timeoutMs: 1, model: "m-3"}).catch(() => 0);
export default 1"""


async def busy(host: Host) -> None:
    await host.run(SOURCE, tenant="a")
    with pytest.raises(WorkflowFailed):
        await host.run("throw 1", tenant="b")
    with trio.move_on_after(0):  # before its turn: no run
        await host.run("export default 1", tenant="b")
    async with host.open_run("export default SW.extra.sleep(1e6)", tenant="b"):
        pass


def test_a_scrape_has_histograms_of_runs_and_agents_and_verdicts_by_tenant() -> None:
    async def test() -> None:
        async with Host(options=RunOptions(agent=agent)) as host:
            await busy(host)
            samples = parse(prometheus_text(host))

        def many(name: str, **labels: str) -> float:
            return value(samples, f"flowcage_{name}_count", **labels)

        assert {
            verdict: many("run_seconds", verdict=verdict) for verdict in ("completed", "failed", "cancelled")
        } == {
            "completed": 1,
            "failed": 1,
            "cancelled": 1,
        }
        assert many("run_queue_seconds") == 3
        assert many("agent_seconds", provider="acme", model="m-1") == 1
        assert many("agent_seconds", provider="acme", model="m-2") == 2
        assert many("agent_seconds", provider="", model="m-3") == 1
        assert value(samples, "flowcage_agent_seconds_bucket", provider="acme", model="m-1", le="+Inf") == 1
        assert value(samples, "flowcage_agent_tokens_sum", kind="input") == 100
        assert value(samples, "flowcage_agent_cost_usd_sum", provider="acme", model="m-1") == 0.25
        assert many("run_cost_usd") == 1
        attempts = {
            (labels["model"], labels["outcome"]): count
            for (name, pairs), count in samples.items()
            if name == "flowcage_agent_attempts_total" and (labels := dict(pairs))
        }
        assert attempts == {("m-1", "answered"): 1, ("m-2", "refused"): 2, ("m-3", "timeout"): 1}
        assert value(samples, "flowcage_tenant_runs_ended_total", tenant="a", verdict="completed") == 1
        assert value(samples, "flowcage_tenant_runs_ended_total", tenant="b", verdict="failed") == 1
        assert value(samples, "flowcage_tenant_runs_ended_total", tenant="b", verdict="cancelled") == 1

    in_trio(test)


def test_an_agent_that_is_cancelled_at_work_is_an_attempt_too() -> None:
    async def test() -> None:
        async with Host(options=RunOptions(agent=agent)) as host:
            await host.run('agent("never"); await agent("good"); export default 1')
            samples = parse(prometheus_text(host))
        outcome = {"provider": "", "model": "", "outcome": "cancelled"}
        assert value(samples, "flowcage_agent_attempts_total", **outcome) == 1

    in_trio(test)


def test_opentelemetry_records_the_same_by_the_conventions() -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)

    async def test() -> None:
        async with Host(options=RunOptions(agent=agent)) as host:
            opentelemetry_metrics(host, provider.get_meter("tests"))
            await busy(host)

    in_trio(test)
    points: dict[Any, Any] = {}
    metrics_data = reader.get_metrics_data()
    assert metrics_data is not None
    for metric in metrics_data.resource_metrics[0].scope_metrics[0].metrics:
        for point in metric.data.data_points:
            points[metric.name, frozenset((point.attributes or {}).items())] = point

    def count(name: str, **attributes: str) -> int:
        names = frozenset((each.replace("__", "."), text) for each, text in attributes.items())
        found: int = points[name, names].count
        return found

    asked = {"gen_ai__operation__name": "invoke_agent"}
    answered = asked | {"gen_ai__provider__name": "acme", "gen_ai__response__model": "m-1"}
    assert count("gen_ai.client.operation.duration", **answered) == 1
    assert count("gen_ai.client.token.usage", gen_ai__token__type="output", **asked) == 1
    assert count("flowcage.run.duration", flowcage__verdict="failed") == 1
    assert count("flowcage.run.queue.duration") == 3
    assert count("flowcage.run.cost") == 1
