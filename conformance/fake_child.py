"""python -m flowcage.conformance.fake_child SCENARIO [TRANSCRIPT]: acts as a child for a host under test.

It runs no JavaScript: for any source it plays the same workflow, which logs, requests an agent and sleeps. It
writes what happens to TRANSCRIPT.

SCENARIO is a name of `scenarios.SCENARIOS`, or STEP/FAULT: correct until this step, then one fault. A step is
``begin`` (before anything is read), ``initialize``, ``check``, ``start``, ``drain``, ``waiting`` (the first
drain was answered), ``resolve``, ``again`` (a later drain) or ``shutdown``. Where a host sends them, `run` is
both ``start`` and ``drain``, and `advance` both ``resolve`` and ``again``. After ``older:`` all is played by
a child that names no methods, and has none that was added to 1.0 later.
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
from flowcage.protocol.messages import METHODS

# The result of the workflow; a host that prints results has it in its output.
RESULT = "conformance-result-7b1e"
UNKNOWN_TYPE = "from-the-future"
SLEEP_MS = 300
OLDER = "older:"
ADDED = ("run", "advance", "replay", "sites", "imports")  # to 1.0, later
MAX_LIFETIME_SECONDS = 60.0
MIB = 1 << 20
LIMITS = Limits().to_wire()
AGENT: dict[str, Any] = {"type": "agent", "id": "1", "prompt": "ready?"}
SLEEP: dict[str, Any] = {"type": "sleep", "id": "2", "durationMs": SLEEP_MS}
LOG: dict[str, Any] = {"type": "log", "values": ["hello", {"n": 1}]}
OUTPUT: dict[str, Any] = {"result": RESULT}

Message = dict[str, Any]


class Transcript:
    """A file of events, one JSON object a line: ``at`` in seconds, ``event``, ``text``."""

    def __init__(self, path: str = os.devnull) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)

    def note(self, event: str, text: str = "") -> None:
        """Write an event at once: the process may be killed next."""
        entry = {"at": time.monotonic(), "event": event, "text": text}
        os.write(self._descriptor, json.dumps(entry).encode() + b"\n")


class Model:
    """A correct child with one fixed workflow; an older one has no method of `ADDED`."""

    def __init__(self, is_older: bool = False) -> None:
        self.is_older = is_older
        self.initialized = self.started = False
        self.calls = [LOG]
        self.queued = [AGENT, SLEEP]
        self.outstanding = {"1", "2"}

    def answer(self, method: str, params: Message) -> Message:
        """The correct reply to a message, without its envelope."""
        if method == "initialize":
            return self._initialize()
        if method == "shutdown":
            return {"result": {}}
        if self.is_older and method in ADDED:
            return error("method_not_found")
        if not self.initialized or (method not in ("start", "run", "check", "imports") and not self.started):
            return error("invalid_state", state="new")
        known: dict[str, Callable[[], Message]] = {
            "check": lambda: self._check(params),
            "imports": lambda: {"imports": []},
            "start": self._start,
            "poll": self._poll,
            "take": lambda: {"requests": self._take()},
            "drain": self._drain,
            "run": lambda: {**self._start(), **self._drain()},
            "sites": lambda: {"sites": [{"id": each, "line": 1, "column": 1} for each in self.outstanding]},
        }
        if method == "resolve":
            return self._resolve(params.get("id"))
        if method == "advance":
            return self._advance(params.get("turns"))
        if method == "replay":  # its workflow queues nothing in a turn
            answered = self._advance(params.get("turns"))
            counts = {"counts": [0] * len(params["turns"])}
            return {"result": answered["result"] | counts} if "result" in answered else answered
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
            **({} if self.is_older else {"methods": list(METHODS)}),
        }
        return {"result": {**told, "maxMessageBytes": LIMITS["maxMessageBytes"]}}

    def _check(self, params: Message) -> Message:
        further: Message = {} if self.is_older else {"findings": [], "outline": {}}
        asked = {name: value for name, value in further.items() if params.get(name)}
        return {"dialect": "module", "meta": None, **asked}

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

    def _advance(self, turns: Any) -> Message:
        for index, turn in enumerate(turns):
            ids = [settled["id"] for settled in turn]
            for place, identifier in enumerate(ids):
                if identifier not in self.outstanding or identifier in ids[:place]:
                    return error("unknown_request", id=str(identifier), turn=index)
            for identifier in ids:
                self._resolve(identifier)
        return {"result": self._drain()}


def error(kind: str, **data: Any) -> Message:
    """The member `error` of a reply, of this kind, with all members that its schema requires."""
    failure = {"name": "Error", "message": kind, "stack": "    at workflow.js:1:1"}
    return {
        "error": {
            "code": CODES[kind],
            "message": f"played: {kind}",
            "data": {"kind": kind, **failure, **data},
        }
    }


class Stage:
    """The child's pipes, its model and its transcript, for the scenarios.

    Attributes:
        byte_by_byte: whether each byte is written by a write(2) of its own.
        played: whether a scenario that does something once has done it.
    """

    def __init__(self, transcript: Transcript) -> None:
        self.transcript = transcript
        self.model = Model()
        self.byte_by_byte = self.played = False
        self._pending = b""

    def write(self, data: bytes) -> None:
        """Write bytes to stdout; exits where the host has closed it."""
        step = 1 if self.byte_by_byte else len(data) or 1
        try:
            for at in range(0, len(data), step):
                piece = data[at : at + step]
                while piece:
                    piece = piece[os.write(1, piece) :]
        except BrokenPipeError:
            self.exit("the host closed stdout")

    def write_stderr(self, data: bytes) -> None:
        """Write all bytes to stderr."""
        while data:
            data = data[os.write(2, data) :]

    def exit(self, why: str, status: int = 0) -> None:
        """Note the reason, and exit with this status."""
        self.transcript.note("left", why)
        os._exit(status)

    def hang(self) -> None:
        """Neither read nor write until the host kills this process; exit after `MAX_LIFETIME_SECONDS`."""
        self.transcript.note("silent")
        deadline = time.monotonic() + MAX_LIFETIME_SECONDS
        while time.monotonic() < deadline:
            time.sleep(0.05)
        self.exit("nobody ended it", 3)

    def lines(self) -> list[bytes]:
        """The lines that are complete after the next read, at least one; exits at the end of stdin."""
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
    """A reply as a line."""
    return json.dumps(reply, ensure_ascii=False).encode() + b"\n"


def play(stage: Stage, scenario: Callable[[Stage, str, Message], bytes | None]) -> None:
    """Answer every line as the scenario does, until `shutdown` or the end of stdin."""
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
            stage.write(reply)  # before the next line is answered, which may be with a fault
            if last:
                after_shutdown(stage, lines)


def answer(
    stage: Stage, line: bytes, scenario: Callable[[Stage, str, Message], bytes | None]
) -> tuple[bytes, bool]:
    """The reply to a line, and whether the line was `shutdown`."""
    try:
        message = json.loads(line)
        method, params = str(message["method"]), message.get("params") or {}
        answered = stage.model.answer(method, params)
    except (ValueError, TypeError, KeyError, AttributeError):
        return encode({"jsonrpc": "2.0", "id": None, **error("parse_error")}), False
    reply = {"jsonrpc": "2.0", "id": message.get("id"), **answered}
    said = scenario(stage, method, reply)
    return (encode(reply) if said is None else said), method == "shutdown"


def after_shutdown(stage: Stage, lines: list[bytes]) -> None:
    """Note lines that come after `shutdown`, until stdin ends."""
    while True:
        for line in lines:
            stage.transcript.note("after shutdown", text_of(line))
        lines = stage.lines()


def text_of(line: bytes) -> str:
    """A line as text for the transcript."""
    return line.decode("utf-8", "backslashreplace")


def main() -> None:
    """Play the scenario named on the command line."""
    from flowcage.conformance.scenarios import begin, scenario

    name, *path = sys.argv[1:]
    stage = Stage(Transcript(*path))
    stage.transcript.note("began", str(os.getpid()))
    stage.model = Model(name.startswith(OLDER))
    begin(stage, name.removeprefix(OLDER))
    play(stage, scenario(name))


if __name__ == "__main__":
    main()
