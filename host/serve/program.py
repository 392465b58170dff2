"""``flowcage serve`` as a program: its socket, its signals, its end."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import trio

from flowcage.host.run.blocking import run_to_end
from flowcage.host.serve.server import ServeLimits, Server
from flowcage.host.serve.socket import ListenError, handed_over, listening
from flowcage.host.tenants.token_bucket import TokenBucket
from flowcage.protocol.terms import Terms

# Peers cause most lines: more would be their way to fill a disk.
MAX_LINES_A_MINUTE = 600
# Of a connection with a child: its own, the two ends of the pipe of the note, and one to watch the child by.
_DESCRIPTORS_A_CHILD = 4
_OTHER_DESCRIPTORS = 50


def serve_until_told_to_end(
    path: Path | None,
    mode: int,
    allowed_uids: frozenset[int] | None,
    tell: Callable[[str], None],
    *,
    limits: ServeLimits,
    terms: Terms,
) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP; a second one ends open connections at once.

    Args:
        path: of the socket; None for the one that was handed over.
        mode: of the socket, as chmod(2).
        allowed_uids: None for this process's own user.
        tell: takes what a person should know; must not wait.
        limits: of connections; at least one for each user.
        terms: of peers.

    Raises:
        ListenError: there is nothing to listen on.
    """
    with ExitStack() as stack:
        listener = handed_over(os.environ)
        if path is not None:
            listener = stack.enter_context(listening(path, mode))
        if listener is None:
            raise ListenError("no socket was handed over (sd_listen_fds(3)); name one with --socket PATH")
        _have_descriptors(limits, tell)
        rationed = _Rationed(tell)
        server = Server(listener, limits, terms, allowed_uids, rationed)

        def stop() -> None:
            stack.close()  # the path goes now: whoever comes in the grace is refused and need not wait
            server.stop()

        try:
            run_to_end(lambda: _until_signalled(server, stop, tell))
        finally:
            rationed.tell_of_left_out()


def _have_descriptors(limits: ServeLimits, tell: Callable[[str], None]) -> None:
    """See that peers who only wait cannot leave none to those who have a turn, as far as this process may."""
    most = _OTHER_DESCRIPTORS + _DESCRIPTORS_A_CHILD * limits.max_connections + limits.max_waiting
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= most or soft == resource.RLIM_INFINITY:
        return
    allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < most:
        tell(
            f"warning: only {allowed} descriptors are allowed (ulimit -n), and so many connections may take "
            f"{most}; some may not be served"
        )


class _Rationed:
    """Passes on so many lines a minute, and then how many it left out."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._bucket = TokenBucket(MAX_LINES_A_MINUTE, time.monotonic())
        self._left_out = 0

    def __call__(self, line: str) -> None:
        """Pass on a line."""
        now = time.monotonic()
        if not self._bucket.holds(2, now):
            self._left_out += 1
            return
        self.tell_of_left_out()
        self._bucket.take(1, now)
        self._tell(line)

    def tell_of_left_out(self) -> None:
        """Say how many lines there would have been, if any; it is a line, too."""
        if self._left_out:
            self._bucket.take(1, time.monotonic())
            self._tell(f"{self._left_out} lines left out: more than {MAX_LINES_A_MINUTE} a minute")
            self._left_out = 0


async def _until_signalled(server: Server, stop: Callable[[], None], tell: Callable[[str], None]) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(_heed_signals, stop, nursery.cancel_scope)
        tell("serving")
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
