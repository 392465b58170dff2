"""`Host` for asyncio programs: each method is that of the host on trio, awaited from the program's loop."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial, update_wrapper
from types import MappingProxyType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from flowcage.host.durable.store import Store
from flowcage.host.on_asyncio.crossing import held, in_host, in_host_now
from flowcage.host.on_asyncio.handlers import at, options_at
from flowcage.host.on_asyncio.place import Place
from flowcage.host.on_asyncio.runs import LiveRun, RunHandle
from flowcage.host.outcome.errors import HostClosing
from flowcage.host.process.launch.launcher import ClosableLauncher
from flowcage.host.process.launch.spawn import Spawn
from flowcage.host.process.launch.zygote import Zygote
from flowcage.host.run.event_loops import require_asyncio
from flowcage.host.run.options import Handlers, RunOptions
from flowcage.host.run.past.hibernation import DEFAULT as HIBERNATION
from flowcage.host.run.past.hibernation import Hibernation
from flowcage.host.tenants.host import Host as HostOnTrio
from flowcage.host.tenants.memory_budget import MemoryBudget
from flowcage.host.tenants.named_runs import DEFAULT_TENANT
from flowcage.host.tenants.scheduler import MAX_QUEUED, MAX_RUNS
from flowcage.host.tenants.statistics import HostStatistics
from flowcage.host.tenants.tenant import Tally, TenantLimits
from flowcage.host.tenants.working.worker import Worker
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import MISSING, Json, Missing

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")


def _same(given: T) -> T:
    return given


def _awaited_as(
    wrap: Callable[[T], U], method: Callable[Concatenate[HostOnTrio, P], Awaitable[T]]
) -> Callable[Concatenate[Host, P], Coroutine[Any, Any, U]]:
    """The same method for asyncio; its handlers run on the caller's loop."""

    async def call(self: Host, /, *args: P.args, **kwargs: P.kwargs) -> U:
        self._require_entered()
        place = Place.here()
        positional = [at(place, each) for each in args]
        named = {name: at(place, each) for name, each in kwargs.items()}
        return wrap(await in_host(partial(method, self._host, *positional, **named)))

    return update_wrapper(call, method)


def _awaited(
    method: Callable[Concatenate[HostOnTrio, P], Awaitable[T]],
) -> Callable[Concatenate[Host, P], Coroutine[Any, Any, T]]:
    return _awaited_as(_same, method)


class Host:
    """Runs workflows for tenants from asyncio: see `flowcage.Host`, whose arguments it has.

    Use it as an async context manager. Handlers are async functions on the event loop of the task that
    makes the call; those of the host's own `options` are on the loop on which the block was entered.
    A task that is cancelled while it awaits a run ends with it: the child is killed and reaped first.
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
        self._place = Place()
        self._options = options or RunOptions()  # as the caller gave them
        self._host = HostOnTrio(
            tenants=tenants,
            default=default,
            max_runs=max_runs,
            max_queued=max_queued,
            memory=memory,
            launcher=launcher,
            options=options_at(self._place, options) if isinstance(options, RunOptions) else options,
            store=store,
            hibernation=hibernation,
            takes_up=takes_up,
            worker=worker,
        )
        self._block: AbstractAsyncContextManager[object, bool | None]
        self._is_entered = False

    async def __aenter__(self) -> Self:
        require_asyncio("async with Host()")
        self._place.enter()
        block = held(self._host)
        await block.__aenter__()
        self._block, self._is_entered = block, True
        return self

    async def __aexit__(self, *raised: Any) -> bool | None:
        self._is_entered = False
        return await self._block.__aexit__(*raised)

    run = _awaited(HostOnTrio.run)
    start = _awaited_as(RunHandle, HostOnTrio.start)
    start_resume = _awaited_as(RunHandle, HostOnTrio.start_resume)
    start_fork = _awaited_as(RunHandle, HostOnTrio.start_fork)
    resume = _awaited(HostOnTrio.resume)
    fork = _awaited(HostOnTrio.fork)
    explain_fork = _awaited(HostOnTrio.explain_fork)
    answer = _awaited(HostOnTrio.answer)
    reject = _awaited(HostOnTrio.reject)
    runs = _awaited(HostOnTrio.runs)
    get = _awaited(HostOnTrio.get)
    page = _awaited(HostOnTrio.page)
    report = _awaited(HostOnTrio.report)
    cancel = _awaited(HostOnTrio.cancel)
    submit = _awaited(HostOnTrio.submit)
    drain = _awaited(HostOnTrio.drain)
    until_drained = _awaited(HostOnTrio.until_drained)

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
        """Start a run whose requests the caller answers: see `flowcage.Host.open_run`."""
        self._require_entered()
        opening = self._host.open_run(
            source,
            tenant=tenant,
            source_name=source_name,
            args=args,
            limits=limits,
            options=at(Place.here(), options),
            run_id=run_id,
            metadata=metadata,
        )
        async with held(opening) as live:
            yield LiveRun(live)

    async def page_changes(
        self, run_id: str, *, tenant: str = DEFAULT_TENANT
    ) -> AsyncGenerator[dict[str, Json]]:
        """The page of a run, then what is new of it: see `flowcage.Host.page_changes`."""
        self._require_entered()
        found = self._host.page_changes(run_id, tenant=tenant)
        try:
            while (change := await in_host(lambda: anext(found, None))) is not None:
                yield change
        finally:
            await in_host(found.aclose)

    @property
    def store(self) -> Store | None:
        """That keeps its runs; its own methods are awaited on trio."""
        return self._host.store

    def options(
        self,
        handlers: Handlers | None,
        limits: Limits | Mapping[str, float] | None,
        options: RunOptions | None,
        metadata: Mapping[str, Json] | None = None,
    ) -> RunOptions:
        """The options of a run for these arguments of `run`: see `flowcage.Host.options`."""
        return self._host.options(handlers, limits, self._options if options is None else options, metadata)

    def statistics(self) -> HostStatistics:
        """The figures of the whole host since it was made; reads counters only."""
        return in_host_now(self._host.statistics)

    def tenant_statistics(self, tenant: str) -> Tally:
        """The figures of one tenant since it was last forgotten, at least a minute after its last run."""
        return in_host_now(partial(self._host.tenant_statistics, tenant))

    def tenants(self) -> tuple[str, ...]:
        """The names of the tenants that are remembered: those with runs, or that had one lately."""
        return in_host_now(self._host.tenants)

    def _require_entered(self) -> None:
        if not self._is_entered:
            raise HostClosing
