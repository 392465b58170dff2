"""The state of a run with all of its child workflows, and what every rule does with it.

Plain data: no callback, clock or task. `fold` and `agents` decide; this module keeps the books that both
need: queues with their caps, resolutions that wait for a turn, totals, and the commands of the step at hand.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, assert_never

from flowcage.host.run.core.agents.shares import NO_NEED, Amount
from flowcage.host.run.core.agents.spending import Left
from flowcage.host.run.core.agents.terms import NO_TERMS, Sessions, Terms
from flowcage.host.run.core.books import Books, Totals, unpriced_note
from flowcage.host.run.core.commands import Command, Emit, Finish, Ready, Verdict, Wake
from flowcage.host.run.core.inputs import (
    NO_FACTS,
    NOTHING,
    Dialect,
    Facts,
    Heard,
    Lived,
    Remembered,
    Spent,
    Told,
)
from flowcage.host.run.core.kept import Kept
from flowcage.host.run.core.kinds import Kind, Kinds
from flowcage.host.run.core.queue import Queue
from flowcage.host.run.core.rules import Rules
from flowcage.protocol.limits import MAX_LIMIT
from flowcage.protocol.messages import Budget, Log, Phase, Request, Resolution, Resolve

_AGENT = "agent"

# What a request waits for: a place at work, an answer, a time, a person's answer, or that the answer of
# another run is told.
Stage: TypeAlias = Literal["queued", "asked", "waiting", "person", "known"]


@dataclass(slots=True)
class Call:
    """A request without a resolution.

    Attributes:
        id, path: in the tree; `request.id` is the one on the wire.
        attempt: of an agent's call, counted from 1; 0 before the first.
        tries: answers that this attempt has had, the one that is awaited included.
        refused_text: the last answer that did not fit the call's schema.
        due: when it is woken, where it waits for a time.
        handle: that was remembered last in this attempt.
        heard: the answer of this try, while it is checked.
        told: what this try has cost by now, until it is charged.
        need: the share of the ceilings that it takes at least.
        cut_short: attempts that ended because their share was too small; they are no retries.
        charged: what was spent that no event tells of by now.
    """

    id: str
    path: str
    request: Request
    kind: Kind | None = None
    label: str | None = None
    phase: str = ""
    terms: Terms = NO_TERMS
    attempt: int = 0
    tries: int = 0
    stage: Stage = "queued"
    refused_text: str | None = None
    due: float = 0.0
    handle: str | None = None
    heard: Heard | None = None
    told: Told | None = None
    need: Amount = NO_NEED
    cut_short: int = 0
    charged: Spent = NOTHING


@dataclass(slots=True)
class Workflow:
    """One workflow of the tree.

    Attributes:
        phase: the last that it entered. A child workflow begins in that of its parent.
        is_listening: whether a drain is on its way, so that nothing can be told now.
        is_over: whether nothing that it asks counts any more.
    """

    path: str
    source_name: str
    phase: str = ""
    dialect: Dialect | None = None
    kept: Kept = field(default_factory=Kept)
    calls: dict[str, Call] = field(default_factory=dict)
    queues: dict[str, Queue] = field(default_factory=dict)
    ready: deque[Resolve] = field(default_factory=deque)
    is_listening: bool = True
    is_over: bool = False

    def id_of(self, request: Request) -> str:
        """The request's id in the tree."""
        return f"{self.path}/{request.id}" if self.path else request.id

    @property
    def depth(self) -> int:
        """0 for the root, 1 for a child workflow of it."""
        return self.path.count("/") + 1 if self.path else 0


