"""A run that is ended from outside at the very moment that it ends by itself."""

from __future__ import annotations

from collections.abc import Callable

import trio

from flowcage.host import Outcome, RunError, RunOptions, run_workflow
from flowcage.host.events import Event, RunEnded
from flowcage.host.launch.spawn import Spawned
from flowcage.host.process import ExitWatch
from flowcage.host.verdict import Verdict

from ..host.children import Launcher


class Race:
    """One run that is ended by `strike` at the moment that its child exits."""

    def __init__(self, strike: Callable[[trio.CancelScope, int], None]) -> None:
        self._strike = strike
        self.launcher = Launcher()
        self.ended: list[RunEnded] = []
        self.outcomes: list[Outcome | RunError] = []

    async def run(self) -> None:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:

                def launch() -> Spawned:
                    spawned = self.launcher()
                    nursery.start_soon(self._watch, spawned.pid, scope)
                    return spawned

                options = RunOptions(launcher=launch, listener=self._hear)
                try:
                    self.outcomes.append(await run_workflow("export default 1", options=options))
                except RunError as error:
                    self.outcomes.append(error)

    async def _watch(self, pid: int, scope: trio.CancelScope) -> None:
        watch = ExitWatch(pid)
        try:
            await watch.wait()
        finally:
            watch.close()
        self._strike(scope, pid)

    def _hear(self, event: Event) -> None:
        if isinstance(event, RunEnded):
            self.ended.append(event)

    def verdict(self) -> Verdict:
        """The one verdict, of which outcome and event agree."""
        (ended,) = self.ended
        if not self.outcomes:
            assert ended.verdict is Verdict.CANCELLED
        for outcome in self.outcomes:
            assert outcome.report is not None
            assert outcome.report.verdict is ended.verdict
        return ended.verdict
