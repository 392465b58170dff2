"""The run as a value: inputs in, commands out.

`Core.step` is a fold. It knows no clock (it is told the time), no task, no callback and no randomness, and it
imports the protocol and the standard library only. So a run is its inputs: two cores that are given the same
ones give the same commands, and whoever keeps the inputs can carry the run out again, test it as a table, or
move it. The core is that of a whole tree, because child workflows share the budget, the caps and the end of
their root.

Who may call it: the driver alone, which gives each input once, in the order in which things happened, and
does the commands in theirs. What it promises:

1. Each request gets one resolution, or none where its workflow ends first (`Ended`).
2. Nothing is told to a child that works: `Tell` comes only between a `Said` that is not partial and the next.
   What was answered since then waits in `Workflow.ready` and goes out together with one `Turn`. That group is
   visible to JavaScript (``[a b]`` in one drain asks in another order than ``[a]`` ``[b]``), so it is made by
   inputs and never by the clock.
3. A budget rides on each resolution with a value, fixed when it was settled; of one group the last counts.
4. No more calls of one kind are at work than its cap allows, and they begin in the order of their requests.
5. From `Finish` on, or a reply that says ``more`` (the workflow has failed), nothing of it and of those below
   it is asked: nobody pays for a run that is lost. What agents at work cost is counted all the same.
6. Every agent call ends in one of ``agent_completed``, ``agent_failed`` without a retry, ``agent_cancelled``.

If `_take_in` began requests before it looked at the state, 5 would break; if `settle` told the child at once,
2 would. `tests/run/test_core*.py` hold each line as rows of tables, `test_core_model.py` against a model.
"""

from __future__ import annotations

from typing import Any, assert_never

from flowcage.host.run.core import waits
from flowcage.host.run.core.agents.calls import AgentCalls
from flowcage.host.run.core.commands import Ask, Command, Tell, Verdict
from flowcage.host.run.core.inputs import (
    Answered,
    Charged,
    Compiled,
    Due,
    Ended,
    Failed,
    Heard,
    Input,
    Lived,
    Noted,
    Opened,
    Refused,
    Remembered,
    Reused,
    Said,
    State,
    Told,
    Turn,
)
from flowcage.host.run.core.kinds import KINDS, Kinds
from flowcage.host.run.core.reusing import Reusing
from flowcage.host.run.core.rules import Rules
from flowcage.host.run.core.tree import Call, Tree, Workflow
from flowcage.protocol.messages import (
    AgentRequest,
    AskRequest,
    Rejected,
    Request,
    SleepRequest,
    UnknownRequest,
)

# Resolutions that go out in one write: while they are encoded, other runs wait.
MAX_TOLD_AT_ONCE = 250
# Inputs about one request; a union in `isinstance` would be made anew each time.
_SETTLING = (Answered, Refused, Due, Heard, Charged, Told, Reused)
# The kind of a diagnostic: the child asked for something that only a later host answers.
UNKNOWN_REQUEST_TYPE = "unknown_request_type"


class OutOfOrder(ValueError):
    """An input that the driver cannot have had: of a workflow that was not opened, or a second time."""


