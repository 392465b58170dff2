"""Broken framing, JSON, JSON-RPC, pipelining and ends."""

from __future__ import annotations

import json

from .mutant import (
    Mutant,
    earlier,
    edit_data,
    error,
    has,
    line,
    method,
    replaced,
    result,
    run,
    silence,
    twice,
    when,
)

MIB = 1 << 20
ACCEPTED = error("method_not_found")


class _LosesPieces:
    """A short piece without a newline is lost."""

    def __init__(self) -> None:
        self._held = b""

    def __call__(self, data: bytes) -> list[bytes]:
        if not self._held and len(data) < 1000 and b"\n" not in data:
            return []
        *lines, self._held = (self._held + data).split(b"\n")
        return lines


def _echo_of(identifier: str, new: object) -> Mutant:
    """Ids of this JSON text come back as something else."""
    return when(has(f'"id": {identifier},'), then=lambda turn: line({**turn.reply, "id": new}))


def _accepts(text: str | bytes) -> Mutant:
    """What holds this text is taken for a request."""
    return when(has(text), then=lambda turn: line({**json.loads(error("method_not_found", 7)(turn))}))


OF_WIRE: dict[str, Mutant] = {
    "framing/one-reply-one-line": when(method("drain"), run("two\\nlines"), then=replaced("{", "{\n")),
    "framing/only-newline-ends-a-line": Mutant(
        before=lambda data: data.split("\u2028".encode())[0] if b'"start"' in data else data
    ),
    "framing/blanks-around-a-message": when(has(b" \t{"), then=error("parse_error", None)),
    "framing/line-in-pieces": Mutant(breaks_lines=_LosesPieces()),
    "framing/lines-in-one-piece": when(has('"id": 202'), then=silence),
    "framing/empty-line": when(lambda turn: turn.line == b"", then=silence),
    "framing/line-too-long": when(lambda turn: len(turn.line) == 1001, then=ACCEPTED),
    "framing/line-of-the-maximum": when(
        lambda turn: len(turn.line) == 1000, then=error("message_too_large", None)
    ),
    "framing/line-far-too-long": when(lambda turn: len(turn.line) == MIB, then=twice),
    "framing/default-maximum": when(lambda turn: len(turn.line) == 8 * MIB + 1, then=ACCEPTED),
    "json/not-json": when(lambda turn: turn.line == b"hello", then=error("invalid_request", None)),
    "json/unfinished": when(lambda turn: turn.line == b'{"jsonrpc":"2.0","id":7', then=silence),
    "json/trailing-text": _accepts("}} x"),
    "json/invalid-utf-8": _accepts(b'"\xff"'),
    "json/utf-16": _accepts(b"{\x00"),
    "json/nan": _accepts("NaN"),
    "json/infinity": _accepts("-Infinity"),
    "json/number-too-large": _accepts("1e999"),
    "json/control-character": _accepts(b"\x01"),
    "json/too-deep": _accepts("[" * 1000),
    "json/too-many-values": _accepts("[],[],[]"),
    "json/brackets-in-strings": when(has("[[[[,,,,{{{{[[[["), then=error("message_too_large", None)),
    "json-rpc/id-text": _echo_of('"r\\u00e9ply/\\ud834\\udd1e"', "r\u00e9ply/"),
    "json-rpc/id-empty-text": _echo_of('""', None),
    "json-rpc/id-digits": _echo_of('"7"', 7),
    "json-rpc/id-zero": when(has('"id": 0,'), then=silence),
    "json-rpc/id-negative": _echo_of("-1", 1),
    "json-rpc/id-beyond-doubles": _echo_of("9007199254740993", 9007199254740992),
    "json-rpc/id-again": when(has('"id": 73,'), earlier('"id": 73,'), then=silence),
    "json-rpc/id-null": when(has('"id":null'), then=silence),
    "json-rpc/id-fraction": when(has('"id":1.0'), then=error("invalid_state", 1)),
    "json-rpc/id-boolean": when(has('"id":true'), then=error("invalid_request", True)),
    "json-rpc/id-list": when(has('"id":[1]'), then=error("invalid_request", [1])),
    "json-rpc/batch": when(
        has("[{"), then=lambda turn: line([json.loads(error("method_not_found", 7)(turn))])
    ),
    "json-rpc/empty-batch": when(lambda turn: turn.line == b"[]", then=silence),
    "json-rpc/scalar": when(lambda turn: turn.line == b'"poll"', then=error("parse_error", None)),
    "json-rpc/other-version": when(has('"jsonrpc":"1.0"'), then=error("invalid_state")),
    "json-rpc/no-method": when(
        lambda turn: turn.line == b'{"jsonrpc":"2.0","id":7}', then=error("method_not_found")
    ),
    "json-rpc/unknown-method": when(method("launch"), then=result({})),
    "json-rpc/params-by-position": when(has('["1.0"]'), then=error("invalid_request")),
    "json-rpc/invalid-params": when(has('"cpuSeconds": "1"'), then=edit_data(path="/limits")),
    "json-rpc/notification": when(
        lambda turn: b'"id"' not in turn.line and b"conformance/none" in turn.line,
        then=error("method_not_found", None),
    ),
    "json-rpc/bad-notification": when(has('"params": []'), then=error("invalid_params", None)),
    "json-rpc/notification-carried-out": Mutant(
        before=lambda data: b"[]" if b'"start"' in data and b'"id"' not in data else data,
        after=lambda turn: turn.answer if b'"id"' in turn.line or b'"start"' not in turn.line else b"",
    ),
    "json-rpc/unknown-members": when(has('"x":null'), then=error("invalid_request")),
    "pipelining/in-order": when(has('"id": "p2"'), then=lambda turn: line({**turn.reply, "id": "p3"})),
    "pipelining/whole-run": when(has('"id": "run3"'), then=error("unknown_request")),
    "pipelining/refusal-between": when(has("{refused}"), then=silence),
    "ending/shutdown": when(
        method("shutdown"), earlier('"initialize"'), lambda t: len(t.past) == 1, then=silence
    ),
    "ending/shutdown-first": when(
        method("shutdown"), has('"id": 1,'), lambda turn: not turn.past, then=error("invalid_state")
    ),
    "ending/nothing-after-shutdown": when(
        has('"id": "last"'), then=lambda turn: turn.answer + error("invalid_state", "late")(turn)
    ),
    "ending/shutdown-notification": when(
        method("shutdown"), lambda turn: b'"id"' not in turn.line, then=result({})
    ),
    "ending/eof": Mutant(ends=lambda past, ended, held: 1 if ended and not past and not held else 0),
    "ending/eof-while-waiting": Mutant(
        ends=lambda past, ended, _held: None if ended and past and "for ever" in past[-1].source else 0
    ),
    "ending/eof-after-lines": when(has('"id": "two"'), then=silence),
    "ending/half-a-line": Mutant(ends=lambda _past, ended, held: b'{"half":true}\n' if ended and held else 0),
    "ending/quiet-stderr": Mutant(mutters=run("// quietly")),
}
