"""Many runs of many tenants in one trio program.

A run passes `Host.run` (arguments are checked), `_admit` and `Lives` (its turn, its child). While it is
admitted its cancel scope is in `_scopes`, by which `_close` ends it. Leaving the block goes in this order, of
which no step may be moved: refuse new runs and cancel those that there are; wait until all have ended, for
they use the tenants' launchers; end the spares; cancel the host's tasks; close the launchers, shielded.
`Scopes.run` says the same to the runs that are the host's own where the block is cancelled."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, Self

import trio

from flowcage.host.durable.store import Store
from flowcage.host.outcome.errors import HostClosing
from flowcage.host.outcome.report import Outcome
from flowcage.host.process.launch.greeting import initialize_message
from flowcage.host.process.launch.launcher import ClosableLauncher
from flowcage.host.process.launch.reserve import Reserve
from flowcage.host.process.launch.spawn import Spawn
from flowcage.host.process.launch.zygote import Zygote
from flowcage.host.run.arguments import require_callable, require_members, require_type
from flowcage.host.run.event_loops import require_trio
from flowcage.host.run.live import LiveRun
from flowcage.host.run.options import Handlers, RunOptions
from flowcage.host.run.past.hibernation import DEFAULT as HIBERNATION
from flowcage.host.run.past.hibernation import Hibernation, require_hibernation
from flowcage.host.run.run import Run
from flowcage.host.tenants.figures import Figures
from flowcage.host.tenants.kept.answers import Answers
from flowcage.host.tenants.kept_runs import Resuming, chosen_options
from flowcage.host.tenants.lives import Lives, cage
from flowcage.host.tenants.memory_budget import MemoryBudget
from flowcage.host.tenants.named_runs import DEFAULT_TENANT, NamedRuns, Submission, submission
from flowcage.host.tenants.resources import Tenancies
from flowcage.host.tenants.scheduler import MAX_QUEUED, MAX_RUNS, Scheduler
from flowcage.host.tenants.scopes import Scopes
from flowcage.host.tenants.started.forking import Forking
from flowcage.host.tenants.started.handles import Handles
from flowcage.host.tenants.started.sleepers import Sleepers
from flowcage.host.tenants.started.starting import Starting
from flowcage.host.tenants.statistics import RunCounts
from flowcage.host.tenants.tenant import TenantLimits
from flowcage.host.tenants.working.part import Working
from flowcage.host.tenants.working.quotas import of_this_host, over_all_workers
from flowcage.host.tenants.working.worker import Worker, as_worker
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import MISSING, Json, Missing


class Host(Working, Resuming, Starting, Answers, Forking, Figures):
    """Runs workflows for tenants, each run in a caged child of its own, as many at once as the limits allow.

    Use it as an async context manager. Leaving the block refuses new runs, cancels those that wait or run
    (their callers get `HostClosing`), and returns when every process is killed and reaped.

    Args:
        tenants: limits of tenants by name.
        default: limits of each tenant that is not named there.
        max_runs: runs at once, over all tenants.
        max_queued: runs that may wait for their turn, over all tenants.
        memory: the budget of all runs together; by default `MemoryBudget()`.
        launcher: makes a tenant's launcher. By default a `Zygote` on Linux and `Spawn` elsewhere.
        options: of every run whose call has none; by default `RunOptions()`.
        store: keeps every run, so that `resume` can go on with it; whoever opened it closes it afterwards.
        hibernation: when a run that only waits falls asleep in the store; None for never.
        takes_up: whether the host goes on with runs of the store that nobody has: those of hosts that ended,
            and those that are asleep and due or were answered. They have the host's `options`.
        worker: what the host takes from the queue of its store, to which `submit` adds; True takes from the
            usual pool. `tenants` and `default` then hold over all workers, and should be the same in each.

    Raises:
        TypeError, ValueError: an argument is of the wrong type or out of range.
    """

    def __init__(
        self,
        *,
        tenants: Mapping[str, TenantLimits] = MappingProxyType({}),
        default: TenantLimits | None = None,
        max_runs: int = MAX_RUNS,
        max_queued: int = MAX_QUEUED,
        memory: MemoryBudget | None = None,
        launcher: Callable[[], ClosableLauncher] = Zygote if sys.platform == "linux" else Spawn,
        options: RunOptions | None = None,
        store: Store | None = None,
        hibernation: Hibernation | None = HIBERNATION,
        takes_up: bool = False,
        worker: Worker | bool = False,
    ) -> None:
        require_members("tenants", tenants, TenantLimits)
        require_callable("launcher", launcher)
        require_type("takes_up", takes_up, bool)
        if hibernation is not None:
            require_hibernation(hibernation)
        if takes_up and store is None:
            raise ValueError("takes_up needs a store; give the host one, Host(store=…)")
        for name, value, kind in (
            ("default", default, TenantLimits),
            ("memory", memory, MemoryBudget),
            ("options", options, RunOptions),
        ):
            if value is not None:
                require_type(name, value, kind)
        works = as_worker(worker, store)
        turns = (tenants, default) if works is None else of_this_host(tenants, default)
        self._scheduler = Scheduler(memory or MemoryBudget(), *turns, max_runs, max_queued)
        self._options = options or RunOptions()
        self._keep_runs(store)
        self._tenancies = Tenancies(launcher, self._new_reserve)
        self._counts = RunCounts()
        take_up = (lambda run_id: self._handles.take_up(run_id, self._options)) if takes_up else None
        self._sleepers = None if store is None else Sleepers(store, take_up)
        of_host = (self._scheduler, self._tenancies, self._counts)
        self._lives = Lives(store, *of_host, hibernation, self._sleepers, self._outside, takes_up)
        self._handles = Handles(self._lives, self._scheduler, store, self._sleepers, self._spawn)
        if works is not None:
            self._work(works, over_all_workers(tenants, default), self._options)
        self._named = NamedRuns()
        self._scopes = Scopes()
        self._nursery: trio.Nursery | None = None
        self._manager = self._open()
        self._was_entered = False

    async def __aenter__(self) -> Self:
        require_trio("async with Host()")
        if self._was_entered:
            raise RuntimeError("a Host can be entered once; make another one")
        self._was_entered = True
        await self._manager.__aenter__()
        return self

    async def __aexit__(self, *raised: Any) -> bool | None:
        return await self._manager.__aexit__(*raised)

    async def run(
        self,
        source: str,
        *,
        tenant: str = DEFAULT_TENANT,
        source_name: str = "workflow.js",
        args: Json | Missing = MISSING,
        handlers: Handlers | None = None,
        limits: Limits | Mapping[str, float] | None = None,
        options: RunOptions | None = None,
        run_id: str | None = None,
        metadata: Mapping[str, Json] | None = None,
    ) -> Outcome:
        """Wait for the tenant's turn and run one workflow to its end.

        Args:
            source: JavaScript text, in either dialect.
            tenant: the name whose quotas are charged; one that was authenticated.
            source_name: the name of the source in stacks and errors; the workflow can read it.
            args: any JSON value, the workflow's ``args``; by default ``{}``.
            handlers: answer the workflow's requests; by default those of `options`.
            limits: by name, ``{"cpuSeconds": 10}`` or ``{"cpu_seconds": 10}``, or a `Limits`; by default
                those of `options`.
            options: everything else; by default the host's. Its launcher is not used.
            run_id: 1 to 100 of ``A-Za-z0-9._-``; by default a new one that sorts by time. While the run goes
                on, a second call with the same id waits for its end and runs nothing. Once it has ended, the
                id is forgotten.
            metadata: JSON of the caller's own, for events and the report; by default that of `options`.

        Raises:
            Overloaded: at once: a quota is used up.
            RunError: as `run_workflow`.
            HostClosing: the host's block was left meanwhile, or not entered.
            RunCancelled: the run was another call's, by its id, and that call was cancelled.
            TypeError, ValueError: an argument is of the wrong type, a limit's or the tenant's name is wrong,
                or the tenant has the id in use for another source, source name or args; nothing was queued.
        """
        chosen = self.options(handlers, limits, options, metadata)
        asked = submission(tenant, source, source_name, args, chosen, run_id)
        self._handles.require_unused(run_id)
        joined = await self._named.join(asked)
        return await self._admit(asked) if joined is None else joined

    @asynccontextmanager
    async def open_run(
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
    ) -> AsyncIterator[LiveRun]:
        """Start a run whose events and requests the caller reads and answers.

        Entering the block waits for the tenant's turn. Leaving it before the run has ended cancels the run:
        the child is killed and reaped before the block is left.

        The arguments are those of `run`. The handlers of `options` are not used; its listener gets the events
        too. A `run_id` that is in use is a ValueError here: a live run has one reader.

        Raises:
            Overloaded, HostClosing, TypeError, ValueError: as `run`; all other errors come from
                `LiveRun.outcome`.
        """
        chosen = self.options(None, limits, options, metadata)
        asked = submission(tenant, source, source_name, args, chosen, run_id)
        if self._nursery is None:
            raise HostClosing
        live = LiveRun(chosen.listener)
        asked = asked._replace(options=replace(chosen, listener=live.hear), answerer=live.answerer)
        await self._nursery.start(live.drive, partial(self._admit, asked))
        try:
            yield live
        finally:
            await live.aclose()

    def options(
        self,
        handlers: Handlers | None,
        limits: Limits | Mapping[str, float] | None,
        options: RunOptions | None,
        metadata: Mapping[str, Json] | None = None,
    ) -> RunOptions:
        """The options of a run for these arguments of `run`.

        Raises:
            ValueError: a limit has an unknown name or an impossible value.
            TypeError: an argument is of the wrong type.
        """
        if options is not None:
            require_type("options", options, RunOptions)
        return chosen_options(options or self._options, handlers, limits, metadata)

    @property
    def store(self) -> Store | None:
        """That keeps its runs."""
        return self._store

    async def _admit(self, asked: Submission, began: Callable[[Run], None] = lambda _run: None) -> Outcome:
        return await self._named.carry_out(asked, partial(self._take_turn, asked, began))

    async def _take_turn(self, asked: Submission, began: Callable[[Run], None]) -> Outcome:
        if self._nursery is None:
            raise HostClosing
        with trio.CancelScope() as scope, self._scopes.hold(scope):
            return await self._lives.to_the_end(asked, began)
        raise HostClosing

    def _spawn(self, scope: trio.CancelScope, task: Callable[[], Awaitable[None]]) -> None:
        assert self._nursery is not None
        self._scopes.spawn(self._nursery, scope, task)

    def _new_reserve(self, launcher: ClosableLauncher) -> Reserve:
        if self._nursery is None:  # a run has had its turn, and was still being taken up
            raise HostClosing
        return Reserve(launcher, initialize_message(*cage(self._options)), self._nursery.start_soon)

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[None]:
        failure: Exception | None = None
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._scopes.run)
                nursery.start_soon(self._scheduler.run)
                nursery.start_soon(self._tenancies.sweep)
                nursery.start_soon(self._lives.glances.run)
                if self._sleepers is not None:
                    nursery.start_soon(self._sleepers.run)
                nursery.start_soon(self._watch_store)
                self._nursery = nursery
                if self._taking is not None:
                    nursery.start_soon(self._taking.run)
                try:
                    yield
                except Exception as error:  # raised outside the nursery, which would wrap it in a group
                    failure = error
                await self._close()
                self._tenancies.close_reserves()
                nursery.cancel_scope.cancel()
        finally:
            with trio.CancelScope(shield=True):
                await self._close()
                await self._tenancies.aclose()
            if failure is not None:  # replaces a cancellation that came while the host was closing
                raise failure

    async def _close(self) -> None:
        self._nursery = None
        self._handles.close()
        self._stop_working()
        if self._sleepers is not None:
            self._sleepers.close()
        self._scheduler.close()
        await self._scopes.end()
