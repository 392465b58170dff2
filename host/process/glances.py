"""Glances: each child that is waited for is looked at ten times a second, by one task for all of them.

`Child` makes a `Watch` for its conversation and has the host's `Glances` look at it while the conversation
lasts. A glance holds the child to its `Patience` and the run to its allowance, and looks at the child's
stderr. A child that used too much is given up: killed, and its conversation cancelled.

Invariants:

- Reading does not depend on a glance. `Channel.receive` waits for bytes without a timeout, so a reply costs
  no timer; who waits too long is told by a cancelled scope (`Child.run`).
- A child is inspected also while it sends bytes without ever completing a line: what counts is that a reply
  is due, and whether one has come since the last glance (`answered`).
- Patience is for one reply, and begins with the first glance at the wait: up to a tenth of a second late, in
  the child's favour.
- If the event loop itself was late, that delay is not charged to the child: it is added to the beginning of
  each wait that was seen before (tests/process/test_patience.py).
- A reply that is there counts. Its reader may be about to run when the child is found wanting, because the
  loop was held up for both, so all other tasks have their turn before a child is given up.
- The end of a child is seen as the end of its stdout. Without a cage somebody else may hold that open, so
  such a child is asked about itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import trio

from flowcage.host.outcome.errors import ChildSilent, MemoryExceeded, RunError
from flowcage.host.process.allowance import Allowance
from flowcage.host.process.child_process import ChildGone
from flowcage.host.process.step_clock import Reading, StepClock
from flowcage.protocol.limits import MIB, STEP_WALL_FACTOR, Limits

# Between two glances. Each costs a read of /proc for every child that is waited for, so not for every reply.
GLANCE_SECONDS = 0.1
# Children that are looked at before other tasks may run: a few milliseconds of the event loop.
_BATCH = 100
# Of the event loop, after which whoever waits for what has come by now has read it: one to be woken in, and
# one to run in, since the tasks of one turn run in any order.
_TURNS_TO_READ = 2


class Patience(NamedTuple):
    """What a child may use for one reply before it is killed.

    The defaults are for the reply to `initialize`, which comes after the interpreter has loaded.

    Attributes:
        cpu_seconds: of the child's CPU.
        wall_seconds: on the host's clock.
        resident_bytes: of memory (RSS).
        is_of_limits: these follow from limits of the run, which errors then name.
    """

    cpu_seconds: float = 30.0
    wall_seconds: float = 30.0
    resident_bytes: int = 512 * MIB
    is_of_limits: bool = False

    def for_steps(self, limits: Limits, grace_seconds: float, steps: int = 1) -> Patience:
        """The same, with the time that steps may take and a grace: a correct child ends a step itself."""
        step_seconds = steps * limits.step_timeout_ms / 1000
        return self._replace(
            cpu_seconds=step_seconds + grace_seconds,
            wall_seconds=STEP_WALL_FACTOR * step_seconds + grace_seconds,
            is_of_limits=True,
        )

    def times(self, count: int) -> Patience:
        """The same for so many steps in one message."""
        return self._replace(cpu_seconds=count * self.cpu_seconds, wall_seconds=count * self.wall_seconds)


class Watched(Protocol):
    """A conversation, as far as glances need it: `Channel`.

    Attributes:
        patience: as of now.
        step: its clocks.
        answered: replies that have come.
    """

    patience: Patience
    step: StepClock
    answered: int

    @property
    def is_due(self) -> bool:
        """Whether a reply is to come."""


class Process(Protocol):
    """The child of a conversation: `ChildProcess`.

    Attributes:
        is_caged: nobody else can hold its pipes, so their end tells of its end.
    """

    is_caged: bool

    def resident_bytes(self) -> int:
        """Resident memory now; 0 once the process has ended."""

    def has_ended(self) -> bool:
        """Whether the process has ended, reaped or not."""

    def take_stderr(self) -> bool:
        """Read what is on stderr now, without waiting; whether there was anything."""

    async def collect_stderr(self) -> None:
        """Read stderr until its end."""


class Watch:
    """One child under observation.

    Args:
        process: the child.
        channel: the conversation with it.
        allowance: of the run.
        start_soon: starts a task of the conversation.
        give_up: kills the child and ends the conversation with this error; called once.

    Attributes:
        collects: whether a task reads its stderr.
    """

    def __init__(
        self,
        process: Process,
        channel: Watched,
        allowance: Allowance,
        start_soon: Callable[..., object],
        give_up: Callable[[RunError], None],
    ) -> None:
        self._process = process
        self._channel = channel
        self._allowance = allowance
        self._start_soon = start_soon
        self.give_up = give_up
        self.collects = False
        self._ask_at = 0.0
        self._waits_after = -1  # replies that had come when the wait was seen first
        self._began = Reading(0.0, None)

    def look(self, late: float) -> RunError | None:
        """Inspect the child if it is waited for; the error for what it has exceeded, if anything.

        Args:
            late: seconds since the last glance for which the event loop was held up.
        """
        if self._is_gone():
            return ChildGone()
        try:
            self._require_allowance()
            if self._channel.is_due:
                self._require_patience(late)
        except RunError as error:
            return error
        return None

    def _require_allowance(self) -> None:
        """At each glance at a child that is waited for; now and then at one that may have been taken over."""
        now = trio.current_time()
        if self._channel.is_due or now >= self._ask_at:
            self._allowance.require()
            self._ask_at = now + self._allowance.pause_seconds()

    def _require_patience(self, late: float) -> None:
        if self._channel.answered == self._waits_after:
            self._began = self._began._replace(wall=self._began.wall + late)
        else:
            self._waits_after, self._began = self._channel.answered, self._channel.step.read()
        self._compare(self._channel.patience)
        self._look_at_stderr()

    def _is_gone(self) -> bool:
        # A wrapper that has left the child behind is told what it is once that has answered `initialize`.
        return not self._process.is_caged and self._channel.answered > 0 and self._process.has_ended()

    def _look_at_stderr(self) -> None:
        if not self.collects and self._process.take_stderr():
            self.collects = True
            self._start_soon(self._process.collect_stderr)

    def _compare(self, patience: Patience) -> None:
        passed = self._channel.step.since(self._began)
        if self._process.resident_bytes() > patience.resident_bytes:
            most = patience.resident_bytes // MIB
            source = " (memoryBytes and room for the engine)" if patience.is_of_limits else ""
            raise MemoryExceeded(f"the child used more than {most} MiB of memory{source} and was killed")
        source = " (stepTimeoutMs and answerGraceSeconds)" if patience.is_of_limits else ""
        if passed.cpu >= patience.cpu_seconds:
            seconds = patience.cpu_seconds
            raise ChildSilent(f"the child did not answer in {seconds:g} s of CPU{source} and was killed")
        if passed.wall >= patience.wall_seconds:
            seconds = patience.wall_seconds
            raise ChildSilent(f"the child did not answer in {seconds:g} s{source} and was killed")


class Glances:
    """The task that looks at all children of a host; a run without a host has one of its own."""

    def __init__(self) -> None:
        self._watches: dict[Watch, None] = {}
        self._wanted = trio.Event()

    def begin(self, watch: Watch) -> None:
        """Look at a child from now on."""
        self._watches[watch] = None
        self._wanted.set()

    def end(self, watch: Watch) -> None:
        """Look at it no more; nothing the second time."""
        self._watches.pop(watch, None)

    async def run(self) -> None:
        """Glance until cancelled; without a child to look at, wait for one."""
        while True:
            if not self._watches:
                self._wanted = trio.Event()
                await self._wanted.wait()
            due = trio.current_time() + GLANCE_SECONDS
            await trio.sleep_until(due)
            await self._glance(trio.current_time() - due)

    async def _glance(self, late: float) -> None:
        wanting: list[Watch] = []
        for number, watch in enumerate(list(self._watches), 1):
            if watch in self._watches and watch.look(late) is not None:
                wanting.append(watch)
            if number % _BATCH == 0:
                began = trio.current_time()
                await trio.lowlevel.checkpoint()
                late += trio.current_time() - began
        if wanting:
            for _ in range(_TURNS_TO_READ):
                await trio.lowlevel.checkpoint()
        for watch in wanting:
            if watch in self._watches and (error := watch.look(0.0)) is not None:
                watch.give_up(error)
