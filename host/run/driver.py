"""Carries out what the core of one run commands: tasks, slots and clocks on one side, inputs on the other.

Everything here happens in one thread and without waiting, so the order of the inputs is the order in which
things happened. A command may bring about another input at once (`Ready` its `Turn`, or a listener that
answers a live run's request): that one waits until the step at hand is done. What must hold:

- `feed` is the only way to the core.
- No handler is asked before the journal has kept all that led to it; what a child is told need not wait.
- The task of a request ends in exactly one input for each `Ask`, or its run is over.
- An `Ask` for a call whose task is still open is a further try of the same attempt: it goes to that task,
  which keeps its slot and its timeout. In a task of its own it would wait for a slot behind all others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import assert_never

import trio

from flowcage.host.outcome.errors import HandlerFailed, RunError
from flowcage.host.process.allowance import Allowance
from flowcage.host.run.alarms import Alarms
from flowcage.host.run.asking.answering import Answerer, Answering, answered, schemas_of
from flowcage.host.run.asking.witness import Witness
from flowcage.host.run.core import kinds
from flowcage.host.run.core.commands import Ask, Command, Emit, Finish, Ready, Tell, Wake
from flowcage.host.run.core.fold import Core
from flowcage.host.run.core.inputs import Answered, Charged, Due, Ended, Failed, Input, Refused, Said, Turn
from flowcage.host.run.guide.guide import Guide
from flowcage.host.run.guide.steering import Steering
from flowcage.host.run.naps.naps import Napping
from flowcage.host.run.node import Node
from flowcage.host.run.options import RunOptions
from flowcage.host.run.past import interrupted
from flowcage.host.run.past.flushes import Flushes
from flowcage.host.run.past.hibernation import FallsAsleep, Hibernation, Idleness
from flowcage.host.run.past.journal import Journal
from flowcage.host.run.past.past import Past
from flowcage.host.run.people.faults import faults_of_handler
from flowcage.host.run.people.questions import Questions
from flowcage.host.run.reporting import Telling, shown
from flowcage.host.run.slots import Share, StartQueue
from flowcage.protocol.messages import AskRequest

_ENDING = (Ended, Failed, Charged)  # what follows comes by itself, or never: the run is being ended


class Driver:
    """One for a run with its child workflows.

    Args:
        options: of the root.
        share: what the run may use of its tenant's.
        answerer: answers all requests in place of the options' handlers.
        journal: keeps the run; None where nobody does.
        past: of a run that is gone on with.
        hibernation: when the run falls asleep; None for never.
        guide: knows what another run was answered, whose answers this one reuses.

    Attributes:
        allowance: what all of the tree's processes may use together.
        nodes: those that are not over, by path.
        asleep: from then on nothing happens to the run.
        fed_at: when something happened last, by trio's clock; `telling` tells of it, and `emit` of one event.
        napping, idleness: workflows without a child; whether the run may fall asleep.
        skips_waits: whether ``sleep()`` and the like go on at once.
    """

    def __init__(
        self,
        options: RunOptions,
        share: Share,
        answerer: Answerer | None,
        journal: Journal | None = None,
        past: Past | None = None,
        hibernation: Hibernation | None = None,
        guide: Guide | None = None,
    ) -> None:
        self.options = options
        self.share = share
        self.past = past
        handlers = answered(options, answerer, is_kept=journal is not None)
        self.core = past.core if past else Core(options.rules(handlers), kinds.KINDS)
        self.allowance = Allowance(options.limits.cpu_seconds, options.max_received_bytes)
        self.nodes: dict[str, Node] = {}
        self._began = trio.current_time() - (past.seconds if past else 0.0)
        emitted = past.emitted if past else 0
        self.telling = Telling(options, share.tenant, lambda: self.seconds, self.fail, emitted)
        self.emit = self.telling.emit
        schemas = partial(schemas_of, share, options.isolation, self.allowance)
        ways = (schemas, self._take_answer, self.emit, self.keep, self.core.tree.left)
        self.witness = Witness(share.tenant, share.attempted)
        self._answering = Answering(self.witness, *ways, answerer)
        self.questions = Questions(self, self._answering, answerer)
        self.journal = journal
        self.steering = None if guide is None else Steering(guide, self.core, past)
        self._inputs: deque[Input] = deque()
        self._is_stepping = False
        self._queues: dict[tuple[str, str], StartQueue] = {}
        self._unbegun: set[str] = set()
        self._flushes = None if journal is None else Flushes(journal, self.core.tree, self.alarm)
        self._alarms: Alarms | None = None
        self.fed_at = trio.current_time()
        self.asleep: FallsAsleep | None = None
        self.napping, self.skips_waits = Napping(), False
        self.idleness = Idleness(hibernation, self)

    @property
    def seconds(self) -> float:
        """Since the root run began."""
        return trio.current_time() - self._began

    def feed(self, *happened: Input) -> None:
        """Tell the core of something, and carry out what it commands."""
        if self.asleep is not None:
            return
        self._inputs.extend(happened)
        if self._is_stepping or not self._inputs:
            return
        self._is_stepping = True
        self.fed_at = trio.current_time()
        now = self.fed_at - self._began
        try:
            while self._inputs:
                given = self._inputs.popleft()
                if self.steering is not None and isinstance(given, Said):
                    given = self.steering.look(given, self.nodes[given.path].phase_defaults.by_title)
                if self.journal is not None:
                    self.journal.record(now, given)
                for command in self.core.step(now, given):
                    if self.past is None or not self.past.hold(command):
                        self._carry_out(command)
                if self.steering is not None and not self._inputs and not isinstance(given, _ENDING):
                    self._inputs.extend(self.steering.following())
        finally:
            self._is_stepping = False
        if self._flushes is not None:
            self._flushes.after_step(given)

    async def keep(self) -> bool:
        """Wait until all that has happened is kept; False where a journal fails, which ends the run."""
        try:
            if self.journal is not None:
                await self.journal.kept()
        except RunError as error:
            if (root := self.nodes.get("")) is not None:
                root.abandon(error)
            return False
        return True

    def steer(self) -> None:
        """Tell what another run was answered, where nothing happens that would lead to it."""
        if self.steering is not None and not self._is_stepping:
            self.feed(*self.steering.following())

    def go_on(self, node: Node) -> None:
        """Do again what had been commanded for a workflow, whose child is where the old one was by now."""
        assert self.past is not None
        workflow = self.core.tree.workflows[node.path]
        self.feed(*interrupted.charges(self.core.tree))
        self.feed(*interrupted.refusals(self.core.tree, workflow))
        self.past.behind.discard(node.path)
        if not node.path:
            self._give_up(self.past.unasked())
        if workflow.is_over:
            return
        for call in list(workflow.calls.values()):
            if (command := self.past.command_for(call)) is not None:
                self._carry_out(command)
        self.feed(Turn(node.path))  # nothing, where there is nothing to tell or nobody who listens
        self.steer()

    def _take_answer(self, given: Input) -> None:
        if self.past is not None and isinstance(given, Answered | Refused):
            self._give_up([each for each in self.past.below(given.id) if each not in self.nodes])
        self.feed(given)

    def _give_up(self, paths: Iterable[str]) -> None:
        """End child workflows of the past that nobody has gone on with."""
        assert self.past is not None
        for path in paths:
            if path in self.core.tree.workflows:
                self.feed(Ended(path))
                self.past.behind.discard(path)

    def fail(self, node: Node, failure: HandlerFailed) -> None:
        """End a workflow because the host's own program failed."""
        node.abandon(failure)
        if node.path in self.core.tree.workflows:  # it may have failed while its end was told
            self.feed(Failed(node.path, str(failure)))

    def end(self, node: Node) -> None:
        """Tell the core that a workflow's child is gone.

        Of its child workflows none is left, unless a handler runs one in a nursery of somebody else's.
        """
        for below in [each for each in self.nodes.values() if each.parent is node]:
            below.abandon(HandlerFailed("the workflow that asked for it ended first; await run_child()"))
        unbegun = frozenset(each for each in self._unbegun if each.rpartition("/")[0] == node.path)
        self._unbegun -= unbegun
        self.feed(Ended(node.path, unbegun))

    def forget(self, node: Node) -> None:
        """A workflow is over and its tasks are gone."""
        self.nodes.pop(node.path, None)
        for key in [key for key in self._queues if key[0] == node.path]:
            self._queues.pop(key).close()  # a slot of the tenant's may be long in coming

    def _carry_out(self, command: Command) -> None:
        match command:
            case Ask():
                self._ask(command)
            case Ready():
                if not self.napping.hold(command.path):
                    self._inputs.append(Turn(command.path))
            case Tell():
                self.nodes[command.path].tell(command.resolves)
            case Emit():
                if (node := self.nodes.get(command.path)) is not None:
                    self.emit(node, command.type, command.members)
            case Wake():
                self._wake(command.at, command.id)
            case Finish():
                if (node := self.nodes.get(command.path)) is not None:  # else it is gone on with later
                    node.over(command)
            case _:
                assert_never(command)

    def _ask(self, asked: Ask) -> None:
        self.idleness.begin()
        if isinstance(asked.request, AskRequest):
            self.questions.put(asked)
        elif not self._answering.take_over(asked):
            self._unbegun.add(asked.id)
            queue = self._queue(asked)
            queue.join(partial(self._begin, asked, queue))

    def _queue(self, asked: Ask) -> StartQueue:
        kind = asked.kind
        key = ("" if kind.shared else asked.path, kind.name)
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = StartQueue(self.share.slots.get(kind.name))
        return queue

    def _begin(self, asked: Ask, queue: StartQueue) -> bool:
        node = None if self._answering.holds(asked) else self.nodes.get(asked.path)
        return node is not None and node.spawn(self._answer, node, asked, queue)

    async def _answer(self, node: Node, asked: Ask, queue: StartQueue) -> None:
        """Hold a slot while a request is answered; one bad handler ends its run and nothing else."""
        try:
            with faults_of_handler(partial(self.fail_request, node, asked)):
                try:
                    if self.journal is not None:
                        await self.keep()
                finally:
                    queue.started()
                await trio.lowlevel.checkpoint_if_cancelled()  # no work begins in a run that is being ended
                if not self._is_over(node, asked):  # nor where the task that ends it has not run yet
                    self._unbegun.discard(asked.id)
                    await self._answering.answer(node, asked)
        finally:
            queue.release()

    def _is_over(self, node: Node, asked: Ask) -> bool:
        workflow = self.core.tree.workflows.get(node.path)
        return workflow is None or workflow.is_over or node.is_failing or self._answering.holds(asked)

    def fail_request(self, node: Node, asked: Ask, error: Exception) -> None:
        """End a workflow because the handler of its request failed."""
        name = type(asked.request).__name__
        failure = HandlerFailed(f"the handler of {name} {asked.request.id} raised {shown(error)}")
        failure.__cause__ = error
        self.fail(node, failure)

    @property
    def asks_handler(self) -> bool:
        """Whether a program of the host's has a question to answer, which would be lost."""
        return self.questions.is_handled

    def fall_asleep(self, until: float) -> None:
        """End all children and take nothing in any more: what the journal has is where the run goes on."""
        self.asleep = FallsAsleep(until)
        self.telling.is_silent = True
        self.nodes[""].abandon(self.asleep)

    def _wake(self, at: float, identifier: str) -> None:
        self.idleness.begin()
        self.alarm(0.0 if self.skips_waits else self._began + at, lambda: self.feed(Due(identifier)))

    def alarm(self, at: float, callback: Callable[[], None]) -> None:
        """Have something called at a time of trio's clock."""
        if self._alarms is None:
            self._alarms = Alarms()
            self.nodes[""].spawn(self._alarms.watch)
        self._alarms.at(at, callback)
