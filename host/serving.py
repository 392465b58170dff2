"""``flowcage serve`` as a program: its socket, its signals, its end."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import trio

from flowcage.host.blocking import run_to_end
from flowcage.host.listening import ListenError, handed_over, listening
from flowcage.host.serve import ServeLimits, Server


def serve_until_told_to_end(
    path: Path | None,
    mode: int,
    allowed_uids: frozenset[int] | None,
    tell: Callable[[str], None],
    *,
    max_connections: int,
    handshake_timeout: float,
    timeout: float,
    grace: float,
) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP; a second one ends open connections at once.

    Args:
        path: of the socket; None for the one that was handed over.
        mode: of the socket, as chmod(2).
        allowed_uids: None for this process's own user.
        tell: takes what a person should know.
        max_connections, handshake_timeout, timeout, grace: as `ServeLimits`.

    Raises:
        ListenError: there is nothing to listen on.
    """
    limits = ServeLimits(max_connections, handshake_timeout, timeout, grace)
    with ExitStack() as stack:
        listener = handed_over(os.environ)
        if path is not None:
            listener = stack.enter_context(listening(path, mode))
        if listener is None:
            raise ListenError("no socket was handed over (sd_listen_fds(3)); name one with --socket PATH")
        server = Server(listener, limits, allowed_uids, tell)

        def stop() -> None:
            stack.close()  # the path goes now: whoever comes in the grace is refused and need not wait
            server.stop()

        run_to_end(lambda: _until_signalled(server, stop, tell))


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