class Core:
    """One run with its child workflows.

    Args:
        rules: what it is held to.
        kinds: the kinds of request that are queued.

    Attributes:
        tree: the state, to be read.
    """

    def __init__(self, rules: Rules, kinds: Kinds = KINDS) -> None:
        self.tree = Tree(rules, kinds)
        self._agents = AgentCalls(self.tree)
        self._reusing = Reusing(self.tree, self._agents)

    def step(self, now: float, given: Input) -> list[Command]:
        """Take one input, and say what is to be done about it.

        Args:
            now: seconds on a monotonic clock; one that goes back counts as standing still.
            given: what happened. Answers for calls that are settled, or were never made, change nothing.

        Raises:
            OutOfOrder: the driver is wrong; the state is as it was.
        """
        tree, before = self.tree, self.tree.now
        tree.now, tree.commands = now if now > before else before, []
        try:
            workflow = self._take(given)
        except OutOfOrder:
            tree.now = before
            raise
        if workflow is not None and tree.waiting:
            for call in tree.startable(workflow):  # one that is refused now leaves its place to the next
                self._ask(call)
        return tree.commands

    def _take(self, given: Input) -> Workflow | None:
        """Carry out one input; the workflow whose queues may have moved."""
        if isinstance(given, Said):  # in the order of how often they come
            return self._take_in(self._workflow(given.path), given)
        if isinstance(given, _SETTLING):
            return self._settle(given)
        if isinstance(given, Opened):
            self._open(given)
            return None
        if isinstance(given, Remembered | Lived):
            self.tree.keep(given)
            return None
        workflow = self._workflow(given.path)
        match given:
            case Turn():
                self._turn(workflow)
            case Compiled():
                workflow.dialect = given.dialect
            case Noted():
                self.tree.diagnose(workflow, given.diagnostic)
            case Failed():
                self.tree.finish(workflow, Verdict.HOST_FAULT, message=given.message)
            case Ended():
                return self._end(workflow, given.unbegun)
            case _:
                assert_never(given)
        return None

    def _workflow(self, path: str) -> Workflow:
        try:
            return self.tree.workflows[path]
        except KeyError:
            raise OutOfOrder(f"no workflow {path!r} was opened, or it has ended") from None

    def _open(self, opened: Opened) -> None:
        tree = self.tree
        if opened.path in tree.opened:
            raise OutOfOrder(f"the workflow {opened.path!r} was opened before")
        call = tree.call(opened.request)
        if opened.path and call is None:
            raise OutOfOrder(f"no request {opened.request!r} waits for a workflow")
        workflow = Workflow(opened.path, opened.source_name)
        if call is not None:
            workflow.phase, workflow.is_over = call.phase, tree.workflows[call.path].is_over
        tree.opened.add(opened.path)
        tree.workflows[opened.path] = workflow

    def _take_in(self, workflow: Workflow, said: Said) -> Workflow | None:
        if workflow.is_over:
            return None
        self._require_order(workflow, said)
        for call in said.calls:
            self.tree.tell_of(workflow, call)
        for note in said.diagnostics:
            self.tree.diagnose(workflow, note)
        match said.state:
            case State.PENDING | State.PARTIAL:
                self._begin_all(workflow, said)
            case State.MORE:
                self.tree.commands.append(Tell(workflow.path, ()))
                self.tree.close(workflow)
            case State.COMPLETE:
                self.tree.finish(workflow, Verdict.COMPLETED, said.result)
            case State.STALLED:
                message = "the workflow can never finish: it waits for a promise that nothing will settle"
                self.tree.finish(workflow, Verdict.STALLED, message=message)
            case _:
                assert_never(said.state)
        return workflow

    def _require_order(self, workflow: Workflow, said: Said) -> None:
        if not workflow.is_listening:
            raise OutOfOrder(f"the workflow {workflow.path!r} said something that nobody asked for")
        if "/" in "".join([request.id for request in said.requests]):
            raise OutOfOrder("a request's id has a slash in it, which parts the names in a path")
        ids = [workflow.id_of(request) for request in said.requests]
        if (len(ids) > 1 and len(set(ids)) < len(ids)) or not workflow.calls.keys().isdisjoint(ids):
            raise OutOfOrder(f"the workflow {workflow.path!r} gave two requests one id")

    def _begin_all(self, workflow: Workflow, said: Said) -> None:
        for request in said.requests:
            if not workflow.is_over:  # a refusal may have ended the run
                self._begin(workflow, request, is_known=request.id in said.known)
        if said.state is State.PENDING:
            workflow.is_listening = False
            self.tree.tell_if_ready(workflow)

    def _begin(self, workflow: Workflow, request: Request, *, is_known: bool = False) -> None:
        kind = self.tree.kinds.get(type(request))
        call = Call(workflow.id_of(request), workflow.path, request, kind, phase=workflow.phase)
        workflow.calls[call.id] = call
        if is_known:
            self._reusing.expect(workflow, call)
        elif kind is not None and kind.name in self.tree.rules.handlers:
            if isinstance(request, AgentRequest):
                self._agents.begin(workflow, call, request)
            elif isinstance(request, AskRequest):
                waits.ask(self.tree, call, request)
            else:
                self._begin_other(call)
        elif kind is not None:
            self.tree.settle(call, Rejected(kind.absent))
        elif isinstance(request, SleepRequest):
            waits.sleep(self.tree, call, request)
        else:
            self._reject_unknown(workflow, call, request)

    def _reject_unknown(self, workflow: Workflow, call: Call, request: Any) -> None:
        """What a later version may ask: the workflow may go on without it, and the report says why."""
        name = request.type if isinstance(request, UnknownRequest) else type(request).__name__
        message = f"this host does not know requests of type {name[:40]!r}; use a newer one"
        self.tree.diagnose(workflow, {"kind": UNKNOWN_REQUEST_TYPE, "message": message})
        self.tree.settle(call, Rejected(message))

    def _begin_other(self, call: Call) -> None:
        assert call.kind is not None
        asked, kind = self.tree.asked, call.kind
        if kind.total:
            most = getattr(self.tree.rules, kind.total)
            if asked.get(kind.name, 0) >= most:
                self.tree.settle(call, Rejected(kind.over.format(most)))
                return
            asked[kind.name] = asked.get(kind.name, 0) + 1
        self.tree.enqueue(call)

    def _ask(self, call: Call) -> None:
        """Begin a call that has a place at work."""
        if isinstance(call.request, AgentRequest):
            self._agents.ask(call)
            return
        assert call.kind is not None
        call.attempt = call.tries = 1
        timeout = call.terms.timeout_ms
        asked = Ask(call.id, call.path, call.kind, call.request, 1, 1, timeout, call.phase, None)
        self.tree.commands.append(asked)

    def _settle(self, given: Answered | Refused | Due | Heard | Charged | Told | Reused) -> Workflow | None:
        call = self.tree.call(given.id)
        if isinstance(given, Reused):
            return self._reusing.settle(call, given)
        if call is None or not isinstance(given, waits.TAKES[call.stage]):
            return None
        is_agent, workflow = isinstance(call.request, AgentRequest), self.tree.workflows[call.path]
        if workflow.is_over:
            if is_agent and not isinstance(given, Due):
                self._agents.too_late(call, given)
            return workflow
        match given:
            case _ if not is_agent:
                waits.settle(self.tree, call, given)
            case Answered():
                self._agents.answered(call, given)
            case Due():
                self._agents.again(call)
            case Heard() | Charged() | Told():
                self._agents.paid(call, given)
            case Refused():
                self._agents.refused(call, given)
        return workflow

    def _turn(self, workflow: Workflow) -> None:
        ready = workflow.ready
        if workflow.is_over or workflow.is_listening or not ready:
            return
        workflow.is_listening = True
        told = tuple([ready.popleft() for _ in range(min(len(ready), MAX_TOLD_AT_ONCE))])
        self.tree.commands.append(Tell(workflow.path, told))

    def _end(self, workflow: Workflow, unbegun: frozenset[str]) -> Workflow:
        """Forget a workflow whose child is gone, and what it still waited for."""
        for call in list(workflow.calls.values()):
            if isinstance(call.request, AgentRequest):
                self._agents.cancelled(call, has_begun=call.id not in unbegun)
            self.tree.give_place_back(call)
        self.tree.close(workflow)
        self.tree.forget_queues(workflow)
        del self.tree.workflows[workflow.path]
        return workflow
