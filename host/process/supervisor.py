"""One child from its launch to its reaping, around the conversation that its user holds with it.

`Run` and the other users (`check_workflow`, `doctor`) call `Child.start`, then `run` with a function that
talks over `channel`, beginning with `initialize`. What that function raises or returns, `run` ends and reaps
the child.

`run` opens two nurseries. The outer one holds the tasks beside the conversation: stderr, the writing of
stdin, and whatever the conversation starts. The other one, opened afterwards, holds nothing but the closing.
Invariants:

- `run` reaps on every way out. Between `start` and `run` must be no await, as nothing else would.
- The closing is shielded, and in a nursery of its own: trio delivers KeyboardInterrupt to the main task,
  where it may abort the wait for the nursery, but not the task that reaps
  (tests/run/test_faults_of_the_host.py::test_every_interrupt_while_a_run_ends_still_leaves_no_child).
- A cancelled conversation kills the child first. Its handlers are cancelled only afterwards, and some take
  time to end; the child must not run on meanwhile.
- An error of the conversation comes out of the nursery as it is, not in an exception group. The child is
  killed before the nursery waits for its tasks.
- A child that closed its stdout says nothing about how it ended; `_why_gone` waits for its end, and takes the
  last of its stderr, before the error is made. The wait status decides, not what the child said.
- Source is sent only after `initialize` has returned: version agreed, limits known to the child, and the cage
  confirmed by the kernel (tests/process/test_lying_child.py).
- A child that a glance finds wanting is killed, and the scope of its conversation is cancelled: that error
  takes the place of the cancellation. A conversation that has its result by then keeps it.
- A child that crashed was perhaps attacked: as soon as it is reaped, the launcher is told (`distrust`).
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Self, TypeVar

import trio

from flowcage.host.outcome.errors import (
    ChildDied,
    HandlerFailed,
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
from flowcage.host.process.glances import Glances, Watch
from flowcage.host.process.launch.launcher import Launcher, not_launched
from flowcage.host.process.lone_error import open_nursery_raising
from flowcage.host.process.proc_status import require_cage
from flowcage.protocol import errors
from flowcage.protocol.layers import missing_layers
from flowcage.protocol.limits import Limits, unknown_to_child
from flowcage.protocol.messages import Initialize, Initialized, Isolation, Peer
from flowcage.protocol.version import PACKAGE_VERSION, PROTOCOL_VERSION, newest_common

T = TypeVar("T")

# Between the end of stdout and that of the process, when it exits or dies. One that lives on longer has
# closed its stdout itself, which no correct child does.
EXIT_GRACE_SECONDS = 1.0
# After these signals assume that the address-space layout has leaked; replace the zygote.
_CRASHES = {"SIGSEGV", "SIGBUS", "SIGILL", "SIGABRT", "SIGSYS"}
_CLIENT = Peer("flowcage-host", PACKAGE_VERSION)


def initialize_message(
    limits: Limits, isolation: Isolation | None, version: str = PROTOCOL_VERSION
) -> Initialize:
    """The first message to a child; spares are sent the same one in advance.

    Args:
        limits: of the run.
        isolation: None for the default of the child, which is strict on Linux.
        version: of the protocol.
    """
    return Initialize(version, _CLIENT, limits, isolation)


class Child:
    """A child process and the channel to it. Make one with `start`.

    Attributes:
        channel: for the conversation.
        wall_seconds: from the launch to the reaping; 0 until `run` has ended.
    """

    def __init__(
        self,
        process: ChildProcess,
        launcher: Launcher,
        began: float,
        allowance: Allowance,
        sent: Initialize | None = None,
        glances: Glances | None = None,
    ) -> None:
        self._process = process
        self._sent = sent
        self._launcher = launcher
        self._began = began
        self._is_initialized = False
        self.channel = Channel(self._process, allowance)
        self._glances = glances
        self._watch = Watch(process, self.channel, allowance, self._give_up)
        self._given_up: RunError | None = None
        self._conversation = trio.CancelScope()
        self.wall_seconds = 0.0

    @classmethod
    async def start(cls, launcher: Launcher, allowance: Allowance, glances: Glances | None = None) -> Self:
        """Start a process; `run` must follow at once, which ends it.

        Args:
            launcher: starts the process.
            allowance: of the run, charged for what the child sends.
            glances: look at the child while it is waited for; None for some of its own.

        Raises:
            LaunchFailed: no descriptors, no processes, or no such program.
        """
        began = trio.current_time()
        try:
            spawned = await launcher.launch()
            return cls(ChildProcess(spawned), launcher, began, allowance, spawned.initialize, glances)
        except OSError as error:
            raise not_launched("no child could be started", error) from error

    @property
    def pid(self) -> int:
        """Of the child; after `run` the number may belong to another process."""
        return self._process.pid

    def cpu_seconds(self) -> float | None:
        """As `ChildProcess.cpu_seconds`."""
        return self._process.cpu_seconds()

    @property
    def inherited_bytes(self) -> int:
        """As in `Spawned`."""
        return self._process.inherited_bytes

    @property
    def stderr_tail(self) -> str:
        """As `ChildProcess.stderr_tail`."""
        return self._process.stderr_tail

    @property
    def ended(self) -> Ended | None:
        """How the child ended; None before it is reaped."""
        return self._process.ended

    def measured(self, limits: Limits) -> Measured | None:
        """What the verdict depends on; None before the child is reaped."""
        return None if self.ended is None else Measured(self.ended, limits, self.channel.step.last)

    async def run(self, converse: Callable[[trio.Nursery], Awaitable[T]]) -> T:
        """Hold a conversation with the child, then end and reap it.

        A child whose conversation ended well, or with a failure of the workflow, may exit by itself; any
        other is killed.

        Args:
            converse: uses `channel`; tasks that it starts in the nursery are cancelled when it returns.

        Raises:
            RunError: from `converse`; `ChildDied` or `ProtocolViolation` in the place of `ChildGone`.
            ChildSilent, MemoryExceeded: the child exceeded its patience.
            CpuExceeded, OutputExceeded: all children of the run together exceeded their allowance.
        """
        healthy = False
        try:
            result = await self._supervise(converse)
            healthy = True
        except ChildGone:
            raise self._given_up or await self._why_gone() from None
        except WorkflowFailed:
            healthy = True
            raise
        finally:
            with trio.CancelScope(shield=True):
                # A nursery of its own: a KeyboardInterrupt is delivered here and cannot interrupt the
                # reaping.
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._close, not healthy)
            self.wall_seconds = round(trio.current_time() - self._began, 6)
        return result

    async def _close(self, kill: bool) -> None:
        with trio.CancelScope(shield=True):
            ended = await self._process.close(kill=kill)
        if ended.signal in _CRASHES:
            self._launcher.distrust()

    async def initialize(self, limits: Limits, isolation: Isolation | None) -> Initialized:
        """Agree on version and limits, have the child close its cage, and check that it is closed.

        Args:
            limits: what the run is held to.
            isolation: ``strict``, ``best_effort`` or ``none``; None for ``strict`` on Linux.

        Raises:
            IsolationUnavailable: this machine lacks a layer, or /proc to check the cage with.
            RunRefused: the child supports no version that this host does, or not a limit that was set.
            LaunchFailed: the process is a wrapper around the child, or a spare for another run.
            RunError: as `Channel.receive`, and `ProtocolViolation` for a cage that the kernel does not
                confirm.
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
            raise ProtocolViolation(
                f"the child reports maxMessageBytes {initialized.max_message_bytes}, more than the "
                f"{limits.max_message_bytes} that were set"
            )
        if isolation == "strict" or (isolation is None and sys.platform == "linux"):
            if missing := missing_layers(initialized.isolation):
                raise ProtocolViolation(f"the child started without strict isolation: {', '.join(missing)}")
            require_cage(self._process.pid)
        channel.set_max_message_bytes(initialized.max_message_bytes)
        self._is_initialized = True
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

    async def _supervise(self, converse: Callable[[trio.Nursery], Awaitable[T]]) -> T:
        is_done = False
        async with open_nursery_raising(RunError) as nursery:
            nursery.start_soon(self._process.collect_stderr)
            nursery.start_soon(self.channel.write)
            if self._glances is None:
                self._glances = Glances()
                nursery.start_soon(self._glances.run)
            self._conversation = nursery.cancel_scope
            self._glances.begin(self._watch)
            try:
                result = await converse(nursery)
            except trio.Cancelled:  # kill now: the nursery waits for handlers, which may take time to end
                self._process.kill()
                raise
            except RunError as error:
                if not isinstance(error, WorkflowFailed | ChildGone):
                    self._process.kill()
                raise
            finally:
                self._glances.end(self._watch)
            is_done = True
            nursery.cancel_scope.cancel()
        if not is_done:  # a task can reach the nursery that it runs in
            raise self._given_up or HandlerFailed(
                "a handler cancelled the nursery of its run; it may cancel scopes of its own, or that around "
                "the run"
            )
        return result

    def _give_up(self, error: RunError) -> None:
        self._given_up = error
        self._process.kill()
        self._conversation.cancel()

    async def _why_gone(self) -> RunError:
        ended = await self._process.wait(EXIT_GRACE_SECONDS)
        if ended is None:
            return ProtocolViolation("the child closed its stdout without exiting and was killed")
        with trio.move_on_after(EXIT_GRACE_SECONDS):  # the task that read stderr was cancelled before its end
            await self._process.collect_stderr()
        when = "during the run" if self._is_initialized else "before it had answered initialize"
        return ChildDied(ended.signal, ended.exit_code, self._process.stderr_tail, when)


def _older_version(refused: RunRefused) -> str | None:
    """The newest protocol version that both sides support, where the child refused this host's newest."""
    return newest_common(refused.data["supported"]) if refused.kind == errors.PROTOCOL_VERSION else None
