"""The lines that tell a child of its workflow and of a turn, in the forms that the child knows."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from flowcage.host.outcome.errors import CannotSend
from flowcage.host.process.channel import Channel
from flowcage.host.process.launch import switches
from flowcage.protocol.errors import LocalProtocolError
from flowcage.protocol.messages import Advance, Drain, Ok, Rejected, Replay, Resolve, Run, Start

# Why a value cannot be sent: too long, too deep, or not JSON.
CANNOT_CROSS = (LocalProtocolError, TypeError, ValueError, RecursionError)


# Messages that stand for several others.
_JOINING = ("run", "advance", "replay")
# Turns, and bytes of them, in one message. A child reads a longer line in several parts, which takes longer.
MAX_TURNS_AT_ONCE = 250
MAX_BYTES_AT_ONCE = 56 * 1024
_BYTES_BESIDE_A_VALUE = 100

Turn = tuple[Resolve, ...]


class Telling:
    """To one child.

    Args:
        channel: encodes them; they are sent in the order in which they were made.
        methods: that the child has.

    Attributes:
        methods: those of them that are used.
    """

    def __init__(self, channel: Channel, methods: Collection[str]) -> None:
        self._channel = channel
        self.methods = methods if switches.JOINED_MESSAGES else set(methods).difference(_JOINING)

    def opening(self, start: Start, *, is_one: bool) -> list[bytes]:
        """Those that begin a workflow and let it run.

        Args:
            start: what it is begun with.
            is_one: whether one message does both, for a child that has it; else its start is answered before.

        Raises:
            CannotSend: source or args do not fit into a message.
        """
        try:
            line = self._channel.encode(Run(*start) if is_one else start)
        except CANNOT_CROSS as error:
            raise CannotSend(f"the workflow or its args cannot be sent to the child: {error}") from error
        return [line] if is_one else [line, self._channel.encode(Drain())]

    def turn(self, resolves: Turn) -> list[bytes]:
        """Those that settle requests and let the workflow run; the last of them is answered with a drain."""
        if resolves and "advance" in self.methods:
            try:
                return [self._channel.encode(Advance((resolves,)))]
            except CANNOT_CROSS:  # one of them, or all on one line
                pass
        return [*map(self._resolve, resolves), self._channel.encode(Drain())]

    def replay(self, turns: Sequence[Turn]) -> list[bytes]:
        """Those that carry out some turns of these, and the first at least, for a child that has `replay`.

        One turn is told so, too: the child may have carried it out behind others, and not answered yet.
        """
        try:
            return [self._channel.encode(Replay(tuple(_as_many_as_fit(turns))))]
        except CANNOT_CROSS:  # an answer of one of them, so none was told
            return self.turn(turns[0])

    def _resolve(self, resolve: Resolve) -> bytes:
        """An answer; one that cannot cross becomes a rejection that says why."""
        try:
            return self._channel.encode(resolve)
        except CANNOT_CROSS as error:
            rejected = Rejected(f"the host's answer cannot be sent: {error}")
            return self._channel.encode(Resolve(resolve.id, rejected))


def _as_many_as_fit(turns: Sequence[Turn]) -> list[Turn]:
    told: list[Turn] = []
    size = 0
    for turn in turns[:MAX_TURNS_AT_ONCE]:
        size += sum(map(_size, turn))
        if not turn or (told and size > MAX_BYTES_AT_ONCE):
            break
        told.append(turn)
    return told


def _size(resolve: Resolve) -> int:
    """About the bytes that a resolution takes; more only makes messages smaller."""
    resolution = resolve.resolution
    value = resolution.value if isinstance(resolution, Ok) else ""
    return _BYTES_BESIDE_A_VALUE + (len(value) if isinstance(value, str) else len(repr(value)))
