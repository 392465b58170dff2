"""What the fake child does otherwise than a good one, by name.

A scenario sees each message and the good reply. It returns the bytes to say, None for the good reply, or
leaves.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any, TypeAlias

from flowcage.conformance.fake_child import MIB, UNKNOWN_TYPE, Message, Stage, encode, error

Scenario: TypeAlias = Callable[[Stage, str, Message], bytes | None]


def good(_stage: Stage, _method: str, _reply: Message) -> bytes | None:
    """Nothing wrong."""
    return None


def _at(method: str, then: Callable[[Stage, Message], bytes | None]) -> Scenario:
    """Something at each message of this method; `poll` and `take` stand in for `drain`."""
    methods = {method, *(("poll", "take") if method == "drain" else ())}

    def scenario(stage: Stage, seen: str, reply: Message) -> bytes | None:
        return then(stage, reply) if seen in methods else None

    return scenario


# ---- unusual, and right ----------------------------------------------------------------------


def byte_by_byte(stage: Stage, _method: str, _reply: Message) -> bytes | None:
    """Each byte in a write of its own."""
    stage.drip = True
    return None


def slow(_stage: Stage, _reply: Message) -> bytes | None:
    """It takes its time."""
    time.sleep(1.0)
    return None


def noise(_stage: Stage, _method: str, _reply: Message) -> bytes | None:
    """A megabyte on stderr before every reply."""
    for _ in range(16):
        os.write(2, b"noise on stderr\n" * 4096)
    return None


def unknown_members(_stage: Stage, _method: str, reply: Message) -> bytes | None:
    """Members that no version of the contract has, everywhere."""
    return encode(_with_unknown(reply))


def _with_unknown(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_unknown(item) for item in value]
    if isinstance(value, dict):
        members = {name: _with_unknown(item) for name, item in value.items()}
        # The names in `isolation` are the layers', not members.
        members.get("isolation", {}).pop("xNew", None)
        return {**members, "xNew": {"a": [1]}}
    return value


def _with(reply: Message, **members: Any) -> bytes | None:
    """The reply with those of these members that it has, whichever way the host asks."""
    result = reply.get("result", {})
    if result.get("type") == "call" and "calls" in members:
        result["call"] = members["calls"][0]
    known = {"requests"} if result.keys() == {"requests"} else members.keys() if "calls" in result else set()
    result.update({name: value for name, value in members.items() if name in known})
    return encode(reply)


def _log(value: Any) -> Message:
    return {"type": "log", "values": [value]}


def separators(_stage: Stage, reply: Message) -> bytes | None:
    """Line separators that are none of the wire's, unescaped in a string."""
    return _with(reply, calls=[_log("a\u2028b\u2029c\u0085d\U0001d11e")])


def large(_stage: Stage, reply: Message) -> bytes | None:
    """A reply of 6 MiB."""
    return _with(reply, calls=[_log("x" * (6 * MIB))])


def diagnostics(_stage: Stage, reply: Message) -> bytes | None:
    """A diagnostic of a kind that nobody knows."""
    return _with(reply, diagnostics=[{"kind": "from-the-future", "message": "hello"}])


def unknown_call(_stage: Stage, reply: Message) -> bytes | None:
    """A call of a type that nobody knows."""
    return _with(reply, calls=[{"type": UNKNOWN_TYPE}])


def unknown_request(stage: Stage, reply: Message) -> bytes | None:
    """A request of a type that nobody knows, before the others; it must be resolved, too."""
    if not reply.get("result", {}).get("requests"):
        return None
    stage.model.outstanding.add("3")
    return _with(reply, requests=[{"type": UNKNOWN_TYPE, "id": "3"}, *reply["result"]["requests"]])


def same_id_twice(_stage: Stage, reply: Message) -> bytes | None:
    """One request handed out twice."""
    requests = reply.get("result", {}).get("requests")
    return _with(reply, requests=requests[:1] * 2 + requests[1:]) if requests else None


def longer_messages(_stage: Stage, reply: Message) -> bytes:
    """It allows itself longer messages than anybody asked for."""
    reply["result"]["maxMessageBytes"] = reply["result"]["limits"]["maxMessageBytes"] = 1 << 50
    return encode(reply)


# ---- ends that are none of the host's fault --------------------------------------------------


def stalled(_stage: Stage, reply: Message) -> bytes | None:
    """The workflow can never finish."""
    if "type" in reply.get("result", {}):
        return encode({**reply, "result": {"type": "pending", "stalled": True}})
    return _with(reply, calls=[], requests=[], state="pending", stalled=True)


def failing(kind: str, **data: Any) -> Callable[[Stage, Message], bytes]:
    """An error of this kind in place of the result."""
    return lambda _stage, reply: encode({"jsonrpc": "2.0", "id": reply["id"], **error(kind, **data)})


def more(stage: Stage, reply: Message) -> bytes | None:
    """What was queued, and more: true; the next message is answered with the failure that it came before."""
    if stage.played:
        return failing("exception")(stage, reply)
    stage.played = True
    return _with(reply, more=True)


