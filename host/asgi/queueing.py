"""Runs that a request puts into the queue of the store, for a worker to carry out."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import trio
from starlette.requests import Request

from flowcage.host.asgi.beginning import waited_for, what_is_wrong
from flowcage.host.asgi.side import Side
from flowcage.host.asgi.submission import Submission
from flowcage.host.durable.errors import RunHasEnded
from flowcage.host.durable.store import Store
from flowcage.host.outcome.report import Outcome
from flowcage.host.resume.looking import cancelling
from flowcage.host.resume.looking.watching import until_over
from flowcage.host.resume.new.queued import OF_WORKERS, Place, queued_run, submit
from flowcage.host.resume.sleep.outcomes import outcome_of
from flowcage.host.run.node import new_run_id
from flowcage.host.run.options import RunOptions
from flowcage.host.tenants.named_runs import submission

_LAST_SECONDS = 10.0  # to end a run whose client is gone


class Queueing(NamedTuple):
    """To one pool of workers; "" is the usual one."""

    pool: str

    async def start(
        self, side: Side, tenant: str, asked: Submission, options: RunOptions | None
    ) -> dict[str, Any]:
        """Put a run into the queue."""
        with what_is_wrong():
            run_id = await side.call(self._submitting(side, tenant, asked, options))
        return {"runId": run_id, "state": "queued"}

    async def carry_out(
        self, side: Side, tenant: str, asked: Submission, options: RunOptions | None, request: Request
    ) -> dict[str, Any]:
        """Have a worker carry a run out while its client waits; it ends with the client."""
        submitting = self._submitting(side, tenant, asked, options)
        return await waited_for(
            asked, request, lambda: side.call(partial(_until_its_end, side.store, submitting))
        )

    def _submitting(
        self, side: Side, tenant: str, asked: Submission, options: RunOptions | None
    ) -> partial[Any]:
        """What submits a run, and gives its id. Raises TypeError, ValueError: its arguments are wrong."""
        chosen = side.host.options(None, asked.limits, options, asked.metadata)
        checked = submission(tenant, asked.source, asked.source_name, asked.args, chosen, asked.run_id)
        what = (checked.run_id or new_run_id(), checked.source, checked.source_name, checked.args, chosen)
        return partial(_submit, side.store, *what, Place(self.pool), tenant=tenant, start_key=asked.key)


async def _submit(store: Store, *what: Any, **more: Any) -> str:
    return (await submit(store, queued_run(store, *what, handlers=OF_WORKERS, **more))).run_id


async def _until_its_end(store: Store, submitting: partial[Any]) -> Outcome:
    run_id = await submitting()
    try:
        await until_over(store, run_id)
    except trio.Cancelled:
        with trio.move_on_after(_LAST_SECONDS, shield=True):
            await _end(store, run_id)
        raise
    return outcome_of(await store.load(run_id))


async def _end(store: Store, run_id: str) -> None:
    with suppress(RunHasEnded):
        await cancelling.cancel(store, run_id, "its client is gone")
