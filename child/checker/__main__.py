"""``python -m flowcage.child.checker``: reads one task from stdin, writes one reply to stdout, and exits.

The host sends the task once the process has written `READY` and the kernel has confirmed its cage. A task is
one JSON object, ``{"schema": …}`` or ``{"schema": …, "value": …}``, up to the end of stdin. The reply is
``{"problem": null}``, or ``{"problem": "…"}`` where the value is no instance, or ``{"error": "…"}`` where the
schema is at fault. Where the cage could not be closed, ``{"isolation": "…"}`` comes instead of `READY`.
"""

from __future__ import annotations

import gc
import os
import re
import sys

from flowcage._kept_modules import keep
from flowcage.child.cage import lockdown, process, rlimits
from flowcage.child.checker.schema import Schema, SchemaError
from flowcage.child.environment import clear_environment
from flowcage.child.life import exit_status_of, log_to_stderr, parse_die_with
from flowcage.child.stdio import INCOMING, OUTGOING, claim, write_all
from flowcage.protocol import strictjson
from flowcage.protocol.errors import ErrorReply
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import Isolation, Json

READY = b"ready\n"
USAGE = "usage: python -m flowcage.child.checker strict|best_effort|none CPU_SECONDS BYTES --die-with PID"
_READ_BYTES = 1024 * 1024
# Escapes in JSON text: a pair of surrogates, a lone one, any other.
_ESCAPE = re.compile(rb"\\(?:u(?:d[89ab]..)\\u(?:d[c-f]..)|u(d[89a-f]..)|.)", re.IGNORECASE)


def main() -> None:
    """Close the cage, answer, and exit without running the interpreter's clean-up."""
    clear_environment()
    keep()
    gc.enable()
    try:
        isolation, limits, parent = _arguments(sys.argv[1:])
        claim()
    except ValueError:
        log_to_stderr(USAGE)
        os._exit(os.EX_USAGE)  # sysexits.h
    except OSError as error:
        log_to_stderr(f"stdin or stdout is closed, or no descriptor is left: {error.strerror}")
        os._exit(os.EX_OSERR)
    os._exit(exit_status_of(lambda: _serve_or_abort(isolation, limits, parent)))


def _arguments(arguments: list[str]) -> tuple[Isolation, Limits, int | None]:
    level, cpu_seconds, address_space, *rest = arguments
    limits = Limits(cpu_seconds=int(cpu_seconds), address_space_bytes=int(address_space))
    levels: dict[str, Isolation] = {"strict": "strict", "best_effort": "best_effort", "none": "none"}
    if level not in levels or min(limits.cpu_seconds, limits.address_space_bytes) < 1:
        raise ValueError(level)
    return levels[level], limits, parse_die_with(rest)


def _serve_or_abort(isolation: Isolation, limits: Limits, parent: int | None) -> None:
    try:
        _serve(isolation, limits, parent)
    except MemoryError:
        os.abort()  # SIGABRT, as where an allocation of the validator fails: the host knows one sign


def _serve(isolation: Isolation, limits: Limits, parent: int | None) -> None:
    _warm_up()
    try:
        _confine(isolation, limits, parent)
    except ErrorReply as refusal:
        _write_reply({"isolation": refusal.message})
        return
    write_all(OUTGOING, READY)
    _write_reply(reply_to(_read()))


def _confine(isolation: Isolation, limits: Limits, parent: int | None) -> None:
    """Close the cage; with isolation ``none``, apply the limits and the parent-death signal all the same."""
    lockdown.enter(limits, isolation, parent)
    if isolation == "none":
        rlimits.apply(limits, mapped=0)
        if sys.platform == "linux":
            process.die_with(parent)


def _warm_up() -> None:
    """Let the validator make its first system calls before the cage refuses them.

    Its first regular expression asks for the number of cores, and its first hash map for random bytes.
    """
    Schema({"items": {"pattern": "^(a+)+$"}, "uniqueItems": True}).why_not([{"a": "é"}, "ab"])


def _read() -> bytes:
    pieces = []
    while piece := os.read(INCOMING, _READ_BYTES):
        pieces.append(piece)
    return b"".join(pieces)


def _write_reply(reply: dict[str, Json]) -> None:
    write_all(OUTGOING, strictjson.dumps(reply).encode())


def reply_to(text: bytes) -> dict[str, Json]:
    """Do one task.

    Args:
        text: the task, as JSON text.

    Returns:
        The reply, as a JSON object.
    """
    try:
        task = strictjson.loads(_ESCAPE.sub(_encodable, text) if b"\\ud" in text else text)
        schema = Schema(task["schema"])
        return {"problem": schema.why_not(task["value"]) if "value" in task else None}
    except SchemaError as error:
        return {"error": str(error)}
    except ValueError as error:
        return {"error": f"options.schema cannot be applied: {error}"}


def _encodable(escape: re.Match[bytes]) -> bytes:
    """Replace a lone surrogate by a private-use code point: UTF-8, which the validator takes, has none."""
    lone = escape[1]
    return chr(int(lone, 16) - 0xD800 + 0x10F800).encode() if lone else escape[0]


if __name__ == "__main__":
    main()
