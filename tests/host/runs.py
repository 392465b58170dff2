"""Runs of workflows through real children, none of which may be left afterwards."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from flowcage.host import (
    AgentAnswer,
    AgentCall,
    Outcome,
    RequestRejected,
    RunError,
    RunOptions,
    run_workflow,
    run_workflow_blocking,
)
from flowcage.host.events.records import Event
from flowcage.host.run.core.inputs import Input
from flowcage.host.run.past.journal import Begun
from flowcage.host.run.past.past import PastWorkflow

from .children import Launcher


def run(source: str, **options: Any) -> Outcome:
    """Run to a result; the options are those of `RunOptions`."""
    launcher = Launcher()
    try:
        # A run that hangs is to be seen here, and not an hour later.
        given = RunOptions(**{"launcher": launcher, "timeout_seconds": 600, **options})
        return run_workflow_blocking(source, options=given)
    finally:
        launcher.assert_nothing_left()


def failure(source: str, **options: Any) -> RunError:
    """Run to an end without a result."""
    with pytest.raises(RunError) as caught:
        run(source, **options)
    return caught.value


def overdue(source: str, *, launcher: Launcher | None = None, **handlers: Any) -> RunError:
    """Run until a handler is at work: at that moment trio's clock jumps over the timeout of the run."""
    clock, launcher = trio.testing.MockClock(rate=1.0), launcher or Launcher()

    def late(handler: Any) -> Any:
        async def ask(*given: Any) -> Any:
            clock.jump(600)
            return await handler(*given)

        return ask

    given = {name: late(handler) for name, handler in handlers.items()}
    options = RunOptions(launcher=launcher, timeout_seconds=600, **given)
    with pytest.raises(RunError) as caught:
        trio.run(lambda: run_workflow(source, options=options), clock=clock)
    launcher.assert_nothing_left()
    return caught.value


class Agent:
    """Answers calls in turn with what it was given: a value, a `RequestRejected`, or any other error.

    The last one answers all further calls. `calls` are those that came.
    """

    def __init__(self, *answers: Any, tokens: int = 10) -> None:
        self._answers = list(answers)
        self._tokens = tokens
        self.calls: list[AgentCall] = []

    async def __call__(self, call: AgentCall) -> AgentAnswer:
        self.calls.append(call)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return AgentAnswer(answer, self._tokens)


def busy() -> RequestRejected:
    """What an agent that has no time raises."""
    return RequestRejected("busy")


class Listener:
    """Keeps the events of a run as an events file would have them."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []

    def __call__(self, event: Event) -> None:
        self.heard.append(event.to_json())

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The events of one type, in order."""
        return [event for event in self.heard if event["type"] == kind]


class Inputs:
    """A journal that takes everything and keeps it in memory."""

    def __init__(self) -> None:
        self.taken: list[tuple[float, Input]] = []
        self.begun: list[Begun] = []

    def record(self, now: float, given: Input) -> None:
        self.taken.append((now, given))

    def begin(self, begun: Begun) -> None:
        self.begun.append(begun)

    def flush(self) -> None:
        pass

    async def past(self, path: str) -> PastWorkflow:
        raise NotImplementedError  # no run of a test that has this one naps

    async def kept(self) -> None:
        await trio.lowlevel.checkpoint()


class Crowd:
    """Agents that wait to be let go; counts those at work, and the most there ever were."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.at_work = 0
        self.most = 0

    async def agent(self, call: AgentCall) -> AgentAnswer:
        self.order.append(call.prompt)
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        for _ in range(3):
            await trio.lowlevel.checkpoint()
        self.at_work -= 1
        return AgentAnswer(call.prompt)


def agents(count: int, name: str) -> str:
    return f"export default parallel(Array.from({{length: {count}}}, (_, n) => () => agent('{name}' + n)))"
