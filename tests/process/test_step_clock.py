"""What the host takes a step to have lasted."""

from __future__ import annotations

import trio

from flowcage.host.outcome.measured import Span
from flowcage.host.process.step_clock import StepClock

from ..tenants.test_scheduler import on_a_mock_clock


class Child:
    """CPU as a test has it."""

    def __init__(self) -> None:
        self.cpu: float | None = 100.0

    def read(self) -> float | None:
        return self.cpu

    async def works(self, wall: float, cpu: float) -> None:
        await trio.sleep(wall)
        if self.cpu is not None:
            self.cpu += cpu


@on_a_mock_clock
async def test_a_step_is_from_the_write_to_the_reply() -> None:
    child = Child()
    step = StepClock(child.read)
    await child.works(50, 5)
    step.sent()
    await child.works(4, 3)
    step.answered(more=False)
    assert step.last == Span(4, 3)


@on_a_mock_clock
async def test_what_came_before_more_is_of_the_same_step() -> None:
    child = Child()
    step = StepClock(child.read)
    step.sent()
    await child.works(4, 3)
    step.answered(more=True)
    await child.works(100, 0)  # the host is busy with what was handed out
    step.sent()
    await child.works(0.5, 0.25)
    step.answered(more=False)
    assert step.last == Span(4.5, 3.25)
    step.sent()
    await child.works(1, 1)
    step.answered(more=False)
    assert step.last == Span(1, 1)


@on_a_mock_clock
async def test_cpu_that_cannot_be_read_is_as_much_as_there_can_be() -> None:
    child = Child()
    step = StepClock(child.read)
    step.sent()
    child.cpu = None
    await child.works(4, 3)
    step.answered(more=False)
    assert step.last == Span(4, 4)
