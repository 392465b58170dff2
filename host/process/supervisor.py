"""One child from spawn to reaped, around whatever is said to it in between."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Self, TypeVar

import trio

from flowcage.host.outcome.errors import (
    ChildDied,
    LaunchFailed,
    ProtocolViolation,
    RunError,
    RunRefused,
    WorkflowFailed,
)
from flowcage.host.outcome.measured import Ended, Measured
from flowcage.host.process.allowance import Allowance
from flowcage.host.process.channel import Channel, ChildGone
from flowcage.host.process.child_process import ChildProcess
from flowcage.host.process.launch.launcher import Launcher
from flowcage.host.process.proc_status import require_cage
from flowcage.protocol import errors
from flowcage.protocol.limits import Limits, unknown_to_child
from flowcage.protocol.messages import Initialize, Initialized, Isolation, Peer, missing_layers
from flowcage.protocol.version import PACKAGE_VERSION, PROTOCOL_VERSION, newest_common

T = TypeVar("T")

# A child that closed its stdout has this long to be seen ending by itself before it counts as lying.
EXIT_GRACE_SECONDS = 1.0
# It may have found out where things lie in memory.
_CRASHES = {"SIGSEGV", "SIGBUS", "SIGILL", "SIGABRT", "SIGSYS"}
_CLIENT = Peer("flowcage-host", PACKAGE_VERSION)


def initialize_message(
    limits: Limits, isolation: Isolation | None, version: str = PROTOCOL_VERSION
) -> Initialize:
    """The first message to every child."""
    return Initialize(version, _CLIENT, limits, isolation)


class Child:
    """A fresh child process and the channel to it.

    Make one with `start`.
    """

    def __init__(
        self,
        process: ChildProcess,
        launcher: Launcher,
        began: float,
        allowance: Allowance,
        sent: Initialize | None = None,
    ) -> None:
        self._process = process
        self._sent = sent
        self._launcher = launcher
        self._began = began
        self.channel = Channel(self._process, allowance)
        self.wall_seconds = 0.0

    @classmethod
    async def start(cls, launcher: Launcher, allowance: Allowance) -> Self:
        """Start a process; `run` must follow, which ends it.

        Args:
            launcher: starts it.
            allowance: of the run that it is for.

        Raises:
            LaunchFailed: there is none.
        """
        began = trio.current_time()
        try:
            spawned = await launcher.launch()
            return cls(ChildProcess(spawned), launcher, began, allowance, spawned.initialize)
        except OSError as error:
            raise LaunchFailed(f"no child could be started: {error}") from error

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def cpu_seconds(self) -> float | None:
        """As in `ChildProcess`."""
        return self._process.cpu_seconds()

    @property
    def inherited_bytes(self) -> int:
        """As in `Spawned`."""
        return self._process.inherited_bytes

    @property
    def stderr_tail(self) -> str:
        """The last it said on stderr, without escapes."""
        return self._process.stderr_tail

    @property
    def ended(self) -> Ended | None:
        """How the child ended; None before `run` returns."""
        return self._process.ended

    def measured(self, limits: Limits) -> Measured | None:
        """What a verdict on this child hangs on; None before `run` returns."""
        return None if self.ended is None else Measured(self.ended, limits, self.channel.step.last)

    async def run(self, converse: Callable[[trio.Nursery], Awaitable[T]]) -> T:
        """Talk to the child, then end and reap it, however the talk went.

        Args:
            converse: uses `channel`; tasks it starts in the nursery are cancelled when it returns.

        Raises:
            RunError: from `converse`, or `ChildDied` and `ProtocolViolation` where the child left early.
        """
        healthy = False
        try:
            result = await self._supervise(converse)
            healthy = True
        except ChildGone:
            raise await self._why_gone() from None
        except WorkflowFailed:
            healthy = True
            raise
        finally:
            with trio.CancelScope(shield=True):
                async with trio.open_nursery() as nursery:  # a second Ctrl-C wakes this task, not that one
                    nursery.start_soon(self._close, not healthy)
            self.wall_seconds = round(trio.current_time() - self._began, 6)
        return result

    async def _close(self, kill: bool) -> None:
        with trio.CancelScope(shield=True):
            ended = await self._process.close(kill=kill)
        if ended.signal in _CRASHES:
            self._launcher.distrust()

    async def initialize(self, limits: Limits, isolation: Isolation | None) -> Initialized:
        """Agree on the version, have the child close its cage, and see that it is closed.

        Raises:
            IsolationUnavailable: this machine lacks a layer, or cannot show that it holds.
            RunRefused: the child speaks no version of ours, or does not know a limit that was set.
            RunError: anything else that goes wrong.
        """
        channel = self.channel
        try:
            initialized = await self._greet(initialize_message(limits, isolation))
        except RunRefused as refused:
            if (version := _older_version(refused)) is None:
                raise
            initialized = await channel.request(initialize_message(limits, isolation, version))
        assert isinstance(initialized, Initialized)
        if missing := unknown_to_child(limits, initialized.limits):
            raise RunRefused(
                f"the child does not know the limit {', '.join(missing)} and would not hold the run to it; "
                "use a newer child, or leave it at its default"
            )
        if initialized.max_message_bytes > limits.max_message_bytes:
            raise ProtocolViolation("the child allows itself longer messages than it may send")
        if isolation == "strict" or (isolation is None and sys.platform == "linux"):
            if missing := missing_layers(initialized.isolation):
                raise ProtocolViolation(f"the child went on without isolation: {', '.join(missing)}")
            require_cage(self._process.pid)
        channel.set_max_message_bytes(initialized.max_message_bytes)
        return initialized

    async def _greet(self, message: Initialize) -> object:
        if self._sent is None:
            return await self.channel.request(message)
        if self._sent != message:
            raise LaunchFailed(
                "the child was initialized with other limits or another isolation than those of the run"
            )
        self.channel.note_sent(message)
        return await self.channel.receive()

    async def wait_until_gone(self) -> None:
        """Return when the process has ended, whether or not anybody reads from it."""
        await self._process.wait_until_gone()

    async def _supervise(self, converse: Callable[[trio.Nursery], Awaitable[T]]) -> T:
        failure: RunError | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._process.collect_stderr)
            nursery.start_soon(self.channel.write)
            try:
                result = await converse(nursery)
            except trio.Cancelled:  # at once: handlers may take their time to end
                self._process.kill()
                raise
            except RunError as error:  # raised outside the nursery, which would wrap it in a group
                failure = error
                if not isinstance(error, WorkflowFailed | ChildGone):
                    self._process.kill()
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure
        return result

    async def _why_gone(self) -> RunError:
        ended = await self._process.wait(EXIT_GRACE_SECONDS)
        if ended is None:
            return ProtocolViolation("the child closed its stdout and went on living; it was killed")
        with trio.move_on_after(EXIT_GRACE_SECONDS):  # what it said last may still be in the pipe
            await self._process.collect_stderr()
        return ChildDied(ended.signal, ended.exit_code, self._process.stderr_tail)


def _older_version(refused: RunRefused) -> str | None:
    """What to try where the child refused the newest version of ours; None where there is nothing to try."""
    return newest_common(refused.data["supported"]) if refused.kind == errors.PROTOCOL_VERSION else None
