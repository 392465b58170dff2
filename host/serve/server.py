"""``flowcage serve``: a caged child for each connection to a Unix socket.

The child is forked from a zygote and gets the connection itself as its stdin and stdout, so peer and child
talk directly. No message passes through the server, which accepts, forks, watches and reaps. `program` makes
the one `Server` of a process, runs it, and calls `stop` at the first signal.

Peers are untrusted. What one may ask for is bounded by the server's `Terms`, to which the child keeps from
its start; `handshake` checks the cage with the kernel.

A connection passes these stages, and is dropped at each if its peer hangs up: it is accepted, or turned away
where its user may not connect or has too many open; it waits for a first byte; it waits for one of its user's
slots; a child is forked and closes its cage; the child ends. Invariants:

- Every descriptor has its place before it is opened: `_room` is acquired before accept(2), so the kernel's
  backlog is where further peers wait, and not the server's memory. It is released when the connection is
  closed.
- No peer can use up another user's share: slots and waiting places are divided among the allowed users at the
  start.
- No byte of a peer's is consumed, for the child must read it: the first one is peeked at, and a later hang-up
  is seen by epoll.
- The socket is made blocking before the fork: the flag belongs to the file description, which the child
  shares.
- The pidfd is opened right after the fork, with no await in between, and if that fails the child is killed
  and reaped here. Afterwards `finally` kills and reaps it whatever ends the watching, shielded and bounded.
- A child that was ended by a signal other than SIGKILL has perhaps leaked its memory layout: the next
  connection gets a child of a new zygote (`distrust`).
- At the end: accept no more, close the listener so that new peers are refused at once, let connections end
  within their grace, cancel the rest, and close the zygote last, since connections fork from it.

tests/serve/test_serve.py and test_serve_peers.py hold these with real peers.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import trio

from flowcage.host.outcome.errors import LaunchFailed
from flowcage.host.process.launch.zygote import Zygote
from flowcage.host.process.reaping import ExitWatch, end_at_once, signal_name
from flowcage.host.serve.counts import Counts
from flowcage.host.serve.handshake import NewChild, closed_its_cage
from flowcage.host.serve.hangups import HangUps, has_hung_up
from flowcage.host.serve.socket import peer_uid
from flowcage.protocol.terms import Terms

# After a hang-up: the child reads the end of its stdin and exits by itself; a busy one is killed then.
_LEAVE_SECONDS = 0.5
# After SIGKILL, which only a process in uninterruptible sleep (state D) survives for a while.
_REAP_SECONDS = 10.0


@dataclass(frozen=True)
class ServeLimits:
    """Limits of connections, all finite. Allowed users have equal shares of both numbers.

    Attributes:
        max_connections: connections with a child, at once.
        max_waiting: further connections that are accepted and have no child yet; other peers wait in the
            backlog.
        handshake_seconds: from accepting to the first byte, and again from the fork to a closed cage.
        run_seconds: from the fork to the end of the child, which is killed then.
        grace_seconds: from `Server.stop` to the end of all connections.
    """

    max_connections: int
    max_waiting: int
    handshake_seconds: float
    run_seconds: float
    grace_seconds: float


class _Share:
    """The connections of one user's peers.

    Attributes:
        slots: for connections with a child.
        most: connections in all, with a child or waiting.
        open: connections now.
    """

    def __init__(self, connections: int, waiting: int) -> None:
        self.slots = trio.Semaphore(connections)
        self.most = connections + waiting
        self.open = 0


class Server:
    """Serves until `stop`.

    Args:
        listener: a listening Unix stream socket.
        limits: of connections.
        terms: ceilings and isolation for peers.
        allowed_uids: users whose peers are served; None for the server's own.
        tell: called with each line of the log; must not block.

    Raises:
        ValueError: there are fewer connections than users.
    """

    def __init__(
        self,
        listener: socket.socket,
        limits: ServeLimits,
        terms: Terms,
        allowed_uids: frozenset[int] | None,
        tell: Callable[[str], None],
    ) -> None:
        uids = allowed_uids or frozenset({os.geteuid()})
        if limits.max_connections < len(uids):
            raise ValueError(f"{limits.max_connections} connections are too few for {len(uids)} users")
        self._shares = {
            uid: _Share(limits.max_connections // len(uids), limits.max_waiting // len(uids)) for uid in uids
        }
        self._listener = trio.socket.from_stdlib_socket(listener.dup())
        self._limits = limits
        self._terms = terms
        self._tell = tell
        self._zygote = Zygote(terms=terms)
        self._room = trio.Semaphore(limits.max_connections + limits.max_waiting)
        self._accepting = trio.CancelScope()
        self._hang_ups = HangUps()
        self.counts = Counts()

    def stop(self) -> None:
        """Accept no more; `run` returns when all connections have ended, after their grace at the latest."""
        self._accepting.cancel()

    async def run(self) -> None:
        """Accept and serve. However this ends, no child and no zygote is left."""
        try:
            with self._hang_ups:
                async with trio.open_nursery() as watching:
                    watching.start_soon(self._hang_ups.run)
                    await self._serve_all()
                    watching.cancel_scope.cancel()
        finally:
            self._listener.close()
            await self._zygote.aclose()

    async def _serve_all(self) -> None:
        async with trio.open_nursery() as nursery:
            with self._accepting:
                while True:
                    await self._accept(nursery)
            self._listener.close()
            nursery.cancel_scope.deadline = trio.current_time() + self._limits.grace_seconds

    async def _accept(self, nursery: trio.Nursery) -> None:
        await self._room.acquire()
        try:
            accepted, _ = await self._listener.accept()
        except BaseException as error:
            self._room.release()
            if isinstance(error, OSError):  # no descriptor is left, or the peer is gone already
                self._tell(f"a connection could not be accepted: {error.strerror}")
                await trio.sleep(0.1)  # accept(2) would fail again at once: no busy loop
                return
            raise
        connection = socket.socket(fileno=accepted.detach())
        uid = peer_uid(connection)
        self.counts.accepted += 1
        if self._turns_away(uid):
            connection.close()
            self._room.release()
            self.counts.faults["turned_away"] += 1
        else:
            self._shares[uid].open += 1
            self.counts.open += 1
            nursery.start_soon(self._serve, connection, uid)

    def _turns_away(self, uid: int) -> bool:
        share = self._shares.get(uid)
        if share is None:
            self._tell(f"a peer of uid {uid} was turned away")
        elif share.open >= share.most:
            self._tell(f"a peer of uid {uid} was turned away: {share.open} of its connections are open")
        else:
            return False
        return True

    async def _serve(self, connection: socket.socket, uid: int) -> None:
        share = self._shares[uid]
        try:
            with connection, self._hang_ups.watching(connection) as gone:
                if await self._says_something(connection, uid) and await _unless(gone, share.slots.acquire):
                    try:
                        await self._run_child(connection, uid, gone)
                    finally:
                        share.slots.release()
        except (LaunchFailed, OSError) as error:
            self._tell(f"a connection was not served: {error}")
            self.counts.faults["failed"] += 1
        finally:
            share.open -= 1
            self.counts.open -= 1
            self._room.release()

    async def _says_something(self, connection: socket.socket, uid: int) -> bool:
        """Wait for the first byte without consuming it; False if none came in time or the peer has gone."""
        with trio.move_on_after(self._limits.handshake_seconds):
            await trio.lowlevel.wait_readable(connection)
            with suppress(ConnectionResetError):
                return bool(connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
            return False
        self._tell_of_silence(uid)
        return False

    async def _run_child(self, connection: socket.socket, uid: int, gone: trio.Event) -> None:
        if has_hung_up(connection):
            return
        connection.setblocking(True)  # the child shares the file description, and must block on it
        reading, writing = os.pipe()
        async with trio.lowlevel.FdStream(reading) as notes:
            try:
                number = connection.fileno()
                pid, _ = await self._zygote.fork((number, number, writing))
            finally:
                os.close(writing)
            try:
                exited = ExitWatch(pid)
            except OSError:
                end_at_once(pid)
                raise
            try:
                with self.counts.child():
                    await self._watch(NewChild(pid, uid, notes), gone, exited)
            finally:
                exited.kill()
                with trio.move_on_after(_REAP_SECONDS, shield=True):
                    await exited.wait()
                    self._reap(pid)
                exited.close()

    async def _watch(self, child: NewChild, gone: trio.Event, exited: ExitWatch) -> None:
        """Return when the child has ended or must be killed."""
        with trio.move_on_after(self._limits.run_seconds) as whole:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_end_after, gone.wait, nursery.cancel_scope)
                nursery.start_soon(self._shake_hands, child, nursery.cancel_scope)
                await exited.wait()
                nursery.cancel_scope.cancel()
        if whole.cancelled_caught:
            self._tell(f"a connection was ended after {self._limits.run_seconds:g} s")
            self.counts.faults["timeout"] += 1

    async def _shake_hands(self, child: NewChild, scope: trio.CancelScope) -> None:
        """Cancel the scope if the cage is not closed in time, or not as reported."""
        with trio.move_on_after(self._limits.handshake_seconds):
            if not await closed_its_cage(child, self._terms, self._tell):
                await _end_after(trio.lowlevel.checkpoint, scope)
            return
        self._tell_of_silence(child.uid)
        scope.cancel()

    def _tell_of_silence(self, uid: int) -> None:
        seconds = self._limits.handshake_seconds
        self._tell(f"a peer of uid {uid} did not initialize its child in {seconds:g} s")
        self.counts.faults["silent"] += 1

    def _reap(self, pid: int) -> None:
        with suppress(ChildProcessError):
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            if status < 0 and -status != signal.SIGKILL:
                self._tell(f"a child was ended by {signal_name(-status)}")
                self.counts.faults["crashed"] += 1
                self._zygote.distrust()


async def _unless(event: trio.Event, function: Callable[[], Awaitable[object]]) -> bool:
    """Run a function and cancel it if the event comes first; whether it returned."""
    done = False
    async with trio.open_nursery() as nursery:

        async def cancel() -> None:
            await event.wait()
            nursery.cancel_scope.cancel()

        nursery.start_soon(cancel)
        await function()
        done = True
        nursery.cancel_scope.cancel()
    return done


async def _end_after(wait: Callable[[], Awaitable[object]], scope: trio.CancelScope) -> None:
    """Wait, then give the child `_LEAVE_SECONDS` to exit by itself, then cancel."""
    await wait()
    await trio.sleep(_LEAVE_SECONDS)
    scope.cancel()
