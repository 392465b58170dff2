"""One run: a child of its own, driven with ``drain`` until it completes, fails or is ended."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any, assert_never

import trio

from flowcage.host.events import records
from flowcage.host.outcome.errors import (
    CannotSend,
    FlowcageError,
    HandlerFailed,
    ProtocolViolation,
    RunError,
    RunTimedOut,
    WorkflowStalled,
)
from flowcage.host.outcome.judge import verdict_on, verdict_on_interruption
from flowcage.host.outcome.report import MAX_KEPT_ENTRIES, Census, Journal, Outcome, Report, Usage
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.process.channel import Channel, ChildGone, Patience
from flowcage.host.process.launch.reserve import unprepared
from flowcage.host.process.supervisor import Child
from flowcage.host.run.account import Account
from flowcage.host.run.answers import Answers
from flowcage.host.run.limits import host_limits
from flowcage.host.run.options import RunOptions
from flowcage.host.run.phases import PhaseDefaults, phase_defaults
from flowcage.host.run.statistics import RunStatistics, statistics_of
from flowcage.protocol.errors import LocalProtocolError
from flowcage.protocol.limits import MIB, QUEUED_ITEM_BYTES
from flowcage.protocol.messages import Drain, Drained, Json, Layer, Log, Phase, Rejected, Resolve, Start

# For the interpreter and for messages on their way.
ROOM_BESIDE_THE_HEAP = 320 * MIB
# What stands in the way of sending a value: too long, too deep, or not JSON.
CANNOT_CROSS = (LocalProtocolError, TypeError, ValueError, RecursionError)


class Run:
    """A run in progress, as handlers see it.

    Attributes:
        id: the run's name in events.
        source_name: name of the source in stacks; a path where the workflow came from a file.
        depth: 0 for a run the host started, 1 for a child workflow of it.

    Args:
        account: whom to charge; left out, the parent's, or one of its own.
    """

    def __init__(
        self,
        options: RunOptions,
        source_name: str,
        parent: Run | None = None,
        account: Account | None = None,
    ) -> None:
        self.id = secrets.token_hex(6)
        self.options = options
        self.source_name = source_name
        self.parent = parent
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.account: Account = account or (parent.account if parent else Account(options))
        self.phase_defaults = PhaseDefaults()
        self._began = trio.current_time()
        self._journal = Journal()
        self._answers = Answers(self)
        self._isolation: dict[str, Layer] = {}
        self._effective_limits = options.limits
        self._child: Child | None = None

    def emit(self, kind: type[records.Event], **members: Any) -> None:
        """Tell the listener, if there is one. A listener that raises ends the run as `HandlerFailed`."""
        if self.options.listener is not None:
            at = round(trio.current_time() - self._began, 6)
            try:
                self.options.listener(kind(run_id=self.id, at=at, **members))
            except Exception as error:
                said = str(error) if isinstance(error, FlowcageError) else repr(error)
                failure = HandlerFailed(f"the listener failed: {said}")
                failure.__cause__ = error
                self._answers.abandon(failure)

    def note(self, kind: str, message: str) -> None:
        """Put a diagnostic of the host's own beside those of the child."""
        self._journal.diagnostic({"kind": kind, "message": message})

    async def run_child(self, source: str, source_name: str, args: Json) -> Json:
        """Run a child workflow on this run's account: its slots, its tokens, its limits, its cancellation.

        Raises:
            RunError: as `run_workflow`. Where the account is used up, the whole run ends with that.
            RequestRejected: there may be no more child workflows.
        """
        self.account.allowance.admit_child()
        child = Run(self.options_of_child(), source_name, self)
        self.emit(records.ChildStarted, child_run_id=child.id, source_name=source_name)
        return (await child.execute(source, args)).result

    def options_of_child(self) -> RunOptions:
        """A child workflow gets the CPU that is left; what all use together is watched beside."""
        limits, left = self.options.limits, self.account.allowance.left_cpu_seconds
        if left >= limits.cpu_seconds:
            return self.options
        # Children that were kept ready have been told other limits.
        launcher = unprepared(self.options.launcher)
        return replace(self.options, limits=limits._replace(cpu_seconds=left), launcher=launcher)

    def statistics(self) -> RunStatistics:
        """As of now, in the run and after it."""
        return statistics_of(self.account, self._answers.waiting.values(), self._child, self._began)

    async def execute(self, source: str, args: Json) -> Outcome:
        """Run to the end; whatever happens, the child is gone afterwards."""
        try:
            result = await self._bounded(source, args)
        except RunError as error:
            measured = self._child.measured(self.options.limits) if self._child is not None else None
            error.verdict = verdict_on(error, measured)
            if not hasattr(error, "report"):  # a child workflow's error has that of the child workflow
                error.report = self._report(error.verdict)
            self._tell_of_end(error.verdict, str(error))
            raise
        except BaseException as interruption:
            verdict = verdict_on_interruption(interruption)
            self._tell_of_end(verdict, verdict)
            raise
        self._tell_of_end(Verdict.COMPLETED, None)
        return Outcome(result, self._report(Verdict.COMPLETED))

    def _tell_of_end(self, verdict: Verdict, error: str | None) -> None:
        self.emit(records.RunEnded, verdict=verdict, error=error)
        if self.parent is not None:
            self.parent.emit(records.ChildEnded, child_run_id=self.id, verdict=verdict, error=error)

    async def _bounded(self, source: str, args: Json) -> Json:
        try:
            with trio.fail_after(self.options.timeout_seconds):
                self._child = child = await Child.start(self.options.launcher, self.account.allowance)

                async def converse(nursery: trio.Nursery) -> Json:
                    nursery.start_soon(self._watch, child)
                    if self.parent is not None:
                        nursery.start_soon(self._watch_allowance)
                    await self._start(child, source, args)
                    return await self._drive(child.channel, nursery)

                with self.account.process(child):
                    return await child.run(converse)
        except trio.TooSlowError:
            raise RunTimedOut(self.options.timeout_seconds) from None

    async def _watch(self, child: Child) -> None:
        """A child can also die while it is the host's turn, and nobody reads from it."""
        await child.wait_until_gone()
        self._answers.abandon(ChildGone())

    async def _watch_allowance(self) -> None:
        """Children use CPU side by side; one that is taken over does so while nobody waits for it, too."""
        root = self
        while root.parent is not None:
            root = root.parent
        allowance = self.account.allowance
        try:
            while True:
                await trio.sleep(allowance.pause_seconds())
                allowance.require()
        except RunError as error:
            root._answers.abandon(error)

    async def _start(self, child: Child, source: str, args: Json) -> None:
        options, channel = self.options, child.channel
        initialized = await child.initialize(options.limits, options.isolation)
        self._isolation, self._effective_limits = initialized.isolation, initialized.limits
        patience = Patience(  # by what was asked for: the child's word does not count
            resident_bytes=options.limits.memory_bytes + ROOM_BESIDE_THE_HEAP,
        )
        channel.patience = patience.for_steps(options.limits, options.answer_grace_seconds)
        self.phase_defaults = await phase_defaults(
            channel, source, self.source_name, options.dialect, self._journal.diagnostic
        )
        message = Start(source, self.source_name, args, self.account.budget, options.dialect)
        try:
            line = channel.encode(message)
        except CANNOT_CROSS as error:
            raise CannotSend(f"the workflow or its args cannot be sent to the child: {error}") from error
        channel.send([line, channel.encode(Drain())])
        await channel.receive()
        parent = self.parent.id if self.parent else None
        self.emit(records.RunStarted, source_name=self.source_name, parent_run_id=parent)

    async def _drive(self, channel: Channel, nursery: trio.Nursery) -> Json:
        """See what the child says, settle what is answered, let it run to quiet again; until it is done.

        `_start` sent the first drain.
        """
        while True:
            drained = self._take_in(channel, await channel.receive())
            self._answers.check()
            if drained.complete:
                assert isinstance(drained.output, dict)
                return drained.output["result"]
            await self._answers.begin(drained.requests, nursery)
            if drained.stalled:
                raise WorkflowStalled(
                    "the workflow can never finish: it waits for a promise that nothing will settle"
                )
            resolves = [] if drained.more else await self._answers.wait()
            # In one write: the resolutions, and the drain that lets them take effect.
            channel.send([*(_encode_resolve(channel, each) for each in resolves), channel.encode(Drain())])
            for _ in resolves:
                await channel.receive()

    def _take_in(self, channel: Channel, drained: object) -> Drained:
        assert isinstance(drained, Drained)
        self._require_bounds(channel, drained)
        for call in drained.calls:
            match call:
                case Log():
                    self._journal.log(call.values)
                    self.emit(records.Logged, values=tuple(call.values))
                case Phase():
                    self._journal.phase(call.name)
                    self.emit(records.PhaseEntered, name=call.name)
                case _:
                    assert_never(call)
        for note in drained.diagnostics:
            self._journal.diagnostic(note)
        return drained

    def _require_bounds(self, channel: Channel, drained: Drained) -> None:
        """What a child in its right mind keeps to: each item costs the host, and other runs wait for it."""
        if len(drained.calls) * QUEUED_ITEM_BYTES > self.options.limits.max_queued_bytes:
            raise ProtocolViolation("the child has more calls queued than its limit")
        if channel.outstanding > self.options.limits.max_pending_requests:
            raise ProtocolViolation("the child has more requests outstanding than its limit")
        if len(drained.diagnostics) > MAX_KEPT_ENTRIES:
            raise ProtocolViolation("the child has more diagnostics than anybody reads")

    def _report(self, verdict: Verdict) -> Report:
        journal = self._journal
        return Report(
            self.id,
            verdict,
            self._usage(),
            tuple(journal.logs),
            journal.logs_dropped,
            tuple(journal.phases),
            tuple(journal.diagnostics),
            self._isolation,
            tuple(self._answers.waiting),
            self._effective_limits.to_wire() | host_limits(self.options),
            self._child.stderr_tail if self._child is not None else "",
            self._census(),
        )

    def _census(self) -> Census:
        account, notes = self.account, self._journal.diagnostics
        swallowed = sum(note["kind"] == "swallowed_error" for note in notes)
        return Census(account.started, account.completed, account.failed, account.refused, swallowed)

    def _usage(self) -> Usage:
        child = self._child
        if child is None or child.ended is None:
            return Usage()
        channel, ended = child.channel, child.ended
        return Usage(
            child.wall_seconds,
            ended.user_cpu_seconds,
            ended.system_cpu_seconds,
            ended.peak_rss_bytes,
            self.account.started,
            self.account.budget.spent,
            channel.messages,
            channel.bytes_sent,
            channel.bytes_received,
            self.account.by_phase,
        )


def _encode_resolve(channel: Channel, resolve: Resolve) -> bytes:
    """Encode an answer; one that cannot cross becomes a rejection that says why."""
    try:
        return channel.encode(resolve)
    except CANNOT_CROSS as error:
        return channel.encode(Resolve(resolve.id, Rejected(f"the host's answer cannot be sent: {error}")))
