"""A new run that a store keeps, begun by the host that carries it out."""

from __future__ import annotations

from flowcage.host.durable.store import Store
from flowcage.host.resume.giving_back import made
from flowcage.host.resume.keeper import Keeper
from flowcage.host.resume.kept import KeptRun
from flowcage.host.resume.new.made import made_run
from flowcage.host.resume.refusals import StartedBefore
from flowcage.host.resume.reuse.forks import Fork
from flowcage.host.run.asking.answering import Answerer, answered
from flowcage.host.run.options import RunOptions
from flowcage.protocol.messages import Json


async def begin(
    store: Store,
    run_id: str,
    source: str,
    source_name: str,
    args: Json,
    options: RunOptions,
    *,
    tenant: str = "",
    answerer: Answerer | None = None,
    settings: Json = None,
    start_key: str | None = None,
    fork: Fork | None = None,
) -> KeptRun:
    """Have a store keep a new run.

    Args:
        store, run_id, source, source_name, args, options, tenant, fork: as for `made_run`.
        answerer: as for `KeptRun.run`.
        settings: what a host needs besides to go on with it; never secrets.
        start_key: of the caller's choice: a second start with it is the same run.

    Raises:
        StartedBefore: there is a run with this start key, of the same source and args.
        AlreadyThere: the store has a run with this id, or another one with this start key.
        StoreFailed: the store takes nothing.
    """
    new, begun = made_run(
        *(store, run_id, source, source_name, args, options),
        handlers=answered(options, answerer, is_kept=True),
        tenant=tenant,
        start_key=start_key,
        settings=settings,
        fork=fork,
    )
    created = await made(store, new)
    if created.epoch is None:
        raise StartedBefore(created.run_id)
    guide = None if fork is None else fork.guide(options)
    kept = KeptRun(store, Keeper(store, run_id, created.epoch), begun, None, None, guide)
    kept.expires_at = new.expires_at
    return kept
