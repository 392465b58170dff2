"""Puts runs into the queue of a store, without a host."""

from __future__ import annotations

from collections.abc import Mapping

from flowcage.host.durable.store import Store
from flowcage.host.resume.new.queued import Place, queued_run, require_place, submit
from flowcage.host.run.node import new_run_id
from flowcage.host.run.options import RunOptions
from flowcage.host.tenants.kept_runs import chosen_options
from flowcage.host.tenants.named_runs import DEFAULT_TENANT, submission
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import MISSING, Json, Missing


async def submit_workflow(
    store: Store,
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
    """Put a run into the queue of a store, for any worker that has its pool. The run's id.

    Args:
        store: of the queue.
        source, tenant, source_name, args, limits, run_id, metadata, key: as `Host.start`.
        options: limits and choices. Who answers, and the cage, are the worker's; it must answer the kinds of
            request that have a handler here.
        pool: of the workers that may take it; "" is the usual one.
        priority: the higher goes first, among the runs of the tenant.
        not_before: when it may be taken, in milliseconds since 1970.
        retries: how often it is gone on with by itself, where its end was not its own doing.

    Raises:
        AlreadyThere: the store has the key for another source or other args, or another run with this id.
        StoreFailed: the store takes nothing.
        TypeError, ValueError: an argument is wrong; nothing was queued.
    """
    chosen = chosen_options(options or RunOptions(), None, limits, metadata)
    asked = submission(tenant, source, source_name, args, chosen, run_id)
    place = require_place(Place(pool, priority, not_before, retries))
    what = (run_id or new_run_id(), source, source_name, asked.args, chosen, place)
    return (await submit(store, queued_run(store, *what, tenant=tenant, start_key=key))).run_id
