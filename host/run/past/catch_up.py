"""Bringing a new child to where the old one was: it is told the same, and must ask the same.

Turns go out many in one write, which is twice as fast as to wait for each reply. Each is a message of its
own: a child that is given several in one drops the requests that are settled before they are handed out, so
what it asked for could not be compared.
"""

from __future__ import annotations

from collections.abc import Callable

from flowcage.host.outcome.errors import WorkflowFailed
from flowcage.host.process.channel import Channel
from flowcage.host.run.past.diverged import ReplayDiverged
from flowcage.host.run.past.past import Past, PastWorkflow, Turn
from flowcage.protocol.errors import MEMORY, TIMEOUT
from flowcage.protocol.messages import Drained

# Turns, and bytes of them, that go out in one write.
MAX_TURNS_AT_ONCE = 250
MAX_BYTES_AT_ONCE = 1024 * 1024
# Failures that a replay may have although the run had none: they depend on the machine.
_OF_THE_MACHINE = frozenset({TIMEOUT, MEMORY})


class CatchUp:
    """Of one workflow.

    Args:
        past: of the run.
        workflow: what its child was told, and said.
        channel: to the new child.
        lines: makes the messages that tell one turn; the last of them is answered with a drain.
    """

    def __init__(
        self, past: Past, workflow: PastWorkflow, channel: Channel, lines: Callable[[Turn], list[bytes]]
    ) -> None:
        self._workflow = past.core.tree.workflows[workflow.path]
        self._past = workflow
        self._channel = channel
        self._lines = lines

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
        past, replies = self._past, self._past.replies
        drained = said if isinstance(said, Drained) else await self._drained()
        if not replies:
            return self._new(drained)
        try:
            self._compare(drained, 0)
            number = 1
            while number < len(replies):
                for _ in range(self._send(number)):
                    self._compare(await self._drained(), number)
                    number += 1
        except WorkflowFailed as failed:
            if failed.kind in _OF_THE_MACHINE:
                raise
            raise ReplayDiverged(past.path, 0, f"it failed, which it had not: {failed}") from failed
        if len(past.turns) < len(replies):
            return None
        self._channel.send(self._lines(past.turns[-1]))
        return self._new(await self._drained())

    def _send(self, number: int) -> int:
        """Tell the turns whose replies are known from this number on. How many."""
        lines: list[bytes] = []
        size = count = 0
        for turn in self._past.turns[number - 1 : len(self._past.replies) - 1]:
            if count and (size > MAX_BYTES_AT_ONCE or count >= MAX_TURNS_AT_ONCE):
                break
            told = self._lines(turn)
            lines += told
            size += sum(map(len, told))
            count += 1
        self._channel.send(lines)
        return count

    async def _drained(self) -> Drained:
        while not isinstance(said := await self._channel.receive(), Drained):
            pass  # a resolution has arrived
        return said

    def _compare(self, drained: Drained, number: int) -> None:
        self._past.compare(drained, self._past.replies[number], number)
        for request in drained.requests:  # what was kept of one may have been redacted
            if (call := self._workflow.calls.get(self._workflow.id_of(request))) is not None:
                call.request = request

    def _new(self, drained: Drained) -> Drained:
        """A reply without what is known of it."""
        past = self._past
        if not past.part:
            return drained
        requests = past.compare(drained, past.part, len(past.replies))
        return drained._replace(calls=[], diagnostics=(), requests=requests)
