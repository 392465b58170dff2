"""Verdicts that hang on a figure of the kernel's, or on what a failure is about."""

from __future__ import annotations

import pytest
import trio

from flowcage.host import ChildDied, Limits, Verdict, WorkflowFailed
from flowcage.host.outcome.judge import verdict_here, verdict_on
from flowcage.host.outcome.measured import Ended, Measured, Span
from flowcage.host.outcome.verdict import HOST_SHUTDOWN

from ..host.runs import failure


@pytest.mark.parametrize(
    ("signal", "cpu_seconds", "verdict"),
    [
        ("SIGXCPU", 0.0, Verdict.CPU_LIMIT),
        ("SIGKILL", 10.0, Verdict.CPU_LIMIT),  # RLIMIT_CPU's hard limit
        ("SIGKILL", 9.0, Verdict.CRASHED),
        ("SIGSEGV", 10.0, Verdict.CRASHED),
        ("SIGSYS", 10.0, Verdict.ISOLATION_VIOLATION),
    ],
)
def test_a_death_is_judged_by_its_signal_and_the_kernels_count_of_cpu(
    signal: str, cpu_seconds: float, verdict: Verdict
) -> None:
    ended = Ended(signal, None, cpu_seconds, 0.0, 0)
    measured = Measured(ended, Limits(cpu_seconds=10), Span())
    assert verdict_on(ChildDied(signal, None, ""), measured) == verdict


@pytest.mark.parametrize(
    ("step", "all_cpu", "verdict"),
    [
        (Span(wall=1.0, cpu=1.0), 1.0, Verdict.STEP_TIMEOUT),
        (Span(wall=9.0, cpu=1.0), 1.0, Verdict.STEP_TIMEOUT),  # the machine was busy with others
        (Span(wall=10.0, cpu=0.0), 1.0, Verdict.STEP_TIMEOUT),  # so busy that the step had nothing of it
        (Span(wall=0.9, cpu=0.9), 0.9, Verdict.FAILED),
        (Span(wall=9.9, cpu=0.9), 0.9, Verdict.FAILED),  # it waited, and says that it worked
        (Span(wall=0.5, cpu=0.5), 10.0, Verdict.CPU_LIMIT),
        (Span(wall=1.0, cpu=1.0), 10.0, Verdict.CPU_LIMIT),
    ],
)
def test_a_timeout_that_a_child_claims_is_judged_by_its_cpu_and_at_last_by_the_clock(
    step: Span, all_cpu: float, verdict: Verdict
) -> None:
    measured = Measured(Ended(None, 0, all_cpu, 0.0, 0), Limits(step_timeout_ms=1000, cpu_seconds=10), step)
    assert verdict_on(WorkflowFailed("timeout", "", {}), measured) == verdict


def test_a_source_that_is_too_long_has_failed_and_has_not_said_too_much() -> None:
    assert failure(f"return 1;/*{'x' * (2 << 20)}*/").verdict == Verdict.FAILED


@pytest.mark.parametrize(
    ("reason", "verdict"), [(HOST_SHUTDOWN, Verdict.HOST_SHUTDOWN), (None, Verdict.CANCELLED)]
)
def test_a_run_that_is_being_stopped_when_its_host_ends_is_judged_by_that(
    reason: str | None, verdict: Verdict
) -> None:
    judged = []

    async def main() -> None:
        with trio.CancelScope() as host:
            try:
                with trio.CancelScope() as below:
                    below.cancel()
                    host.cancel(reason=reason)
                    await trio.sleep_forever()
            except trio.Cancelled as interruption:
                judged.append(await verdict_here(interruption))
                raise

    trio.run(main)
    assert judged == [verdict]
