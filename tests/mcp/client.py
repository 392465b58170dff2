"""The SDK's own client, and the real command at the other end of a pipe."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import trio
from mcp import Client, StdioServerParameters
from mcp_types import TextContent

from ..e2e.command import DEADLINE, FLOWCAGE


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


def with_client(folder: Path, work: Callable[[Asking], Awaitable[None]], *words: str) -> None:
    """Do something with a server that works in a folder."""
    program, *rest = command(folder / "runs.db", *words)
    server = StdioServerParameters(command=program, args=rest, cwd=folder)

    async def main() -> None:
        with trio.fail_after(DEADLINE):
            async with Client(server) as client:
                await work(Asking(client))

    trio.run(main)
