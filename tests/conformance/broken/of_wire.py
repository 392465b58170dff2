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
    reading,
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
    "json/not-json: blanks": when(lambda turn: turn.line == b"   ", then=silence),
    "json/not-json: NUL": when(lambda turn: turn.line == b"\0", then=error("invalid_request", None)),
    "json/unfinished": when(lambda turn: turn.line == b'{"jsonrpc":"2.0","id":7', then=silence),
    "json/trailing-text": _accepts("}} x"),
    "json/trailing-text: another object": _accepts("}}{"),
    "json/invalid-utf-8": _accepts(b'"\xff"'),
    "json/invalid-utf-8: a surrogate": _accepts(b"\xed\xa0"),
    "json/invalid-utf-8: overlong": _accepts(b"\xc0\xaf"),
    "json/utf-16": _accepts(b"}\x00}\x00"),
    "json/utf-16: with a mark": _accepts(b"\xff\xfe{"),
    "json/byte-order-mark": _accepts(b"\xef\xbb\xbf"),
    "json/looser-notation": _accepts("[1,]"),
    "json/looser-notation: a comment": _accepts("}}//"),
    "json/looser-notation: single quotes": _accepts("'jsonrpc'"),
    "json/looser-notation: a leading zero": _accepts(":07}"),
    "json/nan": _accepts("NaN"),
    "json/infinity": _accepts("-Infinity"),
    "json/infinity: without a sign": _accepts(":Infinity"),
    "json/number-too-large": _accepts(":1e999}"),
    "json/number-too-large: negative": _accepts("-1e999"),
    "json/number-too-large: an integer": _accepts("1" * 5000),
    "json/number-too-large: an id": when(has('"id":1e999'), then=error("invalid_request", None)),
    "json/control-character": _accepts(b"\x01"),
    "json/too-deep": _accepts("[" * 100_000 + "]"),
    "json/too-deep: by little": _accepts(":" + "[" * 1000 + "]"),
    "json/too-deep: objects": _accepts('{"a":{"a":{"a":'),
    "json/too-deep: left open": _accepts("[" * 100_001),
    "json/too-many-values": _accepts("[],[],[]"),
    "json/too-many-values: numbers": _accepts("0,0,0,0"),
    "json/brackets-in-strings": when(has("[[[[,,,,{{{{[[[["), then=error("message_too_large", None)),
    "json-rpc/id-text": _echo_of('"r\\u00e9ply/\\ud834\\udd1e"', "r\u00e9ply/"),
    "json-rpc/id-empty-text": _echo_of('""', None),
    "json-rpc/id-digits": _echo_of('"7"', 7),
    "json-rpc/id-odd-text": _echo_of('"\\u0000"', ""),
    "json-rpc/id-odd-text: a separator": _echo_of('"\\u2028"', "\n"),
    "json-rpc/id-odd-text: a surrogate": _echo_of('"\\ud800"', "\ufffd"),
    "json-rpc/id-zero": when(has('"id": 0,'), then=silence),
    "json-rpc/id-negative": _echo_of("-1", 1),
    "json-rpc/id-beyond-doubles": _echo_of("9007199254740993", 9007199254740992),
    "json-rpc/id-beyond-doubles: 40 digits": _echo_of(str(10**40), 10**40 - 1),
    "json-rpc/id-again": when(has('"id": 73,'), earlier('"id": 73,'), then=silence),
    "json-rpc/id-null": when(has('"id":null'), then=silence),
    "json-rpc/id-fraction": when(has('"id":1.0'), then=error("invalid_state", 1)),
    "json-rpc/id-fraction: an exponent": when(has('"id":1e0'), then=error("invalid_state", 1)),
    "json-rpc/id-fraction: a half": when(has('"id":1.5'), then=error("invalid_request", 1.5)),
    "json-rpc/id-boolean": when(has('"id":true'), then=error("invalid_request", True)),
    "json-rpc/id-list": when(has('"id":[1]'), then=error("invalid_request", [1])),
    "json-rpc/id-object": when(has('"id":{}'), then=error("invalid_request", {})),
    "json-rpc/batch": when(
        lambda turn: turn.line.startswith(b"[{"),
        then=lambda turn: line([json.loads(error("method_not_found", 7)(turn))]),
    ),
    "json-rpc/empty-batch": when(lambda turn: turn.line == b"[]", then=silence),
    "json-rpc/scalar": when(lambda turn: turn.line == b'"poll"', then=error("parse_error", None)),
    "json-rpc/scalar: a number": when(lambda turn: turn.line == b"1", then=error("parse_error", None)),
    "json-rpc/scalar: true": when(lambda turn: turn.line == b"true", then=error("parse_error", None)),
    "json-rpc/scalar: null": when(lambda turn: turn.line == b"null", then=silence),
    "json-rpc/empty-object": when(lambda turn: turn.line == b"{}", then=silence),
    "json-rpc/other-version": when(has('"jsonrpc":"1.0"'), then=error("invalid_state")),
    "json-rpc/other-version: a number": when(has('"jsonrpc":2.0'), then=error("invalid_state")),
    "json-rpc/other-version: none": when(
        lambda turn: turn.line == b'{"id":7,"method":"poll"}', then=error("invalid_state")
    ),
    "json-rpc/no-method": when(
        lambda turn: turn.line == b'{"jsonrpc":"2.0","id":7}', then=error("method_not_found")
    ),
    "json-rpc/no-method: a number": when(has('"method":5'), then=error("method_not_found")),
    "json-rpc/no-method: a reply": when(has('"id":7,"result":{}'), then=silence),
    "json-rpc/unknown-method": when(method("launch"), then=result({})),
    "json-rpc/params-by-position": when(has('["1.0"]'), then=error("invalid_request")),
    "json-rpc/params-scalar": when(has('"params":null'), then=result({})),
    "json-rpc/params-scalar: text": when(has('"params":"1.0"'), then=error("invalid_request")),
    "json-rpc/params-scalar: a number": when(has('"params":5'), then=error("invalid_request")),
    "json-rpc/invalid-params": when(
        has('"cpuSeconds": "1"'), earlier('"limits": []'), then=edit_data(path="/limits")
    ),
    "json-rpc/invalid-params: a version": when(has('"protocolVersion": 1}'), then=error("protocol_version")),
    "json-rpc/invalid-params: limits": reading('"limits": []', '"limits": {}'),
    "json-rpc/invalid-params: a client": reading(
        '"client": "kit"', '"client": {"name": "k", "version": "1"}'
    ),
    "json-rpc/invalid-params: its name": when(has('{"name": 1'), then=edit_data(path="/client")),
    "json-rpc/notification": when(
        has('"method": "conformance/none"'),
        lambda turn: b'"id"' not in turn.line,
        then=error("method_not_found", None),
    ),
    "json-rpc/notification: out of order": when(
        method("poll"), lambda turn: b'"id"' not in turn.line, then=error("invalid_state", None)
    ),
    "json-rpc/bad-notification": when(has('"params": []'), then=error("invalid_params", None)),
    "json-rpc/bad-notification: resolve": when(
        method("resolve"), lambda turn: b'"id"' not in turn.line, then=error("invalid_params", None)
    ),
    "json-rpc/failing-notification": when(
        method("start"), lambda turn: b'"id"' not in turn.line, run("default (;"), then=error("syntax", None)
    ),
    "json-rpc/failing-notification: forgotten": when(
        method("poll"),
        earlier('"jsonrpc": "2.0", "method": "start"'),
        run("default (;"),
        then=error("invalid_state"),
    ),
    "json-rpc/notification-carried-out": Mutant(
        before=lambda data: b"[]" if b"default 5" in data and b'"id"' not in data else data,
        after=lambda turn: turn.answer if b'"id"' in turn.line or b'"start"' not in turn.line else b"",
    ),
    "json-rpc/unknown-members": when(has('"x":null'), then=error("invalid_request")),
    "json-rpc/unknown-members: of a budget": when(has('"spent": 0, "x"'), then=error("invalid_params")),
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
    "ending/half-a-line": Mutant(
        ends=lambda past, ended, held: b'{"half":true}\n' if ended and held and not past else 0
    ),
    "ending/half-a-line-in-a-run": Mutant(
        ends=lambda past, ended, held: 1 if ended and held and past and "half" in past[-1].source else 0
    ),
    "ending/quiet-stderr": Mutant(mutters=run("// quietly")),
}
