"""One workflow of a run: a child of its own, driven with ``drain`` until it completes, fails or is ended."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import trio

from flowcage.host.events.records import VERSION
from flowcage.host.outcome.errors import (
    AgentLimitReached,
    BudgetExhausted,
    CannotSend,
    HandlerFailed,
    ProtocolViolation,
    RunError,
    RunTimedOut,
    WorkflowStalled,
)
from flowcage.host.outcome.judge import verdict_on, verdict_on_interruption
from flowcage.host.outcome.report import Outcome, Report
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.process.channel import Channel, ChildGone, Patience
from flowcage.host.process.launch.reserve import unprepared
from flowcage.host.process.supervisor import Child
from flowcage.host.run.answering import Answerer
from flowcage.host.run.driver import Driver
from flowcage.host.run.inputs import Compiled, Ended, Noted, Opened, Said, State, Turn
from flowcage.host.run.kept import MAX_KEPT_ENTRIES
from flowcage.host.run.limits import host_limits
from flowcage.host.run.node import Node
from flowcage.host.run.options import Caller, RunOptions
from flowcage.host.run.phases import phase_defaults
from flowcage.host.run.reporting import Ending, report_of, statistics_of
from flowcage.host.run.run_id import new_run_id
from flowcage.host.run.share import Share
from flowcage.host.run.statistics import RunStatistics
from flowcage.protocol import strictjson
from flowcage.protocol.errors import LocalProtocolError
from flowcage.protocol.limits import MIB, QUEUED_ITEM_BYTES
from flowcage.protocol.messages import Drain, Drained, Initialized, Json, Rejected, Resolve, Start
from flowcage.protocol.version import PACKAGE_VERSION

# For the interpreter and for messages on their way.
ROOM_BESIDE_THE_HEAP = 320 * MIB
# Why a value cannot be sent: too long, too deep, or not JSON.
CANNOT_CROSS = (LocalProtocolError, TypeError, ValueError, RecursionError)
# Requests that are begun at once: meanwhile the event loop, and with it every other run, is held up.
MAX_REQUESTS_AT_ONCE = 250

_ERRORS: dict[str, type[RunError]] = {
    Verdict.STALLED: WorkflowStalled,
    Verdict.AGENT_LIMIT: AgentLimitReached,
    Verdict.BUDGET_EXHAUSTED: BudgetExhausted,
    Verdict.HOST_FAULT: HandlerFailed,
}


class Run(Node):
    """A workflow with its child, from the launch to the report.

    Args:
        options: of the run.
        source_name: name of the source in stacks.
        share: what it may use of its tenant's.
        run_id: its name in events; left out, a new one.
        answerer: answers its requests in place of the options' handlers.

    Attributes:
        driver: of the whole tree.
    """

    def __init__(
        self,
        options: RunOptions,
        source_name: str,
        share: Share | None = None,
        *,
        run_id: str | None = None,
        answerer: Answerer | None = None,
    ) -> None:
        super().__init__(run_id or new_run_id(), "", source_name, options, None)
        self._join(Driver(options, share or Share(), answerer), request="")

    @property
    def cpu_seconds(self) -> float:
        """CPU of what has ended: children, and whatever else is charged to the run."""
        return self.driver.allowance.cpu_seconds

    def caller(self, request: str) -> Caller:
        """This workflow as the handler of one of its requests sees it."""
        return _Caller(self, request)

    def statistics(self) -> RunStatistics:
        """As of now, in the run and after it."""
        seconds = self.driver.seconds - self._began
        return statistics_of(self.driver.core.tree, self._workflow, self._child, seconds)

    def tell_of_request(self, kind: str, request: Any) -> None:
        """Tell the listener of a live run that a request waits for it."""
        self.driver.emit(self, "requested", {"request": request, "kind": kind})

    async def run_child(self, request: str, source: str, source_name: str, args: Json) -> Json:
        """Run a child workflow that answers one of this workflow's requests; see `Caller`."""
        child = Run.__new__(Run)
        path = self._path_below(request)
        Node.__init__(child, new_run_id(), path, source_name, self._options_of_child(), self)
        child._join(self.driver, request)
        self._emit("child_started", child_run_id=child.id, source_name=source_name)
        return (await child.execute(source, args)).result

    async def execute(self, source: str, args: Json) -> Outcome:
        """Run to the end; whatever happens, the child is gone afterwards."""
        try:
            result = await self._bounded(source, args)
        except RunError as error:
            measured = self._child.measured(self.options.limits) if self._child is not None else None
            error.verdict = verdict_on(error, measured)
            report = self._end(error.verdict, str(error))
            if not hasattr(error, "report"):  # a child workflow's error has that of the child workflow
                error.report = report
            raise
        except BaseException as interruption:
            verdict = verdict_on_interruption(interruption)
            self._end(verdict, verdict)
            raise
        return Outcome(result, self._end(Verdict.COMPLETED, None))

    def _join(self, driver: Driver, request: str) -> None:
        """Take a place in the tree of a driver."""
        self.driver = driver
        self._began = driver.seconds
        self._child: Child | None = None
        self._initialized: Initialized | None = None
        driver.nodes[self.path] = self
        driver.feed(Opened(self.path, self.source_name, request))
        self._workflow = driver.core.tree.workflows[self.path]

    def _path_below(self, request: str) -> str:
        """The request's own id, unless its handler runs several workflows at once."""
        path, number = request, 1
        while path in self.driver.nodes:
            number += 1
            path = f"{request}.{number}"
        return path

    def _options_of_child(self) -> RunOptions:
        """A child workflow gets the CPU that is left; what all use together is watched beside."""
        limits, left = self.options.limits, self.driver.allowance.left_cpu_seconds
        if left >= limits.cpu_seconds:
            return self.options
        # Children that were kept ready have been told other limits.
        launcher = unprepared(self.options.launcher)
        return replace(self.options, limits=limits._replace(cpu_seconds=left), launcher=launcher)

    def _end(self, verdict: Verdict, error: str | None) -> Report:
        """Close the books of this workflow, and tell of its end."""
        waiting = tuple(call.request.id for call in self._workflow.calls.values())
        self.driver.feed(Ended(self.path))
        limits = self.options.limits if self._initialized is None else self._initialized.limits
        ending = Ending(
            verdict,
            self._child,
            {} if self._initialized is None else self._initialized.isolation,
            limits.to_wire() | host_limits(self.options),
            waiting,
            self.driver.share.tenant,
        )
        report = report_of(self, self.driver.core.tree, self._workflow, ending)
        self._workflow.calls.clear()
        self._emit("ended", verdict=verdict, error=error, usage=report.usage, census=report.census)
        self.driver.forget(self)
        if isinstance(self.parent, Run):
            self.parent._emit("child_ended", child_run_id=self.id, verdict=verdict, error=error)
        else:
            self.driver.close()
        return report

    def _emit(self, kind: str, **members: Any) -> None:
        self.driver.emit(self, kind, members)

    async def _bounded(self, source: str, args: Json) -> Json:
        driver = self.driver
        try:
            with trio.fail_after(self.options.timeout_seconds):
                self._child = child = await Child.start(self.options.launcher, driver.allowance)

                async def converse(nursery: trio.Nursery) -> Json:
                    self.open(nursery)
                    nursery.start_soon(self._watch, child)
                    if self.parent is not None:
                        nursery.start_soon(self._watch_allowance)
                    await self._start(child, source, args)
                    return await self._drive(child.channel)

                with (
                    driver.share.process(child.pid, child.inherited_bytes),
                    driver.allowance.process(child.cpu_seconds),
                ):
                    return await child.run(converse)
        except trio.TooSlowError:
            raise RunTimedOut(self.options.timeout_seconds) from None

    async def _watch(self, child: Child) -> None:
        """A child can also die while it is the host's turn, and nobody reads from it."""
        try:
            await child.wait_until_gone()
            self.abandon(ChildGone())
        finally:
            self.close()  # here, since the nursery's cancellation is seen here before new tasks begin

    async def _watch_allowance(self) -> None:
        """Children use CPU side by side; one that is taken over does so while nobody waits for it, too."""
        allowance = self.driver.allowance
        try:
            while True:
                await trio.sleep(allowance.pause_seconds())
                allowance.require()
        except RunError as error:
            self.root.abandon(error)

    async def _start(self, child: Child, source: str, args: Json) -> None:
        options, channel = self.options, child.channel
        self._initialized = await child.initialize(options.limits, options.isolation)
        patience = Patience(  # by what was asked for: the child's word does not count
            resident_bytes=options.limits.memory_bytes + ROOM_BESIDE_THE_HEAP,
        )
        channel.patience = patience.for_steps(options.limits, options.answer_grace_seconds)
        self.phase_defaults = await phase_defaults(
            channel, source, self.source_name, options.dialect, self._note
        )
        message = Start(source, self.source_name, args, self.driver.core.tree.budget, options.dialect)
        try:
            line = channel.encode(message)
        except CANNOT_CROSS as error:
            raise CannotSend(f"the workflow or its args cannot be sent to the child: {error}") from error
        channel.send([line, channel.encode(Drain())])
        await channel.receive()
        self.driver.feed(Compiled(self.path, _dialect(options)))
        self._tell_of_start(source, args)

    def _note(self, diagnostic: Any) -> None:
        self.driver.feed(Noted(self.path, diagnostic))

    def _tell_of_start(self, source: str, args: Json) -> None:
        if self.options.listener is None:
            return
        assert self._initialized is not None
        engine, version = self._initialized.engine, self._initialized.protocol_version
        self._emit(
            "started",
            source_name=self.source_name,
            parent_run_id=self.parent.id if self.parent else None,
            source_sha256=_sha256(source),
            args_sha256=_sha256(strictjson.dumps(args)),
            dialect=self._workflow.dialect,
            limits=self._initialized.limits.to_wire() | host_limits(self.options),
            versions={
                "flowcage": PACKAGE_VERSION,
                "protocol": version,
                "events": str(VERSION),
                "engine": f"{engine.name} {engine.version}",
            },
            metadata=self.options.metadata,
        )

    async def _drive(self, channel: Channel) -> Json:
        """See what the child says, tell it what is answered, let it run to quiet again; until it is done.

        `_start` sent the first drain.
        """
        while True:
            drained = await channel.receive()
            assert isinstance(drained, Drained)
            self._require_bounds(channel, drained)
            await self._take_in(drained)
            self.check()
            while self.outgoing is None and self.finish is None:
                await self.wait_until_stirred()
                self.driver.feed(Turn(self.path))
            if self.finish is not None:
                return self._result()
            await self._tell(channel)

    def _result(self) -> Json:
        assert self.finish is not None
        if self.finish.verdict == Verdict.COMPLETED:
            return self.finish.result
        raise _ERRORS[self.finish.verdict](self.finish.message)

    async def _tell(self, channel: Channel) -> None:
        """Send in one write: the resolutions, and the drain that lets them take effect."""
        assert self.outgoing is not None
        resolves, self.outgoing = self.outgoing.resolves, None
        channel.send([*(_encode_resolve(channel, each) for each in resolves), channel.encode(Drain())])
        for _ in resolves:
            await channel.receive()

    async def _take_in(self, drained: Drained) -> None:
        state = _state(drained)
        requests, said = drained.requests, Said(self.path, drained.calls, (), drained.diagnostics, state)
        if drained.complete:
            assert isinstance(drained.output, dict)
            said = said._replace(result=drained.output["result"])
        while len(requests) > MAX_REQUESTS_AT_ONCE and state is State.PENDING:
            part, requests = requests[:MAX_REQUESTS_AT_ONCE], requests[MAX_REQUESTS_AT_ONCE:]
            self.driver.feed(said._replace(requests=part, state=State.PARTIAL))
            said = Said(self.path, state=state)
            await trio.lowlevel.checkpoint()
        self.driver.feed(said._replace(requests=requests))

    def _require_bounds(self, channel: Channel, drained: Drained) -> None:
        """Refuse counts that no correct child can reach: handling each item blocks the loop for all runs."""
        if len(drained.calls) * QUEUED_ITEM_BYTES > self.options.limits.max_queued_bytes:
            raise ProtocolViolation("the child has more calls queued than its limit")
        if channel.outstanding > self.options.limits.max_pending_requests:
            raise ProtocolViolation("the child has more requests outstanding than its limit")
        if len(drained.diagnostics) > MAX_KEPT_ENTRIES:
            raise ProtocolViolation("the child has more diagnostics than are kept")


class _Caller:
    """A workflow and the request of it that a handler answers."""

    def __init__(self, run: Run, request: str) -> None:
        self.run = run
        self._request = request
        self.id = run.id
        self.source_name = run.source_name
        self.depth = run.depth

    async def run_child(self, source: str, source_name: str, args: Json) -> Json:
        return await self.run.run_child(self._request, source, source_name, args)


def _state(drained: Drained) -> State:
    if drained.more:
        return State.MORE
    if drained.complete:
        return State.COMPLETE
    return State.STALLED if drained.stalled else State.PENDING


def _dialect(options: RunOptions) -> Any:
    return None if options.dialect == "auto" else options.dialect


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _encode_resolve(channel: Channel, resolve: Resolve) -> bytes:
    """Encode an answer; one that cannot cross becomes a rejection that says why."""
    try:
        return channel.encode(resolve)
    except CANNOT_CROSS as error:
        return channel.encode(Resolve(resolve.id, Rejected(f"the host's answer cannot be sent: {error}")))
