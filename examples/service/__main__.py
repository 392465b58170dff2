"""``python -m examples.service``: serve until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import gc
import os
import signal
import socket
from pathlib import Path

import trio
from hypercorn.config import Config
from hypercorn.trio import serve
from quart_trio import QuartTrio

from flowcage import Host, RunOptions

from .agent import fake_agent
from .app import Service
from .arguments import count, seconds
from .tenants import Tenants

# The server waits for each write without a deadline; the kernel ends connections that acknowledge no data.
UNREAD_MILLISECONDS = 10_000
SEND_BUFFER_BYTES = 128 * 1024
# With two thousand requests waiting, a full collection stops the process for up to half a second.
GC_THRESHOLDS = (50_000, 20, 100)


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m examples.service", description="serve workflows by HTTP")
    parser.add_argument("--port", type=int, default=8000, help="on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--tenants", type=Path, default=Path(__file__).with_name("tenants.json"))
    parser.add_argument("--max-runs", type=count, default=16, help="at once, over all tenants")
    parser.add_argument("--agent-seconds", type=seconds, default=0.05, help="how slow the fake agent is")
    parser.add_argument("--grace-seconds", type=seconds, default=5, help="for runs that go on at SIGTERM")
    chosen = parser.parse_args()
    try:
        tenants = Tenants(chosen.tenants)
    except OSError as error:
        parser.error(f"--tenants {chosen.tenants}: {error.strerror}")
    except ValueError as error:
        parser.error(f"--tenants {chosen.tenants}: {error}")
    try:
        listener = _listener(chosen.port)
    except OSError as error:
        parser.error(
            f"--port {chosen.port}: {os.strerror(error.errno or 0)}; choose another one, or 0 for a free one"
        )
    except OverflowError:
        parser.error(f"--port {chosen.port}: expected 0 to 65535")
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    trio.run(_serve, chosen, tenants, listener, restrict_keyboard_interrupt_to_checkpoints=True)


async def _serve(chosen: argparse.Namespace, tenants: Tenants, listener: socket.socket) -> None:
    options = RunOptions(agent=fake_agent(chosen.agent_seconds))
    stopping, stopped = trio.Event(), trio.Event()

    async def listen(app: QuartTrio) -> None:
        await serve(app, _config(chosen, listener), shutdown_trigger=stopping.wait)
        stopped.set()

    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:  # noqa: SIM117 - the server outlives the host
            async with Host(tenants=tenants.limits, max_runs=chosen.max_runs) as host:
                nursery.start_soon(listen, Service(host, tenants, options).app())
                await anext(signals)
                stopping.set()
                with trio.move_on_after(chosen.grace_seconds):
                    await stopped.wait()
            # Leaving the block killed the runs that went on; their clients are answered with 503 now.


def _config(chosen: argparse.Namespace, listener: socket.socket) -> Config:
    print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.graceful_timeout = chosen.grace_seconds + 2 * UNREAD_MILLISECONDS / 1000
    return config


def _listener(port: int) -> socket.socket:
    """A listening socket whose options all connections inherit."""
    listener = socket.create_server(("127.0.0.1", port))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MILLISECONDS)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    return listener


if __name__ == "__main__":
    main()
