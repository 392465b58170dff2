"""The typed way to read and write messages has no value that the usual way does not have, too."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcage.host import RunError
from flowcage.host.process import codec, typed
from flowcage.host.process.replies import Replies
from flowcage.protocol import decode, encode, strictjson
from flowcage.protocol.connection import HostConnection
from flowcage.protocol.errors import LocalProtocolError, RemoteProtocolError
from flowcage.protocol.limits import MAX_LIMIT, NO_LIMITS
from flowcage.protocol.messages import (
    Advance,
    Budget,
    Drain,
    Message,
    Ok,
    OkUndefined,
    Rejected,
    Replay,
    Resolve,
    Run,
)
from flowcage.protocol.state import READY, RUNNING

from ..protocol.strategies import MESSAGES, RESULTS, mutated
from ..protocol.transcripts import FOLDER, load

ASKS: dict[str, Message] = {
    "drain": Drain(),
    "run": Run("export default 1"),
    "advance": Advance(((Resolve("1", OkUndefined()),),)),
    "replay": Replay(((Resolve("1", OkUndefined()),),)),
}
GOLDEN = sorted({line for path in FOLDER.glob("*.jsonl") for line in load(path).said_by("child")})
EMPTY = {"calls": [], "requests": [], "state": "pending"}
AGENT = {"type": "agent", "id": "1", "prompt": "p"}
EXEC = {"type": "sandbox_exec", "id": "1", "profile": "p", "request": {"command": "c"}}
CALL = {"type": "log", "values": [1, "x", None, {"a": [0.5]}]}
methods = pytest.mark.parametrize("method", ASKS)


def line_of(result: Any, identifier: Any = 1) -> bytes:
    return strictjson.dumps_ascii({"jsonrpc": "2.0", "id": identifier, "result": result}).encode()


def said(line: bytes, method: str, *, is_typed: bool) -> str:
    """What a host makes of a line: the value, or the error."""
    connection = HostConnection(read_typed=typed.reply if is_typed else None)
    connection.state, replies = READY if method == "run" else RUNNING, Replies()
    connection.send(ASKS[method])
    replies.expect(ASKS[method])
    connection.receive_data(line + b"\n")
    try:
        event = connection.next_event()
        assert event is not None
        return repr(replies.take(event))  # type: ignore[arg-type]
    except (RunError, RemoteProtocolError) as error:
        return repr(error)


def assert_same(line: bytes, method: str) -> None:
    assert said(line, method, is_typed=True) == said(line, method, is_typed=False)


@pytest.mark.parametrize(
    ("method", "result"),
    [
        *product(["drain", "run", "advance"], [EMPTY, {**EMPTY, "calls": [CALL], "requests": [AGENT]}]),
        ("drain", {**EMPTY, "requests": [{**AGENT, "options": {"label": "é", "schema": {"a": [1]}}}]}),
        ("drain", {**EMPTY, "requests": [{"durationMs": MAX_LIMIT, "id": "7", "type": "sleep"}]}),
        ("drain", {**EMPTY, "requests": [{"type": "workflow", "id": "1", "ref": "r", "args": None}]}),
        (
            "drain",
            {**EMPTY, "requests": [{"type": "workflow", "id": "1", "ref": {"scriptPath": "/", "x": 1}}]},
        ),
        ("drain", {**EMPTY, "requests": [{**EXEC, "request": {"command": "c", "env": {"A": "b"}, "y": 1}}]}),
        ("drain", {**EMPTY, "calls": [{"type": "phase", "name": "n"}]}),
        ("drain", {**EMPTY, "calls": [{"type": "phase", "name": "n", "options": {}}]}),
        ("advance", {**EMPTY, "state": "complete", "output": {"result": [None, 1e300, -0.0, 2**64]}}),
        ("run", {**EMPTY, "dialect": "script"}),
        ("replay", {**EMPTY, "requests": [AGENT], "counts": [0, 1, MAX_LIMIT]}),
    ],
)
def test_what_is_usual_is_read_by_types(method: str, result: Any) -> None:
    line = line_of(result, 3)
    assert repr(typed.reply(line, 3, method)) == repr(decode.result(method, result))


@pytest.mark.parametrize(
    "text",
    [
        "9" * 309,  # more than a double has, and more than Python turns into an integer quickly
        "1" * 5000,
        "1e999",
        "NaN",
        '"\\ud800"',
        "[" * 511 + "]" * 511,
        '"\t"',
        "01",
    ],
)
def test_what_msgspec_knows_otherwise_is_left_to_the_usual_way(text: str) -> None:
    for place in ({**EMPTY, "calls": [{"type": "log", "values": ["HERE"]}]}, {**EMPTY, "later": "HERE"}):
        line = line_of(place).replace(b'"HERE"', text.encode())
        assert typed.reply(line, 1, "drain") is None
        assert_same(line, "drain")


@pytest.mark.parametrize(
    "line",
    [
        line_of(EMPTY, 2),
        line_of(EMPTY, "1"),
        line_of(EMPTY, True),
        line_of(EMPTY, 1.0),
        line_of({**EMPTY, "more": True}),
        line_of({**EMPTY, "stalled": False}),
        line_of({**EMPTY, "diagnostics": []}),
        line_of({**EMPTY, "output": {"result": 1}}),
        line_of({**EMPTY, "state": "complete"}),
        line_of({**EMPTY, "dialect": "module"}),
        line_of({**EMPTY, "requests": [{"type": "fetch", "id": "1"}]}),
        line_of({**EMPTY, "requests": [{**AGENT, "id": ""}]}),
        line_of({**EMPTY, "requests": [{**AGENT, "options": None}]}),
        line_of({**EMPTY, "requests": [{**EXEC, "request": {"command": "c", "env": {"A": 1}}}]}),
        line_of({**EMPTY, "requests": [{"type": "workflow", "id": "1", "ref": {"scriptPath": 1}}]}),
        line_of({**EMPTY, "requests": [{"type": "sleep", "id": "1", "durationMs": 1.0}]}),
        line_of({**EMPTY, "requests": [{"type": "sleep", "id": "1", "durationMs": MAX_LIMIT + 1}]}),
        b'{"jsonrpc":"2.0","id":1,"error":{"code":-32010,"message":"m","data":{"kind":"memory"}}}',
        b"\xef\xbb\xbf" + line_of(EMPTY),
        line_of(EMPTY) + b"x",
    ],
)
def test_what_is_not_usual_is_read_by_the_usual_way(line: bytes) -> None:
    assert typed.reply(line, 1, "drain") is None
    assert_same(line, "drain")


def test_a_message_that_is_no_drain_is_not_answered_with_one() -> None:
    assert typed.reply(line_of(EMPTY), 1, "start") is None


@pytest.mark.parametrize(
    "again",
    [
        (b'"id":1', b'"id":2,"id":1'),
        (b'"state":"pending"', b'"state":"complete","state":"pending"'),
        (b'"type":"agent"', b'"type":"sleep","type":"agent"'),
        (b'"type":"agent"', b'"type":"agent","type":"sleep"'),
        (b'"prompt":"p"', b'"prompt":1,"prompt":"p"'),
        (b'"prompt":"p"', b'"prompt":"p","prompt":"q"'),
        (b'"calls":[]', b'"calls":[],"calls":[{"type":"log","values":[{"a":1,"a":2}]}]'),
    ],
)
def test_of_a_name_that_comes_twice_both_take_the_last(again: tuple[bytes, bytes]) -> None:
    assert_same(line_of({**EMPTY, "requests": [AGENT]}).replace(b": ", b":").replace(*again), "drain")


@methods
@pytest.mark.parametrize("line", GOLDEN)
def test_the_golden_lines_are_the_same_by_both(method: str, line: bytes) -> None:
    line = line.rstrip(b"\n")
    assert_same(line, method)
    message = json.loads(line)
    if "result" in message:
        assert_same(line_of(message["result"]), method)


@methods
@given(data=st.data())
def test_results_are_the_same_by_both(method: str, data: st.DataObject) -> None:
    assert_same(line_of(data.draw(RESULTS[method])), method)


@methods
@given(data=st.data())
def test_results_that_were_damaged_are_the_same_by_both(method: str, data: st.DataObject) -> None:
    assert_same(line_of(data.draw(mutated(RESULTS[method]))), method)


@given(data=st.data())
def test_lines_that_were_damaged_are_the_same_by_both(data: st.DataObject) -> None:
    line = line_of({**EMPTY, "calls": [CALL], "requests": [{**AGENT, "options": {"n": -1.5e-7}}]})
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(line)))
        end = data.draw(st.integers(start, min(len(line), start + 4)))
        piece = data.draw(
            st.sampled_from([b"", b'"', b"\\", b"9", b"-", b"e5", b",", b"}", b"\xff", b"\0", b" "])
        )
        line = line[:start] + piece * data.draw(st.sampled_from([1, 1, 1, 400])) + line[end:]
    assert_same(line.replace(b"\n", b""), "drain")


# ---- what the host writes ----------------------------------------------------------------------


@pytest.mark.parametrize("method", ASKS)
@given(data=st.data())
def test_params_are_the_same_by_both(method: str, data: st.DataObject) -> None:
    message = data.draw(MESSAGES[method])
    written = typed.params(message)
    if written is None:
        return
    usual = strictjson.encoded(encode.params(message))
    # With a lone surrogate anywhere, the usual way writes all of the line in ASCII.
    assert written == usual or (b"\\ud" in written and strictjson.loads(written) == strictjson.loads(usual))
    decode.message(method, strictjson.loads(written))


class Text(str):
    """Text of a class of somebody's own."""