# ---- faults ----------------------------------------------------------------------------------


def dies(stage: Stage, _reply: Message) -> bytes:
    """Killed before it answers."""
    stage.transcript.note("left", "killed")
    os.kill(os.getpid(), signal.SIGKILL)
    return b""


def dies_after(stage: Stage, reply: Message) -> bytes:
    """It answers, and exits with status 3."""
    stage.say(encode(reply))
    stage.leave("after its answer", 3)
    return b""


def dies_in_line(stage: Stage, reply: Message) -> bytes:
    """Half of the answer, and exit status 0."""
    data = encode(reply)
    stage.say(data[: len(data) // 2])
    stage.leave("in the middle of a line")
    return b""


def closes_stdout(stage: Stage, _reply: Message) -> bytes:
    """stdout ends, and the process stays."""
    os.close(1)
    stage.stay()
    return b""


def silent(stage: Stage, _reply: Message) -> bytes:
    """No answer, ever."""
    stage.stay()
    return b""


def says(data: bytes) -> Callable[[Stage, Message], bytes]:
    """These bytes in place of an answer, and silence after."""

    def fault(stage: Stage, _reply: Message) -> bytes:
        stage.say(data)
        stage.stay()
        return b""

    return fault


def edited(change: Callable[[Message], Any]) -> Callable[[Stage, Message], bytes]:
    """The good answer, changed, and silence after."""

    def fault(stage: Stage, reply: Message) -> bytes:
        stage.say(encode(change(reply)))
        stage.stay()
        return b""

    return fault


def other_version(_stage: Stage, reply: Message) -> bytes:
    """It answers with a version that nobody asked for."""
    reply["result"]["protocolVersion"] = "999.0"
    return encode(reply)


SCENARIOS: dict[str, Scenario] = {
    "good": good,
    "byte-by-byte": byte_by_byte,
    "slow": _at("drain", slow),
    "noise": noise,
    "unknown-members": unknown_members,
    "separators": _at("drain", separators),
    "large": _at("drain", large),
    "diagnostics": _at("drain", diagnostics),
    "unknown-call": _at("drain", unknown_call),
    "unknown-request": _at("drain", unknown_request),
    "same-id-twice": _at("drain", same_id_twice),
    "longer-messages": _at("initialize", longer_messages),
    "stalled": _at("drain", stalled),
    "more": _at("drain", more),
    "exception": _at("drain", failing("exception")),
    "timeout": _at("drain", failing("timeout")),
    "internal": _at("drain", failing("internal")),
    "syntax": _at("start", failing("syntax", sourceName="w.js", line=1, column=1)),
    "isolation-unavailable": _at("initialize", failing("isolation_unavailable", layers=["memory"])),
    "protocol-version": _at("initialize", failing("protocol_version", supported=["999.0"])),
    "other-version": _at("initialize", other_version),
    "unknown-kind": _at(
        "drain",
        lambda _stage, reply: encode(
            {
                "jsonrpc": "2.0",
                "id": reply["id"],
                "error": {"code": -32099, "message": "new", "data": {"kind": "new"}},
            }
        ),
    ),
    "dies-before-initialize": _at("initialize", dies),
    "dies-after-initialize": _at("initialize", dies_after),
    "dies-in-line": _at("initialize", dies_in_line),
    "dies-before-start": _at("start", dies),
    "dies-after-start": _at("start", dies_after),
    "dies-in-drain": _at("drain", dies),
    "dies-in-drain-line": _at("drain", dies_in_line),
    "dies-after-drain": _at("drain", dies_after),
    "dies-in-resolve": _at("resolve", dies),
    "closes-stdout": _at("drain", closes_stdout),
    "silent": _at("drain", silent),
    "silent-initialize": _at("initialize", silent),
    "garbage": _at("drain", says(b"}{ garbage\n")),
    "print": _at("start", says(b"a stray print\n")),
    "invalid-utf-8": _at("drain", says(b'{"jsonrpc":"2.0\xff"}\n')),
    "batch": _at("drain", edited(lambda reply: [reply])),
    "wrong-id": _at("drain", edited(lambda reply: {**reply, "id": 987654})),
    "id-null": _at("drain", lambda stage, reply: _null_id(stage, reply)),
    "result-and-error": _at("drain", edited(lambda reply: {**reply, **error("exception")})),
    "wrong-shape": _at("drain", edited(lambda reply: {**reply, "result": []})),
    "endless-line": _at("drain", says(b"x" * (9 * MIB))),
    "deep": _at("drain", says(b"[" * 100_000 + b"\n")),
    "answers-twice": _at("start", lambda _stage, reply: encode(reply) * 2),
}


def _null_id(stage: Stage, _reply: Message) -> bytes:
    stage.say(encode({"jsonrpc": "2.0", "id": None, **error("parse_error")}))
    stage.stay()
    return b""
