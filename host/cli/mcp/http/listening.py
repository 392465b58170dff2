"""Serves many clients over streamable HTTP."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from flowcage.host.cli.mcp.desk import Desk
from flowcage.host.cli.mcp.http.door import PATH, TokenDoor
from flowcage.host.cli.mcp.server import server_of
from flowcage.host.cli.mcp.stdio import MESSAGE_BYTES
from flowcage.host.ui import server
from flowcage.host.ui.door import keys, names

_SESSIONS = 100
_IDLE_SECONDS = 1_800.0


class Place:
    """Where it is served.

    Args:
        listener: that is listened on.
        host: of it, as it was given.
        allowed: further names, under which clients ask.
        token_file: has the token; it is made where there is none.

    Raises:
        keys.TokenError: there is a file that holds none.
    """

    def __init__(
        self, listener: socket.socket, host: str, allowed: tuple[str, ...], token_file: Path
    ) -> None:
        self.listener = listener
        self.host = host
        self.token_file = token_file
        self.keys = keys.Keys(keys.token_of(token_file))
        port = listener.getsockname()[1]
        self.names = names.allowed(host, port, allowed)
        self.address = names.address_of(host, port) + PATH


async def serve(desk: Desk, place: Place, tell: Callable[[str], None]) -> NoReturn:
    """Answer whoever has the token, until cancelled.

    Args:
        desk: of the server.
        place: where it is served.
        tell: is told of it.
    """
    manager = StreamableHTTPSessionManager(
        server_of(desk),
        session_idle_timeout=_IDLE_SECONDS,
        max_request_body_size=MESSAGE_BYTES,  # the door reads no more either
        max_sessions=_SESSIONS,
    )
    door = TokenDoor(manager.handle_request, place.keys, place.names)
    async with manager.run():
        await server.serve_until_cancelled(door, place.listener, lambda: _announce(place, tell))
    raise AssertionError("a server that was not cancelled has ended")


def _announce(place: Place, tell: Callable[[str], None]) -> None:
    tell(f"serving {place.address}, with the token in {place.token_file}")
    if not names.is_loopback(place.host):
        tell(f"warning: {place.host} can be reached from other machines, and what is sent is not encrypted")
