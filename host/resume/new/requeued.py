"""Runs of the queue that are gone on with: put back into it, or forked into it as new ones.

Whoever asks for that carries nothing out. So it is done from any machine that reaches the store, and what the
run was made with (its rules, limits and settings) stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from flowcage.host.durable.reuse.terms import Terms
from flowcage.host.durable.store import Store
from flowcage.host.resume.giving_back import to_its_end
from flowcage.host.resume.new.made import made_run
from flowcage.host.resume.new.queued import OF_WORKERS
from flowcage.host.resume.refusals import GoesOn, require_resumable
from flowcage.host.resume.reuse.forks import Fork, fork_of
from flowcage.host.resume.reuse.trial import Explanation, Trial
from flowcage.host.run.limits import with_limits
from flowcage.host.run.node import new_run_id
from flowcage.host.run.options import RunOptions
from flowcage.protocol.messages import MISSING, Json, Missing


async def queue_again(
    store: Store, run_id: str, tenant: str | None = None, *, even_if_cancelled: bool = False
) -> None:
    """Have a worker go on with a run that has a pool; one that waits for a worker is left as it is.

    Args:
        store: of the queue.
        run_id: of the run.
        tenant: whose it must be; None for anybody's.
        even_if_cancelled: whether a run goes on that somebody had asked to end.

    Raises:
        UnknownRun: there is none; one of another tenant is none.
        NotResumable: it goes on, has ended by itself or by request, or has diverged.
        StoreFailed: the store takes nothing.
    """
    summary = await store.get(run_id)
    require_resumable(summary, tenant, even_if_cancelled)
    if summary.state == "running" and not summary.is_abandoned:
        raise GoesOn(run_id)
    if summary.state != "ended":  # it is in the queue, or comes there by itself
        return
    await to_its_end(lambda: _reopened(store, run_id))


async def _reopened(store: Store, run_id: str) -> None:
    epoch = await store.claim(run_id, reopen=True)
    if epoch is None:
        raise GoesOn(run_id)
    await store.put_back(run_id, epoch)


async def queue_fork(
    store: Store,
    run_id: str,
    tenant: str | None = None,
    *,
    source: str | None = None,
    source_name: str | None = None,
    args: Json | Missing = MISSING,
    modules: Mapping[str, str] | None = None,
    from_call: str | None = None,
    new_id: str | None = None,
    pool: str = "",
    max_cost_usd: float | None = None,
) -> str:
    """Put a new run into the queue, which asks only what the old one was not answered. Its id.

    Args:
        store: of the queue.
        run_id, tenant: of the old run, and the tenant of the new one.
        source, source_name, args, modules: by default those of the old run.
        from_call: reuse only what was answered when the call with this id was made.
        new_id: by default a new one.
        pool: of the new run, where the old one has none.
        max_cost_usd: a ceiling on the new run's cost, where that of the old one is not lower.

    Raises:
        UnknownRun, NotForkable, DamagedEntry: as `Host.start_fork`.
        AlreadyThere, StoreFailed: as `Store.create`.
    """
    fork = await fork_of(
        store,
        run_id,
        Terms(from_call=from_call),
        source=source,
        source_name=source_name,
        args=args,
        modules=modules,
        tenant=tenant,
    )
    old = fork.parent.summary
    new = made_run(
        store,
        new_id or new_run_id(),
        fork.source,
        fork.source_name,
        fork.args,
        _options(fork),
        handlers=OF_WORKERS,
        tenant=old.tenant,
        settings=fork.parent.settings,
        fork=fork,
    ).run
    costs = [each for each in (fork.parent.rules.max_cost_usd, max_cost_usd) if each is not None]
    new = new._replace(
        rules=fork.parent.rules._replace(max_cost_usd=min(costs, default=None)),
        pool=pool if old.pool is None else old.pool,
        priority=old.priority,
    )
    return (await store.create(new, queued=True)).run_id


async def explain_queue_fork(store: Store, run_id: str) -> Explanation:
    """What `queue_fork` of the same source and args would reuse, and what workers would ask; nobody is asked.

    Raises:
        UnknownRun, NotForkable, DamagedEntry: as `queue_fork`.
    """
    fork = await fork_of(store, run_id, Terms())
    trial = Trial(fork, _options(fork))
    await trial.execute()
    return trial.explanation


def _options(fork: Fork) -> RunOptions:
    """Those that the old run had, as far as its root tells of them."""
    root = fork.parent.workflows[""]
    options = with_limits(RunOptions(), dict(root.limits))
    return fork.options(replace(options, budget_tokens=root.budget.total, agent_identity=root.agent))
