"""Notices when the peer of a socket has hung up, without reading what it has sent, which is for the child."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import trio


class HangUps:
    """One epoll(7) for all connections, served by one task, `run`.

    Leave the block when all connections are closed.
    """

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
        """An event that is set when the peer has closed both directions; with one it could still read."""
        number, gone = connection.fileno(), trio.Event()
        self._epoll.register(number, 0)  # EPOLLHUP is always reported, epoll_ctl(2)
        self._watched[number] = gone
        try:
            yield gone
        finally:
            self._forget(number)

    async def run(self) -> None:
        """Set the events, until cancelled."""
        while True:
            await trio.lowlevel.wait_readable(self._epoll.fileno())
            for number, _ in self._epoll.poll(0):
                self._watched[number].set()
                self._forget(number)  # level-triggered: it would be reported without end

    def _forget(self, number: int) -> None:
        if self._watched.pop(number, None) is not None:
            self._epoll.unregister(number)


def has_hung_up(connection: socket.socket) -> bool:
    """Whether the peer has closed both directions by now."""
    asking = select.poll()
    asking.register(connection, 0)  # POLLHUP is always reported, poll(2)
    return bool(asking.poll(0))
