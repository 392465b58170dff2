"""What is left of a stream whose browser is gone: nothing. A server inside of this program, real sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import trio
from starlette.applications import Starlette

from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.ui import server
from flowcage.host.ui.api.kept import KeptRuns
from flowcage.host.ui.api.resuming import Resuming
from flowcage.host.ui.api.routes import Api
from flowcage.host.ui.api.sse import MOST, Streams

from ..e2e import kept
from .live import Place

DEADLINE = 300


class Served(NamedTuple):
    """A server of this program; it has no door."""

    port: int
    streams: Streams
    nursery: trio.Nursery

    async def ask(self, path: str) -> trio.SocketStream:
        stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        await stream.send_all(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        return stream


@asynccontextmanager
async def served(path: Path) -> AsyncIterator[Served]:
    store = await trio.to_thread.run_sync(SqliteStore.open, path)
    try:
        api = Api(KeptRuns(store, path=path), Resuming((), None))
        listener = server.listening("127.0.0.1", 0)
        port, began = listener.getsockname()[1], trio.Event()
        async with trio.open_nursery() as nursery:
            app = Starlette(routes=api.routes())
            nursery.start_soon(server.serve_until_cancelled, app, listener, began.set)
            await began.wait()
            yield Served(port, api.streams, nursery)
            nursery.cancel_scope.cancel()
    finally:
        await store.aclose()


async def until(is_so: Callable[[], bool]) -> None:
    with trio.fail_after(DEADLINE):
        while not is_so():  # noqa: ASYNC110 - the kernel tells of it by no event
            await trio.sleep(0.01)


def run(path: Path, work: Callable[[Served], Awaitable[None]]) -> None:
    async def main() -> None:
        async with served(path) as serving:
            await work(serving)

    trio.run(main)


def test_a_browser_that_closes_leaves_no_task_behind(tmp_path: Path) -> None:
    kept.make(tmp_path / "runs.db", "gone", "done-a")

    async def work(serving: Served) -> None:
        before = trio.lowlevel.current_statistics().tasks_living
        for path in ("/runs/stream", "/runs/gone/stream", "/runs/done-a/stream"):
            streams = [await serving.ask(path) for _ in range(3)]
            for stream in streams:
                assert b"200" in await stream.receive_some(1000)
            assert serving.streams.open == 3
            streams[0].socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            for stream in streams:  # the first one by a reset
                await stream.aclose()
            await until(lambda: serving.streams.open == 0)
            await until(lambda: trio.lowlevel.current_statistics().tasks_living <= before)
        assert threading.active_count() < 40

    run(tmp_path / "runs.db", work)


def test_a_browser_that_does_not_read_keeps_nothing_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_UNREAD_MILLISECONDS", 0)  # the kernel would end it, some time later
    place = Place(tmp_path)
    run_id = place.ran("for (let n = 0; n < 4000; n++) log(n + 'x'.repeat(500))")
    browser = socket.socket()
    browser.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    is_stuck = threading.Event()

    def read_at_last() -> None:
        is_stuck.set()
        browser.close()

    async def work(serving: Served) -> None:
        await trio.to_thread.run_sync(browser.connect, ("127.0.0.1", serving.port))
        browser.send(f"GET /runs/{run_id}/stream HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        assert b"200" in await trio.to_thread.run_sync(browser.recv, 100)
        await until(lambda: _is_full(serving.port, browser))

    timer = threading.Timer(DEADLINE, read_at_last)
    timer.start()
    try:
        run(place.store, work)
    finally:
        timer.cancel()
        browser.close()
    assert not is_stuck.is_set()


def _is_full(port: int, browser: socket.socket) -> bool:
    """Whether there is more on its way to the browser than it takes, by what the kernel tells of sockets."""
    ours, theirs = port, browser.getsockname()[1]
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        local, remote, _, queues = line.split()[1:5]
        if int(local.partition(":")[2], 16) == ours and int(remote.partition(":")[2], 16) == theirs:
            return int(queues.partition(":")[0], 16) >= 1 << 14  # as much as trio leaves to the kernel
    return False


def test_so_many_streams_are_open_at_once_and_no_more(tmp_path: Path) -> None:
    kept.make(tmp_path / "runs.db", "gone")

    async def work(serving: Served) -> None:
        streams = [await serving.ask("/runs/gone/stream") for _ in range(MOST)]
        for stream in streams:
            assert b" 200 " in await stream.receive_some(1000)
        refused = await serving.ask("/runs/gone/stream")
        assert b" 503 " in await refused.receive_some(1000)
        for stream in [*streams, refused]:
            await stream.aclose()
        await until(lambda: serving.streams.open == 0)

    run(tmp_path / "runs.db", work)
