"""What is said between one workflow and its child, from `initialize` to the last drain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import trio

from flowcage.host.outcome.errors import (
    HandlerFailed,
    ProtocolViolation,
    RunError,
    WorkflowFailed,
    WorkflowStalled,
)
from flowcage.host.outcome.of_agents import AgentLimitReached, BudgetExhausted, CostExhausted
from flowcage.host.process.channel import Channel
from flowcage.host.process.glances import Patience
from flowcage.host.process.supervisor import Child
from flowcage.host.run.core.commands import Verdict
from flowcage.host.run.core.inputs import Compiled, Noted, Said, State, Turn
from flowcage.host.run.core.kept import MAX_KEPT_ENTRIES
from flowcage.host.run.driver import Driver
from flowcage.host.run.naps.naps import Naps
from flowcage.host.run.node import Node
from flowcage.host.run.past.catch_up import CatchUp, raise_failure
from flowcage.host.run.past.diverged import ReplayDiverged
from flowcage.host.run.past.journal import Begun
from flowcage.host.run.past.lived import TOLD_SECONDS, tell_of_cpu
from flowcage.host.run.past.past import PastWorkflow, state_of
from flowcage.host.run.past.telling import Telling
from flowcage.host.run.phases import phase_defaults
from flowcage.host.run.sources.begun import members_of_start
from flowcage.host.run.sources.taken import require_taken
from flowcage.protocol.limits import MIB, QUEUED_ITEM_BYTES, Limits
from flowcage.protocol.messages import (
    Budget,
    Drained,
    Initialized,
    Json,
    Missing,
    Request,
    Resolve,
    Start,
    Started,
)

# For the interpreter and for messages on their way.
ROOM_BESIDE_THE_HEAP = 320 * MIB
# Requests that are begun at once: meanwhile the event loop, and with it every other run, is held up.
MAX_REQUESTS_AT_ONCE = 250

ERRORS: Mapping[Verdict, type[RunError]] = {
    Verdict.STALLED: WorkflowStalled,
    Verdict.AGENT_LIMIT: AgentLimitReached,
    Verdict.BUDGET_EXHAUSTED: BudgetExhausted,
    Verdict.COST_EXHAUSTED: CostExhausted,
    Verdict.HOST_FAULT: HandlerFailed,
}


class Conversation:
    """One workflow's.

    One task holds it and listens to the child at all times, so that the child's end is noticed also while it
    is the host's turn. What the child is told is sent by the task that has the first answer: to wake another
    for it would cost a turn of the event loop. Answers that come while the child works wait in the core, and
    go out together when it is quiet.

    Args:
        node: whose child it is.
        driver: takes what the child says, and says what it is told.

    Attributes:
        initialized: what the child said of itself; None before it did.
    """

    def __init__(self, node: Node, driver: Driver) -> None:
        self._node = node
        self._driver = driver
        self._channel: Channel | None = None
        self._telling: Telling | None = None
        self.initialized: Initialized | None = None
        self._quiet = trio.CancelScope()
        self._is_woken = False
        self._noted: list[Any] = []
        self._past = None if driver.past is None else driver.past.workflows.get(node.path)

    async def hold(self, child: Child, source: str, args: Json, woken: PastWorkflow | None = None) -> Json:
        """Cage the child, give it the source, and answer what it asks, until the workflow is over.

        Args:
            child: of the workflow.
            source, args: that it is given.
            woken: what the child before it was told, and said, where there was one in this life of the run.

        Returns:
            The workflow's result.

        Raises:
            Naps: the child is to be ended, and `hold` called with another one.
            RunError: the workflow failed, or has to end.
        """
        node, channel = self._node, child.channel
        if woken is not None:
            self._past, self._is_woken = woken, True
        try:
            said: object = await self._start(child, source, args)
        except WorkflowFailed as failed:
            if self._past is None or not self._past.replies:
                raise
            raise_failure(self._past, 0, failed)
        if self._past is not None:
            said = await self._catch_up(self._past, said, child)
            node.check()
            if node.finish is not None:
                return self.result()
        with trio.CancelScope() as self._quiet:
            while True:
                if isinstance(said, Drained):  # else it is that a resolution has arrived
                    self._require_bounds(channel, said)
                    await self._take_in(said)
                    node.check()
                    if node.finish is not None:
                        return self.result()
                said = await channel.receive()
        raise Naps

    def nap(self) -> None:
        """Have a child that is quiet ended."""
        self._quiet.cancel()

    def tell(self, resolves: tuple[Resolve, ...]) -> None:
        """Send resolutions and the drain that lets them take effect; it never waits."""
        assert self._channel is not None
        assert self._telling is not None
        try:
            self._channel.send(self._telling.turn(resolves))
        except RunError as error:  # the child's fault, and not that of the task that brought the answer
            self._node.abandon(error)

    async def _start(self, child: Child, source: str, args: Json) -> Drained | None:
        node, options = self._node, self._node.options
        self._channel = channel = child.channel
        self.initialized = await child.initialize(options.limits, options.isolation, options.findings)
        patience = Patience(  # by what was asked for: the child's word does not count
            resident_bytes=options.limits.memory_bytes + ROOM_BESIDE_THE_HEAP,
        )
        require_taken(self.initialized, options.modules)
        self._telling = telling = Telling(channel, self.initialized.methods)
        steps = 2 if "run" in telling.methods else 1  # it compiles and runs; `advance` settles and runs
        channel.patience = patience.for_steps(options.limits, options.answer_grace_seconds, steps)
        past = self._past
        note = _ignore if past is not None and (past.is_compiled or past.has_notes) else self._note
        node.phase_defaults = await phase_defaults(
            channel,
            source,
            node.source_name,
            options.dialect,
            options.modules,
            note,
            findings=options.findings and past is None,
        )
        channel.send(self._opening(telling, source, args, child.to_lower))
        said = await channel.receive()
        assert isinstance(said, Started | Drained)
        dialect = None if isinstance(said.dialect, Missing) else said.dialect
        if past is None or not past.is_compiled:
            self._driver.feed(Compiled(node.path, dialect))
        self._tell_of_start(source, args)
        return said if isinstance(said, Drained) else None

    def _opening(self, telling: Telling, source: str, args: Json, lower: Limits) -> list[bytes]:
        node, past = self._node, self._past
        if past is not None and past.begun is not None:
            budget = past.begun.budget
        else:
            budget = self._driver.core.tree.budget
            self._keep(source, args, budget)
        # Whoever listens is told that the source is compiled before it has run, perhaps for long.
        is_one = "run" in telling.methods and node.options.listener is None
        dialect, modules = node.options.dialect, node.options.modules
        start = Start(source, node.source_name, args, budget, dialect, True, lower, modules)
        return telling.opening(start, is_one=is_one)

    def _keep(self, source: str, args: Json, budget: Budget) -> None:
        """Have the journal know what the child is told, before the run can go on from it."""
        node, journal = self._node, self._driver.journal
        if journal is not None:
            journal.begin(Begun.of(node.path, source, node.source_name, args, budget, node.options))

    async def _catch_up(self, past: PastWorkflow, said: object, child: Child) -> Drained | None:
        """Tell the child what the one before it was told, and do again what was commanded."""
        node, driver = self._node, self._driver
        if self._is_woken:
            return await self._wake(past, said, child)
        assert driver.past is not None
        try:
            new = await self._replay(past, said, driver.past.renew)
        except ReplayDiverged as diverged:
            diverged.blame(driver.past.made_by_others)
            raise
        driver.allowance.repeated(child.cpu_seconds() or 0.0)
        if not node.path:
            driver.allowance.earlier_cpu_seconds = driver.past.cpu_seconds
        driver.go_on(node)
        return new

    async def _wake(self, past: PastWorkflow, said: object, child: Child) -> Drained | None:
        """Tell it the same after a nap, in which the run went on, and then what there is to tell."""
        driver, path = self._driver, self._node.path
        new = await self._replay(past, said, _ignore)
        driver.allowance.repeated(child.cpu_seconds() or 0.0, child.channel.bytes_received)
        self._past = None
        driver.napping.end(path)
        driver.feed(Turn(path))
        return new

    async def _replay(
        self, past: PastWorkflow, said: object, asked: Callable[[str, Request], None]
    ) -> Drained | None:
        assert self._channel is not None
        assert self._telling is not None
        return await CatchUp(past, self._channel, self._telling, asked).replay(said)

    def result(self) -> Json:
        """The workflow's; it raises the error where the core says that it has none."""
        finish = self._node.finish
        assert finish is not None
        if finish.verdict is Verdict.COMPLETED:
            return finish.result
        raise ERRORS[finish.verdict](finish.message)

    async def _take_in(self, drained: Drained) -> None:
        path, state, requests = self._node.path, state_of(drained), drained.requests
        result = drained.output["result"] if isinstance(drained.output, dict) else None
        calls, notes = drained.calls, drained.diagnostics
        while len(requests) > MAX_REQUESTS_AT_ONCE and state is State.PENDING:
            part, requests = requests[:MAX_REQUESTS_AT_ONCE], requests[MAX_REQUESTS_AT_ONCE:]
            self._driver.feed(Said(path, calls, part, notes, State.PARTIAL))
            calls, notes = [], ()
            await trio.lowlevel.checkpoint()
        self._driver.feed(Said(path, calls, requests, notes, state, result))
        if self._driver.journal is not None:
            tell_of_cpu(self._driver.allowance, self._driver.feed, TOLD_SECONDS)

    def _require_bounds(self, channel: Channel, drained: Drained) -> None:
        """Refuse counts that no correct child can reach: handling each item blocks the loop for all runs."""
        limits = self._node.options.limits
        if drained.calls and len(drained.calls) * QUEUED_ITEM_BYTES > limits.max_queued_bytes:
            raise ProtocolViolation("the child has more calls queued than its limit")
        if channel.outstanding > limits.max_pending_requests:
            raise ProtocolViolation("the child has more requests outstanding than its limit")
        if len(drained.diagnostics) > MAX_KEPT_ENTRIES:
            raise ProtocolViolation("the child has more diagnostics than are kept")

    def _note(self, diagnostic: Any) -> None:
        self._driver.feed(Noted(self._node.path, diagnostic))
        self._noted.append(diagnostic)

    def _tell_of_start(self, source: str, args: Json) -> None:
        node, told, past = self._node, self.initialized, self._driver.past
        is_told = self._is_woken or (past is not None and past.emitted)
        if node.options.listener is None or told is None or is_told:
            return  # who hears that it is awake has heard that it was started
        members = {
            "source_name": node.source_name,
            "parent_run_id": node.parent.id if node.parent else None,
            "dialect": self._driver.core.tree.workflows[node.path].dialect,
            **members_of_start(source, args, told, node.options),
        }
        self._driver.emit(node, "started", members)
        for diagnostic in self._noted:  # nothing is asked before the workflow runs
            self._driver.emit(node, "diagnostic", {"diagnostic": diagnostic})


def _ignore(*_told: Any) -> None:
    pass
