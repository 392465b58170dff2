"""What the fake host does differently from a correct one, by name, and correctly in unusual ways."""

from __future__ import annotations

import time

from flowcage.conformance.fake_child import MIB, RESULT, UNKNOWN_TYPE, Message, Stage, encode
from flowcage.conformance.fake_host import AGENT, Change, Scenario, error
from flowcage.conformance.faults import FAULTS, Fault

TEXT = "a\u2028b\u2029c\u0085d\U0001d11e"
FAILED = "played: of the workflow"


def at(step: str, then: Fault) -> Change:
    """Apply a fault to the messages of one step."""
    return lambda stage, seen, message: then(stage, message) if seen == step else None


def byte_by_byte(stage: Stage, _step: str, _message: Message) -> bytes | None:
    """Write each byte by a write(2) of its own."""
    stage.byte_by_byte = True
    return None


def noise(stage: Stage, _step: str, _message: Message) -> bytes | None:
    """Write a megabyte to stderr before every message."""
    stage.write_stderr(b"noise on stderr\n" * 65536)
    return None


def slow(_stage: Stage, _message: Message) -> bytes | None:
    """Say it after a second."""
    time.sleep(1.0)
    return None


def unknown_members(_stage: Stage, _step: str, message: Message) -> bytes:
    """Add members that no version of the contract has to every object of the contract's."""
    told = {**message, "xNew": {"a": [1]}}
    for member in ("result", "params"):
        if isinstance(told.get(member), dict):
            told[member] = {**told[member], "xNew": [None]}
    return encode(told)


def refusing(step: str, kind: str, **data: object) -> Change:
    """Answer one method by an error of this kind."""
    return at(
        step, lambda _stage, reply: encode({"jsonrpc": "2.0", "id": reply["id"], **error(kind, **data)})
    )


def other_version(_stage: Stage, reply: Message) -> bytes:
    """Answer with a version that nobody asked for."""
    return encode({**reply, "result": {**reply["result"], "protocolVersion": "999.0"}})


def _ended(verdict: str) -> Scenario:
    failure = {"kind": verdict, "message": FAILED, "childAlive": False}
    return Scenario(outcome={"verdict": verdict, "error": failure})


_FAILURE = {"kind": "exception", "message": FAILED, "stack": "    at workflow.js:1:1", "childAlive": True}
_UNKNOWN_NOTIFICATION = {"method": UNKNOWN_TYPE, "params": {"x": 1}}

# Faults at which a client must fail, as STEP/FAULT.
_FAULTS = {
    "dies-before-initialize": "initialize/dies",
    "dies-after-initialize": "initialize/dies-after",
    "dies-in-line": "initialize/dies-in-line",
    "dies-before-start": "run.start/dies",
    "dies-after-start": "run.start/dies-after",
    "dies-before-asking": "agent.ask/dies",
    "dies-after-asking": "agent.ask/dies-after",
    "dies-before-outcome": "run.wait/dies",
    "dies-in-outcome": "run.wait/dies-in-line",
    "closes-stdout": "run.wait/closes-stdout",
    "garbage": "run.start/garbage",
    "print": "run.start/print",
    "invalid-utf-8": "run.start/invalid-utf-8",
    "batch": "run.start/batch",
    "deep": "run.wait/deep",
    "endless-line": "run.wait/endless-line",
    "id-null": "run.start/id-null",
    "result-and-error": "run.wait/result-and-error",
    "neither-result-nor-error": "run.wait/neither-result-nor-error",
    "wrong-shape": "run.start/wrong-shape",
}

SCENARIOS: dict[str, Scenario] = {
    "good": Scenario(),
    "byte-by-byte": Scenario(change=byte_by_byte),
    "noise": Scenario(change=noise),
    "slow": Scenario(change=at("run.wait", slow)),
    "unknown-members": Scenario(change=unknown_members),
    "separators": Scenario(
        asks=[("agent.ask", {**AGENT, "prompt": TEXT})],
        outcome={"verdict": "completed", "result": RESULT, "phases": [{"title": TEXT}]},
    ),
    "large": Scenario(asks=[("agent.ask", {**AGENT, "prompt": "x" * (6 * MIB)})]),
    "at-once": Scenario(asks=[("agent.ask", {**AGENT, "requestId": str(number)}) for number in range(1, 9)]),
    "same-ids": Scenario(after_wait=True),
    "cancelled": Scenario(asks=[("agent.ask", AGENT), ("agent.ask", {**AGENT, "requestId": "2"})], cancels=1),
    "unknown-request": Scenario(asks=[(UNKNOWN_TYPE, {}), ("agent.ask", AGENT)]),
    "unknown-notification": Scenario(tells=[_UNKNOWN_NOTIFICATION]),
    "failed": Scenario(outcome={"verdict": "failed", "error": _FAILURE}),
    "cancelled-run": _ended("cancelled"),
    "timeout": _ended("wall_timeout"),
    "unknown-verdict": _ended(UNKNOWN_TYPE),
    "overloaded": Scenario(change=refusing("run.start", "overloaded", quota="runs", retryAfterSeconds=1)),
    "unknown-kind": Scenario(change=refusing("run.start", UNKNOWN_TYPE)),
    "protocol-version": Scenario(change=refusing("initialize", "protocol_version", supported=["999.0"])),
    "other-version": Scenario(change=at("initialize", other_version)),
    **{
        name: Scenario(change=at(where.partition("/")[0], FAULTS[where.partition("/")[2]]))
        for name, where in _FAULTS.items()
    },
}


def scenario(name: str) -> Scenario:
    """The scenario of this name, or STEP/FAULT."""
    step, slash, fault = name.partition("/")
    return Scenario(change=at(step, FAULTS[fault])) if slash else SCENARIOS[name]