class Tree:
    """The books of one run.

    Args:
        rules: what the run is held to.
        kinds: the requests that are queued.

    Attributes:
        is_watched: whether anybody reads what `emit` tells. Who tells of every call asks first, since the
            arguments cost as much as a step.
    """

    def __init__(self, rules: Rules, kinds: Kinds) -> None:
        self.rules = rules
        self.kinds = kinds
        self.is_watched = rules.watched
        self.now = 0.0
        self.cpu_seconds = 0.0  # as `Lived` has told
        self.workflows: dict[str, Workflow] = {}
        self.opened: set[str] = set()  # also of workflows that are gone: their answers and times may be late
        self.queues: dict[str, Queue] = {}
        self.books = books = Books(rules)
        self.totals, self.phases = books.totals, books.phases
        self.asked: dict[str, int] = {}
        self.waiting = 0  # in all queues, those that are gone meanwhile included
        self.admitted = 0
        self.refusals = 0
        self.commands: list[Command] = []
        self.sessions = Sessions()

    @property
    def budget(self) -> Budget:
        """What a workflow may know; more tokens than the wire has numbers for are as many as it has."""
        return Budget(self.rules.budget_tokens, min(self.totals.seen_tokens, MAX_LIMIT))

    def call(self, identifier: str) -> Call | None:
        """The call with this id in the tree, unless it is settled or its workflow is gone."""
        workflow = self.workflows.get(identifier.rpartition("/")[0])
        return None if workflow is None else workflow.calls.get(identifier)

    def tell_of(self, workflow: Workflow, call: Log | Phase) -> None:
        """Keep what a workflow says, and tell of it."""
        match call:
            case Log(values):
                workflow.kept.log(values)
                self.emit(workflow.path, "log", values=tuple(values))
            case Phase(name, options):
                workflow.phase = name
                workflow.kept.phase(name, options)
                self.emit(workflow.path, "phase", name=name, options=options)
            case _:
                assert_never(call)

    def keep(self, given: Remembered | Lived) -> None:
        """Keep what has no effect in this life."""
        if isinstance(given, Lived):
            self.cpu_seconds += given.cpu_seconds
        elif (call := self.call(given.id)) is not None and call.stage == "asked":
            call.handle = given.handle

    def emit(self, path: str, kind: str, **members: Any) -> None:
        """Tell of something, if anybody watches."""
        if self.is_watched:
            self.commands.append(Emit(path, kind, members))

    def diagnose(self, workflow: Workflow, note: Facts) -> None:
        """Keep a diagnostic; those that the census has are counted, kept or not."""
        workflow.kept.diagnostic(note)
        self.totals.swallowed += note["kind"] == "swallowed_error"
        self.totals.unawaited += note["kind"] == "unawaited_request"

    def charge(self, call: Call, spent: Spent, facts: Facts = NO_FACTS, *, completed: int = 0) -> None:
        """Count what an answer cost, whatever becomes of it; `completed` is 1 for the one of a call."""
        where = self.workflows[call.path].source_name, call.phase
        unpriced = self.books.charge(where, spent, facts, completed)
        if unpriced is not None and (root := self.workflows.get("")) is not None:
            self.diagnose(root, unpriced_note(unpriced))

    def totals_of(self, call: Call) -> tuple[Totals, Totals]:
        """Those of the tree and those of the call's phase in its workflow."""
        return self.books.totals_of((self.workflows[call.path].source_name, call.phase))

    def may_ask_again(self, call: Call) -> bool:
        """Whether an agent that is at work may be asked once more."""
        books = self.books
        if not books.is_shared:
            return books.may_begin(self._others_at_work())
        return books.shares.again(call.id, books.spent, call.need, self.rules.max_agents)

    def left(self, identifier: str) -> Left:
        """What the agent of a call that is at work may spend."""
        books = self.books
        return books.left(self._others_at_work()) if not books.is_shared else books.left_of(identifier)

    def enqueue(self, call: Call, *, first: bool = False) -> None:
        """Have a call wait for a place at work; `startable` hands it out."""
        call.stage = "queued"
        self.waiting += 1
        waiting = self._queue(call).waiting
        (waiting.appendleft if first else waiting.append)(call.id)

    def startable(self, workflow: Workflow) -> Iterator[Call]:
        """The calls of the tree's queues and of a workflow's that have a place now, in their order."""
        for queue in (*self.queues.values(), *workflow.queues.values()):
            while queue.waiting and queue.busy < queue.cap:
                call = self.call(queue.waiting[0])
                waits = call is not None and call.stage == "queued" and not self.workflows[call.path].is_over
                if queue.is_paid and not self.books.admits(queue.busy, call.need if waits and call else None):
                    break  # a call at work may spend what is left
                self.waiting -= 1
                queue.waiting.popleft()
                if call is not None and waits:
                    self._take_place(queue, call)
                    yield call

    def forget_queues(self, workflow: Workflow) -> None:
        """Let nothing wait in a workflow's own queues any more."""
        self.waiting -= sum(len(queue.waiting) for queue in workflow.queues.values())
        workflow.queues.clear()

    def wait(self, call: Call, seconds: float) -> None:
        """Have a call wait for a time, without a place at work."""
        self.give_place_back(call)
        call.stage, call.due = "waiting", self.now + seconds
        self.commands.append(Wake(call.due, call.id))

    def give_place_back(self, call: Call) -> None:
        """A call is not at work any more."""
        if call.stage == "asked":
            self._queue(call).busy -= 1
            self.books.shares.end(call.id)
            call.stage = "waiting"

    def settle(self, call: Call, resolution: Resolution) -> None:
        """Have a call's resolution go out with the next turn of its workflow."""
        self.give_place_back(call)
        workflow = self.workflows[call.path]
        del workflow.calls[call.id]
        workflow.ready.append(Resolve(call.request.id, resolution))
        if len(workflow.ready) == 1:
            self.tell_if_ready(workflow)

    def tell_if_ready(self, workflow: Workflow) -> None:
        """Have a turn given where there is something to tell and somebody who listens to it."""
        if workflow.ready and not workflow.is_listening and not workflow.is_over:
            self.commands.append(Ready(workflow.path))

    def finish(self, workflow: Workflow, verdict: Verdict, result: Any = None, message: str = "") -> None:
        """End a workflow and all below it: nothing that they ask is begun any more."""
        if workflow.is_over:
            return
        self.commands.append(Finish(workflow.path, verdict, result, message))
        self.close(workflow)

    def close(self, workflow: Workflow) -> None:
        """Let nothing that a workflow and those below it ask count any more."""
        below = f"{workflow.path}/" if workflow.path else ""
        for each in self.workflows.values():
            each.is_over = each.is_over or each is workflow or each.path.startswith(below)

    def _others_at_work(self) -> int:
        queue = self.queues.get(_AGENT)
        return 0 if queue is None else max(0, queue.busy - 1)

    def _take_place(self, queue: Queue, call: Call) -> None:
        queue.busy += 1
        call.stage = "asked"
        if queue.is_paid and self.books.is_shared:
            self.books.shares.begin(call.id, self.books.spent, call.need, queue.cap)

    def _queue(self, call: Call) -> Queue:
        assert call.kind is not None
        queues = self.queues if call.kind.shared else self.workflows[call.path].queues
        queue = queues.get(call.kind.name)
        if queue is None:
            queue = queues[call.kind.name] = self._new_queue(call.kind)
        return queue

    def _new_queue(self, kind: Kind) -> Queue:
        return Queue(getattr(self.rules, kind.cap), kind.name == _AGENT and self.books.is_paced)


def request_of(path: str) -> str:
    """The request that a child workflow answers; a handler may begin several, "3", "3.2" and so on."""
    head, slash, last = path.rpartition("/")
    return head + slash + last.partition(".")[0]
