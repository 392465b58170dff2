"""Bringing a new child to where the old one was: it is told the same, and must ask the same.

Turns go to the child many in a message, by `replay`, whose answer has what each of them has queued. A child
that is older gets messages of one turn, many in a write: given several turns in one `advance`, it would drop
requests that are settled before they are handed out, so what it asked for could not be compared.

What the child says is compared by the host, with what the log has. So a child that lies gains nothing: what
it says now is what it asks, and a workflow that wants to ask for something else later can do so anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NoReturn

from flowcage.host.outcome.errors import ProtocolViolation, WorkflowFailed
from flowcage.host.process.channel import Channel
from flowcage.host.run.core.inputs import State
from flowcage.host.run.past.diverged import ReplayDiverged
from flowcage.host.run.past.past import PastWorkflow, state_of
from flowcage.host.run.past.telling import MAX_TURNS_AT_ONCE, Telling
from flowcage.protocol.errors import MEMORY, TIMEOUT
from flowcage.protocol.messages import Drained, Request

_MAX_BYTES_OF_A_WRITE = 1024 * 1024
# Failures that a replay may have although the run had none: they depend on the machine.
_OF_THE_MACHINE = frozenset({TIMEOUT, MEMORY})


def raise_failure(past: PastWorkflow, number: int, failed: WorkflowFailed) -> NoReturn:
    """Raise the error for a child that fails in place of a reply that is known."""
    if failed.kind in _OF_THE_MACHINE:
        raise failed
    what = f"it failed, which it had not: {failed}"
    raise ReplayDiverged(past.path, number, what, past.replies[number][0].said) from failed


class CatchUp:
    """Of one workflow.

    Args:
        past: what its child was told, and said.
        channel: to the new child.
        telling: makes the messages to it.
        asked: is given each request that the new child asks for again, with the path of the workflow.
        until: number of the last reply that is compared; None for all.
    """

    def __init__(
        self,
        past: PastWorkflow,
        channel: Channel,
        telling: Telling,
        asked: Callable[[str, Request], None],
        until: int | None = None,
    ) -> None:
        self._past = past
        self._channel = channel
        self._telling = telling
        self._asked = asked
        self.count = len(past.replies) if until is None else min(until + 1, len(past.replies))
        self.compared = 0

    @property
    def is_cut(self) -> bool:
        """Whether replies are left out."""
        return self.count < len(self._past.replies)

    async def replay(self, said: object) -> Drained | None:
        """Tell the child everything.

        Args:
            said: its answer to `run` or `start`.

        Returns:
            What it says that is new; None where nothing is.

        Raises:
            ReplayDiverged: it has asked for something else.
            RunError: it has ended, or failed.
        """
        past = self._past
        drained = said if isinstance(said, Drained) else await self._drained()
        if not past.replies:
            return self._new(drained)
        try:
            await self._compare(drained)
            while self.compared < self.count:
                if "replay" in self._telling.methods:
                    await self._replay()
                else:
                    for _ in range(self._send(self.compared)):
                        await self._compare(await self._drained())
        except WorkflowFailed as failed:
            raise_failure(past, self.compared, failed)
        if self.is_cut or len(past.turns) < len(past.replies):
            return None
        self._channel.send(self._telling.turn(past.turns[-1]))
        return self._new(await self._drained())

    async def _replay(self) -> None:
        """Tell the turns many in a message. While the child carries out some, those before are compared."""
        patience, self._channel.patience = (
            self._channel.patience,
            self._channel.patience.times(MAX_TURNS_AT_ONCE),
        )
        is_told = self._tell(self.compared)
        while is_told:
            drained = await self._drained()
            is_told = state_of(drained) is State.PENDING and self._tell(
                self.compared + max(1, len(drained.counts))
            )
            for each in _turn_by_turn(drained):
                await self._compare(each)
        self._channel.patience = patience

    def _tell(self, number: int) -> bool:
        """Tell turns from the one on whose reply has this number. Whether there are any."""
        turns = self._past.turns[number - 1 : min(self.count, number + MAX_TURNS_AT_ONCE) - 1]
        if turns:
            self._channel.send(self._telling.replay(turns))
        return bool(turns)

    def _send(self, number: int) -> int:
        """To a child without `replay`, tell the turns from this number on in one write. How many."""
        turns = self._past.turns[number - 1 : min(self.count, number + MAX_TURNS_AT_ONCE) - 1]
        lines: list[bytes] = []
        size = count = 0
        for turn in turns:
            if size > _MAX_BYTES_OF_A_WRITE:
                break
            told = self._telling.turn(turn)
            lines += told
            size += sum(map(len, told))
            count += 1
        self._channel.send(lines)
        return count

    async def _drained(self) -> Drained:
        while not isinstance(said := await self._channel.receive(), Drained):
            pass  # a resolution has arrived
        return said

    async def _compare(self, drained: Drained) -> None:
        past, number = self._past, self.compared
        if number == self.count:
            raise ProtocolViolation("the child says that it was told more turns than it was")
        parts = past.replies[number]
        if drained.more and parts[-1].state is not State.MORE:
            self._channel.send(self._telling.turn(()))
            await self._drained()  # raises the failure
        past.compare(drained, parts, number)
        self.compared += 1
        for request in drained.requests:
            self._asked(past.path, request)

    def _new(self, drained: Drained) -> Drained:
        """A reply without what is known of it."""
        past = self._past
        if not past.part:
            return drained
        requests = past.compare(drained, past.part, len(past.replies))
        return drained._replace(calls=[], diagnostics=(), requests=requests)


def _turn_by_turn(drained: Drained) -> Iterator[Drained]:
    """The answer to a replay as those to its turns would have been."""
    counts = drained.counts
    if len(counts) < 2:
        yield drained
        return
    requests = sorted(
        drained.requests, key=lambda request: int(request.id)
    )  # those of unknown types are last
    start = 0
    for count in counts:
        yield Drained([], requests[start : start + count], complete=False)
        start += count
