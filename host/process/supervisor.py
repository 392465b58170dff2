"""One child from its launch to its reaping, around the conversation that its user holds with it.

Its users call `Child.start`, then `run` with a function that talks over `channel`, beginning with
`initialize`. What that function raises or returns, `run` ends and reaps the child.

`run` opens a nursery for whatever the conversation starts. Mostly that is nothing of the child's: `Glances`
look at its stderr and its end, and a task writes only what did not fit into stdin's pipe. Invariants:

- `run` reaps on every way out. Between `start` and `run` must be no await, as nothing else would.
- The closing is shielded, and not ended by interrupts, which trio raises also in a shielded task
  (tests/run/test_faults_of_the_host.py::test_every_interrupt_while_a_run_ends_still_leaves_no_child).
- A cancelled conversation kills the child first. Its handlers are cancelled only afterwards, and some take
  time to end; the child must not run on meanwhile. So does a result: nothing more can come.
- An error of the conversation comes out of the nursery as it is, not in an exception group. The child is
  killed before the nursery waits for its tasks.
- A child that closed its stdout says nothing about how it ended; `_why_gone` waits for its end, with which
  the last of its stderr is read, before the error is made. The wait status decides, not what the child said.
- Source is sent only after `initialize` has returned: version and limits agreed, the cage confirmed by the
  kernel (tests/process/test_lying_child.py).
- A child that a glance finds wanting is killed, and its conversation cancelled: that error takes the place of
  the cancellation. A conversation that has its result by then keeps it.
- A child that crashed was perhaps attacked: the launcher is told (`distrust`).
"""

from __future__ import annotations

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
from flowcage.host.process.channel import Channel
from flowcage.host.process.child_process import ChildGone, ChildProcess
from flowcage.host.process.glances import Glances, Watch
from flowcage.host.process.launch import greeting
from flowcage.host.process.launch.launcher import Launcher, Spawned, not_launched
from flowcage.host.process.proc_status import require_cage
from flowcage.protocol.limits import NO_LIMITS, Limits, lowered
from flowcage.protocol.messages import Initialize, Initialized, Isolation

T = TypeVar("T")

_ANOTHER_RUNS = "the child was initialized with other limits or another isolation than those of the run"
_CANCELLED = "a handler cancelled the nursery of its run; it may cancel its own scopes, or that around it"

# Between the end of stdout and that of the process; one that lives on longer has closed its stdout itself.
EXIT_GRACE_SECONDS = 1.0
# After these signals assume that the address-space layout has leaked; replace the zygote.
_CRASHES = {"SIGSEGV", "SIGBUS", "SIGILL", "SIGABRT", "SIGSYS"}


