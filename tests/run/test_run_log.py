"""What a log has of runs: starts, ends with their levels, agents that failed; and what it must not have."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import trio

from flowcage.agents import AgentUsage
from flowcage.host import (
    AgentAnswer,
    AgentCall,
    Host,
    LaunchFailed,
    Limits,
    Overloaded,
    RequestRejected,
    RunOptions,
    TenantLimits,
    run_workflow_blocking,
)
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.process.launch.launcher import Spawned
from flowcage.host.run.run_log import level_of

from ..host.runs import failure, run

SECRET = "sk-secret-of-the-user"


def told(caplog: pytest.LogCaptureFixture, *fields: str) -> list[tuple[Any, ...]]:
    """Records by logger, level and some of their fields."""
    return [
        (record.name, record.levelname, *(getattr(record, name, None) for name in fields))
        for record in caplog.records
        if record.name.startswith("flowcage.")
    ]


def test_a_run_is_told_with_its_retries_and_its_figures(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="flowcage")
    answers: Iterator[AgentAnswer | RequestRejected] = iter(
        [RequestRejected(SECRET), AgentAnswer(SECRET, usage=AgentUsage(2, 3), cost_usd=0.5)]
    )

    async def agent(_call: AgentCall) -> AgentAnswer:
        if isinstance(answer := next(answers), RequestRejected):
            raise answer
        return answer

    source = f'export default await agent("{SECRET}", {{retry: {{maxAttempts: 2, backoffMs: 0}}}})'
    outcome = run(source, agent=agent)

    assert told(caplog, "attempt", "reason", "verdict", "tokens", "cost_usd") == [
        ("flowcage.run", "INFO", None, None, None, None, None),
        ("flowcage.agent", "INFO", 1, "refused", None, 0, 0.0),
        ("flowcage.agent", "INFO", 2, None, None, None, None),
        ("flowcage.agent", "DEBUG", 2, None, None, 5, 0.5),
        ("flowcage.run", "INFO", None, None, "completed", 5, 0.5),
    ]
    assert {record.run_id for record in caplog.records} == {outcome.run_id}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("source", "limits"),
    [
        (f'throw new Error("{SECRET}")', Limits()),
        (f'export default await agent("{SECRET}").then(() => {{ throw "{SECRET}" }})', Limits()),
        (f'for (;;) log("{SECRET}")', Limits(step_timeout_ms=100)),
        (
            f'phase("{SECRET}"); await agent("q", {{label: "{SECRET}"}}); throw "{SECRET}"',
            Limits(),
        ),
    ],
)
def test_no_record_has_a_prompt_an_answer_or_what_a_workflow_says(
    caplog: pytest.LogCaptureFixture, source: str, limits: Limits
) -> None:
    caplog.set_level(logging.DEBUG, logger="flowcage")

    async def agent(_call: AgentCall) -> AgentAnswer:
        return AgentAnswer(SECRET)

    failure(source, agent=agent, limits=limits)
    assert len(told(caplog)) >= 2
    assert [record for record in caplog.records if SECRET in str(vars(record))] == []


def test_a_handler_that_fails_is_an_error_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    async def agent(_call: AgentCall) -> AgentAnswer:
        raise ValueError(SECRET)

    failure('export default agent("q")', agent=agent)
    assert told(caplog, "verdict", "error_type") == [("flowcage.run", "ERROR", "host_fault", "HandlerFailed")]
    assert SECRET not in caplog.text


def test_a_machine_that_starts_no_child_is_an_error_with_its_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken:
        async def launch(self) -> Spawned:
            raise LaunchFailed("no processes are left")

        def distrust(self) -> None:
            pass

    with pytest.raises(LaunchFailed):
        run_workflow_blocking("export default 1", options=RunOptions(launcher=Broken()))
    assert told(caplog, "verdict", "reason") == [
        ("flowcage.run", "ERROR", "not_started", "no processes are left")
    ]


def test_without_a_level_that_asks_for_it_nothing_is_told(caplog: pytest.LogCaptureFixture) -> None:
    run('export default agent("q")')
    assert told(caplog) == []


def test_a_quota_is_told_once_a_minute_with_its_tenant(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with Host(default=TenantLimits(runs_per_minute=1)) as host:
            await host.run("export default 1", tenant="a\nb")
            for _ in range(3):
                with pytest.raises(Overloaded):
                    await host.run("export default 1", tenant="a\nb")

    trio.run(main)
    assert told(caplog, "quota", "tenant") == [("flowcage.tenants", "WARNING", "runs_per_minute", "a b")]


def test_every_verdict_has_a_level() -> None:
    assert {verdict: level_of(verdict) for verdict in Verdict} == {
        Verdict.COMPLETED: logging.INFO,
        Verdict.FAILED: logging.INFO,
        Verdict.STEP_TIMEOUT: logging.WARNING,
        Verdict.CPU_LIMIT: logging.WARNING,
        Verdict.WALL_TIMEOUT: logging.WARNING,
        Verdict.EXPIRED: logging.INFO,
        Verdict.MEMORY_LIMIT: logging.WARNING,
        Verdict.OUTPUT_LIMIT: logging.WARNING,
        Verdict.AGENT_LIMIT: logging.INFO,
        Verdict.BUDGET_EXHAUSTED: logging.INFO,
        Verdict.COST_EXHAUSTED: logging.INFO,
        Verdict.AGENTS_UNAVAILABLE: logging.WARNING,
        Verdict.QUARANTINED: logging.WARNING,
        Verdict.STALLED: logging.INFO,
        Verdict.PROTOCOL_VIOLATION: logging.WARNING,
        Verdict.ISOLATION_VIOLATION: logging.WARNING,
        Verdict.CRASHED: logging.WARNING,
        Verdict.CANCELLED: logging.INFO,
        Verdict.HOST_SHUTDOWN: logging.INFO,
        Verdict.NOT_STARTED: logging.ERROR,
        Verdict.HOST_FAULT: logging.ERROR,
        Verdict.DIVERGED: logging.ERROR,
    }
