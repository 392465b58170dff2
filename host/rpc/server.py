"""One host for its clients: over stdin and stdout, or over the connections of a Unix socket."""

from __future__ import annotations

import os
import socket

import trio

from flowcage.host.durable.store import Store
from flowcage.host.rpc.client import Client
from flowcage.host.rpc.kept import Kept
from flowcage.host.rpc.methods import Methods
from flowcage.host.rpc.runs import Runs
from flowcage.host.rpc.settings import Settings
from flowcage.host.rpc.wire import Stream, Wire, own_stream, socket_stream
from flowcage.host.serve.socket import peer_uid
from flowcage.host.tenants.host import Host
from flowcage.host.tenants.tenant import TenantLimits
from flowcage.host.terminal.log import logger
from flowcage.protocol.limits import MAX_LIMIT

MAX_CLIENTS = 100
_PAUSE_SECONDS = 0.1
_LOG = logger("rpc")


async def serve(settings: Settings, store: Store | None, listener: socket.socket | None) -> None:
    """Serve one client on stdin and stdout until it is gone; or those of a socket, until cancelled.

    Args:
        settings: of the host.
        store: that keeps the runs; None for none.
        listener: the socket; None for stdin and stdout.
    """
    async with _host(settings, store) as host, trio.open_nursery() as nursery:
        runs = Runs(nursery)
        kept = None if store is None else Kept(host, store, runs, settings)
        server = _Server(Methods(host, runs, kept, settings), runs, settings)
        if listener is None:
            await server.serve(own_stream(), can_be_followed=False)
        else:
            await server.listen(listener)
        nursery.cancel_scope.cancel()


def _host(settings: Settings, store: Store | None) -> Host:
    """A host with caps on runs and no rates: there is one user, who shares with nobody."""
    whole = TenantLimits(
        max_runs=settings.max_runs,
        max_queued=settings.max_queued,
        max_agents=MAX_LIMIT,
        runs_per_minute=MAX_LIMIT,
        cpu_seconds_per_minute=MAX_LIMIT,
    )
    return Host(
        default=whole,
        max_runs=settings.max_runs,
        max_queued=2 * settings.max_queued,  # a tenant leaves half of them to others
        options=settings.options,
        store=store,
    )


async def _accepted(listener: trio.socket.SocketType) -> socket.socket:
    """The next connection; where there is no descriptor for it, when there is one."""
    is_told = False
    while True:
        try:
            connection, _ = await listener.accept()
            return socket.socket(fileno=connection.detach())
        except OSError as error:
            if not is_told:
                _LOG.warning("a connection cannot be accepted, and waits: %s", error.strerror)
            is_told = True
            await trio.sleep(_PAUSE_SECONDS)


class _Server:
    def __init__(self, methods: Methods, runs: Runs, settings: Settings) -> None:
        self._methods = methods
        self._runs = runs
        self._settings = settings
        self._room = trio.CapacityLimiter(MAX_CLIENTS)

    async def serve(self, stream: Stream, *, can_be_followed: bool) -> None:
        """One client, until it is gone."""
        wire = Wire(stream, self._settings.unread_seconds)
        table, of = self._methods.table(), self._runs.of
        await Client(wire, table, of, can_be_followed=can_be_followed).serve()

    async def listen(self, listener: socket.socket) -> None:
        """Clients of the host's own user; those of others are closed before anything is read."""
        listener.setblocking(False)
        accepting = trio.socket.from_stdlib_socket(listener)
        async with trio.open_nursery() as nursery:
            while True:
                await self._room.acquire_on_behalf_of(token := object())
                plain = await _accepted(accepting)
                if peer_uid(plain) != os.geteuid():
                    plain.close()
                    self._room.release_on_behalf_of(token)
                    continue
                nursery.start_soon(self._connected, plain, token)

    async def _connected(self, connection: socket.socket, token: object) -> None:
        try:
            await self.serve(socket_stream(connection), can_be_followed=True)
        finally:
            self._room.release_on_behalf_of(token)
