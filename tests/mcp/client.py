"""The SDK's own client, and the real command at the other end of a pipe or of HTTP."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trio
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import TextContent

from ..e2e.command import DEADLINE, FLOWCAGE

# The SDK's client leaves generators of its HTTP library to the garbage collector, where it stops to read a
# stream.
OF_CLIENT = pytest.mark.filterwarnings("ignore:Async generator 'http(x|core)2:ResourceWarning")


class Asking:
    """One connection.

    Attributes:
        progress: messages that were told of calls.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.progress: list[str] = []

    async def text(self, tool: str, **given: Any) -> tuple[bool, str]:
        """Whether a tool refuses, and its text."""
        told = await self.client.call_tool(tool, given, progress_callback=self._note)
        (content,) = told.content
        assert isinstance(content, TextContent)
        return told.is_error, content.text

    async def ok(self, tool: str, **given: Any) -> Any:
        """What a tool tells, which must be JSON."""
        is_error, text = await self.text(tool, **given)
        assert not is_error, text
        return json.loads(text)

    async def refused(self, tool: str, **given: Any) -> str:
        """Why a tool refuses."""
        is_error, text = await self.text(tool, **given)
        assert is_error, text
        return text

    async def read(self, uri: str) -> str:
        """A resource."""
        (content,) = (await self.client.read_resource(uri)).contents
        return str(getattr(content, "text", ""))

    async def _note(self, progress: float, total: float | None, message: str | None) -> None:
        assert (progress > 0, total) == (True, None)
        self.progress.append(message or "")


def end_all(store: Path) -> None:
    """End the runs of a store that detached processes carry out."""
    if not store.exists():
        return
    listed = subprocess.run(
        [FLOWCAGE, "ls", "--json", f"--store={store}"], capture_output=True, check=True, timeout=DEADLINE
    )
    for run in json.loads(listed.stdout):
        if run["state"] != "ended":
            subprocess.run(
                [FLOWCAGE, "cancel", "--wait", f"--store={store}", run["runId"]], check=True, timeout=DEADLINE
            )


def command(store: Path, *words: str) -> list[str]:
    """The words of a server."""
    return [str(FLOWCAGE), "mcp", "--agent=mock", f"--store={store}", *words]


class Listening:
    """A server over HTTP.

    Attributes:
        process: of it.
        url: that it has told.
        token: that lets in.
    """

    def __init__(self, process: subprocess.Popen[str], url: str, token: str) -> None:
        self.process = process
        self.url = url
        self.token = token

    @property
    def headers(self) -> dict[str, str]:
        """Of a client that is let in."""
        return {"authorization": f"Bearer {self.token}"}


@contextmanager
def listening(folder: Path, *words: str) -> Iterator[Listening]:
    """A server over HTTP that works in a folder."""
    token = folder / "token"
    program = command(folder / "runs.db", "--http=127.0.0.1:0", f"--token-file={token}", *words)
    process = subprocess.Popen(program, cwd=folder, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        told = process.stderr.readline()
        found = re.search(r"serving (http://\S+/mcp), ", told)
        assert found, told + process.stderr.read()
        yield Listening(process, found[1], token.read_text().strip())
    finally:
        process.kill()
        process.wait(DEADLINE)
        said = process.stderr.read()
        process.stderr.close()
    assert said in ("", "flowcage: ended by SIGTERM\n"), said


STDIO, HTTP, SESSION = "stdio", "http", "http with a session"
TRANSPORTS = (STDIO, HTTP, SESSION)


def with_client(
    folder: Path, work: Callable[[Asking], Awaitable[None]], *words: str, over: str = STDIO
) -> None:
    """Do something with a server that works in a folder.

    Args:
        folder: that it works in.
        work: what is done.
        words: options of the server.
        over: a transport; with a session is what protocols before 2026 do over HTTP.
    """

    async def main() -> None:
        with trio.fail_after(DEADLINE):
            async with _client(folder, words, over) as client:
                await work(Asking(client))

    trio.run(main)


@asynccontextmanager
async def _client(folder: Path, words: tuple[str, ...], over: str) -> AsyncIterator[Client]:
    if over == STDIO:
        program, *rest = command(folder / "runs.db", *words)
        async with Client(StdioServerParameters(command=program, args=rest, cwd=folder)) as client:
            yield client
        return
    with listening(folder, *words) as server:
        async with connected(server, is_old=over == SESSION) as client:
            yield client


@asynccontextmanager
async def connected(server: Listening, *, is_old: bool = False) -> AsyncIterator[Client]:
    """A client of a server over HTTP."""
    async with httpx2.AsyncClient(headers=server.headers, timeout=DEADLINE) as http:
        transport = streamable_http_client(server.url, http_client=http)
        async with Client(transport, mode="legacy" if is_old else "auto") as client:
            yield client
