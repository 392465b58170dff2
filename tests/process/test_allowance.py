"""What all processes of a run may use together, as figures."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from flowcage.host import CpuExceeded, OutputExceeded
from flowcage.host.process.allowance import Allowance


class Process:
    """CPU as a test has it."""

    def __init__(self, cpu: float | None = 0.0) -> None:
        self.cpu = cpu

    def read(self) -> float | None:
        return self.cpu


@pytest.mark.parametrize(
    ("ended", "running", "is_over"),
    [
        (0.0, [], False),
        (0.0, [9.9], False),
        (0.0, [99.0], False),  # one alone is the kernel's to end, or its own
        (0.0, [5.0, 4.9], False),
        (0.0, [5.0, 5.0], True),
        (0.0, [2.5, 2.5, 2.5, 2.5], True),
        (9.9, [0.0], False),
        (9.9, [0.2], True),
        (10.0, [], True),
        (9.0, [None], False),
    ],
)
def test_the_cpu_of_all_processes_together_is_bounded(
    ended: float, running: list[float | None], is_over: bool
) -> None:
    allowance = Allowance(cpu_seconds=10)
    allowance.charge_cpu(ended)
    with ExitStack() as stack:
        for cpu in running:
            stack.enter_context(allowance.process(Process(cpu).read))
        if is_over:
            with pytest.raises(CpuExceeded, match="used 10 s of CPU"):
                allowance.require()
        else:
            allowance.require()


def test_what_ended_stays_charged_and_what_was_over_stays_over() -> None:
    allowance = Allowance(cpu_seconds=10)
    one, two = Process(), Process()
    with allowance.process(one.read):
        with allowance.process(two.read):
            one.cpu, two.cpu = 3.0, 6.0
            assert allowance.used_cpu_seconds == 9.0
            allowance.require()
            two.cpu = 7.0
            with pytest.raises(CpuExceeded):
                allowance.require()
            two.cpu = 6.5  # the kernel's last word is a little less than its clock's
        assert allowance.cpu_seconds == 6.5
        with pytest.raises(CpuExceeded):
            allowance.require()


@pytest.mark.parametrize(
    ("used", "left"), [(0.0, 10), (0.3, 10), (1.0, 9), (5.5, 5), (9.2, 1), (9.9, 1), (10.0, 1), (12.0, 1)]
)
def test_a_further_process_is_given_what_is_left_and_nobody_gets_nothing(used: float, left: int) -> None:
    allowance = Allowance(cpu_seconds=10)
    allowance.charge_cpu(used)
    assert allowance.left_cpu_seconds == left


@pytest.mark.parametrize(
    ("used", "processes", "seconds"),
    [(0.0, 1, 1.0), (9.0, 1, 1.0), (9.4, 2, 0.3), (9.99, 4, 0.1), (11, 1, 0.1)],
)
def test_nothing_is_looked_at_before_it_could_be_used_up(used: float, processes: int, seconds: float) -> None:
    allowance = Allowance(cpu_seconds=10)
    allowance.charge_cpu(used)
    with ExitStack() as stack:
        for _ in range(processes):
            stack.enter_context(allowance.process(Process().read))
        assert allowance.pause_seconds() == pytest.approx(seconds)


def test_output_is_counted_over_all_children() -> None:
    allowance = Allowance(received_bytes=100)
    allowance.receive(60)
    allowance.receive(40)
    with pytest.raises(OutputExceeded, match="more than 100 bytes"):
        allowance.receive(1)
    with pytest.raises(OutputExceeded):
        allowance.require()


def test_cpu_that_something_else_used_for_the_run_counts() -> None:
    allowance = Allowance(10)
    allowance.charge_cpu(10.5)  # such as what checking a schema took
    with pytest.raises(CpuExceeded):
        allowance.require()
