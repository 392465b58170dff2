"""Runs of a host behind each kind of server: a real one in this process, spoken to over a socket.

What a test does, and its handlers, are written once with anyio, and run on asyncio, uvloop and trio.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Self

import anyio
import httpx
import pytest
import trio
import uvicorn
import uvloop
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream
from fastapi import FastAPI
from starlette.requests import Request

import flowcage
import flowcage.asyncio
from flowcage import AgentAnswer, AgentCall, RunOptions, SqliteStore
from flowcage.asgi import RunRoutes

from ..host.left_over import nothing_left

# Of a test that hangs; nothing is measured.
DEADLINE = 300
TENANTS = {"Bearer acme": "acme", "Bearer zeta": "zeta"}
EACH_SERVER = pytest.mark.parametrize("server", ["asyncio", "uvloop", "trio"])

# The first uvloop of a process opens what it keeps.
uvloop.run(asyncio.sleep(0))


class Event(NamedTuple):
    """One of a stream, as a client has it."""

    name: str
    data: Any
    id: str | None


class Gate:
    """An agent that waits to be released, on whichever loop it is."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.at_work, self.released = anyio.Event(), anyio.Event()
        self.was_cancelled = anyio.Event()

    async def __call__(self, call: AgentCall) -> AgentAnswer:
        self.asked.append(call.prompt)
        self.at_work.set()
        try:
            await self.released.wait()
        except anyio.get_cancelled_exc_class():
            self.was_cancelled.set()
            raise
        return AgentAnswer(call.prompt.upper(), tokens=3)


async def upper(call: AgentCall) -> AgentAnswer:
    """An agent that answers at once."""
    return AgentAnswer(call.prompt.upper(), tokens=3)


def tenant_of(request: Request) -> str | None:
    """By a token."""
    return TENANTS.get(request.headers.get("authorization", ""))


class Client:
    """A client of one tenant.

    Attributes:
        http: for what has no method here.
        routes: of the server.
        host, store: behind them.
        gate: the agent, where it is one.
        group: of tasks that may outlast the host.
    """

    group: anyio.abc.TaskGroup

    def __init__(self, base: str, routes: RunRoutes, host: Any, store: SqliteStore, gate: Gate) -> None:
        self.http = httpx.AsyncClient(
            base_url=base, headers={"authorization": "Bearer acme"}, timeout=DEADLINE
        )
        self.routes = routes
        self.host = host
        self.store = store
        self.gate = gate

    async def get(self, path: str, **more: Any) -> httpx.Response:
        return await self.http.get(path, **more)

    async def post(self, path: str, body: Any, **more: Any) -> httpx.Response:
        return await self.http.post(path, json=body, **more)

    async def start(self, source: str, **more: Any) -> str:
        """Start a run: its id."""
        got = await self.post("/runs", {"source": source, **more})
        assert got.status_code == 202, got.text
        run_id: str = got.json()["runId"]
        assert got.headers["location"].endswith(f"/runs/{run_id}")
        return run_id

    async def outcome(self, run_id: str) -> Any:
        """Wait for the end of a run."""
        last = (await self.events(run_id))[-1]
        assert last.name == "outcome"
        return last.data

    async def events(self, run_id: str, after: str | None = None, until: str | None = None) -> list[Event]:
        """Those of a run, until one of this name, or until the stream ends."""
        heard: list[Event] = []
        async with await self.listen(f"/runs/{run_id}/events", after) as stream:
            while (event := await stream.next()) is not None:
                heard.append(event)
                if event.name == until:
                    return heard
        assert until is None, heard
        return heard

    async def listen(self, path: str, after: str | None = None) -> Stream:
        """A stream, on a connection of its own."""
        url = self.http.base_url
        socket = await anyio.connect_tcp("127.0.0.1", url.port or 0)
        again = "" if after is None else f"last-event-id: {after}\r\n"
        # In this version of HTTP a body has no chunks.
        head = f"GET /v1{path} HTTP/1.0\r\nhost: x\r\nauthorization: Bearer acme\r\n{again}\r\n"
        await socket.send(head.encode())
        stream = Stream(socket)
        await stream.read_head()
        return stream


