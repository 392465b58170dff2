"""New runs of a store: what is kept of one when it is made, by the host that begins it or for any worker."""

from __future__ import annotations

from typing import NamedTuple

from flowcage.host.durable.records import NewRun
from flowcage.host.durable.store import Store
from flowcage.host.resume.keeper import workflow_of
from flowcage.host.resume.reuse.forks import Fork
from flowcage.host.run.options import RunOptions
from flowcage.host.run.past.journal import Begun
from flowcage.protocol.messages import Budget, Json


class Made(NamedTuple):
    """A run that is not in a store yet, and its root as it is begun."""

    run: NewRun
    begun: Begun


def made_run(
    store: Store,
    run_id: str,
    source: str,
    source_name: str,
    args: Json,
    options: RunOptions,
    *,
    handlers: frozenset[str],
    tenant: str = "",
    start_key: str | None = None,
    settings: Json = None,
    fork: Fork | None = None,
) -> Made:
    """What a store is to keep of a new run.

    Args:
        store: that will keep it, for its clock.
        run_id, tenant, start_key, settings: of the run.
        source, source_name, args, options: as for `run_workflow`.
        handlers: names of the kinds of request that are answered.
        fork: of a run that reuses answers of another, whose source and args are given here, too.
    """
    begun = Begun.of("", source, source_name, args, Budget(options.budget_tokens, 0), options)
    root = workflow_of(begun)._replace(agent=options.agent_identity)
    expires = options.expires_seconds
    new = NewRun(
        run_id,
        tenant,
        options.rules(handlers),
        root,
        start_key,
        settings=settings,
        expires_at=None if expires is None else store.now() + round(expires * 1000),
    )
    return Made(new if fork is None else _forked(new, fork), begun)


def _forked(new: NewRun, fork: Fork) -> NewRun:
    parent = fork.parent
    return new._replace(
        root=new.root._replace(reuse=fork.terms.to_json()),
        forked_from=parent.summary.run_id,
        forked_at=len(parent.entries),
    )
