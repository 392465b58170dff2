"""The connections of one agent, for as long as they are of use and a trio run lasts.

An agent is made before there is a trio run, may be asked in several of them, one after the other, and nobody
closes it. So the connections belong to the run of trio: a system task of it holds them, which is cancelled
when the run ends and closes them then, or earlier, when nobody has used them for a while.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import cached_property

import httpx
import trio

from flowcage.host.agents.errors import AgentSpecError
from flowcage.host.agents.http.network.setup import is_here

# Longer than the pauses between calls of a run at work, shorter than servers keep a connection.
IDLE_S = 30.0
_CLOSE_SECONDS = 5.0


class Connections:
    """Lends a client, which connects as need be.

    Args:
        url: that requests go to.
        connect_timeout_s: seconds for a connection and its TLS handshake.

    Raises:
        AgentSpecError: the environment has a proxy or certificates that cannot be used.
    """

    def __init__(self, url: httpx.URL, connect_timeout_s: float) -> None:
        self._timeout = httpx.Timeout(None, connect=connect_timeout_s)
        self._is_here = is_here(url.host)
        self._require_usable()
        self._pool: trio.lowlevel.RunVar[_Pool | None] = trio.lowlevel.RunVar("flowcage agent pool", None)

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client for the time of the block."""
        pool = self._pool.get()
        if pool is None:
            pool = _Pool(self._client())
            self._pool.set(pool)
            trio.lowlevel.spawn_system_task(self._keep, pool, name="connections of an agent")
        with pool.used():
            yield pool.client

    async def _keep(self, pool: _Pool) -> None:
        try:
            await pool.wait_until_idle()
        finally:
            self._pool.set(None)
            with trio.CancelScope(shield=True), trio.move_on_after(_CLOSE_SECONDS), suppress(Exception):
                await pool.client.aclose()

    def _require_usable(self) -> None:
        """Make a client that connects to nothing, so that what is wrong is told before a run begins."""
        try:
            self._client()
        except ImportError:
            raise AgentSpecError(
                "the proxy of the environment speaks SOCKS, for which httpx needs the package socksio"
            ) from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise AgentSpecError(f"the certificates of SSL_CERT_FILE cannot be read: {reason}") from None
        except (ValueError, httpx.InvalidURL):  # the message may have a password
            raise AgentSpecError(
                "one of HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY is not the address of a proxy"
            ) from None

    def _client(self) -> httpx.AsyncClient:
        # No redirect is followed: its request would carry the key to wherever the server says.
        return httpx.AsyncClient(
            verify=self._tls,
            timeout=self._timeout,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=IDLE_S),
            follow_redirects=False,
            trust_env=not self._is_here,  # no proxy is between this machine and itself
        )

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return httpx.create_ssl_context()  # reads a few hundred certificates


class _Pool:
    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self._users = 0
        self._changed = trio.Event()

    @contextmanager
    def used(self) -> Iterator[None]:
        self._users += 1
        self._changed.set()
        try:
            yield
        finally:
            self._users -= 1
            self._changed.set()

    async def wait_until_idle(self) -> None:
        while True:
            self._changed = trio.Event()
            with trio.move_on_after(math.inf if self._users else IDLE_S) as patience:
                await self._changed.wait()
            if patience.cancelled_caught and not self._users:
                return