class Stream:
    """Server-Sent Events as they come.

    Attributes:
        status: of HTTP.
    """

    status: int

    def __init__(self, socket: SocketStream) -> None:
        self.socket = socket
        self._read = BufferedByteReceiveStream(socket)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.socket.aclose()

    async def read_head(self) -> None:
        """Wait for the answer to begin."""
        head = await self._read.receive_until(b"\r\n\r\n", 65_536)
        self.status = int(head.split()[1])

    async def next(self) -> Event | None:
        """The next event; None at the end."""
        members: dict[str, str] = {}
        while "data" not in members:
            try:
                block = await self._read.receive_until(b"\n\n", 1 << 24)
            except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError):
                return None
            lines = [line.partition(": ") for line in block.decode().split("\n")]
            members = {name: value for name, _, value in lines}
        return Event(members["event"], json.loads(members["data"]), members.get("id"))


Work = Callable[[Client], Awaitable[None]]


def run(
    server: str,
    path: Path,
    work: Work,
    *,
    after: Work | None = None,
    gated: bool = False,
    options: RunOptions | None = None,
    routes: Mapping[str, Any] = MappingProxyType({}),
    **of_host: Any,
) -> None:
    """Serve the runs of a store, have `work` done beside it, and end it; nothing is left of it.

    Args:
        server: one of `EACH_SERVER`.
        path: of a folder for the store.
        work: of the client.
        after: is done when the block of the host was left.
        gated: whether the agent waits for `Client.gate`; otherwise it answers at once.
        options: of all runs.
        routes, of_host: further arguments of the routes and the host.
    """

    async def main() -> None:
        with anyio.fail_after(DEADLINE):
            store = await anyio.to_thread.run_sync(SqliteStore.open, path / "runs.db")
            try:
                await _serve_runs(store)
            finally:
                await anyio.to_thread.run_sync(store.close)

    async def _serve_runs(store: SqliteStore) -> None:
        gate = Gate()
        chosen = replace(options or RunOptions(), agent=gate if gated else upper)
        host: Any = (flowcage.Host if server == "trio" else flowcage.asyncio.Host)(
            store=store, options=chosen, **of_host
        )
        program, app = RunRoutes(host, tenant_of, **routes), FastAPI()
        app.mount("/v1", program)
        async with _served(server, app) as port:
            client = Client(f"http://127.0.0.1:{port}/v1", program, host, store, gate)
            async with client.http, anyio.create_task_group() as client.group:
                async with host:
                    await work(client)
                if after is not None:
                    await after(client)

    backend = "trio" if server == "trio" else "asyncio"
    with nothing_left(recursive=True):
        anyio.run(main, backend=backend, backend_options={"use_uvloop": True} if server == "uvloop" else {})


@asynccontextmanager
async def _served(server: str, app: Any) -> AsyncIterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        serve = _on_trio if server == "trio" else _on_asyncio
        async with serve(app, listener):
            yield port


@asynccontextmanager
async def _on_asyncio(app: Any, listener: socket.socket) -> AsyncIterator[None]:
    served = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=5))
    served.capture_signals = nullcontext  # type: ignore[method-assign,assignment]
    task = asyncio.create_task(served.serve(sockets=[listener]))
    while not served.started and not task.done():  # noqa: ASYNC110 - it has no event for that
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        served.should_exit = True
        await task


@asynccontextmanager
async def _on_trio(app: Any, listener: socket.socket) -> AsyncIterator[None]:
    from hypercorn.config import Config
    from hypercorn.trio import serve

    config, stopping = Config(), trio.Event()
    config.bind, config.graceful_timeout = [f"fd://{listener.detach()}"], 5
    config.errorlog = None
    async with trio.open_nursery() as nursery:
        await nursery.start(_serve, serve, app, config, stopping.wait)
        try:
            yield
        finally:
            stopping.set()


async def _serve(serve: Any, app: Any, config: Any, trigger: Any, *, task_status: Any) -> None:
    await serve(app, config, shutdown_trigger=trigger, task_status=task_status)
