"""What a fake child can do wrong, by name.

A fault sees the good reply to a message. It returns the bytes to say, or leaves. After lines that no host may
believe the child lives on, deaf and mute: it is for the host to end it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any, TypeAlias

from flowcage.conformance.fake_child import AGENT, MIB, UNKNOWN_TYPE, Message, Stage, encode, error
from flowcage.protocol.messages import STRICT_LAYERS

Fault: TypeAlias = Callable[[Stage, Message], bytes | None]

STDERR_TEXT = b"\x1b[31mthe reason\x1b[0m\n"


# ---- lines that are none, and envelopes ------------------------------------------------------


def says(data: bytes) -> Fault:
    """These bytes in place of an answer, and silence after."""

    def fault(stage: Stage, _reply: Message) -> bytes:
        stage.write(data)
        stage.hang()
        return b""

    return fault


def rewritten(change: Callable[[bytes], bytes]) -> Fault:
    """The line of the good answer, changed, and silence after."""
    return lambda stage, reply: says(change(encode(reply)))(stage, reply)


def edited(change: Callable[[Message], Any]) -> Fault:
    """The good answer, changed, and silence after."""
    return lambda stage, reply: says(encode(change(reply)))(stage, reply)


def without(member: str) -> Fault:
    """The good answer, less one member."""
    return edited(lambda reply: {name: value for name, value in reply.items() if name != member})


def with_unknown(literal: str) -> Fault:
    """The good answer with one member more, whose value is written so."""

    def fault(stage: Stage, reply: Message) -> bytes | None:
        line = encode({**reply, "x": "HERE"}).replace(b'"HERE"', literal.encode())
        return says(line)(stage, reply)

    return fault


LINES: dict[str, Fault] = {
    "garbage": says(b"}{ garbage\n"),
    "print": says(b"a stray print\n"),
    "scalar": says(b"42\n"),
    "invalid-utf-8": says(b'{"jsonrpc":"2.0\xff"}\n'),
    "utf-16": rewritten(lambda line: line.decode().rstrip("\n").encode("utf-16") + b"\n"),
    "byte-order-mark": rewritten(lambda line: b"\xef\xbb\xbf" + line),
    "nan": with_unknown("NaN"),
    "number-too-large": with_unknown("[-1e999]"),
    "nested": with_unknown("[" * 600 + "]" * 600),
    "many-values": with_unknown("[" + "[]," * 1_100_000 + "0]"),
    "deep": says(b"[" * 100_000 + b"\n"),
    "endless-line": says(b"x" * (9 * MIB)),
    "long-integer": says(b'{"jsonrpc":"2.0","id":' + b"1" * 5000 + b',"result":{}}\n'),
    "batch": edited(lambda reply: [reply]),
    "wrong-id": edited(lambda reply: {**reply, "id": 987654}),
    "id-text": edited(lambda reply: {**reply, "id": str(reply["id"])}),
    "id-true": edited(lambda reply: {**reply, "id": True}),
    "id-fraction": rewritten(lambda line: line.replace(b', "result"', b'.0, "result"', 1)),
    "id-of-null": edited(lambda reply: {**reply, "id": None}),
    "id-null": says(encode({"jsonrpc": "2.0", "id": None, **error("parse_error")})),
    "no-id": without("id"),
    "other-jsonrpc": edited(lambda reply: {**reply, "jsonrpc": "1.0"}),
    "other-case": edited(lambda reply: {"jsonrpc": "2.0", "ID": reply["id"], "RESULT": reply["result"]}),
    "result-and-error": edited(lambda reply: {**reply, **error("exception")}),
    "neither-result-nor-error": without("result"),
    "error-without-kind": edited(
        lambda reply: {"jsonrpc": "2.0", "id": reply["id"], "error": {"code": 1, "message": "m"}}
    ),
    "wrong-shape": edited(lambda reply: {**reply, "result": []}),
    "null-result": edited(lambda reply: {**reply, "result": None}),
    "answers-twice": lambda _stage, reply: encode(reply) * 2,
}


# ---- ends and silence ------------------------------------------------------------------------


def dies(stage: Stage, _reply: Message) -> bytes:
    """Killed before it answers."""
    stage.transcript.note("left", "killed")
    os.kill(os.getpid(), signal.SIGKILL)
    return b""


def dies_after(stage: Stage, reply: Message) -> bytes:
    """It answers, and exits with status 3."""
    stage.write(encode(reply))
    stage.exit("after its answer", 3)
    return b""


def dies_in_line(stage: Stage, reply: Message) -> bytes:
    """Half of the answer, and exit status 0."""
    data = encode(reply)
    stage.write(data[: len(data) // 2])
    stage.exit("in the middle of a line")
    return b""


def exits(status: int, stderr_text: bytes = b"") -> Fault:
    """It leaves in place of an answer."""

    def fault(stage: Stage, _reply: Message) -> bytes:
        stage.write_stderr(stderr_text)
        stage.exit("in place of an answer", status)
        return b""

    return fault


def floods_stderr(stage: Stage, _reply: Message) -> bytes:
    """It says things to stderr without an end."""
    while True:
        stage.write_stderr(b"noise " * 10_000)


def closes_stdout(stage: Stage, _reply: Message) -> bytes:
    """stdout ends, and the process stays."""
    os.close(1)
    stage.hang()
    return b""


def silent(stage: Stage, _reply: Message) -> bytes:
    """No answer, ever."""
    stage.hang()
    return b""


ENDS: dict[str, Fault] = {
    "dies": dies,
    "dies-after": dies_after,
    "dies-in-line": dies_in_line,
    "exits-0": exits(0),
    "exits-3": exits(3, STDERR_TEXT),
    "fills-stderr": exits(4, b"noise " * 1_000_000),
    "floods-stderr": floods_stderr,
    "closes-stdout": closes_stdout,
    "silent": silent,
}


# ---- claims ----------------------------------------------------------------------------------


def drained(**members: Any) -> Fault:
    """The reply with those of these members that it has, whichever way the host asks."""

    def fault(_stage: Stage, reply: Message) -> bytes:
        result = reply.get("result", {})
        if result.get("type") == "call" and "calls" in members:
            result["call"] = members["calls"][0]
        known = (
            {"requests"} if result.keys() == {"requests"} else members.keys() if "calls" in result else set()
        )
        result.update({name: value for name, value in members.items() if name in known})
        return encode(reply)

    return fault


def told(**members: Any) -> Fault:
    """The reply with other members in its result."""
    return lambda _stage, reply: encode({**reply, "result": {**reply["result"], **members}})


def same_id_twice(stage: Stage, reply: Message) -> bytes | None:
    """One request handed out twice."""
    requests = reply.get("result", {}).get("requests")
    return drained(requests=requests[:1] * 2 + requests[1:])(stage, reply) if requests else None


def settled_id(stage: Stage, reply: Message) -> bytes | None:
    """A request under an id that was settled before."""
    if stage.played or "1" in stage.model.outstanding:
        return None
    stage.played = True
    stage.model.outstanding.add("1")
    if "type" in reply["result"]:
        stage.model.queued.append(AGENT)
        return encode({**reply, "result": {"type": "request", "request": AGENT}})
    return drained(requests=[AGENT], state="pending")(stage, reply)


def waits_for_nothing(stage: Stage, reply: Message) -> bytes | None:
    """Pending, not stalled, and with no request that it could wait for."""
    if "type" in reply["result"]:
        return encode({**reply, "result": {"type": "pending", "stalled": False}})
    return drained(calls=[], requests=[], state="pending")(stage, reply)


def more_and_a_result(stage: Stage, reply: Message) -> bytes | None:
    """It says more, and goes on as if nothing had happened."""
    if stage.played:
        return None
    stage.played = True
    return drained(more=True)(stage, reply)


def internal_error(_stage: Stage, reply: Message) -> bytes:
    """An error that no child may have once it has seen source."""
    return encode({"jsonrpc": "2.0", "id": reply["id"], **error("internal")})


def late(_stage: Stage, reply: Message) -> bytes:
    """The good answer, after a step and a grace have passed on the clock and none of it as CPU."""
    time.sleep(1.8)
    return encode(reply)


def without_calls(_stage: Stage, reply: Message) -> bytes:
    """A drain that is not whole."""
    reply["result"].pop("calls", None)
    return encode(reply)


def longer_messages(_stage: Stage, reply: Message) -> bytes:
    """It allows itself longer messages than anybody asked for."""
    reply["result"]["maxMessageBytes"] = reply["result"]["limits"]["maxMessageBytes"] = 1 << 50
    return encode(reply)


_CLAIMED = {"applied": True, "detail": "so it says"}
CLAIMS: dict[str, Fault] = {
    "other-version": told(protocolVersion="999.0"),
    "longer-messages": longer_messages,
    "claims-a-cage": told(isolation=dict.fromkeys(STRICT_LAYERS, _CLAIMED)),
    "same-id-twice": same_id_twice,
    "settled-id": settled_id,
    "id-left-out": drained(requests=[{**AGENT, "id": "7"}]),
    "id-below-the-first": drained(requests=[{**AGENT, "id": "0"}]),
    "stalled-and-waiting": drained(stalled=True),
    "waits-for-nothing": waits_for_nothing,
    "more-and-a-result": more_and_a_result,
    "internal-error": internal_error,
    "late": late,
    "request-without-id": drained(requests=[{"type": "agent", "prompt": "p"}]),
    "request-of-null": drained(requests=[None]),
    "sleep-below-zero": drained(requests=[{"type": "sleep", "id": "1", "durationMs": -1}]),
    "too-many-requests": drained(requests=[{**AGENT, "id": str(number)} for number in range(1, 21)]),
    "too-many-calls": drained(calls=[{"type": "log", "values": []}] * 100_000),
    "calls-that-are-no-list": drained(calls={}),
    "without-calls": without_calls,
    "complete-without-output": drained(state="complete"),
    "unknown-state": drained(state="asleep"),
    "unknown-call": drained(calls=[{"type": UNKNOWN_TYPE}]),
    # Names that every object has in some languages.
    "inherited-state": drained(state="constructor"),
    "inherited-call": drained(calls=[{"type": "toString"}]),
    "inherited-request": drained(requests=[{"type": "toString", "id": "1"}]),
}

FAULTS: dict[str, Fault] = {**LINES, **ENDS, **CLAIMS}
