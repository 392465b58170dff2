"""A run that is ended from outside at the very moment that it ends by itself."""

from __future__ import annotations

from collections.abc import Callable

import trio

from flowcage.host import Outcome, RunError, RunOptions, run_workflow
from flowcage.host.events.records import Event, RunEnded
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.process.launch.launcher import Spawned
from flowcage.host.process.reaping import ExitWatch

from ..host.children import Launcher


class Race:
    """One run that is ended by `strike` at the moment that its child exits."""

    def __init__(self, strike: Callable[[trio.CancelScope, int], None]) -> None:
        self._strike = strike
        self.launcher = Launcher(hear=self._begin)
        self._begin_watch: Callable[[int], None]
        self.ended: list[RunEnded] = []
        self.outcomes: list[Outcome | RunError] = []

    async def run(self) -> None:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                self._begin_watch = lambda pid: nursery.start_soon(self._watch, pid, scope)
                options = RunOptions(launcher=self.launcher, listener=self._hear)
                try:
                    self.outcomes.append(await run_workflow("export default 1", options=options))
                except RunError as error:
                    self.outcomes.append(error)

    def _begin(self, spawned: Spawned) -> None:
        self._begin_watch(spawned.pid)

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