def told(value: Any, budget: Budget | None = None, identifier: str = "1") -> Message:
    return Advance(((Resolve(identifier, Ok(value, budget)),),))


@pytest.mark.parametrize(
    "message",
    [
        Drain(),
        told("x"),
        told('é"\\\n\x7f\u2028😀', Budget(5, 3)),
        told({"a": [1, 0.5, None], 1: (2,)}, Budget(None, 3)),
        told(Text("x")),
        Advance(((Resolve("1", OkUndefined()), Resolve("2", Rejected("no"))), (Resolve("3", Ok(None)),))),
        Run("export default 1"),
        Run("s", "n.js", {"a": [1]}, Budget(7, 1), "script", describe=True),
        Run("s", describe=True, limits=NO_LIMITS._replace(cpu_seconds=9, max_sleep_ms=1)),
    ],
)
def test_what_is_usual_is_written_by_types(message: Message) -> None:
    assert typed.params(message) == strictjson.encoded(encode.params(message))


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "message",
    [
        told(float("nan")),
        told(float("inf")),
        told(10**309),
        told("\ud800"),
        told(b"x"),
        told({1, 2}),
        told(nested(501)),
        told("x" * strictjson.MAX_VALUES),
        told("x", Budget(None, MAX_LIMIT + 1)),
        told("x", Budget(-1, 0)),
        told("x", Budget(None, True)),
        Advance(((Resolve("1", Rejected("\udfff")),),)),
        Run("s", limits=NO_LIMITS._replace(max_message_bytes=1)),
        Run("s", dialect="other"),  # type: ignore[arg-type]
        Run("\ud800"),
        Resolve("1", OkUndefined()),
    ],
)
def test_what_is_not_usual_is_written_by_the_usual_way(message: Message) -> None:
    assert typed.params(message) is None


