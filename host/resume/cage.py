"""One workflow of the past in a fresh cage, which is told what its child was told; nobody is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Any, NamedTuple

import trio

from flowcage.host.outcome.errors import RunError, WorkflowFailed
from flowcage.host.outcome.judge import verdict_on
from flowcage.host.process.allowance import Allowance
from flowcage.host.process.channel import Channel
from flowcage.host.process.glances import Patience
from flowcage.host.process.supervisor import Child
from flowcage.host.run.conversation import ROOM_BESIDE_THE_HEAP
from flowcage.host.run.limits import with_limits
from flowcage.host.run.options import RunOptions
from flowcage.host.run.past.catch_up import CatchUp, raise_failure
from flowcage.host.run.past.diverged import ReplayDiverged
from flowcage.host.run.past.past import PastWorkflow
from flowcage.host.run.past.telling import Telling
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import Drained, Request, Start


class Replayed(NamedTuple):
    """A workflow that was told all that is known.

    Attributes:
        compared: replies that were the same.
        is_cut: whether there are more, which were left out.
        last: what it says to what it was told last, where that reply is not known.
        failure: how it ended then.
    """

    compared: int
    is_cut: bool
    last: Drained | None = None
    failure: WorkflowFailed | None = None


# Is given the channel to a child that is where the old one was, and the methods that it has.
Then = Callable[[Channel, Collection[str]], Awaitable[None]]


async def replayed(
    past: PastWorkflow, options: RunOptions, until: int | None = None, then: Then | None = None
) -> Replayed:
    """Replay a workflow in a new child, which is gone afterwards.

    Args:
        past: of the workflow, which was begun.
        options: launcher, isolation and the host's limits; those of the child are the workflow's.
        until: number of the last reply that is compared.
        then: is called at the end, unless the workflow has failed.

    Raises:
        ReplayDiverged: it did something else.
        RunError: as `Child.run`.
    """
    assert past.begun is not None
    limits = with_limits(options, past.begun.limits).limits
    child = await Child.start(options.launcher, Allowance(limits.cpu_seconds, options.max_received_bytes))
    cage = _Cage(past, options, limits, child)
    try:
        return await child.run(partial(cage.replay, until, then))
    except ReplayDiverged:
        raise
    except RunError as error:
        error.verdict = verdict_on(error, child.measured(limits))
        raise


class _Cage:
    def __init__(self, past: PastWorkflow, options: RunOptions, limits: Limits, child: Child) -> None:
        self._past = past
        self._options = options
        self._limits = limits
        self._child = child

    async def replay(self, until: int | None, then: Then | None, _nursery: trio.Nursery) -> Replayed:
        past, channel = self._past, self._child.channel
        telling = await self._open()
        catch_up = CatchUp(past, channel, telling, _nobody, until)
        try:
            said = await channel.receive()
            last = await catch_up.replay(said)
            if then is not None:
                await then(channel, telling.methods)
        except WorkflowFailed as failed:
            if catch_up.compared < catch_up.count:
                raise_failure(past, catch_up.compared, failed)
            return Replayed(catch_up.compared, False, failure=failed)
        return Replayed(catch_up.compared, catch_up.is_cut, last)

    async def _open(self) -> Telling:
        """Cage the child, and send it the workflow."""
        begun, channel, limits = self._past.begun, self._child.channel, self._limits
        assert begun is not None
        told = await self._child.initialize(limits, self._options.isolation)
        telling = Telling(channel, told.methods)
        is_one = "run" in told.methods
        channel.patience = Patience(resident_bytes=limits.memory_bytes + ROOM_BESIDE_THE_HEAP).for_steps(
            limits, self._options.answer_grace_seconds, 2 if is_one else 1
        )
        dialect: Any = begun.dialect
        start = Start(
            *(begun.source, begun.source_name, begun.args, begun.budget),
            *(dialect, True, self._child.to_lower, begun.modules),
        )
        channel.send(telling.opening(start, is_one=is_one))
        return telling


def _nobody(_path: str, _request: Request) -> None:
    pass
