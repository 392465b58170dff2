"""python -m flowcage.conformance.fake_host SCENARIO [TRANSCRIPT]: acts as ``flowcage host`` for a client.

It runs no JavaScript: whatever source it gets, it asks an agent and ends with `RESULT` once that has an
answer. It writes what happens to TRANSCRIPT. SCENARIO is a name of `on_client.scenarios.SCENARIOS`, or
STEP/FAULT: correct until the answer to this method, or until ``agent.ask``, then a fault of `faults`. Further
arguments are ignored, so that a client may pass those of ``flowcage host``.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from threading import Timer
from typing import Any, NamedTuple, TypeAlias

from flowcage.conformance.contract import OF_HOST
from flowcage.conformance.fake_child import (
    MAX_LIFETIME_SECONDS,
    RESULT,
    Message,
    Stage,
    Transcript,
    encode,
    text_of,
)
from flowcage.protocol.limits import Limits
from flowcage.schemas.host import METHODS

VERSION = "1.0"
LIMITS = Limits().to_wire()
ANSWERED = [name for name, method in METHODS.items() if method.sender == "client" and method.is_answered]
RUN = "conformance-run"
AGENT: Message = {
    "rootRunId": RUN,
    "runId": RUN,
    "requestId": "1",
    "tenant": "default",
    "prompt": "ready?",
    "options": {},
    "label": None,
    "phase": None,
    "model": None,
    "schema": None,
    "attempt": 1,
    "problem": None,
    "refused": None,
    "idempotencyKey": f"{RUN}/1/1",
    "key": "0f343b0931126a20f133d67c2b018a3b",
    "deadlineSeconds": None,
    "interrupted": False,
    "handle": None,
    "session": None,
    "costLeftUsd": None,
    "tokensLeft": None,
    "isHeld": False,
}

COMPLETED: Message = {"verdict": "completed", "result": RESULT}

# From a step and the correct message to the bytes in its place; None for that message.
Change: TypeAlias = Callable[[Stage, str, Message], bytes | None]


def error(kind: str, **data: Any) -> Message:
    """The member `error` of an answer, of this kind."""
    return {
        "error": {
            "code": OF_HOST.codes.get(kind, -32099),
            "message": f"played: {kind}",
            "data": {"kind": kind, **data},
        }
    }


class Scenario(NamedTuple):
    """What the fake host does.

    Attributes:
        asks: methods and params of its requests, sent at once.
        cancels: how many of them it cancels at once; the first ones.
        outcome: of the run, without its id.
        after_wait: whether it asks once `run.wait` has come, by the id of that.
        change: of its messages.
        tells: notifications before it asks.
    """

    asks: Sequence[tuple[str, Message]] = (("agent.ask", AGENT),)
    cancels: int = 0
    outcome: Message = COMPLETED
    after_wait: bool = False
    change: Change = lambda _stage, _step, _message: None
    tells: Sequence[Message] = ()


class Play:
    """One client's conversation."""

    def __init__(self, stage: Stage, scenario: Scenario) -> None:
        self._stage = stage
        self._scenario = scenario
        self._run = RUN
        self._open: set[str] = set()  # ids of requests that the client has to answer, as JSON
        self._waits: list[Any] = []
        self._initialized = self._started = self._asked = self._events = False

    def heard(self, message: Message) -> None:
        """Answer a message of the client, or note its answer."""
        if "method" not in message:
            self._answered(message)
        elif "id" in message:
            self._request(message["id"], str(message["method"]), message.get("params") or {})

    def _request(self, identifier: Any, method: str, params: Message) -> None:
        if method == "run.wait" and self._started:
            self._waits.append(identifier)
            self._go_on()
            return
        self._say(method, {"jsonrpc": "2.0", "id": identifier, **self._reply(method, params)})
        if method == "shutdown":
            self._stage.exit("shutdown")
        if method == "run.start":
            self._go_on()

    def _reply(self, method: str, params: Message) -> Message:
        if method == "initialize":
            self._initialized = True
            self._events = params.get("events") is True
            return {"result": _INFO}
        if not self._initialized:
            return error("invalid_state")
        if method == "run.start":
            self._started, self._run = True, params.get("runId", RUN)
            self._events = params.get("events", self._events) is True
            return {"result": {"runId": self._run}}
        if method == "shutdown":
            return {"result": {}}
        if method == "run.cancel" and self._started:
            return {"result": {"runId": self._run, "done": "ended"}}
        if method.startswith("run."):
            return error("unknown_run", runId=str(params.get("runId")))
        return error("method_not_found")

    def _answered(self, message: Message) -> None:
        self._open.discard(json.dumps(message.get("id")))
        self._go_on()

    def _go_on(self) -> None:
        """Ask, once; answer what waits for the end of the run, when nothing is open."""
        if not self._asked and (self._waits or not self._scenario.after_wait):
            self._asked = True
            self._ask()
        if self._asked and not self._open and self._waits:
            self._event("ended", verdict=self._scenario.outcome["verdict"], error=None)
            outcome = {"runId": self._run, **self._scenario.outcome}
            for identifier in self._waits:
                result = {"runId": self._run, "outcome": outcome}
                self._say("run.wait", {"jsonrpc": "2.0", "id": identifier, "result": result})
            self._waits = []

    def _ask(self) -> None:
        self._event("started")
        for told in self._scenario.tells:
            self._stage.write(encode({"jsonrpc": "2.0", **told}))
        first = self._waits[0] if self._scenario.after_wait else 1
        for at, (method, params) in enumerate(self._scenario.asks):
            identifier = first if at == 0 else 1000 + at
            told = {**params, "rootRunId": self._run, "runId": self._run}
            self._open.add(json.dumps(identifier))
            self._say(method, {"jsonrpc": "2.0", "id": identifier, "method": method, "params": told})
            if at < self._scenario.cancels:
                self._open.discard(json.dumps(identifier))
                self._say("", _notification("request.cancelled", id=identifier, reason="ended"))

    def _event(self, kind: str, **members: Any) -> None:
        if self._events:
            event = {"type": kind, "runId": self._run, "rootRunId": self._run, "seq": 1, "at": 0.5, **members}
            self._say("run.event", _notification("run.event", runId=self._run, event=event))

    def _say(self, step: str, message: Message) -> None:
        said = self._scenario.change(self._stage, step, message)
        self._stage.write(encode(message) if said is None else said)


