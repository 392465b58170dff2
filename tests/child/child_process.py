"""A real child process on real pipes, spoken to line by line."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from itertools import count
from types import TracebackType
from typing import Any, Self

COMMAND = (sys.executable, "-I", "-m", "flowcage.child")
DEADLINE_S = 20.0  # only a child that hangs gets there


def _no_name_twice(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """RFC 8259, 4: what a name that is there twice means depends on who reads it."""
    assert len(members) == len({name for name, _ in members}), members
    return dict(members)


class Refusal(Exception):
    """The child answered with a JSON-RPC error."""

    def __init__(self, reply: dict[str, Any]) -> None:
        error = reply["error"]
        super().__init__(f"{error['code']} {error['message']} {error.get('data')}")
        self.id = reply["id"]
        self.code: int = error["code"]
        self.message: str = error["message"]
        self.data: dict[str, Any] = error["data"]
        self.kind: str = self.data["kind"]


class ChildProcess:
    """One child. Leaving its ``with`` block shuts it down and asserts a clean end.

    Args:
        command: what starts it.
        options: more for `subprocess.Popen`.
    """

    def __init__(self, command: tuple[str, ...] = COMMAND, **options: Any) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            **options,
        )
        self._ids = count(1)
        self._received = b""
        self._initialized = False
        self._over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and not self._over:
                self.request("shutdown")
                self.expect_exit()
        finally:
            self.kill()

    def kill(self) -> None:
        """End a child that is at work; instead of a ``with`` block."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()

    # ---- bytes ----

    def send(self, data: bytes) -> None:
        """Write raw bytes to the child's stdin."""
        assert self._process.stdin is not None
        view = memoryview(data)
        while view:
            view = view[self._process.stdin.write(view) :]

    def send_line(self, value: Any) -> None:
        """Write one JSON value as a line, non-ASCII characters as they are."""
        text = json.dumps(value, ensure_ascii=False)
        try:
            encoded = text.encode()
        except UnicodeEncodeError:  # a lone surrogate has no UTF-8
            encoded = json.dumps(value).encode()
        self.send(encoded + b"\n")

    def read_line(self) -> bytes:
        """The next line of the child's stdout, without its newline."""
        deadline = time.monotonic() + DEADLINE_S
        parts = [self._received]
        while b"\n" not in parts[-1]:
            parts.append(self._read_some(deadline))
        line, _, self._received = b"".join(parts).partition(b"\n")
        return line

    def read_lines(self) -> list[bytes]:
        """What one read of the child's stdout gives; a write of up to PIPE_BUF bytes is never divided."""
        assert not self._received
        *lines, rest = self._read_some(time.monotonic() + DEADLINE_S).split(b"\n")
        assert not rest
        return lines

    def read_reply(self) -> dict[str, Any]:
        """The next reply."""
        reply: dict[str, Any] = json.loads(self.read_line(), object_pairs_hook=_no_name_twice)
        assert reply["jsonrpc"] == "2.0"
        assert ("result" in reply) != ("error" in reply)
        return reply

    def close_stdin(self) -> None:
        """Say that no message will follow."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def expect_exit(self) -> bytes:
        """Wait for the child to leave on its own accord; return what it still wrote to stdout."""
        deadline = time.monotonic() + DEADLINE_S
        rest = [self._received]
        while data := self._read_some(deadline, may_end=True):
            rest.append(data)
        status = self._process.wait(DEADLINE_S)
        assert self._process.stderr is not None
        assert (status, self._process.stderr.read()) == (0, b"")
        self._over = True
        return b"".join(rest)

    def _read_some(self, deadline: float, *, may_end: bool = False) -> bytes:
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, "the child did not answer in time"
        data = os.read(pipe, 1 << 20)
        assert data or may_end, f"the child closed its stdout: {self._last_words()}"
        return data

    def _last_words(self) -> str:
        status = self._process.wait(DEADLINE_S)
        assert self._process.stderr is not None
        return f"exit {status}, {self._process.stderr.read()[-2000:]!r}"

    # ---- messages ----

    def request(self, method: str, **params: Any) -> Any:
        """Send a request and return its result; raise `Refusal` for an error reply."""
        identifier = next(self._ids)
        self.send_line({"jsonrpc": "2.0", "id": identifier, "method": method, "params": params})
        return self.expect_reply(identifier)

    def expect_reply(self, identifier: int | str) -> Any:
        """The result of the reply that is next and must bear this id."""
        reply = self.read_reply()
        assert reply["id"] == identifier
        if "error" in reply:
            raise Refusal(reply)
        return reply["result"]

    def initialize(self, **limits: int) -> dict[str, Any]:
        """Initialize, with limits by their wire names."""
        result: dict[str, Any] = self.request("initialize", protocolVersion="1.0", limits=limits)
        self._initialized = True
        return result

    def start(self, source: str, **params: Any) -> None:
        """Initialize where that was not done, and start a workflow."""
        if not self._initialized:
            self.initialize()
        assert self.request("start", source=source, **params) == {}

    def poll(self) -> dict[str, Any]:
        """One event."""
        event: dict[str, Any] = self.request("poll")
        return event

    def take(self) -> list[dict[str, Any]]:
        """All queued requests."""
        result: dict[str, Any] = self.request("take")
        assert list(result) == ["requests"]
        requests: list[dict[str, Any]] = result["requests"]
        return requests

    def drain(self) -> dict[str, Any]:
        """Everything."""
        drained: dict[str, Any] = self.request("drain")
        return drained

    def resolve(self, identifier: str, value: Any, **members: Any) -> None:
        """Settle a request with a value."""
        self.settle(identifier, {"type": "ok", "value": value, **members})

    def settle(self, identifier: str, resolution: dict[str, Any]) -> None:
        """Settle a request."""
        assert self.request("resolve", id=identifier, resolution=resolution) == {}

    # ---- whole runs ----

    def result_of(self, source: str, **params: Any) -> Any:
        """The result of a workflow that asks the host for nothing."""
        self.start(source, **params)
        return self.result()

    def result(self) -> Any:
        """The result of the running workflow, which must now be complete."""
        drained = self.drain()
        assert drained["state"] == "complete", drained
        return drained["output"]["result"]

    def logs_of(self, source: str, **params: Any) -> list[Any]:
        """What a workflow logged until it stopped; one list of values for each call."""
        self.start(source, **params)
        return [call["values"] for call in self.drain()["calls"]]

    def failure_of(self, source: str, **params: Any) -> Refusal:
        """The error that a workflow ends with, at its start or later."""
        try:
            self.start(source, **params)
        except Refusal as refusal:
            return refusal
        return self.failure()

    def failure(self) -> Refusal:
        """The error that the running workflow ends with; what it queued before is handed out first."""
        try:
            drained = self.drain()
            assert drained["calls"] or drained["requests"], f"no failure: {drained}"
            drained = self.drain()
        except Refusal as refusal:
            return refusal
        raise AssertionError(f"no failure: {drained}")
