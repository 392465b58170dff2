"""What the fake child does differently from a correct one, by name.

A scenario gets each message with the correct reply. It returns the bytes to write, None for the correct
reply, or exits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeAlias

from flowcage.conformance.fake_child import MIB, OLDER, UNKNOWN_TYPE, Message, Stage, encode, error
from flowcage.conformance.faults import FAULTS, Fault, drained

Scenario: TypeAlias = Callable[[Stage, str, Message], bytes | None]


def good(_stage: Stage, _method: str, _reply: Message) -> bytes | None:
    """Reply correctly to all messages."""
    return None


# By method, those that do the same among other things.
_ALSO = {
    "start": {"run"},
    "drain": {"poll", "take", "run", "advance"},
    "resolve": {"advance"},
}


def _at(method: str, then: Fault) -> Scenario:
    """Apply a fault to each message of this method, and of those that do the same."""
    methods = {method} | _ALSO.get(method, set())

    def scenario(stage: Stage, seen: str, reply: Message) -> bytes | None:
        return then(stage, reply) if seen in methods else None

    return scenario


# ---- unusual, and correct --------------------------------------------------------------------


def byte_by_byte(stage: Stage, _method: str, _reply: Message) -> bytes | None:
    """Write each byte by a write(2) of its own."""
    stage.byte_by_byte = True
    return None


def slow(_stage: Stage, _reply: Message) -> bytes | None:
    """Reply after a second."""
    time.sleep(1.0)
    return None


def noise(stage: Stage, _method: str, _reply: Message) -> bytes | None:
    """Write a megabyte to stderr before every reply."""
    stage.write_stderr(b"noise on stderr\n" * 65536)
    return None


def unknown_members(_stage: Stage, _method: str, reply: Message) -> bytes | None:
    """Add members that no version of the contract has to every object."""
    return encode(_with_unknown(reply))


def _with_unknown(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_unknown(item) for item in value]
    if isinstance(value, dict):
        members = {name: _with_unknown(item) for name, item in value.items()}
        # The members of `isolation` are layers, whose names the contract does not fix.
        members.get("isolation", {}).pop("xNew", None)
        return {**members, "xNew": {"a": [1]}}
    return value


def _log(value: Any) -> Message:
    return {"type": "log", "values": [value]}


def unknown_request(stage: Stage, reply: Message) -> bytes | None:
    """Hand out a request of an unknown type before the others; it must be resolved, too."""
    if not reply.get("result", {}).get("requests"):
        return None
    stage.model.outstanding.add("3")
    unknown = {"type": UNKNOWN_TYPE, "id": "3"}
    return drained(requests=[unknown, *reply["result"]["requests"]])(stage, reply)


# ---- failures of the run ---------------------------------------------------------------------


def stalled(stage: Stage, reply: Message) -> bytes | None:
    """Report that the workflow can never complete."""
    if "type" in reply.get("result", {}):
        return encode({**reply, "result": {"type": "pending", "stalled": True}})
    return drained(calls=[], requests=[], state="pending", stalled=True)(stage, reply)


def failing(kind: str, **data: Any) -> Callable[[Stage, Message], bytes]:
    """Reply with an error of this kind."""
    return lambda _stage, reply: encode({"jsonrpc": "2.0", "id": reply["id"], **error(kind, **data)})


def unknown_kind(_stage: Stage, reply: Message) -> bytes:
    """Reply with an error of an unknown kind."""
    new = {"code": -32099, "message": "new", "data": {"kind": "new"}}
    return encode({"jsonrpc": "2.0", "id": reply["id"], "error": new})


def more(stage: Stage, reply: Message) -> bytes | None:
    """Reply with what is queued and ``more``; answer the next message with the failure."""
    if stage.played:
        return failing("exception")(stage, reply)
    stage.played = True
    return drained(more=True)(stage, reply)


def _fault(where: str) -> Scenario:
    step, _, fault = where.partition("/")
    return _at(step, FAULTS[fault])


# Faults at which a host must end the run, as STEP/FAULT.
_FAULTS = {
    "same-id-twice": "drain/same-id-twice",
    "settled-id": "drain/settled-id",
    "waits-for-nothing": "drain/waits-for-nothing",
    "more-and-a-result": "drain/more-and-a-result",
    "longer-messages": "initialize/longer-messages",
    "other-version": "initialize/other-version",
    "unknown-call": "drain/unknown-call",
    "dies-before-initialize": "initialize/dies",
    "dies-after-initialize": "initialize/dies-after",
    "dies-in-line": "initialize/dies-in-line",
    "dies-before-start": "start/dies",
    "dies-after-start": "start/dies-after",
    "dies-in-drain": "drain/dies",
    "dies-in-drain-line": "drain/dies-in-line",
    "dies-after-drain": "drain/dies-after",
    "dies-in-resolve": "resolve/dies",
    "closes-stdout": "drain/closes-stdout",
    "silent": "drain/silent",
    "silent-initialize": "initialize/silent",
    "garbage": "drain/garbage",
    "print": "start/print",
    "invalid-utf-8": "drain/invalid-utf-8",
    "batch": "drain/batch",
    "wrong-id": "drain/wrong-id",
    "id-null": "drain/id-null",
    "result-and-error": "drain/result-and-error",
    "wrong-shape": "drain/wrong-shape",
    "endless-line": "drain/endless-line",
    "deep": "drain/deep",
    "answers-twice": "start/answers-twice",
}
SCENARIOS: dict[str, Scenario] = {
    "good": good,
    "byte-by-byte": byte_by_byte,
    "slow": _at("drain", slow),
    "noise": noise,
    "unknown-members": unknown_members,
    "separators": _at("drain", drained(calls=[_log("a\u2028b\u2029c\u0085d\U0001d11e")])),
    "large": _at("drain", drained(calls=[_log("x" * (6 * MIB))])),
    "diagnostics": _at("drain", drained(diagnostics=[{"kind": UNKNOWN_TYPE, "message": "hello"}])),
    "unknown-request": _at("drain", unknown_request),
    "stalled": _at("drain", stalled),
    "more": _at("drain", more),
    "exception": _at("drain", failing("exception")),
    "timeout": _at("drain", failing("timeout")),
    "internal": _at("drain", failing("internal")),
    "syntax": _at("start", failing("syntax", sourceName="w.js", line=1, column=1)),
    "isolation-unavailable": _at("initialize", failing("isolation_unavailable", layers=["memory"])),
    "protocol-version": _at("initialize", failing("protocol_version", supported=["999.0"])),
    "unknown-kind": _at("drain", unknown_kind),
    **{name: _fault(where) for name, where in _FAULTS.items()},
    f"{OLDER}good": good,
}


# ---- one fault at one step -------------------------------------------------------------------


class AtStep:
    """Correct until a step of the run, then one fault."""

    def __init__(self, step: str, fault: Fault) -> None:
        self._step = step
        self._fault = fault
        self._drains = 0

    def __call__(self, stage: Stage, method: str, reply: Message) -> bytes | None:
        steps = self._steps(method)
        if "drain" in steps and self._step == "waiting":
            stage.write(encode(reply))
            return self._fault(stage, reply)
        return self._fault(stage, reply) if self._step in steps else None

    def _steps(self, method: str) -> set[str]:
        if method not in ("drain", "run", "advance"):
            return {method}
        self._drains += 1
        joined = {name for name in ("start", "resolve") if method in _ALSO[name]}
        return joined | {"drain" if self._drains == 1 else "again"}


def scenario(name: str) -> Scenario:
    """The scenario of this name, or STEP/FAULT."""
    name = name.removeprefix(OLDER)
    step, slash, fault = name.partition("/")
    return AtStep(step, FAULTS[fault]) if slash else SCENARIOS[name]


def begin(stage: Stage, name: str) -> None:
    """Apply the fault of a scenario whose step is ``begin``, before anything is read."""
    step, _, fault = name.partition("/")
    if step == "begin":
        answer = {"jsonrpc": "2.0", "id": 1, **stage.model.answer("initialize", {})}
        stage.write(FAULTS[fault](stage, answer) or b"")
