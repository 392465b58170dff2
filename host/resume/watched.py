"""A run that knows from the first moment on that it is being ended from outside."""

from __future__ import annotations

from typing import Any

import trio

from flowcage.host.resume.keeper import Keeper
from flowcage.host.run.run import Run


class Watched(Run):
    """A run whose keeper is told of its end before any of its workflows has ended.

    A cancellation reaches the workflows of a tree one after another, and each of them may end before its
    siblings have had their last input. Trio calls the abort functions of all tasks that wait at once, while
    the scope is being cancelled, so that of a task which only waits is called before any other task goes on.
    """

    keeper: Keeper
    _is_cancelled = False

    def open(self, nursery: trio.Nursery) -> None:
        super().open(nursery)
        self.keeper.is_being_ended = self._is_being_ended
        self.spawn(self._watch)

    def _is_being_ended(self) -> bool:
        return self._is_cancelled or self.bounded.cancel_called

    async def _watch(self) -> None:
        def cancelled(_raise: Any) -> trio.lowlevel.Abort:
            self._is_cancelled = True
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(cancelled)
