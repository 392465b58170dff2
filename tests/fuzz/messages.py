"""What hypothesis draws a host's lines from, and which of them are answered, under which id."""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple

from hypothesis import strategies as st

from ..protocol.strategies import PARAMS, json_values, mutated

Lines = st.SearchStrategy[bytes]

# ---- lines -----------------------------------------------------------------------------------

_IDS = st.integers() | st.text(max_size=3) | st.sampled_from([0, -1, "1", 2**70, "\ud800", '"\n'])
_SOURCES = st.sampled_from(
    [
        "export default 1;",
        "log('a'); export default await agent('x');",
        "phase('p'); return await parallel([() => agent('a'), () => agent('b')]);",
        "export default SW.extra.sleep(5);",
        "export const meta = { name: 'm' };\nthrow new Error('told');",
        "export const meta = { name: compute() };",
        "export default new Promise(() => {});",
        "import 'fs';",
        "(",
        "",
    ]
)
_SETTLEMENTS = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["1", "2", "3"]),
        "resolution": st.fixed_dictionaries({"type": st.just("ok"), "value": json_values(3)}),
    }
)
_SOUND = {
    "initialize": st.just({"protocolVersion": "1.0"}),
    "start": st.fixed_dictionaries({"source": _SOURCES}, optional={"args": json_values(3)}),
    "run": st.fixed_dictionaries({"source": _SOURCES}, optional={"args": json_values(3)}),
    "check": st.fixed_dictionaries({"source": _SOURCES}),
    "resolve": _SETTLEMENTS,
    "advance": st.fixed_dictionaries(
        {"turns": st.lists(st.lists(_SETTLEMENTS, min_size=1, max_size=3), min_size=1, max_size=3)}
    ),
}
# What the contract lets a host ask for is another test's matter; here the child must have room to live.
_METHODS = [name for name in PARAMS if name not in ("initialize", "shutdown")]
ODD = [
    b"",
    b" \t\r",
    b"null",
    b"[]",
    b'[{"jsonrpc":"2.0","id":1,"method":"poll"}]',
    b'{"jsonrpc":"2.0","id":null,"method":"poll"}',
    b'{"jsonrpc":"2.0","id":1.0,"method":"poll"}',
    b'{"jsonrpc":"2.0","id":true,"method":"poll"}',
    b'{"jsonrpc":"2.0","id":1,"id":2,"method":"poll"}',
    b'{"jsonrpc":"2.0","id":1e999,"method":"poll"}',
    b'{"jsonrpc":"2.0","id":NaN,"method":"poll"}',
    b'{"jsonrpc":"2.0","id":' + b"9" * 400 + b',"method":"poll"}',
    b'{"jsonrpc":"2.0","id":1,"method":"poll"} x',
    b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"method":"poll"}',
    '{"jsonrpc":"2.0","id":1,"method":"poll"}'.encode("utf-16"),
    b'{"jsonrpc":"2.0","id":"\xed\xa0\x80","method":"poll"}',
    b'{"jsonrpc":"2.0","id":"\\ud800\\u0000","method":"poll\\ud800"}',
    b'{"jsonrpc":"1.0","id":1,"method":"poll"}',
    b'{"id":1,"method":"poll"}',
    b'{"jsonrpc":"2.0","method":7}',
    b'{"jsonrpc":"2.0","method":"nope"}',
    b'{"jsonrpc":"2.0","method":"check","params":{"source":"("}}',
    b'{"jsonrpc":"2.0","method":"check","params":{"source":"export default 1"}}',
    b"[" * 100_000,
    b"[" * 600 + b"]" * 600,
    b'{"a":' * 600 + b"1" + b"}" * 600,
    b"[" + b"[]," * 1_000_001 + b"[]]",
    b'"' + b"[" * 1000 + b'"',
]


def request(identifier: Any, method: str, params: Any) -> bytes:
    """One request as a line without its newline."""
    return json.dumps({"jsonrpc": "2.0", "id": identifier, "method": method, "params": params}).encode()


@st.composite
def sound(draw: st.DrawFn) -> bytes:
    """A request or a notification that the child may carry out, if its state allows."""
    method = draw(st.sampled_from([*_METHODS, "initialize"]))
    params = draw(_SOUND.get(method, st.just({})))
    if draw(st.integers(0, 4)) == 0:
        return json.dumps({"jsonrpc": "2.0", "method": method, "params": params}).encode()
    return request(draw(_IDS), method, params)


@st.composite
def unsound(draw: st.DrawFn) -> bytes:
    """A request in which one value was replaced or taken out."""
    method = draw(st.sampled_from(_METHODS))
    whole = st.fixed_dictionaries(
        {"jsonrpc": st.just("2.0"), "id": _IDS, "method": st.just(method), "params": PARAMS[method]}
    )
    return json.dumps(draw(mutated(whole))).encode()


@st.composite
def mangled(draw: st.DrawFn) -> bytes:
    """A line in which some bytes were replaced by others; it may have become several."""
    line = draw(sound() | unsound())
    start = draw(st.integers(0, len(line)))
    end = draw(st.integers(start, min(len(line), start + 3)))
    return (
        line[:start]
        + draw(st.binary(max_size=3) | st.sampled_from([b"\n", b"}\n{", b'"', b"\\"]))
        + line[end:]
    )


def lines() -> Lines:
    """Any line, or what was one."""
    return sound() | sound() | unsound() | mangled() | st.sampled_from(ODD) | st.binary(max_size=9)


# ---- what is answered ------------------------------------------------------------------------


class Expected(NamedTuple):
    """What a line must come to.

    Attributes:
        is_answered: False for a notification.
        id: of the reply; None where the line does not tell one.
        method: whose result the reply may hold; None where it must hold an error.
        is_last: it is a shutdown, after which nothing is read.
    """

    is_answered: bool
    id: str | int | None = None
    method: str | None = None
    is_last: bool = False


UNREADABLE = Expected(True)


def expected(line: bytes, max_bytes: int) -> Expected:
    """Read a line by the rules of the contract, written down a second time."""
    try:
        value = _parse(line) if len(line) <= max_bytes else None
    except (ValueError, RecursionError):
        return UNREADABLE
    if not isinstance(value, dict) or ("id" in value and type(value["id"]) not in (str, int)):
        return UNREADABLE
    method = value.get("method")
    if value.get("jsonrpc") != "2.0" or not isinstance(method, str):
        return Expected(True, value.get("id"))
    is_last = method == "shutdown" and isinstance(value.get("params", {}), dict)
    return Expected("id" in value, value.get("id"), method, is_last)


def _parse(line: bytes) -> Any:
    return json.loads(line.decode(), parse_float=_number, parse_int=_number, parse_constant=_number)


def _number(text: str) -> float | int:
    if not math.isfinite(float(text)):
        raise ValueError(text)
    return int(text) if text.lstrip("-").isdigit() else float(text)
