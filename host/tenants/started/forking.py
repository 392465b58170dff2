"""The part of a host that forks runs of its store: new runs that reuse what old ones were answered."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from flowcage.host.durable.reuse.terms import Terms
from flowcage.host.durable.store import Store
from flowcage.host.outcome.report import Outcome
from flowcage.host.resume.reuse.forks import fork_of
from flowcage.host.resume.reuse.trial import Explanation, Trial
from flowcage.host.run.arguments import require_json, require_type
from flowcage.host.run.options import Handlers, RunOptions
from flowcage.host.run.run import Run
from flowcage.host.tenants.named_runs import DEFAULT_TENANT, Submission, submission
from flowcage.host.tenants.started.handle import RunHandle
from flowcage.host.tenants.started.handles import Handles
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import MISSING, Json, Missing


class Forking(ABC):
    """Forks runs of its store."""

    _store: Store | None
    _handles: Handles

    @abstractmethod
    def options(
        self,
        handlers: Handlers | None,
        limits: Limits | Mapping[str, float] | None,
        options: RunOptions | None,
        metadata: Mapping[str, Json] | None = None,
    ) -> RunOptions: ...

    @abstractmethod
    async def _admit(self, asked: Submission, began: Callable[[Run], None] = ...) -> Outcome: ...

    async def fork(
        self,
        run_id: str,
        source: str | None = None,
        *,
        source_name: str | None = None,
        args: Json | Missing = MISSING,
        at: int | None = None,
        from_call: str | None = None,
        answers: Mapping[str, Json] = MappingProxyType({}),
        programs: bool = False,
        tenant: str = DEFAULT_TENANT,
        handlers: Handlers | None = None,
        limits: Limits | Mapping[str, float] | None = None,
        options: RunOptions | None = None,
        new_run_id: str | None = None,
        metadata: Mapping[str, Json] | None = None,
    ) -> Outcome:
        """Run a workflow again as a new run, which asks only what the old one was not answered.

        A call has the answer of the old call with the same prompt, options and agent, told in the old order;
        what failed then is asked again. The old run may have ended in any way, or go on: what is in the store
        by now is reused.

        Args:
            run_id: of the old run.
            source, source_name, args: by default those of the old run. Of a source that is given, the modules
                are those of the options.
            at: reuse only what was told before this turn; turns are counted from 1, over the whole tree.
            from_call: reuse only what was answered when the call with this id was made.
            answers: by id of the old call, in the place of its own answer, if it had one.
            programs: whether what programs had answered is reused; what they did is not done again.
            tenant: whose the run is, and the new one.
            handlers, limits, options, metadata: as `run`. Answers of another `RunOptions.agent_identity` than
                the old run had are not reused.
            new_run_id: by default a new one.

        Raises:
            UnknownRun: the tenant has no run with this id.
            NotForkable: the run does not have the turn or a call that is named.
            Overloaded, RunError, HostClosing, TypeError, ValueError: as `run`.
        """
        chosen = self.options(handlers, limits, options, metadata)
        terms = _terms(at, from_call, answers, programs)
        asked = await self._forked(run_id, source, source_name, args, terms, tenant, chosen, new_run_id)
        return await self._admit(asked)

    async def start_fork(
        self,
        run_id: str,
        source: str | None = None,
        *,
        source_name: str | None = None,
        args: Json | Missing = MISSING,
        at: int | None = None,
        from_call: str | None = None,
        answers: Mapping[str, Json] = MappingProxyType({}),
        programs: bool = False,
        tenant: str = DEFAULT_TENANT,
        handlers: Handlers | None = None,
        limits: Limits | Mapping[str, float] | None = None,
        options: RunOptions | None = None,
        new_run_id: str | None = None,
        metadata: Mapping[str, Json] | None = None,
    ) -> RunHandle:
        """Begin what `fork` does, and return as soon as the store keeps the new run.

        Raises:
            UnknownRun, NotForkable: as `fork`.
            AlreadyThere, StoreFailed, Overloaded, HostClosing, TypeError, ValueError: as `start`.
        """
        chosen = self.options(handlers, limits, options, metadata)
        terms = _terms(at, from_call, answers, programs)
        asked = await self._forked(run_id, source, source_name, args, terms, tenant, chosen, new_run_id)
        return await self._handles.start(asked, None)

    async def explain_fork(
        self,
        run_id: str,
        source: str | None = None,
        *,
        source_name: str | None = None,
        args: Json | Missing = MISSING,
        at: int | None = None,
        from_call: str | None = None,
        answers: Mapping[str, Json] = MappingProxyType({}),
        programs: bool = False,
        tenant: str = DEFAULT_TENANT,
        handlers: Handlers | None = None,
        limits: Limits | Mapping[str, float] | None = None,
        options: RunOptions | None = None,
    ) -> Explanation:
        """Say what `fork` would reuse and what it would ask, and why.

        The workflow runs in its cage until an answer is needed that the old run does not have. No agent and
        no program is asked, and nothing is kept. The handler of ``workflow()`` is asked for child workflows.

        Raises:
            UnknownRun, NotForkable, Overloaded, HostClosing, TypeError, ValueError: as `fork`.
        """
        chosen = self.options(handlers, limits, options)
        terms = _terms(at, from_call, answers, programs)
        asked = await self._forked(run_id, source, source_name, args, terms, tenant, chosen, None)
        made: list[Run] = []
        await self._admit(asked._replace(is_trial=True), made.append)
        trial = made[0]
        assert isinstance(trial, Trial)
        return trial.explanation

    async def _forked(self, run_id: str, source: str | None, *given: Any) -> Submission:
        source_name, args, terms, tenant, options, new_run_id = given
        require_type("run_id", run_id, str)
        submission(tenant, source or "", source_name or "w.js", args, options, new_run_id)
        if self._store is None:
            raise ValueError("a host without a store has no runs to fork; give it one, Host(store=…)")
        fork = await fork_of(
            self._store,
            run_id,
            terms,
            source=source,
            source_name=source_name,
            args=args,
            dialect=options.dialect,
            modules=options.modules if source is not None or options.modules else None,
            tenant=tenant,
        )
        begun = (fork.source, fork.source_name, fork.args)
        return submission(tenant, *begun, fork.options(options), new_run_id)._replace(fork=fork)


def _terms(at: int | None, from_call: str | None, answers: Mapping[str, Json], programs: bool) -> Terms:
    if at is not None:
        require_type("at", at, int)
    if from_call is not None:
        require_type("from_call", from_call, str)
    require_type("answers", answers, Mapping)
    require_json("answers", dict(answers))
    return Terms(at, from_call, dict(answers), programs)
