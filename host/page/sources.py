"""What the sources of a run's workflows say, read in caged children: meta, outline, and where calls wait."""

from __future__ import annotations

import trio

from flowcage.host.durable.errors import DamagedEntry
from flowcage.host.durable.records import NewWorkflow, RunRecord
from flowcage.host.outcome.errors import RunError
from flowcage.host.page.fold import About
from flowcage.host.resume.stack import stack
from flowcage.host.run.api import check_workflow

# Each different source takes a child.
_MOST_SOURCES = 20
_MOST_SECONDS = 20.0


async def about_of(record: RunRecord) -> dict[str, About]:
    """What the sources of a run say, by path; nothing of those that cannot be read."""
    told: dict[str, About] = {}
    known: dict[tuple[str, str], About] = {}
    with trio.move_on_after(_MOST_SECONDS):
        for path, workflow in record.workflows.items():
            key = (workflow.source, workflow.dialect)
            if key not in known and len(known) < _MOST_SOURCES:
                known[key] = await _read(workflow)
            if key in known:
                told[path] = known[key]
    return told


async def places_of(record: RunRecord) -> dict[str, tuple[int | None, int | None]]:
    """Line and column of the calls that wait, for which the run is replayed with nobody asked."""
    if record.summary.state in ("ended", "diverged"):
        return {}
    with trio.move_on_after(_MOST_SECONDS):
        try:
            return {call.id: (call.line, call.column) for call in await stack(record)}
        except (RunError, DamagedEntry):
            pass
    return {}


async def _read(workflow: NewWorkflow) -> About:
    dialect = workflow.dialect if workflow.dialect in ("module", "script") else "auto"
    try:
        checked = await check_workflow(
            workflow.source,
            source_name=workflow.source_name,
            dialect=dialect,  # type: ignore[arg-type]
        )
    except (RunError, ValueError, TypeError):
        return About()
    return About(checked.meta)
