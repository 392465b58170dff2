"""What the fake child can do wrong, by name.

A fault gets the correct reply to a message. It returns the bytes to write in its place (None: the correct
reply), or exits. After a line that breaks the contract the child hangs instead: the host must end it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any, TypeAlias

from flowcage.conformance.fake_child import AGENT, MIB, UNKNOWN_TYPE, Message, Stage, encode, error
from flowcage.protocol.layers import STRICT_LAYERS

Fault: TypeAlias = Callable[[Stage, Message], bytes | None]

STDERR_TEXT = b"\x1b[31mthe reason\x1b[0m\n"


# ---- wrong lines and envelopes ---------------------------------------------------------------


def says(data: bytes) -> Fault:
    """Write these bytes in place of the reply, then hang."""

    def fault(stage: Stage, _reply: Message) -> bytes:
        stage.write(data)
        stage.hang()
        return b""

    return fault


def rewritten(change: Callable[[bytes], bytes]) -> Fault:
    """Write the line of the correct reply after a change, then hang."""
    return lambda stage, reply: says(change(encode(reply)))(stage, reply)


def edited(change: Callable[[Message], Any]) -> Fault:
    """Write the correct reply after a change, then hang."""
    return lambda stage, reply: says(encode(change(reply)))(stage, reply)


def without(member: str) -> Fault:
    """Write the correct reply without one member, then hang."""
    return edited(lambda reply: {name: value for name, value in reply.items() if name != member})


def with_unknown(literal: str) -> Fault:
    """Write the correct reply with a member more, whose value is this text, then hang."""

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


# ---- exits and hangs -------------------------------------------------------------------------


def dies(stage: Stage, _reply: Message) -> bytes:
    """Kill this process before it replies."""
    stage.transcript.note("left", "killed")
    os.kill(os.getpid(), signal.SIGKILL)
    return b""


def dies_after(stage: Stage, reply: Message) -> bytes:
    """Reply, then exit with status 3."""
    stage.write(encode(reply))
    stage.exit("after its answer", 3)
    return b""


def dies_in_line(stage: Stage, reply: Message) -> bytes:
    """Write half of the reply, then exit with status 0."""
    data = encode(reply)
    stage.write(data[: len(data) // 2])
    stage.exit("in the middle of a line")
    return b""


def exits(status: int, stderr_text: bytes = b"") -> Fault:
    """Exit in place of a reply, after text on stderr."""

    def fault(stage: Stage, _reply: Message) -> bytes:
        stage.write_stderr(stderr_text)
        stage.exit("in place of an answer", status)
        return b""

    return fault


def floods_stderr(stage: Stage, _reply: Message) -> bytes:
    """Write to stderr for ever."""
    while True:
        stage.write_stderr(b"noise " * 10_000)


def closes_stdout(stage: Stage, _reply: Message) -> bytes:
    """Close stdout, then hang."""
    os.close(1)
    stage.hang()
    return b""


def silent(stage: Stage, _reply: Message) -> bytes:
    """Hang in place of a reply."""
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


# ---- false claims ----------------------------------------------------------------------------


def drained(**members: Any) -> Fault:
    """Set these members in the reply to `drain`, or those of them that `take` or `poll` has."""

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
    """Set these members in the result."""
    return lambda _stage, reply: encode({**reply, "result": {**reply["result"], **members}})


def same_id_twice(stage: Stage, reply: Message) -> bytes | None:
    """Hand out one request twice, in one reply."""
    requests = reply.get("result", {}).get("requests")
    return drained(requests=requests[:1] * 2 + requests[1:])(stage, reply) if requests else None


def settled_id(stage: Stage, reply: Message) -> bytes | None:
    """Hand out a request under an id that was settled before."""
    if stage.played or "1" in stage.model.outstanding:
        return None
    stage.played = True
    stage.model.outstanding.add("1")
    if "type" in reply["result"]:
        stage.model.queued.append(AGENT)
        return encode({**reply, "result": {"type": "request", "request": AGENT}})
    return drained(requests=[AGENT], state="pending")(stage, reply)


def waits_for_nothing(stage: Stage, reply: Message) -> bytes | None:
    """Report pending, not stalled, while nothing is outstanding."""
    if "type" in reply["result"]:
        return encode({**reply, "result": {"type": "pending", "stalled": False}})
    return drained(calls=[], requests=[], state="pending")(stage, reply)


def more_and_a_result(stage: Stage, reply: Message) -> bytes | None:
    """Report ``more``, then go on without the failure that must follow."""
    if stage.played:
        return None
    stage.played = True
    return drained(more=True)(stage, reply)


def internal_error(_stage: Stage, reply: Message) -> bytes:
    """Reply with `internal`, which a child may not once it has got source."""
    return encode({"jsonrpc": "2.0", "id": reply["id"], **error("internal")})


def late(_stage: Stage, reply: Message) -> bytes:
    """Reply correctly after 1.8 s of wall time without CPU time, more than the step of a test."""
    time.sleep(1.8)
    return encode(reply)


def without_calls(_stage: Stage, reply: Message) -> bytes:
    """Leave out a required member of a drain."""
    reply["result"].pop("calls", None)
    return encode(reply)


def longer_messages(_stage: Stage, reply: Message) -> bytes:
    """Report a longer maxMessageBytes than the host asked for."""
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
    # Names of members that every object inherits in JavaScript.
    "inherited-state": drained(state="constructor"),
    "inherited-call": drained(calls=[{"type": "toString"}]),
    "inherited-request": drained(requests=[{"type": "toString", "id": "1"}]),
}

FAULTS: dict[str, Fault] = {**LINES, **ENDS, **CLAIMS}