class Child:
    """A child process and the channel to it. Make one with `start`.

    Attributes:
        channel: for the conversation.
        to_lower: limits that `run` is to lower, for a child that was told higher ones.
        wall_seconds: from the launch to the reaping; 0 until `run` has ended.
    """

    def __init__(
        self,
        spawned: Spawned,
        launcher: Launcher,
        began: float,
        allowance: Allowance,
        glances: Glances | None,
    ) -> None:
        self._process = ChildProcess(spawned)
        self._spawned = spawned
        self._launcher, self._began, self._allowance = launcher, began, allowance
        self._has_own_glances = glances is None
        self._glances = glances or Glances()
        self._is_initialized = False
        self._watched: Watch | None = None
        self.to_lower = NO_LIMITS
        self._given_up: RunError | None = None
        self.channel = Channel(self._process, allowance)
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
            return cls(await launcher.launch(), launcher, began, allowance, glances)
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
        """None before it is reaped."""
        return self._process.ended

    def measured(self, limits: Limits) -> Measured | None:
        """What the verdict depends on; None before the child is reaped."""
        return None if self.ended is None else Measured(self.ended, limits, self.channel.step.last)

    async def run(self, converse: Callable[[trio.Nursery], Awaitable[T]]) -> T:
        """Hold a conversation with the child, then end and reap it.

        The child is killed; only one whose cage the kernel has not confirmed, and whose conversation ended
        well or with a failure of the workflow, may exit by itself, since it may be a wrapper that cleans up.

        Args:
            converse: uses `channel`; tasks that it starts in the nursery are cancelled when it returns.

        Raises:
            RunError: from `converse`; `ChildDied` or `ProtocolViolation` in the place of `ChildGone`.
            ChildSilent, MemoryExceeded, CpuExceeded, OutputExceeded: it exceeded patience or allowance.
        """
        kill = True
        try:
            result = await self._supervise(converse)
            kill = self._process.is_caged
        except ChildGone:
            raise await self._why_gone() from None
        except WorkflowFailed:
            kill = self._process.is_caged
            raise
        finally:
            await self._close(kill)
        return result

    @property
    def can_end(self) -> bool:
        """Whether no task waits for its pipes, which nobody could close then."""
        return self._watched is not None and not (self.channel.is_writing or self._watched.collects)

    async def end(self) -> None:
        """Kill and reap a child that is quiet and `can_end`; the nursery of its conversation stays."""
        assert self._watched is not None
        self._glances.end(self._watched)
        await self._close(kill=True)

    @trio.lowlevel.enable_ki_protection
    async def _close(self, kill: bool) -> None:
        """End and reap the child. Interrupts wait until that is done, and one of them is raised then."""
        interrupt: KeyboardInterrupt | None = None
        ended: Ended | None = None
        while ended is None:
            try:
                ended = await self._process.close(kill=kill)
            except KeyboardInterrupt as raised:  # trio raises it in whatever the main task waits for
                interrupt, kill = raised, True
        if ended.signal in _CRASHES:
            self._launcher.distrust()
        self.wall_seconds = self.wall_seconds or round(trio.current_time() - self._began, 6)
        if interrupt is not None:
            raise interrupt

    async def initialize(
        self, limits: Limits, isolation: Isolation | None, reads: bool = False
    ) -> Initialized:
        """Agree on version and limits, have the child close its cage, and check that it is closed.

        Args:
            limits, isolation, reads: as for `greeting.initialize_message`.

        Raises:
            IsolationUnavailable: this machine lacks a layer, or /proc to check the cage with.
            RunRefused: the child supports no version of this host's, or not a limit that was set.
            LaunchFailed: the process is a wrapper around the child, or a spare for another run.
            RunError: as `Channel.receive`; `ProtocolViolation` also for a cage that is none.
        """
        asked = greeting.initialize_message(limits, isolation, reads=reads)
        told = self._spawned.initialize or asked
        if (lower := greeting.to_lower(told, asked)) is None:
            raise LaunchFailed(_ANOTHER_RUNS)
        if (initialized := self._spawned.initialized) is not None:
            self.channel.resume(initialized, self._spawned.sent_bytes, len(self._spawned.said))
        else:
            initialized = await self._greet(told)
            greeting.require_agreed(told, initialized)
            if greeting.is_strict(told):
                require_cage(self._process.pid)
            self.channel.set_max_message_bytes(initialized.max_message_bytes)
        self._is_initialized = True
        self._process.is_caged = greeting.is_strict(told)
        return self._lowered(initialized, lower)

    def _lowered(self, initialized: Initialized, lower: Limits) -> Initialized:
        if lower == NO_LIMITS:
            limits = initialized.limits
        elif not greeting.can_lower(initialized):
            raise LaunchFailed(_ANOTHER_RUNS)
        else:
            limits, self.to_lower = lowered(initialized.limits, lower), lower
            if lower.cpu_seconds:
                self._allowance.hold_alone()
        # A copy, because the spares after this one share what was told.
        return initialized._replace(limits=limits, isolation=dict(initialized.isolation))

    async def _greet(self, message: Initialize) -> Initialized:
        channel, spawned = self.channel, self._spawned
        try:
            if spawned.initialize is None:
                initialized = await channel.request(message)
            else:
                channel.note_sent(message, spawned.said)
                initialized = await channel.receive()
        except RunRefused as refused:
            if (version := greeting.older_version(refused)) is None:
                raise
            initialized = await channel.request(message._replace(protocol_version=version))
        assert isinstance(initialized, Initialized)
        return initialized

    async def _supervise(self, converse: Callable[[trio.Nursery], Awaitable[T]]) -> T:
        failure: RunError | None = None
        is_done = False
        async with trio.open_nursery() as nursery:
            self._watched = watch = self._watch(nursery)
            if self._has_own_glances:
                nursery.start_soon(self._glances.run)
            self._glances.begin(watch)
            try:
                result = await converse(nursery)
                is_done = True
            except trio.Cancelled:  # kill now: the nursery waits for handlers, which may take time to end
                self._process.kill()
                raise
            except RunError as error:  # raised outside the nursery, which would wrap it in a group
                failure = error
            finally:
                self._glances.end(watch)
            self._kill_unless_its_end_matters(failure)
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure
        if not is_done:  # a task can reach the nursery that it runs in
            raise self._given_up or HandlerFailed(_CANCELLED)
        return result

    def _watch(self, nursery: trio.Nursery) -> Watch:
        def give_up(error: RunError) -> None:
            self._given_up = error
            if not isinstance(error, ChildGone):
                self._process.kill()
            nursery.cancel_scope.cancel()

        self.channel.start_soon = nursery.start_soon
        return Watch(self._process, self.channel, self._allowance, nursery.start_soon, give_up)

    def _kill_unless_its_end_matters(self, failure: RunError | None) -> None:
        """Kill now: handlers may take time to end. After a result nothing more can come of a child."""
        if isinstance(failure, ChildGone):  # how it ended is still to be seen
            return
        if self._process.is_caged or not (failure is None or isinstance(failure, WorkflowFailed)):
            self._process.kill()

    async def _why_gone(self) -> RunError:
        if self._given_up is not None and not isinstance(self._given_up, ChildGone):
            return self._given_up
        ended = await self._process.wait(EXIT_GRACE_SECONDS)
        if ended is None:
            return ProtocolViolation("the child closed its stdout without exiting and was killed")
        when = "during the run" if self._is_initialized else "before it had answered initialize"
        return ChildDied(ended.signal, ended.exit_code, self._process.stderr_tail, when)
