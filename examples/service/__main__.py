"""``python -m examples.service``: serve until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import gc
import math
import os
import signal
import socket
from contextlib import nullcontext
from pathlib import Path

import uvicorn

from flowcage import SqliteStore
from flowcage.asgi import RunRoutes
from flowcage.asyncio import Host
from flowcage.errors import FlowcageError

from .agent import fake_agent
from .app import app_of, options_for
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
    parser.add_argument("--store", type=Path, default=Path("service.db"), help="where runs are kept")
    parser.add_argument("--max-runs", type=count, default=16, help="at once, over all tenants")
    parser.add_argument("--agent-seconds", type=seconds, default=0.05, help="how slow the fake agent is")
    parser.add_argument("--grace-seconds", type=seconds, default=5, help="for clients that wait at SIGTERM")
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
    try:
        store = SqliteStore.open(chosen.store)
    except (OSError, FlowcageError) as error:
        parser.error(f"--store {chosen.store}: {error}")
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    try:
        asyncio.run(_serve(chosen, tenants, listener, store))
    finally:
        store.close()


async def _serve(
    chosen: argparse.Namespace, tenants: Tenants, listener: socket.socket, store: SqliteStore
) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    options = options_for(fake_agent(chosen.agent_seconds))
    # What one instance of the service has to leave, the next one takes up.
    host = Host(tenants=tenants.limits, max_runs=chosen.max_runs, options=options, store=store, takes_up=True)
    routes = RunRoutes(host, tenants.tenant_of)
    patience = math.ceil(chosen.grace_seconds + 2 * UNREAD_MILLISECONDS / 1000)
    config = uvicorn.Config(app_of(routes), log_level="warning", timeout_graceful_shutdown=patience)
    server = _Server(config)
    async with host:
        serving = asyncio.create_task(server.serve([listener]))
        print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        await stopping.wait()
        routes.close()
        server.should_exit = True
        await asyncio.wait([serving], timeout=chosen.grace_seconds)
    # Leaving the block killed the runs that went on; clients that wait for one are answered with 503 now.
    await serving


class _Server(uvicorn.Server):
    capture_signals = staticmethod(nullcontext)  # type: ignore[assignment]  # ours end the host, too


def _listener(port: int) -> socket.socket:
    """A listening socket whose options all connections inherit."""
    listener = socket.create_server(("127.0.0.1", port))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MILLISECONDS)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    return listener


if __name__ == "__main__":
    main()
