"""Verdicts that hang on a figure of the kernel's, or on what a failure is about."""

from __future__ import annotations

import pytest

from flowcage.host import ChildDied, Limits, Verdict
from flowcage.host.judge import Measured, verdict_on
from flowcage.host.process import Ended

from .runs import failure


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
    measured = Measured(ended, Limits(cpu_seconds=10), 0.0)
    assert verdict_on(ChildDied(signal, None, ""), measured) == verdict


def test_a_source_that_is_too_long_has_failed_and_has_not_said_too_much() -> None:
    assert failure(f"return 1;/*{'x' * 128 * 1024}*/").verdict == Verdict.FAILED
