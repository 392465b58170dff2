"""Clients that go away, read nothing, or send what is no message; and signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
import trio
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCNotification

from flowcage.host.cli.mcp.flight import AT_ONCE, BUSY
from flowcage.host.cli.mcp.stdio import MESSAGE_BYTES, ClientGone, Wire

from ..e2e.command import DEADLINE, flowcage
from .client import command

INITIALIZE = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}
SLEEPS = "import { sleep } from 'workflow:extra'; export default () => sleep(3_600_000);"


class Server:
    """The command, with its pipes in the hands of a test."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._count = 0

    def send(self, method: str, **params: Any) -> None:
        """A request."""
        self._count += 1
        self._write({"id": self._count, "method": method, "params": params})

    def notify(self, method: str, **params: Any) -> None:
        """A notification."""
        self._write({"method": method, "params": params})

    def _write(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self.process.stdin.flush()

    def read(self) -> Any:
        """The next message."""
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def ask(self, method: str, **params: Any) -> Any:
        """A request, and the next message."""
        self.send(method, **params)
        return self.read()

    def tool(self, name: str, **given: Any) -> Any:
        """What a tool tells."""
        told = self.ask("tools/call", name=name, arguments=given)
        return json.loads(told["result"]["content"][0]["text"])


@contextmanager
def begun(folder: Path) -> Iterator[Server]:
    process = subprocess.Popen(
        command(folder / "runs.db"),
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        server = Server(process)
        assert server.ask("initialize", **INITIALIZE)["result"]["serverInfo"]["name"] == "flowcage"
        yield server
    finally:
        process.kill()
        process.wait(DEADLINE)
        for pipe in (process.stdin, process.stdout, process.stderr):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()


def test_a_client_that_ends_its_stream_ends_the_server_though_a_tool_waits(tmp_path: Path) -> None:
    with begun(tmp_path) as server:
        run_id = server.tool("run", source=SLEEPS)["runId"]
        server.send("tools/call", name="wait", arguments={"run": run_id, "seconds": 3600})
        assert server.process.stdin is not None
        server.process.stdin.close()
        assert server.process.wait(DEADLINE) == 0
    # The run is a process of its own, and goes on.
    store = f"--store={tmp_path / 'runs.db'}"
    assert json.loads(flowcage("show", run_id, "--json", store).stdout)["state"] in ("running", "asleep")
    assert flowcage("cancel", run_id, store).status == 0
    flowcage("wait", run_id, store)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server(number: signal.Signals, tmp_path: Path) -> None:
    with begun(tmp_path) as server:
        server.process.send_signal(number)
        assert server.process.wait(DEADLINE) == 128 + number


def test_lines_that_are_no_messages_end_nothing(tmp_path: Path) -> None:
    with begun(tmp_path) as server:
        assert server.process.stdin is not None
        server.process.stdin.write(b"\n{\n\xff\xfe\n[]\n" + b"[" * 100_000 + b"\n" + b'["\\ud800"]\n')
        for identifier in ("{}", "1.5", "true"):  # whoever sends these waits for an answer
            asked = f'{{"jsonrpc": "2.0", "id": {identifier}, "method": "tools/list"}}\n'
            server.process.stdin.write(asked.encode())
        server.process.stdin.flush()
        told = [server.read() for _ in range(8)]
        assert {(each["id"], each["error"]["code"]) for each in told} == {(None, -32700)}
        assert [each["error"]["message"] for each in told].count("nested more than 512 levels deep") == 1
        assert len(server.ask("tools/list")["result"]["tools"]) == 10


def test_a_message_that_is_too_long_ends_the_server_with_a_word(tmp_path: Path) -> None:
    with begun(tmp_path) as server:
        assert server.process.stdin is not None
        assert server.process.stderr is not None
        try:
            server.process.stdin.write(b"x" * (MESSAGE_BYTES + 100_000))
            server.process.stdin.flush()
        except BrokenPipeError:
            pass
        assert server.process.wait(DEADLINE) == 1
        said = server.process.stderr.read().decode()
    assert said == f"flowcage: a message of more than {MESSAGE_BYTES:,} bytes\n"


def test_what_a_tool_starts_inherits_no_stream_of_the_client(tmp_path: Path) -> None:
    with begun(tmp_path) as server:
        assert server.tool("check", source="return 1")["errors"] == 0
        run_id = server.tool("run", source=SLEEPS)["runId"]
        assert server.process.stdin is not None
        assert server.process.stdout is not None
        server.process.stdin.close()
        assert server.process.stdout.read() == b""  # comes to its end although the run goes on
    flowcage("cancel", run_id, f"--store={tmp_path / 'runs.db'}")


def test_of_a_client_that_reads_nothing_no_more_is_taken_and_it_counts_as_gone() -> None:
    incoming, fed = os.pipe()
    unread, outgoing = os.pipe()
    long = "x" * 1_000_000

    async def main() -> None:
        async with Wire(incoming, outgoing, unread_seconds=0.2).streams() as (receiving, sending):
            await sending.send(SessionMessage(JSONRPCNotification(jsonrpc="2.0", method=long)))
            async for _ in receiving:
                pass

    with pytest.RaisesGroup(pytest.RaisesExc(ClientGone, match="read nothing for 0.2 seconds")):
        trio.run(main)
    os.close(fed)
    os.close(unread)


def test_no_more_is_taken_than_is_answered_where_a_client_reads_no_answers() -> None:
    incoming, fed = os.pipe()
    unread, outgoing = os.pipe()
    os.write(fed, b'{"jsonrpc":"2.0","method":"x"}\n' * 1_000)  # come in one piece
    answer = SessionMessage(JSONRPCNotification(jsonrpc="2.0", method="x" * 30_000))
    taken = 0

    async def tell(sending: Any) -> None:
        with suppress(anyio.BrokenResourceError):
            await sending.send(answer)

    async def main() -> None:
        nonlocal taken
        async with (
            Wire(incoming, outgoing, unread_seconds=0.2).streams() as (receiving, sending),
            trio.open_nursery() as nursery,
        ):
            async for _ in receiving:
                taken += 1
                nursery.start_soon(tell, sending)

    with pytest.RaisesGroup(pytest.RaisesExc(ClientGone, match="read nothing for"), flatten_subgroups=True):
        trio.run(main)
    assert 2 < taken < 20  # a pipe holds two
    os.close(fed)
    os.close(unread)


def test_more_than_some_requests_at_once_are_refused(tmp_path: Path) -> None:
    with begun(tmp_path) as server:
        run_id = server.tool("run", source=SLEEPS)["runId"]
        for _ in range(AT_ONCE):
            server.send("tools/call", name="wait", arguments={"run": run_id, "seconds": 3600})
        told = server.ask("tools/list")
        assert told["error"] == {
            "code": BUSY,
            "message": f"{AT_ONCE} requests are at work already; wait until one has ended",
        }
        server.notify("notifications/cancelled", requestId=told["id"] - 1)
        while "error" in (told := server.ask("tools/list")):
            assert told["error"]["code"] == BUSY
        assert len(told["result"]["tools"]) == 10
    flowcage("cancel", run_id, f"--store={tmp_path / 'runs.db'}")


def test_a_client_that_has_closed_what_it_reads_counts_as_gone() -> None:
    incoming, fed = os.pipe()
    unread, outgoing = os.pipe()
    os.close(unread)

    async def main() -> None:
        async with Wire(incoming, outgoing).streams() as (receiving, sending):
            await sending.send(SessionMessage(JSONRPCNotification(jsonrpc="2.0", method="x")))
            async for _ in receiving:
                pass

    with pytest.RaisesGroup(ClientGone):
        trio.run(main)
    os.close(fed)


def test_without_the_sdk_the_command_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "mcp.py").write_text("raise ImportError('none', name='mcp')")
    done = flowcage("mcp", env={"PYTHONPATH": str(tmp_path)}, cwd=tmp_path)
    assert (done.status, done.stderr) == (
        2,
        "flowcage: this needs packages that are missing (mcp): pip install 'flowcage[mcp]'\n",
    )
