"""The part of a host that starts runs which outlive the call that started them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import trio

from flowcage.host.durable.store import Store
from flowcage.host.outcome.errors import HostClosing
from flowcage.host.resume.new.queued import require_key
from flowcage.host.run.options import Handlers, RunOptions
from flowcage.host.tenants.named_runs import DEFAULT_TENANT, Submission, submission
from flowcage.host.tenants.started.handle import RunHandle
from flowcage.host.tenants.started.handles import Handles
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import MISSING, Json, Missing


class Starting(ABC):
    """Starts runs; the host has their tasks."""

    _store: Store | None
    _handles: Handles
    _nursery: trio.Nursery | None

    @abstractmethod
    def options(
        self,
        handlers: Handlers | None,
        limits: Limits | Mapping[str, float] | None,
        options: RunOptions | None,
        metadata: Mapping[str, Json] | None = None,
    ) -> RunOptions: ...

    @abstractmethod
    async def _start_in_queue(self, asked: Submission, key: str | None) -> RunHandle | None: ...

    async def start(
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
        key: str | None = None,
    ) -> RunHandle:
        """Start a run, and return as soon as the host's store keeps it; it goes on in a task of the host's.

        In a host with a worker the run goes into the queue, and whichever worker takes it answers it. The
        arguments are those of `run`, but for one:

        Args:
            key: of the caller's choice, up to 500 characters; needs a store. A second start of the tenant
                with it gives a handle of the same run, also when that has ended.

        Raises:
            AlreadyThere: the store has the key for another source or other args, or another run with this id.
            StoreFailed: the store takes nothing.
            Overloaded, HostClosing, TypeError, ValueError: as `run`.
        """
        chosen = self.options(handlers, limits, options, metadata)
        asked = submission(tenant, source, source_name, args, chosen, run_id)
        if key is not None:
            require_key(key)
            if self._store is None:
                raise ValueError("key needs a store that remembers it; give the host one, Host(store=…)")
        if self._nursery is None:
            raise HostClosing
        queued = await self._start_in_queue(asked, key)
        return await self._handles.start(asked, key) if queued is None else queued

    async def start_resume(
        self,
        run_id: str,
        *,
        tenant: str = DEFAULT_TENANT,
        handlers: Handlers | None = None,
        options: RunOptions | None = None,
        even_if_cancelled: bool = False,
    ) -> RunHandle:
        """Go on with a run of the store, and return as soon as this host has it; see `resume`.

        Raises:
            UnknownRun, NotResumable: there is nothing to go on with.
            StoreFailed: the store takes nothing.
            Overloaded, HostClosing, TypeError, ValueError: as `run`.
        """
        chosen = self.options(handlers, None, options)
        asked = submission(tenant, "", "", MISSING, chosen, run_id)
        if self._store is None:
            raise ValueError("a host without a store keeps no runs; give it one, Host(store=…)")
        if self._nursery is None:
            raise HostClosing
        asked = asked._replace(resumes=True, even_if_cancelled=even_if_cancelled)
        return await self._handles.start(asked, None)
