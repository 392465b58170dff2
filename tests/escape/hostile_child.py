"""A child that somebody else has taken over: it speaks well until it attacks its host.

Usage: hostile_child.py ATTACK
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count

from flowcage.protocol.layers import STRICT_LAYERS
from flowcage.protocol.limits import FIELD_NAMES

MIB = 1024 * 1024
MARKED = "\u2028 \u2029 \u0085 \x0b \x7f \ufeff"
AGENT: dict[str, object] = {"type": "agent", "id": "1", "prompt": "p"}
COMPLETE = {"calls": [], "requests": [], "state": "complete", "output": {"result": 1}}
PENDING = {"calls": [], "requests": [], "state": "pending"}
LOG = {"type": "log", "values": ["\x1b[2J\x9b31m\u202e"]}
IDS = map(str, count(1))
ATTACK = sys.argv[1]


def write(data: str | bytes, descriptor: int = 1) -> None:
    left = data.encode() if isinstance(data, str) else data
    while left:
        left = left[os.write(descriptor, left) :]


def text(identifier: object, result: object, *, ascii_only: bool = False) -> str:
    message = {"jsonrpc": "2.0", "id": identifier, "result": result}
    return json.dumps(message, ensure_ascii=ascii_only) + "\n"


def asking(*requests: dict[str, object]) -> dict[str, object]:
    return {**PENDING, "requests": requests}


def complete(result: object) -> dict[str, object]:
    return {**COMPLETE, "output": {"result": result}}


def with_result(identifier: int, literal: str) -> str:
    """A reply whose result is written as it is given."""
    return text(identifier, complete("HERE")).replace('"HERE"', literal)


def failure(identifier: int, kind: str, code: int) -> str:
    error = {
        "code": code,
        "message": kind,
        "data": {"kind": kind, "name": "Error", "message": kind, "stack": ""},
    }
    return json.dumps({"jsonrpc": "2.0", "id": identifier, "error": error}) + "\n"


def hang() -> None:
    while True:
        time.sleep(1000)


def drip(_: int) -> None:
    """So often that the host never waits long for a byte."""
    while True:
        write(b" ")
        time.sleep(0.01)


def chatter() -> None:
    while True:
        write(b"\x1b[31mnoise\n" * 1000, 2)


def grow(_: int) -> None:
    """Beyond what the host allows, and no further, should it not look."""
    kept = [b"x" * MIB for _ in range(500)]
    hang()
    del kept


def exit_after(data: str | bytes, status: int = 0, descriptor: int = 1) -> None:
    write(data, descriptor)
    os._exit(status)


def leave_somebody(_: int, *, session: bool = False, quiet: bool = False) -> None:
    """Exit with a process left behind, which ends by itself when no test looks any more."""
    if left := os.fork():
        write(f"{left}\n", 2)
        os._exit(0)
    signal.alarm(60)
    if session:
        os.setsid()
    if quiet:
        close_and_hang(0, 1, 2)
    while os.read(0, 1):
        pass
    os._exit(0)


def resist(_: int) -> None:
    """Do all that a process without rights may do about its own end."""
    signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
    for change in (os.setsid, lambda: os.setpgid(0, os.getppid())):
        with suppress(OSError):
            change()
    hang()


def close_and_hang(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
    hang()


def kill_self(name: str) -> None:
    number = signal.Signals[name]
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    hang()


def never_end(identifier: int) -> None:
    """One drain after another with something in it, and a request so that there is another."""
    note = {"kind": "note", "message": "x" * 10_000}
    for number in count(1):
        asked = {"type": "sleep", "id": str(number), "durationMs": 0}
        write(text(identifier, {**asking(asked), "diagnostics": [note]}))
        write(text(json.loads(sys.stdin.buffer.readline())["id"], {}))
        identifier = json.loads(sys.stdin.buffer.readline())["id"]


def chatter_and_answer(identifier: int) -> None:
    write(b"\x1b]0;title\x07\x1b[2Jnoise\n" * 100_000, 2)
    write(text(identifier, COMPLETE))


def byte_by_byte(identifier: int) -> None:
    for byte in text(identifier, complete(MARKED)).encode():
        write(bytes([byte]))


# Said instead of the answer to the first drain.
REPLIES: dict[str, Callable[[int], str | bytes]] = {
    "endless line": lambda _: b"x" * 9 * MIB,
    "100,000 levels": lambda i: with_result(i, "[" * 100_000 + "]" * 100_000),
    "100,000 open brackets": lambda _: "[" * 100_000 + "\n",
    "integer of 5,000 digits": lambda i: with_result(i, "1" * 5000),
    "exponent of 5,000 digits": lambda i: with_result(i, "1e" + "1" * 5000),
    "NaN": lambda i: with_result(i, "NaN"),
    "-Infinity": lambda i: with_result(i, "-Infinity"),
    "1e999": lambda i: with_result(i, "1e999"),
    "bad UTF-8": lambda i: with_result(i, '"X"').encode().replace(b"X", b"\xff"),
    "overlong UTF-8": lambda i: with_result(i, '"X"').encode().replace(b"X", b"\xc0\xaf"),
    "surrogate in UTF-8": lambda i: with_result(i, '"X"').encode().replace(b"X", b"\xed\xa0\x80"),
    "UTF-16": lambda i: text(i, COMPLETE).encode("utf-16"),
    "UTF-16 without a mark": lambda i: text(i, COMPLETE).encode("utf-16-le"),
    "byte-order mark": lambda i: b"\xef\xbb\xbf" + text(i, COMPLETE).encode(),
    "NUL": lambda i: b"\0" + text(i, COMPLETE).encode(),
    "raw control character": lambda i: with_result(i, '"\x1b[31m"'),
    "id true": lambda _: text(True, COMPLETE),
    "id as a float": lambda i: text(float(i), COMPLETE),
    "id in a list": lambda i: text([i], COMPLETE),
    "id in an object": lambda i: text({"id": i}, COMPLETE),
    "id as text": lambda i: text(str(i), COMPLETE),
    "id null": lambda _: text(None, COMPLETE),
    "late reply": lambda _: text(2, {}),
    "early reply": lambda i: text(i + 1, COMPLETE),
    "duplicate reply": lambda i: text(i, asking(AGENT)) * 2,
    "unsolicited reply": lambda i: text(i, asking(AGENT)) + text(999, {}),
    "request": lambda _: '{"jsonrpc": "2.0", "id": 1, "method": "start", "params": {}}\n',
    "notification": lambda _: '{"jsonrpc": "2.0", "method": "exit"}\n',
    "batch": lambda i: f"[{text(i, COMPLETE).strip()}]\n",
    "unknown state": lambda i: text(i, {**PENDING, "state": "done"}),
    "complete without output": lambda i: text(i, {**PENDING, "state": "complete"}),
    "unknown request": lambda i: text(i, asking({"type": "\x1b[31m" + "x" * 1_000_000, "id": next(IDS)})),
    "unknown request without an id": lambda i: text(i, asking({"type": "exec"})),
    "more unknown requests than allowed": lambda i: text(
        i, asking(*({**AGENT, "type": "exec", "id": str(n)} for n in range(1, 22)))
    ),
    "sleep below zero": lambda i: text(i, asking({"type": "sleep", "id": "1", "durationMs": -1})),
    "one request twice": lambda i: text(i, asking(AGENT, AGENT)),
    "more requests than allowed": lambda i: text(i, asking(*({**AGENT, "id": str(n)} for n in range(1, 22)))),
    "claims timeout": lambda i: failure(i, "timeout", -32004),
    "claims memory": lambda i: failure(i, "memory", -32005),
    "claims limit": lambda i: failure(i, "limit", -32008),
    "claims stack": lambda i: failure(i, "stack", -32006),
    "claims a machine without a cage": lambda i: failure(i, "isolation_unavailable", -32023),
    "claims an unknown kind": lambda i: failure(i, "cancelled", -32004),
    "separators": lambda i: text(i, complete(MARKED)),
    "separators as escapes": lambda i: text(i, complete(MARKED), ascii_only=True),
    "escapes in a log": lambda i: text(i, {**COMPLETE, "calls": [LOG]}, ascii_only=True),
}

# Done instead of the answer to the first drain.
DEEDS: dict[str, Callable[[int], None]] = {
    "byte by byte": byte_by_byte,
    "calls without end": never_end,
    "stderr without end": lambda _: chatter(),
    "stderr and an answer": chatter_and_answer,
    "drip": drip,
    "silence": lambda _: hang(),
    "resistance": resist,
    "growth": grow,
    "stdin closed": lambda _: close_and_hang(0),
    "stdout closed": lambda _: close_and_hang(1),
    "every pipe closed": lambda _: close_and_hang(0, 1, 2),
    "half a line": lambda i: exit_after(text(i, COMPLETE)[:40]),
    "exit 0": lambda _: exit_after(b""),
    "escapes and exit 3": lambda _: exit_after(b"\x1b[2J\x1b]0;t\x07\x9b31m\rlast\x08 words\n", 3, 2),
    "forked": leave_somebody,
    "forked and quiet": lambda i: leave_somebody(i, quiet=True),
    "forked into a session": lambda i: leave_somebody(i, session=True),
}


def initialized() -> dict[str, object]:
    """All claims are as generous as can be."""
    return {
        "protocolVersion": "1.0",
        "server": {"name": "hostile", "version": "0"},
        "engine": {"name": "none", "version": "0"},
        "limits": dict.fromkeys(FIELD_NAMES, 2**53 - 1),
        "isolation": {name: {"applied": True, "detail": "so it says"} for name in STRICT_LAYERS},
        "maxMessageBytes": 2**53 - 1 if ATTACK == "longer messages" else 8 * MIB,
    }


def attack(identifier: int) -> None:
    if ATTACK.startswith("SIG"):
        kill_self(ATTACK)
    elif ATTACK in REPLIES:
        write(REPLIES[ATTACK](identifier))
    else:
        DEEDS[ATTACK](identifier)


def main() -> None:
    if ATTACK == "speaking first":
        write(text(1, initialized()))
    if ATTACK == "silence from the start":
        hang()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        if request["method"] == "drain":
            attack(request["id"])
        else:
            write(text(request["id"], initialized() if request["method"] == "initialize" else {}))
        if ATTACK == "deafness":
            hang()


if __name__ == "__main__":
    main()
