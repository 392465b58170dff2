"""A handle of a run that a host has started."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable
from typing import Literal, TypeAlias

import trio

from flowcage.host.outcome.report import Outcome
from flowcage.host.resume.sleep.asleep import Asleep
from flowcage.host.run.reporting import RunStatistics
from flowcage.host.run.run import Run
from flowcage.host.tenants.named_runs import Submission

Standing: TypeAlias = Literal["waiting", "running", "asleep", "elsewhere", "ended"]


class RunHandle:
    """A run that `Host.start` has started. Several handles of one run are one object.

    Attributes:
        run_id: in events, and in the host's store.
        tenant: whose it is.
        state: ``waiting`` for its turn, ``running``, ``asleep`` in the store, ``elsewhere`` where another
            host has it, ``ended``.
    """

    __slots__ = (
        *("run_id", "tenant", "state", "asked", "scope", "is_cancelled", "is_adopted", "has_begun"),
        *("_cancel", "_run", "_outcome", "_error", "_over"),
    )

    def __init__(self, asked: Submission, cancel: Callable[[RunHandle], Awaitable[None]]) -> None:
        assert asked.run_id is not None
        self.run_id: str = asked.run_id
        self.tenant = asked.tenant
        self.state: Standing = "waiting"
        self.asked = asked
        self.scope: trio.CancelScope | None = None
        self.is_cancelled = self.is_adopted = self.has_begun = False
        self._cancel = cancel
        self._run: Run | None = None
        self._outcome: Outcome | None = None
        self._error: Exception | None = None
        self._over: trio.Event | None = None  # once somebody waits: ten thousand may be asleep

    async def outcome(self) -> Outcome:
        """Wait for the end of the run, through all of its sleeps.

        Raises:
            RunError: as `Host.run`.
            RunCancelled: it was cancelled.
            HostClosing: the host's block was left first.
        """
        await self.wait()
        if self._error is not None:
            raise copy.copy(self._error) from self._error  # each caller adds to the traceback of its own
        assert self._outcome is not None
        return self._outcome

    async def cancel(self) -> None:
        """End the run, wherever it is. When this returns, its child is gone; another host's is told to."""
        await self._cancel(self)

    def statistics(self) -> RunStatistics | None:
        """Of the run now, or as it last was; None before its first turn in this host."""
        return None if self._run is None else self._run.statistics()

    def began(self, run: Run) -> None:
        """For the host: a life of the run has its turn."""
        self._run, self.state, self.has_begun = run, "running", True

    def settle(self, ended: Outcome | Exception) -> None:
        """For the host: the run is over, or this host has nothing to do with it any more."""
        if isinstance(ended, Exception):
            self._error = ended
        else:
            self._outcome = ended
        self.state, self.scope = "ended", None
        if self._over is not None:
            self._over.set()

    async def wait(self) -> None:
        """Wait for the end, whatever it is."""
        if self.state == "ended":
            await trio.lowlevel.checkpoint()
            return
        if self._over is None:
            self._over = trio.Event()
        await self._over.wait()

    def sleep(self, asleep: Asleep) -> None:
        """For the host: keep nothing that a run that is asleep does not need."""
        self.asked = self.asked.woken(asleep)
        self._run, self.scope, self.state = None, None, "asleep"
