"""Runs of a host that a store keeps, and the options that a run of a host has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace

from flowcage.host.durable.store import Store
from flowcage.host.outcome.report import Outcome
from flowcage.host.resume.kept import KeptRun, take_up
from flowcage.host.resume.new.begin import begin
from flowcage.host.resume.outside import Outside
from flowcage.host.resume.refusals import NotResumable
from flowcage.host.run.arguments import require_type
from flowcage.host.run.asking.answering import answered
from flowcage.host.run.limits import with_limits
from flowcage.host.run.node import new_run_id
from flowcage.host.run.options import Handlers, RunOptions
from flowcage.host.tenants.kept.looking_back import LookingBack
from flowcage.host.tenants.named_runs import DEFAULT_TENANT, Submission, submission
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import MISSING, Json


async def kept_by(
    store: Store | None, asked: Submission, start_key: str | None = None
) -> tuple[KeptRun | None, RunOptions]:
    """A run that is kept in a store from now on, or gone on with from there; and its options.

    Raises:
        FlowcageError, StartedBefore: as `begin` and `take_up`.
    """
    options = asked.options
    if store is None or asked.is_trial:
        return None, options
    if asked.resumes:
        assert asked.run_id is not None
        handlers, again = answered(options, asked.answerer, is_kept=True), asked.even_if_cancelled
        kept = await take_up(
            store,
            asked.run_id,
            asked.tenant,
            after=asked.after,
            even_if_cancelled=again,
            handlers=handlers,
            ceilings=asked.ceilings,
        )
        try:
            return kept, kept.options(options)
        except NotResumable:
            await kept.leave()
            raise
    kept = await begin(
        store,
        asked.run_id or new_run_id(),
        asked.source,
        asked.source_name,
        asked.args,
        options,
        tenant=asked.tenant,
        answerer=asked.answerer,
        start_key=start_key,
        fork=asked.fork,
    )
    return kept, options


def chosen_options(
    chosen: RunOptions,
    handlers: Handlers | None,
    limits: Limits | Mapping[str, float] | None,
    metadata: Mapping[str, Json] | None,
) -> RunOptions:
    """Options with what a call has beside them. Raises as `Host.options`."""
    if handlers is not None:
        require_type("handlers", handlers, Handlers)
        chosen = replace(chosen, **handlers._asdict())
    if metadata is not None:
        chosen = replace(chosen, metadata=metadata)
    return chosen if limits is None else with_limits(chosen, limits)


class Resuming(LookingBack, ABC):
    """The part of a host that goes on with runs of its store."""

    _outside: Outside | None

    def _keep_runs(self, store: Store | None) -> None:
        self._store, self._outside = store, None if store is None else Outside(store)

    async def _watch_store(self) -> None:
        if self._outside is not None:
            await self._outside.watch()

    @abstractmethod
    def options(
        self,
        handlers: Handlers | None,
        limits: Limits | Mapping[str, float] | None,
        options: RunOptions | None,
        metadata: Mapping[str, Json] | None = None,
    ) -> RunOptions: ...

    @abstractmethod
    async def _admit(self, asked: Submission) -> Outcome: ...

    async def resume(
        self,
        run_id: str,
        *,
        tenant: str = DEFAULT_TENANT,
        handlers: Handlers | None = None,
        options: RunOptions | None = None,
        even_if_cancelled: bool = False,
    ) -> Outcome:
        """Wait for the tenant's turn and go on with a run of the store, which had ended before it was done.

        What was answered is not asked again. Source, args, limits of the child and rules are those it had.
        A run that was cancelled by request goes on with `even_if_cancelled` only.

        Raises:
            UnknownRun, NotResumable: there is nothing to go on with.
            ReplayDiverged: told the same, the workflow did something else.
            Overloaded, RunError, HostClosing, TypeError, ValueError: as `run`.
        """
        self._kept_in()
        asked = submission(tenant, "", "", MISSING, self.options(handlers, None, options), run_id)
        return await self._admit(asked._replace(resumes=True, even_if_cancelled=even_if_cancelled))