def test_a_line_that_is_too_long_is_not_sent_whoever_wrote_it() -> None:
    connection = HostConnection(max_message_bytes=100)
    connection.state = RUNNING
    message = told("x" * 100)
    with pytest.raises(LocalProtocolError, match="a line may have 100"):
        connection.send(message, typed.params(message))


# ---- the switches ------------------------------------------------------------------------------


def test_the_switch_turns_both_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "IS_TYPED", True)  # whatever the environment says
    monkeypatch.setattr(codec, "CHECKS_MESSAGES", False)
    assert codec.read_typed(line_of(EMPTY), 1, "drain") is not None
    assert codec.written(Drain()) == b"{}"
    monkeypatch.setattr(codec, "IS_TYPED", False)
    assert codec.read_typed(line_of(EMPTY), 1, "drain") is None
    assert codec.written(Drain()) is None


def test_a_difference_is_told_where_messages_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "IS_TYPED", True)
    monkeypatch.setattr(codec, "CHECKS_MESSAGES", True)
    assert codec.read_typed(line_of(EMPTY), 1, "drain") is None  # right, and for the schema to see, too
    assert codec.written(told("x")) is None
    other = decode.drained({**EMPTY, "calls": [CALL]})
    monkeypatch.setattr(typed, "reply", lambda *_: other)
    monkeypatch.setattr(typed, "params", lambda _: b"{}")
    with pytest.raises(codec.SchemaDisagrees, match="the result of drain"):
        codec.read_typed(line_of(EMPTY), 1, "drain")
    with pytest.raises(codec.SchemaDisagrees, match="the params of advance"):
        codec.written(told("x"))
