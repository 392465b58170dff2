"""Child workflows as the handlers of `workflow()` see them, and which of their ends no handler may see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import trio

from flowcage.host.outcome.errors import RunError
from flowcage.host.run.arguments import require_modules, require_workflow
from flowcage.host.run.options import KeptChild
from flowcage.protocol.messages import NO_MODULES, Json

if TYPE_CHECKING:
    from flowcage.host.run.run import WorkflowRun


class CallerOf:
    """A workflow and the request of it that a handler answers."""

    def __init__(self, run: WorkflowRun, request: str) -> None:
        self.run = run
        self.request = request
        self.id = run.id
        self.source_name = run.source_name
        self.depth = run.depth

    @property
    def kept(self) -> KeptChild | None:
        past = self.run.driver.past
        begun = None if past is None else past.next_below(self.request)
        return None if begun is None else KeptChild(*begun[1:4], begun.modules)

    async def run_child(
        self, source: str, source_name: str, args: Json, modules: Mapping[str, str] = NO_MODULES
    ) -> Json:
        require_workflow(source, source_name, args)
        require_modules(modules)
        return await self.run.run_child(self.request, source, source_name, args, modules)


async def result_below(child: WorkflowRun, source: str, args: Json) -> Json:
    """Carry a child workflow out for the handler of its request.

    What is no failure of the child workflow's, such as a journal that takes nothing, ends the whole run
    without the handler: an answer that it makes of that would be kept, and gone on with.
    """
    try:
        return (await child.execute(source, args)).result
    except RunError as error:
        root, was_behind = child.root, is_behind(child)
        if error.ends_run or was_behind:
            root.failed_behind = root.failed_behind or was_behind
            root.abandon(error)
            await trio.lowlevel.checkpoint()  # cancelled here, unless in a nursery of somebody else's
        raise


def is_behind(run: WorkflowRun) -> bool:
    """Whether its child is not yet where one before it was: what ends it is a limit of this life."""
    past, path = run.driver.past, run.path
    return path in run.driver.napping.waking or (past is not None and path in past.behind)