_INFO: Message = {
    "protocolVersion": VERSION,
    "hostInfo": {"name": "flowcage-conformance", "version": "1"},
    "methods": ANSWERED,
    "limits": LIMITS,
    "options": {},
    "isolation": "none",
    "maxMessageBytes": 8 << 20,
    "maxOpenRequests": 1000,
    "maxRuns": 16,
    "store": False,
    "tenant": "default",
}


def _notification(method: str, **params: Any) -> Message:
    return {"jsonrpc": "2.0", "method": method, "params": params}


def play(stage: Stage, scenario: Scenario) -> None:
    """Answer every line as the scenario does, until `shutdown` or the end of stdin."""
    guard = Timer(MAX_LIFETIME_SECONDS, os._exit, (3,))
    guard.daemon = True
    guard.start()
    conversation = Play(stage, scenario)
    while True:
        for line in stage.lines():
            stage.transcript.note("read", text_of(line))
            try:
                message = json.loads(line)
            except (ValueError, RecursionError):
                message = None
            if isinstance(message, dict):
                conversation.heard(message)
            else:
                stage.write(encode({"jsonrpc": "2.0", "id": None, **error("parse_error")}))


def main() -> None:
    """Play the scenario named on the command line."""
    from flowcage.conformance.on_client.scenarios import scenario

    name, *path = sys.argv[1:3]
    stage = Stage(Transcript(*path))
    stage.transcript.note("began", str(os.getpid()))
    play(stage, scenario(name))


if __name__ == "__main__":
    main()
