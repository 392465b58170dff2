"""Which peers of sockets have hung up. What they said before is not read: it is somebody else's to read."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import trio


class HangUps:
    """One epoll(7) for all connections. `run` is a task of its own; leave the block last."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, trio.Event] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._epoll.close()

    @contextmanager
    def watching(self, connection: socket.socket) -> Iterator[trio.Event]:
        """An event that is set when the peer has closed both directions: with one it could still read."""
        number, gone = connection.fileno(), trio.Event()
        self._epoll.register(number, 0)  # a hang-up is told without being asked for
        self._watched[number] = gone
        try:
            yield gone
        finally:
            self._forget(number)

    async def run(self) -> None:
        """Tell, for ever."""
        while True:
            await trio.lowlevel.wait_readable(self._epoll.fileno())
            for number, _ in self._epoll.poll(0):
                self._watched[number].set()
                self._forget(number)  # it would be told again and again

    def _forget(self, number: int) -> None:
        if self._watched.pop(number, None) is not None:
            self._epoll.unregister(number)


def has_hung_up(connection: socket.socket) -> bool:
    """The same, asked now."""
    asking = select.poll()
    asking.register(connection, 0)
    return bool(asking.poll(0))
