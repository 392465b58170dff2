"""When answers of another run are told: once the whole tree is quiet, so that nothing could be told before.

While a child works, or the handler of ``workflow()`` is about to start one, a request may come whose answer
the other run was told earlier. So what is known waits for them: both take as long as code takes that asks
nobody. For an agent at work, a sleep, or a child workflow in a queue it does not wait.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import trio

from flowcage.host.run.core.fold import Core
from flowcage.host.run.core.inputs import Reused, Said, State
from flowcage.host.run.core.tree import Workflow
from flowcage.host.run.guide.guide import Guide, Phases
from flowcage.host.run.past.past import Past
from flowcage.protocol.messages import Json, Missing, WorkflowRequest


class Steering:
    """Of one run.

    Args:
        guide: knows the answers.
        core: of the run.
        past: of a run that is gone on with.
    """

    def __init__(self, guide: Guide, core: Core, past: Past | None = None) -> None:
        self._guide = guide
        self._past = past
        self._tree = core.tree
        self._starting: set[str] = {
            call.id
            for workflow in self._tree.workflows.values()
            for call in workflow.calls.values()
            if isinstance(call.request, WorkflowRequest)
        }
        self._told: dict[str, trio.Event] = {}

    def look(self, said: Said, phases: Phases) -> Said:
        """A reply with what is known of its requests."""
        workflow = self._tree.workflows.get(said.path)
        if workflow is None or workflow.is_over or said.state not in (State.PENDING, State.PARTIAL):
            return said
        for request in said.requests:
            if isinstance(request, WorkflowRequest):
                self._starting.add(workflow.id_of(request))
        return said._replace(known=self._guide.look(said, phases)) if said.requests else said

    def start(
        self, request: str, source: str, args: Json, modules: Mapping[str, str]
    ) -> tuple[trio.Event, Json] | None:
        """What a child workflow has resulted in, told once the event is set; None where it has to run."""
        result = self._guide.start(request, source, args, modules)
        if isinstance(result, Missing):
            return None
        self._starting.discard(request)
        return self._told.setdefault(request, trio.Event()), result

    def following(self) -> Sequence[Reused]:
        """What is told now; nothing while something may come before it."""
        workflows = self._tree.workflows.values()
        if self._past is not None and self._past.behind:
            return ()
        if any(each.is_listening and not each.is_over for each in workflows):
            return ()
        guide, starts = self._guide, self._starts()
        while not guide.is_empty:
            if any(guide.first_turn_below(each) < guide.turn for each in starts):
                return ()
            group = [each for each in guide.next_group() if self._tree.call(each.id) is not None]
            for reused in group:
                if (event := self._told.pop(reused.id, None)) is not None:
                    event.set()
            if group:
                return group
        root = self._tree.workflows.get("")
        if root is not None and not root.is_over and not starts:
            guide.idle()
        return ()

    def _starts(self) -> list[str]:
        """Requests for child workflows that their handler is at work on, and no child."""
        found = []
        for request in list(self._starting):
            call = self._tree.call(request)
            if call is None:
                self._starting.discard(request)
            elif call.stage == "asked" and not self._has_child(request):
                found.append(request)
        return found

    def _has_child(self, request: str) -> bool:
        def is_below(workflow: Workflow) -> bool:
            head = workflow.path.removeprefix(request)
            return head != workflow.path and head.partition(".")[0] == ""

        return any(is_below(each) for each in self._tree.workflows.values())
