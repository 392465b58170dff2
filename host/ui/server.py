"""The server: a socket, its connections, and an end that waits for no browser."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress

import psutil
import trio
from starlette.types import ASGIApp

from flowcage.host.ui.connections import Connections

# A connection whose other end takes nothing is ended by the kernel: hypercorn waits for it without a limit.
_UNREAD_MILLISECONDS = 20_000


class ListenError(Exception):
    """There is nothing to listen on; the message says what to do."""


def listening(host: str, port: int, of_host: str = "--host", of_port: str = "--port") -> socket.socket:
    """A socket.

    Args:
        host, port: of it.
        of_host, of_port: options that give them.

    Raises:
        ListenError: it cannot be had.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        socket.getaddrinfo(host, port, family)  # create_server would make of its error one like any other
        listener = socket.create_server((host, port), family=family)
    except socket.gaierror:
        raise ListenError(f"{of_host} {host}: this machine has no such name or address") from None
    except OSError as error:
        raise ListenError(
            f"port {port} of {host}: {os.strerror(error.errno or 0)}; choose another one with {of_port}, "
            "or 0 for a free one"
        ) from None
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MILLISECONDS)
    return listener


async def serve_until_cancelled(
    app: ASGIApp, listener: socket.socket, begun: Callable[[], None] = lambda: None
) -> None:
    """Answer whoever asks.

    Args:
        app: that answers.
        listener: is closed at the end.
        begun: is told when it is listened on.
    """
    port = listener.getsockname()[1]
    connections = Connections(app)
    listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(listener))]
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, connections.answer, listeners)
        begun()
        try:
            await trio.sleep_forever()
        finally:
            nursery.cancel_scope.cancel()
            _sever(port)


def _sever(port: int) -> None:
    """End all connections to a port of this process: sending to one that is not read ends by nothing else."""
    for connection in psutil.Process().net_connections(kind="tcp"):
        if connection.laddr and connection.laddr.port == port and connection.raddr and connection.fd >= 0:
            with suppress(OSError), socket.socket(fileno=os.dup(connection.fd)) as ours:
                ours.shutdown(socket.SHUT_RDWR)
