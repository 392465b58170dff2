"""Carries out a dry run: the workflow runs in its cage, and nobody is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from flowcage.host.outcome.errors import RunError
from flowcage.host.outcome.report import Outcome, Report
from flowcage.host.plan.recorder import Recorder
from flowcage.host.plan.stubs import Stubs
from flowcage.host.run.options import Caller, KeptChild, RunOptions, WorkflowHandler
from flowcage.host.run.run import Run
from flowcage.protocol.messages import NO_MODULES, Json, WorkflowRequest


class Planned(NamedTuple):
    """A workflow that was run, with what it may import."""

    source: str
    modules: Mapping[str, str]


@dataclass
class DryRun:
    """What came of it.

    Attributes:
        recorder: has what was asked for.
        sources: of child workflows, by their names.
        report: of the run.
        error: how the workflow failed; None where it has a result.
    """

    recorder: Recorder
    sources: dict[str, Planned] = field(default_factory=dict)
    report: Report | None = None
    error: RunError | None = None


async def dry_run(
    options: RunOptions, source: str, source_name: str, args: Json, recorder: Recorder, stubs: Stubs
) -> DryRun:
    """Run a workflow whose waits are skipped, and whose people and agents are stubs.

    Args:
        options: of the run; `agent` is made of agents of the recorder.
        source, source_name, args: as for a run.
        recorder, stubs: answer it.
    """
    found = DryRun(recorder, {source_name: Planned(source, options.modules)})
    workflow = None if options.workflow is None else _noting(options.workflow, found.sources)
    chosen = replace(options, listener=recorder.listen, ask=stubs.person, workflow=workflow)
    run = Run(chosen, source_name)
    run.driver.skips_waits = True
    try:
        outcome: Outcome = await run.execute(source, args)
        found.report = outcome.report
    except RunError as error:
        found.error, found.report = error, getattr(error, "report", None)
    return found


def _noting(handler: WorkflowHandler, sources: dict[str, Planned]) -> WorkflowHandler:
    """A handler that notes which sources it runs."""

    async def answer(caller: Caller, request: WorkflowRequest) -> Json:
        return await handler(_Noting(caller, sources), request)

    return answer


class _Noting:
    def __init__(self, caller: Caller, sources: dict[str, Planned]) -> None:
        self._caller = caller
        self._sources = sources

    @property
    def id(self) -> str:
        return self._caller.id

    @property
    def source_name(self) -> str:
        return self._caller.source_name

    @property
    def depth(self) -> int:
        return self._caller.depth

    @property
    def kept(self) -> KeptChild | None:
        return self._caller.kept

    async def run_child(
        self, source: str, source_name: str, args: Json, modules: Mapping[str, str] = NO_MODULES
    ) -> Json:
        self._sources[source_name] = Planned(source, modules)
        return await self._caller.run_child(source, source_name, args, modules)
