"""What a scrape of a host gets."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from functools import partial
from urllib.request import urlopen

import pytest
import trio
from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.parser import text_string_to_metric_families

from flowcage.agents import AgentAnswer, AgentCall, AgentUsage
from flowcage.host import Host, Overloaded, RunOptions, TenantLimits, WorkflowFailed
from flowcage.host.metrics.prometheus import HostCollector, prometheus_text

DEADLINE = 300
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def in_trio(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        with trio.fail_after(DEADLINE):
            await test()

    trio.run(bounded)


def parse(text: bytes) -> Samples:
    """Each sample once, by name and labels."""
    families = text_string_to_metric_families(text.decode())
    samples = [sample for family in families for sample in family.samples]
    parsed = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}
    assert len(parsed) == len(samples)
    return parsed


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


def test_a_scrape_tells_what_became_of_the_runs_of_the_host_and_of_each_tenant() -> None:
    async def test() -> None:
        async with Host(default=TenantLimits(max_runs=1, max_queued=0)) as host:
            await host.run('export default agent("x")', tenant="a")
            with pytest.raises(WorkflowFailed):
                await host.run('throw new Error("x"); export default 1', tenant="b")
            async with host.open_run("export default SW.extra.sleep(1e6)", tenant="b"):
                with pytest.raises(Overloaded):
                    await host.run("export default 1", tenant="b")
                samples = parse(prometheus_text(host))
        assert value(samples, "flowcage_runs_ended_total", verdict="completed") == 1
        assert value(samples, "flowcage_runs_ended_total", verdict="failed") == 1
        assert value(samples, "flowcage_agents_total") == 1
        assert value(samples, "flowcage_wire_bytes_total") > 0
        assert value(samples, "flowcage_tenants") == 2
        assert value(samples, "flowcage_launchers") == 2
        assert value(samples, "flowcage_runs_running") == 1
        assert value(samples, "flowcage_runs_admitted_total") == 3
        assert value(samples, "flowcage_tenant_runs_running", tenant="a") == 0
        assert value(samples, "flowcage_tenant_runs_running", tenant="b") == 1
        assert value(samples, "flowcage_tenant_runs_admitted_total", tenant="b") == 2
        assert value(samples, "flowcage_runs_refused_total", quota="queued_runs") == 1
        assert value(samples, "flowcage_tenant_runs_refused_total", tenant="b", quota="queued_runs") == 1
        assert value(samples, "flowcage_tenant_cpu_seconds_total", tenant="a") > 0
        assert value(samples, "flowcage_memory_budget_bytes") > 0
        assert all(math.isfinite(sample) for sample in samples.values())

    in_trio(test)


def test_costs_of_ended_runs_are_told_and_those_that_nobody_knows_are_counted() -> None:
    answers = [
        AgentAnswer("x", usage=AgentUsage(1, 2, 3, 4), cost_usd=0.25),
        AgentAnswer("x", usage=AgentUsage(10, 20)),
    ]

    async def agent(_call: AgentCall) -> AgentAnswer:
        return answers.pop()

    async def test() -> None:
        async with Host(options=RunOptions(agent=agent)) as host:
            await host.run('export default [await agent("a"), await agent("b")]')
            samples = parse(prometheus_text(host))
        assert value(samples, "flowcage_cost_usd_total") == 0.25
        assert value(samples, "flowcage_unpriced_answers_total") == 1
        kinds = ("input", "output", "cache_read", "cache_write")
        assert [value(samples, "flowcage_model_tokens_total", kind=kind) for kind in kinds] == [11, 22, 3, 4]

    in_trio(test)


def test_figures_are_read_when_they_are_scraped() -> None:
    async def test() -> None:
        async with Host() as host:
            registry = CollectorRegistry()
            registry.register(HostCollector(host))
            assert value(parse(generate_latest(registry)), "flowcage_runs_admitted_total") == 0
            await host.run("export default 1")
            assert value(parse(generate_latest(registry)), "flowcage_runs_admitted_total") == 1

    in_trio(test)


@pytest.mark.parametrize("name", ['"} 1\nfake_metric 2', "back\\slash", "new\nline", "ünïcode \u2028"])
def test_a_tenants_name_cannot_forge_metrics(name: str) -> None:
    async def test() -> None:
        async with Host() as host:
            await host.run("export default 1", tenant=name)
            samples = parse(prometheus_text(host))
        assert value(samples, "flowcage_tenant_runs_admitted_total", tenant=name) == 1
        assert all(sample.startswith("flowcage_") for sample, _ in samples)

    in_trio(test)


def test_a_name_that_no_label_can_hold_counts_in_the_hosts_figures_only() -> None:
    async def test() -> None:
        async with Host() as host:
            await host.run("export default 1", tenant="half a pair: \ud800")
            samples = parse(prometheus_text(host))
        assert value(samples, "flowcage_runs_admitted_total") == 1
        assert not any(dict(labels).get("tenant") for _, labels in samples)

    in_trio(test)


def test_only_so_many_tenants_have_metrics_of_their_own() -> None:
    async def test() -> None:
        async with Host() as host:
            for number in range(5):
                await host.run("export default 1", tenant=f"tenant {number}")
            registry = CollectorRegistry()
            registry.register(HostCollector(host, max_tenants=2))
            samples = parse(generate_latest(registry))
        names = {dict(labels).get("tenant") for _, labels in samples} - {None}
        assert names == {"tenant 0", "tenant 1"}
        assert value(samples, "flowcage_runs_admitted_total") == 5
        assert value(samples, "flowcage_tenants") == 5

    in_trio(test)


def test_a_server_in_a_thread_scrapes_while_runs_go_on_and_gets_nothing_after_the_program() -> None:
    registry = CollectorRegistry()
    server, thread = start_http_server(0, addr="127.0.0.1", registry=registry)
    try:
        url = f"http://127.0.0.1:{server.server_port}/metrics"

        def scrape() -> Samples:
            with urlopen(url, timeout=DEADLINE) as reply:
                return parse(reply.read())

        async def test() -> None:
            async with Host() as host:
                registry.register(HostCollector(host))
                async with trio.open_nursery() as nursery:
                    for number in range(10):
                        nursery.start_soon(partial(host.run, "export default 1", tenant=f"{number}"))
                    await trio.to_thread.run_sync(scrape)
                samples = await trio.to_thread.run_sync(scrape)
            assert value(samples, "flowcage_runs_ended_total", verdict="completed") == 10

        in_trio(test)
        assert scrape() == {}
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
