"""What the sources of a run's workflows say, read in caged children: meta, outline, and where calls wait."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeAlias

import trio

from flowcage.host.durable.errors import DamagedEntry
from flowcage.host.durable.records import NewWorkflow, RunRecord
from flowcage.host.graph.outline import BadOutline, read
from flowcage.host.outcome.errors import RunError
from flowcage.host.page.fold import About
from flowcage.host.resume.stack import stack
from flowcage.host.run.api import check_workflow
from flowcage.protocol.messages import MISSING, Json, Missing

# Of one run; each different source takes a child.
_MOST_SOURCES = 20
_MOST_SECONDS = 20.0
_MOST_KNOWN = 100


# Source, dialect and modules.
_Key: TypeAlias = tuple[str, str, tuple[tuple[str, str], ...]]


class Sources:
    """Reads sources, and remembers what the last ones say: a run is looked at more than once."""

    def __init__(self) -> None:
        self._known: OrderedDict[_Key, About] = OrderedDict()

    async def about(self, record: RunRecord) -> dict[str, About]:
        """What the sources of a run say, by path; nothing of those that cannot be read."""
        told: dict[str, About] = {}
        left = _MOST_SOURCES
        with trio.move_on_after(_MOST_SECONDS):
            for path, workflow in record.workflows.items():
                key = (workflow.source, workflow.dialect, tuple(workflow.modules.items()))
                if key not in self._known and left:
                    left -= 1
                    self._remember(key, await _read(workflow))
                if (about := self._known.get(key)) is not None:
                    told[path] = about
        return told

    def _remember(self, key: _Key, about: About) -> None:
        self._known[key] = about
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)


async def places_of(record: RunRecord) -> dict[str, tuple[int | None, int | None]]:
    """Line and column of the calls that wait, for which the run is replayed with nobody asked."""
    if record.summary.state in ("ended", "diverged"):
        return {}
    with trio.move_on_after(_MOST_SECONDS):
        try:
            modules = {name for workflow in record.workflows.values() for name in workflow.modules}
            calls = [call for call in await stack(record) if call.source_name not in modules]
            return {call.id: (call.line, call.column) for call in calls}
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
            outline=True,
            modules=workflow.modules,
        )
    except (RunError, ValueError, TypeError):
        return About()
    return About(checked.meta, _outline(checked.outline))


def _outline(told: Json | Missing) -> Json | Missing:
    """The outline, where the child has told one."""
    try:
        read(told)
    except BadOutline:
        return MISSING
    return told
