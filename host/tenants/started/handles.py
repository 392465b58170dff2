"""Runs that outlive the call that started them: the host has their tasks, and callers have handles.

While a run is asleep it has no task either. What is left is its handle, by which the host knows whose it is
and what answers its requests; `Sleepers` starts the next task. A task of a handle ends in one of these ways:

- the run is over, and the handle is told how;
- it is asleep: it is given to `Sleepers`;
- another host has it: it is followed from the store until it is over, or nobody has it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

import trio

from flowcage.host.durable.errors import StoreFailed
from flowcage.host.durable.store import Store
from flowcage.host.outcome.errors import FlowcageError, HostClosing, Overloaded, RunCancelled
from flowcage.host.outcome.report import Outcome
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.resume.giving_back import LAST_COMMIT_SECONDS, to_its_end
from flowcage.host.resume.looking import cancelling
from flowcage.host.resume.refusals import GoesOn, NotResumable, StartedBefore
from flowcage.host.resume.sleep.asleep import Asleep, end_sleeper
from flowcage.host.resume.sleep.outcomes import outcome_of
from flowcage.host.run.node import new_run_id
from flowcage.host.run.options import RunOptions
from flowcage.host.run.run import Run
from flowcage.host.tenants.kept_runs import kept_by
from flowcage.host.tenants.lives import OVERLOADED_SECONDS, Lives
from flowcage.host.tenants.named_runs import RunIdInUse, Submission
from flowcage.host.tenants.scheduler import Scheduler
from flowcage.host.tenants.started.handle import RunHandle
from flowcage.host.tenants.started.sleepers import (
    REFUSED_SECONDS,
    Sleepers,
)

# One life of a run, which ends with its outcome.
Life: TypeAlias = Callable[[Callable[[Run], None]], Awaitable[Outcome]]


class Handles:
    """Those of one host.

    Args:
        lives: carries runs out.
        scheduler: gives turns.
        store: of the host.
        sleepers: wakes runs; None without a store.
        spawn: starts a task of the host's in a scope, which is cancelled when the host closes.
    """

    def __init__(
        self,
        lives: Lives,
        scheduler: Scheduler,
        store: Store | None,
        sleepers: Sleepers | None,
        spawn: Callable[[trio.CancelScope, Callable[[], Awaitable[None]]], None],
    ) -> None:
        self._lives = lives
        self._scheduler = scheduler
        self._store = store
        self._sleeping = sleepers
        self._spawn = spawn
        self._open: dict[str, RunHandle] = {}
        self._is_closed = False

    @property
    def _sleepers(self) -> Sleepers:
        assert self._sleeping is not None, "without a store no run sleeps"
        return self._sleeping

    def require_unused(self, run_id: str | None) -> None:
        """Refuse an id whose run goes on. Raises ValueError."""
        if self.get(run_id) is not None:
            raise RunIdInUse(run_id, ": that run was started, and goes on")

    def get(self, run_id: str | None) -> RunHandle | None:
        """That of a run that is not over."""
        return None if run_id is None else self._open.get(run_id)

    async def start(self, asked: Submission, key: str | None) -> RunHandle:
        """Start a run, or find the one that was started with this key; or go on with one of the store.

        Raises:
            Overloaded: at once: a quota is used up.
            AlreadyThere, StoreFailed, ValueError: as `Host.start`.
            UnknownRun, NotResumable: as `Host.start_resume`.
        """
        asked = asked._replace(run_id=asked.run_id or new_run_id())
        self._require_unused(asked)
        turn = self._scheduler.enter(asked.tenant)
        try:
            kept, options = await to_its_end(lambda: kept_by(self._store, asked, key))
        except StartedBefore as before:
            self._scheduler.leave(turn, begun=False)
            return self._join(asked._replace(run_id=before.run_id))
        except BaseException:
            self._scheduler.leave(turn, begun=False)
            raise
        if self._is_closed:
            self._scheduler.leave(turn, begun=False)
            if kept is not None:
                await kept.give_up(Verdict.HOST_SHUTDOWN)
            raise HostClosing
        handle = self._new(asked._replace(options=options))
        self._drive(handle, lambda began: self._lives.first(handle.asked, began, turn, kept))
        return handle

    def follow(self, asked: Submission) -> RunHandle:
        """The handle of a run that is in the queue of the store, whichever host takes it."""
        if (there := self.get(asked.run_id)) is not None:
            return there
        handle = self._new(asked._replace(source="", args=None, resumes=True))
        self._drive(handle, lambda _began: self._lives.over(handle.run_id))
        handle.state = "elsewhere"
        return handle

    def take_up(self, run_id: str, options: RunOptions) -> None:
        """Go on with a run of the store that nobody has; `Sleepers` is told where that cannot be."""
        self._spawn(trio.CancelScope(), partial(self._adopt, run_id, options))

    async def cancel(self, handle: RunHandle) -> None:
        """End a run."""
        handle.is_cancelled = True
        if handle.state == "elsewhere":
            assert self._store is not None
            await cancelling.cancel(self._store, handle.run_id)
        elif handle.scope is not None:
            handle.scope.cancel()
            await handle.wait()
        elif handle.state == "asleep":
            self._sleepers.forget(handle.run_id)
            await self._end_sleeper(handle)
            self._over(handle, RunCancelled("cancel() was called"))

    def close(self) -> None:
        """Nothing is woken any more: whoever waits for a run that is asleep is told so."""
        self._is_closed = True
        for handle in list(self._open.values()):
            if handle.scope is None:
                self._over(handle, HostClosing())

    def _require_unused(self, asked: Submission) -> None:
        there = self.get(asked.run_id)
        if not asked.resumes:
            self.require_unused(asked.run_id)
        elif (
            there is not None and there.tenant == asked.tenant
        ):  # of another tenant's the store tells nothing
            raise NotResumable(f"run {asked.run_id} goes on already")

    def _join(self, asked: Submission) -> RunHandle:
        """The run of an earlier start, of this host or of another."""
        if (there := self.get(asked.run_id)) is not None:
            return there
        handle = self._new(asked._replace(source="", args=None, resumes=True))
        self._drive(handle, partial(self._found, handle))
        return handle

    async def _found(self, handle: RunHandle, began: Callable[[Run], None]) -> Outcome:
        """What has become of an earlier start; one that its host had to leave is gone on with."""
        assert self._store is not None
        summary = await self._store.get(handle.run_id)
        if summary.state in ("ended", "diverged") and summary.verdict != Verdict.HOST_SHUTDOWN:
            return outcome_of(await self._store.load(handle.run_id))
        return await self._lives.one(handle.asked, began)

    def _new(self, asked: Submission) -> RunHandle:
        handle = RunHandle(asked, self.cancel)
        self._open[handle.run_id] = handle
        return handle

    async def _adopt(self, run_id: str, options: RunOptions) -> None:
        assert self._store is not None
        try:
            tenant = (await self._store.get(run_id)).tenant
        except FlowcageError as error:
            self._sleepers.refuse(run_id, _pause_after(error))
            return
        if run_id in self._open:
            self._sleepers.begun(run_id)
            return
        asked = Submission(tenant, "", run_id, None, options, run_id)
        handle = self._new(asked.woken(Asleep(run_id, None, 0)))
        handle.is_adopted = True
        self._drive(handle, partial(self._lives.one, handle.asked))

    def _wake(self, handle: RunHandle) -> None:
        handle.state = "waiting"
        self._drive(handle, partial(self._lives.one, handle.asked))

    def _drive(self, handle: RunHandle, life: Life) -> None:
        if self._is_closed:
            self._over(handle, HostClosing())
            return
        scope = handle.scope = trio.CancelScope()
        self._spawn(scope, partial(self._live, handle, life))

    async def _live(self, handle: RunHandle, life: Life) -> None:
        """One task of a run. Whatever becomes of it, its handle is told, and no other run."""
        ended: Outcome | Exception | Asleep | None = None
        assert handle.scope is not None
        try:
            with handle.scope:
                ended = await self._ended(handle, life)
        except Exception as error:
            ended = error
        finally:
            if isinstance(ended, Asleep) and not (self._is_closed or handle.is_cancelled):
                handle.sleep(ended)
                self._sleepers.add(handle.run_id, ended.wake_at, partial(self._wake, handle))
            elif ended is None or isinstance(ended, Asleep):
                await self._interrupted(handle)
            else:
                self._over(handle, ended)

    async def _interrupted(self, handle: RunHandle) -> None:
        if handle.is_cancelled and self._store is not None:
            await self._end_sleeper(handle)
        ended = RunCancelled("cancel() was called") if handle.is_cancelled else HostClosing()
        self._over(handle, ended)

    async def _ended(self, handle: RunHandle, life: Life) -> Outcome | Exception | Asleep:
        while True:
            try:
                return await life(handle.began)
            except Asleep as asleep:
                if asleep.epoch is None:
                    return asleep
                handle.asked = handle.asked.woken(asleep)
            except NotResumable as error:
                if handle.is_adopted:
                    return error if isinstance(error, GoesOn) else self._refused(handle, error)
                return await self._elsewhere(handle, error)
            except Exception as error:
                return self._refused(handle, error)
            life = partial(self._lives.one, handle.asked)

    async def _elsewhere(self, handle: RunHandle, why: NotResumable) -> Outcome | Exception | Asleep:
        handle.state = "elsewhere"
        try:
            return await self._lives.elsewhere(handle.run_id, why)
        except Asleep as asleep:
            return asleep
        except Exception as error:
            return error

    def _refused(self, handle: RunHandle, error: Exception) -> Exception:
        """An error of a run; one that was taken up, and that had no life here, is left alone for a while."""
        if handle.is_adopted and not handle.has_begun:
            self._sleepers.refuse(handle.run_id, _pause_after(error))
        return error

    async def _end_sleeper(self, handle: RunHandle) -> None:
        assert self._store is not None
        with trio.CancelScope(shield=True), trio.move_on_after(LAST_COMMIT_SECONDS):
            await end_sleeper(self._store, handle.run_id, Verdict.CANCELLED, "cancelled")

    def _over(self, handle: RunHandle, ended: Outcome | Exception) -> None:
        self._open.pop(handle.run_id, None)
        handle.settle(ended)


def _pause_after(error: Exception) -> float:
    """How long a run is left alone that could not be taken up; what is no fault of the run's is soon over."""
    return OVERLOADED_SECONDS if isinstance(error, Overloaded | StoreFailed) else REFUSED_SECONDS
