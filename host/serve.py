"""``flowcage serve``: a fresh caged child for each connection to a Unix socket.

The child is forked from a zygote and gets the connection itself as its stdin and stdout, so the peer speaks
the wire contract with it directly. The server is not in between: it only sees to it that children end.
"""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

import trio

from flowcage.host.errors import LaunchFailed
from flowcage.host.inspection import is_filtered
from flowcage.host.launch.zygote import Zygote
from flowcage.host.listening import peer_uid
from flowcage.host.process import ExitWatch, end_at_once
from flowcage.host.signals import signal_name

# A peer that is gone reads no answer; a child in its right mind sees the same end and leaves.
_LEAVE_SECONDS = 0.5
_REAP_SECONDS = 10.0


@dataclass(frozen=True)
class ServeLimits:
    """What connections may take. All are finite.

    Attributes:
        max_connections: at once; further peers wait to be accepted.
        handshake_seconds: from connecting to a closed cage: a peer that says nothing is disconnected.
        run_seconds: the longest that one connection may last.
        grace_seconds: what is left to the connections when the server is told to end.
    """

    max_connections: int
    handshake_seconds: float
    run_seconds: float
    grace_seconds: float


class Server:
    """Serves until `stop`.

    Args:
        listener: a listening Unix stream socket.
        limits: of connections.
        allowed_uids: users whose peers are served; None for the server's own.
        tell: called with what somebody should know, one line at a time.
    """

    def __init__(
        self,
        listener: socket.socket,
        limits: ServeLimits,
        allowed_uids: frozenset[int] | None,
        tell: Callable[[str], None],
    ) -> None:
        self._listener = trio.socket.from_stdlib_socket(listener.dup())
        self._limits = limits
        self._allowed = frozenset({os.geteuid()}) if allowed_uids is None else allowed_uids
        self._tell = tell
        self._zygote = Zygote()
        self._slots = trio.Semaphore(limits.max_connections)
        self._accepting = trio.CancelScope()

    def stop(self) -> None:
        """Accept no more; `run` returns when the connections are over, or when their grace is."""
        self._accepting.cancel()

    async def run(self) -> None:
        """Accept and serve. Whatever ends this, no child and no zygote is left."""
        try:
            async with trio.open_nursery() as nursery:
                with self._accepting:
                    while True:
                        await self._accept(nursery)
                self._listener.close()
                nursery.cancel_scope.deadline = trio.current_time() + self._limits.grace_seconds
        finally:
            self._listener.close()
            await self._zygote.aclose()

    async def _accept(self, nursery: trio.Nursery) -> None:
        await self._slots.acquire()
        try:
            accepted, _ = await self._listener.accept()
        except BaseException as error:
            self._slots.release()
            if isinstance(error, OSError):  # no descriptor is left, or the peer is gone already
                self._tell(f"a connection could not be accepted: {error.strerror}")
                await trio.sleep(0.1)
                return
            raise
        nursery.start_soon(self._serve, socket.socket(fileno=accepted.detach()))

    async def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                uid = peer_uid(connection)
                if uid in self._allowed:
                    await self._run_child(connection)
                else:
                    self._tell(f"a peer of uid {uid} was turned away")
        except (LaunchFailed, OSError) as error:
            self._tell(f"a connection was not served: {error}")
        finally:
            self._slots.release()

    async def _run_child(self, connection: socket.socket) -> None:
        connection.setblocking(True)  # the child shares the file description, and must block on it
        with select.epoll() as hang_up, _null() as null:
            # Only the hang-up counts: what the peer says is the child's to read.
            hang_up.register(connection, 0)
            number = connection.fileno()
            pid, _ = await self._zygote.fork((number, number, null.fileno()))
            try:
                exited = ExitWatch(pid)
            except OSError:
                end_at_once(pid)
                raise
            try:
                await self._watch(pid, hang_up, exited)
            finally:
                exited.kill()
                with trio.move_on_after(_REAP_SECONDS, shield=True):
                    await exited.wait()
                    self._take_note(pid)
                exited.close()

    async def _watch(self, pid: int, hang_up: select.epoll, exited: ExitWatch) -> None:
        """Return when the child has ended or must."""
        with trio.move_on_after(self._limits.run_seconds) as whole:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_end_when_peer_left, hang_up, nursery.cancel_scope)
                nursery.start_soon(self._end_without_handshake, pid, nursery.cancel_scope)
                await exited.wait()
                nursery.cancel_scope.cancel()
        if whole.cancelled_caught:
            self._tell(f"a connection was ended after {self._limits.run_seconds:g} s")

    async def _end_without_handshake(self, pid: int, scope: trio.CancelScope) -> None:
        await trio.sleep(self._limits.handshake_seconds)
        if not is_filtered(pid):
            self._tell(f"a peer did not initialize its child in {self._limits.handshake_seconds:g} s")
            scope.cancel()

    def _take_note(self, pid: int) -> None:
        with suppress(ChildProcessError):
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            if status < 0 and -status != signal.SIGKILL:
                self._tell(f"a child was ended by {signal_name(-status)}")
                self._zygote.distrust()


def _null() -> BinaryIO:
    """What children say on stderr is nobody's: a hostile one could fill a disk with it."""
    return open(os.devnull, "wb")


async def _end_when_peer_left(hang_up: select.epoll, scope: trio.CancelScope) -> None:
    await trio.lowlevel.wait_readable(hang_up.fileno())
    await trio.sleep(_LEAVE_SECONDS)
    scope.cancel()
