"""The part of a host that looks at the runs of its store, always those of one tenant."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial

import trio

from flowcage.host.durable.records import Filter, State
from flowcage.host.durable.store import Store
from flowcage.host.resume.looking import cancelling
from flowcage.host.resume.looking.cancelling import Cancelling
from flowcage.host.resume.looking.details import RunDetails, RunSummary, details_of, summary_of
from flowcage.host.run.arguments import require_choice
from flowcage.host.tenants.named_runs import DEFAULT_TENANT
from flowcage.protocol.messages import Json


class LookingBack:
    """See `Host`. Every call has a tenant, and another tenant's run is unknown to it."""

    _store: Store | None

    async def runs(
        self,
        *,
        tenant: str = DEFAULT_TENANT,
        states: Sequence[State] | None = None,
        verdicts: Sequence[str] | None = None,
        abandoned: bool | None = None,
        prefix: str = "",
        since: int | None = None,
        until: int | None = None,
        forked_from: str | None = None,
        limit: int = 100,
        before: RunSummary | None = None,
    ) -> list[RunSummary]:
        """The runs of the store, the newest first; without an argument, all of the tenant's.

        Args:
            tenant: whose.
            states: ``queued``, ``running``, ``asleep``, ``diverged``, ``ended``.
            verdicts: how they ended.
            abandoned: of those that are running, whether the host is gone.
            prefix: of their ids.
            since, until: of when they were made, in milliseconds since 1970; `until` is excluded.
            forked_from: the run whose answers they reuse.
            limit: how many at most.
            before: the last run of the list before, to continue behind it.
        """
        of = Filter(tenant, states, verdicts, prefix, since, until, forked_from, limit, before, abandoned)
        return await self._kept_in().runs(of)

    async def get(self, run_id: str, *, tenant: str = DEFAULT_TENANT) -> RunDetails:
        """A run of the store with its calls, its result and its error.

        Raises:
            UnknownRun: there is none.
            DamagedEntry: it cannot be read.
        """
        return await details_of(self._kept_in(), run_id, tenant)

    async def page(self, run_id: str, *, tenant: str = DEFAULT_TENANT, full: bool = False) -> dict[str, Json]:
        """A run of the store as one JSON document: what a page about it shows.

        Args:
            run_id: of the run, in any state.
            tenant: whose it is.
            full: whether nothing is cut, however long it is.

        Returns:
            The document that docs/looking.md describes.

        Raises:
            UnknownRun, DamagedEntry: as `get`.
        """
        from flowcage.host.page.cutting import caps_of
        from flowcage.host.page.feed import fold_of

        fold = await fold_of(self._kept_in(), run_id, tenant, caps=caps_of(full=full))
        return fold.whole()

    async def page_changes(
        self, run_id: str, *, tenant: str = DEFAULT_TENANT
    ) -> AsyncGenerator[dict[str, Json]]:
        """The page of a run, then what is new of it, as long as a host may do something with the run.

        Close it, with `contextlib.aclosing`, where it is left before its end.

        Raises:
            UnknownRun, DamagedEntry: as `get`.
        """
        from flowcage.host.page.feed import deltas, fold_of

        store = self._kept_in()
        fold = await fold_of(store, run_id, tenant)
        yield fold.whole()
        async with aclosing(deltas(store, fold)) as found:
            async for delta in found:
                yield delta

    async def report(
        self, run_id: str, form: str = "html", *, tenant: str = DEFAULT_TENANT, full: bool = False
    ) -> str:
        """A run of the store as ``flowcage report`` writes it.

        Args:
            run_id: of the run, in any state.
            form: ``html``, ``md``, ``json``, ``perfetto`` or ``otlp``.
            tenant: whose it is.
            full: as for the command.

        Raises:
            ValueError: it is another format.
            UnknownRun, DamagedEntry: as `get`.
        """
        from flowcage.host.page.formats.writing import FORMATS, written

        require_choice("form", form, tuple(FORMATS))
        page = await self.page(run_id, tenant=tenant, full=full)
        return await trio.to_thread.run_sync(partial(written, page, form, full=full))

    async def cancel(self, run_id: str, reason: str = "", *, tenant: str = DEFAULT_TENANT) -> Cancelling:
        """End a run of the store.

        Returns:
            ``"ended"`` where no host had it: it is over. ``"asked"`` where one has it, this one or another,
            which will end it.

        Raises:
            UnknownRun, RunHasEnded: there is nothing to end.
        """
        store = self._kept_in()
        await summary_of(store, run_id, tenant)
        return await cancelling.cancel(store, run_id, reason)

    def _kept_in(self) -> Store:
        if self._store is None:
            raise ValueError("a host without a store keeps no runs; give it one, Host(store=…)")
        return self._store
