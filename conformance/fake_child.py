"""Usage: python -m flowcage.conformance.fake_child SCENARIO [TRANSCRIPT]: plays a child for a host.

It knows no JavaScript: whatever source it is given, it plays the same workflow, which logs, asks an agent and
sleeps. What happened is written to TRANSCRIPT.

SCENARIO is the name of one, or STEP/FAULT: good until this step, and then one thing wrong. Steps are the
methods, ``begin`` (before anything was read), ``waiting`` (the first drain was answered) and ``again`` (a
later drain).
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from flowcage.protocol.errors import CODES
from flowcage.protocol.limits import Limits

# What the host prints somewhere in its output where it prints results.
RESULT = "conformance-result-7b1e"
UNKNOWN_TYPE = "from-the-future"
SLEEP_MS = 300
MAX_LIFETIME_SECONDS = 60.0
MIB = 1 << 20
LIMITS = Limits().to_wire()
AGENT: dict[str, Any] = {"type": "agent", "id": "1", "prompt": "ready?"}
SLEEP: dict[str, Any] = {"type": "sleep", "id": "2", "durationMs": SLEEP_MS}
LOG: dict[str, Any] = {"type": "log", "values": ["hello", {"n": 1}]}
OUTPUT: dict[str, Any] = {"result": RESULT}

Message = dict[str, Any]


class Transcript:
    """One JSON object a line: seconds, what happened, and the text of it."""

    def __init__(self, path: str = os.devnull) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)

    def note(self, event: str, text: str = "") -> None:
        """Write at once: the end may come without warning."""
        entry = {"at": time.monotonic(), "event": event, "text": text}
        os.write(self._descriptor, json.dumps(entry).encode() + b"\n")


class Model:
    """A good child that plays one workflow."""

    def __init__(self) -> None:
        self.initialized = self.started = False
        self.calls = [LOG]
        self.queued = [AGENT, SLEEP]
        self.outstanding = {"1", "2"}

    def answer(self, method: str, params: Message) -> Message:
        """The reply to one message, without its id."""
        if method == "initialize":
            return self._initialize()
        if method == "shutdown":
            return {"result": {}}
        if not self.initialized or (method not in ("start", "check") and not self.started):
            return error("invalid_state", state="new")
        known: dict[str, Callable[[], Message]] = {
            "check": lambda: {"dialect": "module", "meta": None},
            "start": self._start,
            "poll": self._poll,
            "take": lambda: {"requests": self._take()},
            "drain": self._drain,
        }
        if method == "resolve":
            return self._resolve(params.get("id"))
        return {"result": known[method]()} if method in known else error("method_not_found")

    def _initialize(self) -> Message:
        self.initialized = True
        layers = {"everything": {"applied": False, "detail": "a fake child has no cage"}}
        peer = {"name": "flowcage-conformance", "version": "1"}
        told = {
            "protocolVersion": "1.0",
            "server": peer,
            "engine": peer,
            "limits": LIMITS,
            "isolation": layers,
        }
        return {"result": {**told, "maxMessageBytes": LIMITS["maxMessageBytes"]}}

    def _start(self) -> Message:
        self.started = True
        return {}

    def _take(self) -> list[Message]:
        queued, self.queued = self.queued, []
        return queued

    def _drain(self) -> Message:
        calls, self.calls = self.calls, []
        drained: Message = {"calls": calls, "requests": self._take(), "state": "pending"}
        return drained if self.outstanding else {**drained, "state": "complete", "output": OUTPUT}

    def _poll(self) -> Message:
        if self.calls:
            return {"type": "call", "call": self.calls.pop(0)}
        if self.queued:
            return {"type": "request", "request": self.queued[0]}
        if self.outstanding:
            return {"type": "pending", "stalled": False}
        return {"type": "complete", "output": OUTPUT}

    def _resolve(self, identifier: Any) -> Message:
        if identifier not in self.outstanding:
            return error("unknown_request", id=str(identifier))
        self.outstanding.remove(identifier)
        self.queued = [request for request in self.queued if request["id"] != identifier]
        return {"result": {}}


def error(kind: str, **data: Any) -> Message:
    """An error reply of this kind, as the schemas have it."""
    failure = {"name": "Error", "message": kind, "stack": "    at workflow.js:1:1"}
    return {
        "error": {
            "code": CODES[kind],
            "message": f"played: {kind}",
            "data": {"kind": kind, **failure, **data},
        }
    }


class Stage:
    """The pipes, and what scenarios may do with them."""

    def __init__(self, transcript: Transcript) -> None:
        self.transcript = transcript
        self.model = Model()
        self.byte_by_byte = self.played = False
        self._pending = b""

    def write(self, data: bytes) -> None:
        """Write bytes as they are, or one by one."""
        step = 1 if self.byte_by_byte else len(data) or 1
        try:
            for at in range(0, len(data), step):
                piece = data[at : at + step]
                while piece:
                    piece = piece[os.write(1, piece) :]
        except BrokenPipeError:
            self.exit("the host closed stdout")

    def write_stderr(self, data: bytes) -> None:
        """Say something on stderr."""
        while data:
            data = data[os.write(2, data) :]

    def exit(self, why: str, status: int = 0) -> None:
        """End this process."""
        self.transcript.note("left", why)
        os._exit(status)

    def hang(self) -> None:
        """Live on, deaf and mute, until the host closes stdin or kills; or too long."""
        self.transcript.note("silent")
        deadline = time.monotonic() + MAX_LIFETIME_SECONDS
        while time.monotonic() < deadline:
            time.sleep(0.05)
        self.exit("nobody ended it", 3)

    def lines(self) -> list[bytes]:
        """The next lines, as many as came in one piece; ends at the end of stdin."""
        while b"\n" not in self._pending:
            data = os.read(0, 1 << 18)
            if not data:
                if self._pending:
                    self.transcript.note("unfinished", text_of(self._pending))
                self.exit("stdin ended")
            self._pending += data
        *lines, self._pending = self._pending.split(b"\n")
        return lines


def encode(reply: Message) -> bytes:
    """A line."""
    return json.dumps(reply, ensure_ascii=False).encode() + b"\n"


def play(stage: Stage, scenario: Callable[[Stage, str, Message], bytes | None]) -> None:
    """Answer every line as the scenario has it."""
    from threading import Timer

    guard = Timer(MAX_LIFETIME_SECONDS, os._exit, (3,))
    guard.daemon = True
    guard.start()
    while True:
        lines = stage.lines()
        while lines:
            line = lines.pop(0)
            stage.transcript.note("read", text_of(line))
            reply, last = answer(stage, line, scenario)
            stage.write(reply)  # at once: a fault in the next answer comes after this one
            if last:
                after_shutdown(stage, lines)


def answer(
    stage: Stage, line: bytes, scenario: Callable[[Stage, str, Message], bytes | None]
) -> tuple[bytes, bool]:
    """The reply to one line, and whether it was the last."""
    try:
        message = json.loads(line)
        method, params = str(message["method"]), message.get("params") or {}
    except (ValueError, TypeError, KeyError, AttributeError):
        return encode({"jsonrpc": "2.0", "id": None, **error("parse_error")}), False
    reply = {"jsonrpc": "2.0", "id": message.get("id"), **stage.model.answer(method, params)}
    said = scenario(stage, method, reply)
    return (encode(reply) if said is None else said), method == "shutdown"


def after_shutdown(stage: Stage, lines: list[bytes]) -> None:
    """Note what still comes: nothing should."""
    while True:
        for line in lines:
            stage.transcript.note("after shutdown", text_of(line))
        lines = stage.lines()


def text_of(line: bytes) -> str:
    """A line as the transcript has it."""
    return line.decode("utf-8", "backslashreplace")


def main() -> None:
    """Play the scenario named on the command line."""
    from flowcage.conformance.scenarios import begin, scenario

    name, *path = sys.argv[1:]
    stage = Stage(Transcript(*path))
    stage.transcript.note("began", str(os.getpid()))
    begin(stage, name)
    play(stage, scenario(name))


if __name__ == "__main__":
    main()
