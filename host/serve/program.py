"""``flowcage serve`` as a program: socket, descriptors, signals, log."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import trio

from flowcage.host.run.event_loops import run_to_end
from flowcage.host.serve.counts import Counts
from flowcage.host.serve.server import ServeLimits, Server
from flowcage.host.serve.service_manager import ServiceManager, service_manager
from flowcage.host.serve.socket import ListenError, handed_over, listening
from flowcage.host.tenants.token_bucket import TokenBucket
from flowcage.protocol.terms import Terms

# Of the log. Peers cause most lines, and could fill a disk with them.
MAX_LINES_A_MINUTE = 600
# Of a connection with a child: the socket, two ends of the note's pipe, and the pidfd.
_DESCRIPTORS_A_CHILD = 4
# For the listener, the zygote, trio and the interpreter.
_OTHER_DESCRIPTORS = 50


def serve_until_told_to_end(
    path: Path | None,
    mode: int,
    allowed_uids: frozenset[int] | None,
    tell: Callable[[str], None],
    *,
    limits: ServeLimits,
    terms: Terms,
    expose: Callable[[Counts], AbstractContextManager[None]] | None = None,
) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP; a second one ends open connections at once.

    Args:
        path: of the socket; None for the one that systemd has passed.
        mode: permissions of the socket, as for chmod(2).
        allowed_uids: users whose peers are served; None for this process's own.
        tell: called with each line of the log; must not block.
        limits: of connections; at least one for each user.
        terms: ceilings and isolation for peers.
        expose: shows the server's counts for the length of a block; None for nobody.

    Raises:
        ListenError: there is no socket to listen on, or it cannot be made.
    """
    manager = service_manager()
    with ExitStack() as showing, ExitStack() as stack:
        listener = handed_over(os.environ)
        if path is not None:
            listener = stack.enter_context(listening(path, mode))
        if listener is None:
            raise ListenError("systemd has passed no socket (sd_listen_fds(3)); name one with --socket PATH")
        _have_descriptors(limits, tell)
        rationed = _Rationed(tell)
        server = Server(listener, limits, terms, allowed_uids, rationed)

        def stop() -> None:
            manager.stopping("waits for open connections")
            stack.close()  # removes the path first: peers that come during the grace are refused at once
            server.stop()

        try:
            if expose is not None:
                showing.enter_context(expose(server.counts))
            run_to_end(lambda: _until_signalled(server, stop, tell, manager))
        finally:
            rationed.tell_of_left_out()


def _have_descriptors(limits: ServeLimits, tell: Callable[[str], None]) -> None:
    """Raise RLIMIT_NOFILE, as far as allowed, to what all connections can need at once.

    Otherwise waiting peers could take the descriptors that a connection needs for its child.
    """
    most = _OTHER_DESCRIPTORS + _DESCRIPTORS_A_CHILD * limits.max_connections + limits.max_waiting
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= most or soft == resource.RLIM_INFINITY:
        return
    allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < most:
        tell(
            f"warning: only {allowed} descriptors are allowed (ulimit -n), but --max-connections and "
            f"--max-waiting may need {most}; raise it or lower them, or some peers will not be served"
        )


class _Rationed:
    """Passes on `MAX_LINES_A_MINUTE` lines, and counts the others in a line of their own."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._bucket = TokenBucket(MAX_LINES_A_MINUTE, time.monotonic())
        self._left_out = 0

    def __call__(self, line: str) -> None:
        """Pass a line on, or count it."""
        now = time.monotonic()
        if not self._bucket.holds(2, now):
            self._left_out += 1
            return
        self.tell_of_left_out()
        self._bucket.take(1, now)
        self._tell(line)

    def tell_of_left_out(self) -> None:
        """Pass on the count of lines that were left out, if there are any; it is a line too."""
        if self._left_out:
            self._bucket.take(1, time.monotonic())
            self._tell(f"{self._left_out} lines left out: more than {MAX_LINES_A_MINUTE} a minute")
            self._left_out = 0


async def _until_signalled(
    server: Server, stop: Callable[[], None], tell: Callable[[str], None], manager: ServiceManager
) -> None:
    def status() -> str:
        return f"{server.counts.open} connections, {server.counts.children} with a child"

    async with trio.open_nursery() as nursery:
        await nursery.start(_heed_signals, stop, nursery.cancel_scope)
        nursery.start_soon(manager.keep_alive, status)
        tell("serving")
        manager.ready("serving")
        await server.run()
        nursery.cancel_scope.cancel()


async def _heed_signals(
    stop: Callable[[], None],
    everything: trio.CancelScope,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        task_status.started()
        async for _ in signals:
            stop()
            break
        async for _ in signals:
            everything.cancel()
