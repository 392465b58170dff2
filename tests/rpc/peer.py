"""A client of the host protocol by hand: it sends what it is told to, and reads what comes."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import psutil

from flowcage.schemas.host import METHODS
from flowcage.schemas.validate import host_error

FLOWCAGE = Path(sys.executable).with_name("flowcage")
DEADLINE_SECONDS = 40.0
AGENT = {"handlers": ["agent"]}

Message = dict[str, Any]


class Peer:
    """One client.

    Args:
        incoming, outgoing: descriptors that it reads and writes.
    """

    def __init__(self, incoming: int, outgoing: int) -> None:
        self._incoming, self._outgoing = incoming, outgoing
        self._rest = b""
        self._ids = count(1000)
        self._asked: dict[int, str] = {}
        self.seen: list[Message] = []
        self._unread: list[Message] = []

    def send(self, **message: Any) -> None:
        """A message."""
        self.send_bytes(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def send_bytes(self, data: bytes) -> None:
        """Any bytes."""
        while data:
            data = data[os.write(self._outgoing, data) :]

    def begin(self, method: str, **params: Any) -> int:
        """Send a request; its id."""
        identifier = next(self._ids)
        self._asked[identifier] = method
        self.send(id=identifier, method=method, params=params)
        return identifier

    def reply(self, identifier: int) -> Message:
        """The answer to a request."""
        return self.wait(lambda each: each.get("id") == identifier and "method" not in each)

    def ask(self, method: str, **params: Any) -> Any:
        """The result of a request."""
        reply = self.reply(self.begin(method, **params))
        assert "result" in reply, reply
        return reply["result"]

    def refused(self, method: str, **params: Any) -> Any:
        """The error of a request."""
        reply = self.reply(self.begin(method, **params))
        assert "error" in reply, reply
        return reply["error"]["data"]

    def greet(self, **params: Any) -> Any:
        """`initialize`."""
        return self.ask("initialize", protocolVersion="1.0", **params)

    def asked(self, method: str = "agent.ask") -> Message:
        """The next request of the host's of a kind."""
        return self.wait(lambda each: each.get("method") == method and "id" in each)

    def told(self, method: str) -> Message:
        """The params of the next notification of a kind."""
        params: Message = self.wait(lambda each: each.get("method") == method)["params"]
        return params

    def event(self, kind: str) -> Message:
        """The next event of a type."""
        found: Message = self.wait(
            lambda each: each.get("method") == "run.event" and each["params"]["event"]["type"] == kind
        )["params"]["event"]
        return found

    def answer(self, asked: Message, **result: Any) -> None:
        """Answer a request of the host's."""
        self.send(id=asked["id"], result=result)

    def fail(self, asked: Message, message: str, **data: Any) -> None:
        """Answer it with an error."""
        self.send(id=asked["id"], error={"code": -32000, "message": message, "data": data})

    def outcome(self, run_id: str) -> Any:
        """How a run ends."""
        return self.ask("run.wait", runId=run_id)["outcome"]

    def wait(self, fits: Callable[[Message], bool]) -> Message:
        """The first message that fits and was not waited for yet."""
        for index, each in enumerate(self._unread):
            if fits(each):
                return self._unread.pop(index)
        while (message := self.read()) is not None:
            if fits(message):
                return message
            self._unread.append(message)
        raise AssertionError("the host has closed the connection")

    def read(self) -> Message | None:
        """The next message, held to the schemas; None at the end."""
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self._incoming], [], [], DEADLINE_SECONDS)
            assert ready, "the host says nothing"
            try:
                data = os.read(self._incoming, 1 << 16)
            except ConnectionResetError:
                return None
            if not data:
                assert self._rest == b""
                return None
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        message: Message = json.loads(line)
        self._require_fitting(message)
        self.seen.append(message)
        return message

    def rest(self) -> list[Message]:
        """All that comes until the connection is closed."""
        while self.read() is not None:
            pass
        return self.seen

    def _require_fitting(self, message: Message) -> None:
        if "method" in message:
            assert METHODS[message["method"]].sender == "host"
            assert host_error(f"{message['method']}.params", message["params"]) is None
        elif "error" in message:
            assert host_error("error", message["error"]) is None, message
        elif message["id"] in self._asked:
            name = f"{self._asked[message['id']]}.result"
            assert host_error(name, message["result"]) is None, host_error(name, message["result"])


class Piped(Peer):
    """A client on the stdin and stdout of its host."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        super().__init__(process.stdout.fileno(), process.stdin.fileno())
        self.process = process

    def close(self) -> None:
        """Close its side."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def ended(self) -> int:
        """Wait for the end of the host: its status."""
        return self.process.wait(DEADLINE_SECONDS)


class Connected(Peer):
    """A client on a socket. A test closes all of `opened`."""

    opened: ClassVar[list[Connected]] = []

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.opened.append(self)
        self.socket.connect(os.fspath(path))
        super().__init__(self.socket.fileno(), self.socket.fileno())

    def close(self) -> None:
        """Hang up."""
        self.socket.close()


@contextmanager
def piped(*words: str, env: dict[str, str] | None = None) -> Iterator[Piped]:
    """A host of one client; killed at the end, with all that it started."""
    command = [str(FLOWCAGE), "host", *(words or ("--no-store",))]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=env) as process:
        try:
            yield Piped(process)
        finally:
            _end(process)


@contextmanager
def listening(path: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A host on a socket, which is there."""
    command = [str(FLOWCAGE), "host", f"--socket={path}", *(words or ("--no-store",))]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            assert process.stderr is not None
            assert b"serving on" in process.stderr.readline()
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    if process.stdin is not None and not process.stdin.closed:
        process.stdin.close()


def descendants(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """All processes below a host."""
    return psutil.Process(process.pid).children(recursive=True)


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds that nobody tells of, such as the end of a process of somebody else's."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)
