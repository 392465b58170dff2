"""A child that is asked about sources and runs none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import trio

from flowcage.host.outcome.errors import CannotSend, RunError, RunTimedOut
from flowcage.host.outcome.judge import verdict_on
from flowcage.host.process.allowance import Allowance
from flowcage.host.process.launch.spawn import Spawn
from flowcage.host.process.supervisor import Child
from flowcage.host.run.options import RunOptions
from flowcage.host.run.past.telling import CANNOT_CROSS
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import Check, Imports

# For the whole of it; what compiling itself may take is a step's time.
CHECK_TIMEOUT_SECONDS = 90.0

T = TypeVar("T")


class Reader:
    """Asks one child, about one source after the other."""

    def __init__(self, child: Child) -> None:
        self._channel = child.channel

    async def ask(self, message: Check | Imports) -> object:
        """What the child answers.

        Raises:
            WorkflowFailed: the source does not compile.
            RunError: the child could not do it.
        """
        try:
            line = self._channel.encode(message)
        except CANNOT_CROSS as error:
            raise CannotSend(f"the workflow cannot be sent to the child: {error}") from error
        self._channel.send([line])
        return await self._channel.receive()


async def with_reader(limits: Limits, work: Callable[[Reader], Awaitable[T]], *, reads: bool = False) -> T:
    """Do work with a reader whose child has these limits.

    Args:
        limits: what compiling may take is one step.
        work: asks it.
        reads: whether it is asked for more than `meta` and imports.

    Raises:
        RunError: the child could not do it, or took too long.
    """

    async def converse(child: Child, _nursery: trio.Nursery) -> T:
        await child.initialize(limits, None, reads)
        channel = child.channel
        channel.patience = channel.patience.for_steps(limits, RunOptions.answer_grace_seconds)
        return await work(Reader(child))

    try:
        with trio.fail_after(CHECK_TIMEOUT_SECONDS):
            child = await Child.start(Spawn(), Allowance(limits.cpu_seconds))
            try:
                return await child.run(partial(converse, child))
            except RunError as error:
                error.verdict = verdict_on(error, child.measured(limits))
                raise
    except trio.TooSlowError:
        raise RunTimedOut(CHECK_TIMEOUT_SECONDS) from None
