"""The part of a host that puts runs into the queue of its store, and takes them from there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping

import trio

from flowcage.host.durable.queue.records import TurnLimits
from flowcage.host.durable.store import Store
from flowcage.host.outcome.errors import HostClosing
from flowcage.host.resume.new.queued import Place, queued_run, submit
from flowcage.host.run.node import new_run_id
from flowcage.host.run.options import RunOptions
from flowcage.host.tenants.lives import Lives
from flowcage.host.tenants.named_runs import DEFAULT_TENANT, Submission
from flowcage.host.tenants.scheduler import Scheduler
from flowcage.host.tenants.started.handle import RunHandle
from flowcage.host.tenants.started.handles import Handles
from flowcage.host.tenants.working.carrying import Carrying
from flowcage.host.tenants.working.submitting import submit_workflow
from flowcage.host.tenants.working.taking import Taking
from flowcage.host.tenants.working.worker import Worker
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import MISSING, Json, Missing


class Working(ABC):
    """See `Host`."""

    _store: Store | None
    _nursery: trio.Nursery | None
    _scheduler: Scheduler
    _lives: Lives
    _handles: Handles
    _options: RunOptions
    _taking: Taking | None = None
    _carrying: Carrying | None = None

    @abstractmethod
    def options(
        self,
        handlers: None,
        limits: Limits | Mapping[str, float] | None,
        options: RunOptions | None,
        metadata: Mapping[str, Json] | None = None,
    ) -> RunOptions: ...

    @abstractmethod
    def _spawn(self, scope: trio.CancelScope, task: Callable[[], Awaitable[None]]) -> None: ...

    def _work(self, worker: Worker, limits: Callable[[str], TurnLimits], options: RunOptions) -> None:
        """Be a worker, once the host's block is entered."""
        assert self._store is not None
        carrying = Carrying(
            self._store,
            self._lives,
            options,
            self._spawn,
            lambda: taking.left(),
            lambda: taking.rest(),
            worker,
        )
        has_room = self._scheduler.has_room
        self._taking = taking = Taking(self._store, worker, limits, has_room, carrying.begin)
        self._carrying = carrying

    async def submit(
        self,
        source: str,
        *,
        tenant: str = DEFAULT_TENANT,
        source_name: str = "workflow.js",
        args: Json | Missing = MISSING,
        limits: Limits | Mapping[str, float] | None = None,
        options: RunOptions | None = None,
        run_id: str | None = None,
        metadata: Mapping[str, Json] | None = None,
        key: str | None = None,
        pool: str = "",
        priority: int = 0,
        not_before: int | None = None,
        retries: int = 0,
    ) -> str:
        """Put a run into the queue of the host's store, for any worker that has its pool. The run's id.

        The arguments are those of `submit_workflow`; the host need not be a worker.

        Raises:
            AlreadyThere, StoreFailed, TypeError, ValueError: as `submit_workflow`.
            HostClosing: as `run`.
        """
        if self._store is None:
            raise ValueError("submit() needs a store that has the queue; give the host one, Host(store=…)")
        if self._nursery is None:
            raise HostClosing
        return await submit_workflow(
            self._store,
            source,
            tenant=tenant,
            source_name=source_name,
            args=args,
            options=self.options(None, limits, options, metadata),
            run_id=run_id,
            key=key,
            pool=pool,
            priority=priority,
            not_before=not_before,
            retries=retries,
        )

    async def _start_in_queue(self, asked: Submission, key: str | None) -> RunHandle | None:
        """The handle of a run of which this host is not the only one that may take it."""
        if self._taking is None:
            return None
        assert self._store is not None
        require_same_handlers(asked.options, self._options)
        what = (asked.run_id or new_run_id(), asked.source, asked.source_name, asked.args, asked.options)
        run = queued_run(self._store, *what, Place(), tenant=asked.tenant, start_key=key)
        submitted = await submit(self._store, run)
        return self._handles.follow(asked._replace(run_id=submitted.run_id))

    async def until_drained(self) -> None:
        """Wait until the host takes nothing from the queue any more; at once where it is no worker.

        Raises:
            StoreFailed: its store takes nothing any more, so nothing can be taken from it either.
        """
        if self._taking is not None:
            await self._taking.until_over()

    async def drain(self, grace_seconds: float = 30.0) -> None:
        """Take nothing more from the queue, and return when nothing that was taken is left here.

        Runs that only wait for the clock or for people fall asleep at once; the others go on for so long, and
        are handed over to other workers then. Runs that this host has begun itself are not touched.

        Args:
            grace_seconds: 0 hands everything over at once.
        """
        if self._taking is None or self._carrying is None:
            return
        self._taking.drain()
        self._carrying.rest()
        with trio.move_on_after(grace_seconds):
            await self._taking.until_idle()
        self._carrying.hand_over()
        await self._taking.until_idle()

    def _stop_working(self) -> None:
        if self._taking is not None:
            self._taking.close()


def require_same_handlers(options: RunOptions, of_host: RunOptions) -> None:
    """Refuse handlers of one call, which no other worker has. Raises ValueError."""
    for name in ("agent", "workflow", "sandbox_exec", "ask", "listener"):
        if getattr(options, name) not in (None, getattr(of_host, name), RunOptions.agent):
            raise ValueError(
                f"options.{name} is of this call alone, and any worker may take the run: give it to the host "
                "of each worker, Host(options=…), or use run(), which is carried out here"
            )
