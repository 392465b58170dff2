"""The kept runs that a server shows: one store, all of its tenants or one."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from pathlib import Path

import trio

from flowcage.host.durable.errors import UnknownRun
from flowcage.host.durable.records import LAST, RunRecord, Summary
from flowcage.host.durable.store import Store
from flowcage.host.ui.api.problems import Problem

# One host follows one run of a store; several pages look, instead. It is one row of the database each time.
LOOK_SECONDS = 0.5
# Where nothing happens the looks come to be as far apart.
_QUIET_SECONDS = 2.0


class KeptRuns:
    """What the routes work on.

    Args:
        store: that keeps the runs.
        tenant: whose are shown; None for all. Others are as if they were not there.
        path: of the store's file, where it has one.
        acts: whether anything may be done to the runs.
    """

    def __init__(
        self, store: Store, tenant: str | None = None, path: Path | None = None, *, acts: bool = True
    ) -> None:
        self.store = store
        self.tenant = tenant
        self.path = path
        self.acts = acts
        self._number = None if path is None else _number_of(path)

    def require_store(self) -> None:
        """Refuse to show what a file had that is gone by now. Raises `Problem`."""
        if self.path is not None and _number_of(self.path) != self._number:
            raise Problem(503, f"{self.path} was deleted or replaced; start the server again")

    def require_acts(self) -> None:
        """Refuse to change anything where the server only shows. Raises `Problem`."""
        if not self.acts:
            raise Problem(403, "this server only shows the runs; start it without --read-only")

    async def summary(self, run_id: str) -> Summary:
        """A run without its history. Raises `UnknownRun`."""
        self.require_store()
        summary = await self.store.get(run_id)
        self._require_own(summary)
        return summary

    async def last(self) -> str:
        """The id of the newest run. Raises `UnknownRun`."""
        self.require_store()
        return await self.store.find(LAST, self.tenant)

    async def record(self, run_id: str) -> RunRecord:
        """A run with its history. Raises `UnknownRun`, `DamagedEntry`."""
        await self.summary(run_id)
        return await self.store.load(run_id)

    def _require_own(self, summary: Summary) -> None:
        if self.tenant is not None and summary.tenant != self.tenant:
            raise UnknownRun(summary.run_id)

    async def changes(self, run_id: str) -> AsyncGenerator[Summary]:
        """How a run stands: at first, and whenever that is another than before. It does not end by itself."""
        last, pause = None, LOOK_SECONDS
        while True:
            summary = await self.summary(run_id)
            pause = min(1.5 * pause, _QUIET_SECONDS)
            if summary != last:
                yield summary
                last, pause = summary, LOOK_SECONDS
            await trio.sleep(pause)


def _number_of(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
