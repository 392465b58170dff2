"""JSON-RPC 2.0 over a real child's stdin and stdout: what is refused, what is echoed, what goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ..child.child_process import ChildProcess, Refusal

SHUTDOWN = b'{"jsonrpc":"2.0","id":1,"method":"shutdown"}\n'


def refusal_of(child: ChildProcess, line: bytes) -> Refusal:
    """Send one line, which must be refused, and see that the child serves on."""
    child.send(line + b"\n")
    refusal = Refusal(child.read_reply())
    with pytest.raises(Refusal) as caught:
        child.request("poll")
    assert caught.value.kind == "invalid_state"
    return refusal


def call(method: str = "poll", identifier: str = "7", rest: str = "") -> bytes:
    return f'{{"jsonrpc":"2.0","id":{identifier},"method":"{method}"{rest}}}'.encode()


NOT_JSON = {
    "an empty line": b"",
    "blanks": b"   ",
    "words": b"hello",
    "half an object": b'{"jsonrpc":"2.0","id":1',
    "trailing text": call() + b" x",
    "two objects": call() + call(),
    "invalid UTF-8": b'{"jsonrpc":"2.0","id":"\xff","method":"poll"}',
    "a surrogate in UTF-8": b'{"jsonrpc":"2.0","id":"\xed\xa0\x80","method":"poll"}',
    "overlong UTF-8": b'{"jsonrpc":"2.0","id":"\xc0\xaf","method":"poll"}',
    "UTF-16 without its newlines": call().decode().encode("utf-16-le"),
    "UTF-16 with a mark": call().decode().encode("utf-16"),
    "a byte-order mark": b"\xef\xbb\xbf" + call(),
    "NaN": call(rest=',"params":{"a":NaN}'),
    "Infinity": call(rest=',"params":{"a":Infinity}'),
    "-Infinity": call(rest=',"params":{"a":-Infinity}'),
    "a number too large": call(rest=',"params":{"a":1e999}'),
    "a negative number too large": call(rest=',"params":{"a":-1e999}'),
    "an integer of 5,000 digits": call(rest=f',"params":{{"a":{"1" * 5000}}}'),
    "an id too large": call(identifier="1e999"),
    "a leading zero": call(identifier="07"),
    "single quotes": call().replace(b'"', b"'"),
    "a control character in a string": call(identifier='"\x01"'),
    "a trailing comma": call(rest=","),
    "a comment": call() + b"//",
    "NUL": b"\x00",
}


@pytest.mark.parametrize("line", NOT_JSON.values(), ids=NOT_JSON)
def test_a_line_that_is_no_json_is_a_parse_error_with_id_null(child: ChildProcess, line: bytes) -> None:
    refusal = refusal_of(child, line)
    assert (refusal.code, refusal.id) == (-32700, None)


NOT_REQUESTS = {
    "a number": b"1",
    "a string": b'"poll"',
    "null": b"null",
    "true": b"true",
    "an empty batch": b"[]",
    "a batch": b"[" + call() + b"]",
    "an empty object": b"{}",
    "an id of null": call(identifier="null"),
    "an id of true": call(identifier="true"),
    "an id of 1.0": call(identifier="1.0"),
    "an id of 1e0": call(identifier="1e0"),
    "an id of 1.5": call(identifier="1.5"),
    "an id that is a list": call(identifier="[1]"),
    "an id that is an object": call(identifier="{}"),
}


@pytest.mark.parametrize("line", NOT_REQUESTS.values(), ids=NOT_REQUESTS)
def test_json_that_is_no_request_is_an_invalid_request_with_id_null(child: ChildProcess, line: bytes) -> None:
    refusal = refusal_of(child, line)
    assert (refusal.code, refusal.id) == (-32600, None)


@pytest.mark.parametrize(
    "members",
    [
        '"id":7,"method":"poll"',
        '"jsonrpc":"1.0","id":7,"method":"poll"',
        '"jsonrpc":2.0,"id":7,"method":"poll"',
        '"jsonrpc":"2.0","id":7',
        '"jsonrpc":"2.0","id":7,"method":5',
        '"jsonrpc":"2.0","id":7,"result":{}',
    ],
)
def test_a_request_of_another_shape_is_refused_under_its_id(child: ChildProcess, members: str) -> None:
    assert refusal_of(child, f"{{{members}}}".encode()).code == -32600


def test_an_unknown_method_is_method_not_found(child: ChildProcess) -> None:
    refusal = refusal_of(child, call("launch"))
    assert (refusal.code, refusal.id) == (-32601, 7)


@pytest.mark.parametrize("params", ['["1.0"]', "null", '"1.0"', "5", "{}", '{"protocolVersion":1}'])
def test_params_of_another_shape_are_invalid_params(child: ChildProcess, params: str) -> None:
    refusal = refusal_of(child, call("initialize", rest=f',"params":{params}'))
    assert (refusal.code, refusal.kind, refusal.id) == (-32602, "invalid_params", 7)
    assert {"kind", "path", "message", "schema"} <= set(refusal.data)
    assert refusal.data["schema"].startswith("https://")


IDS = [
    '"text"',
    '""',
    "0",
    "-1",
    "9007199254740993",
    str(10**40),
    '"\\u0000\\u2028"',
    '"𝄞"',
    '"\\ud800"',
    '"1"',
]


@pytest.mark.parametrize("identifier", IDS)
def test_an_id_is_echoed_exactly(child: ChildProcess, identifier: str) -> None:
    child.send(call("shutdown2", identifier) + b"\n")
    echoed = child.read_reply()["id"]
    assert (type(echoed), echoed) == (type(json.loads(identifier)), json.loads(identifier))
    child.send(call("initialize", identifier, ',"params":{"protocolVersion":"1.0"}') + b"\n")
    assert child.read_reply()["id"] == json.loads(identifier)


def test_the_same_id_may_be_used_again(child: ChildProcess) -> None:
    child.send((call("nope") + b"\n") * 3)
    assert [child.read_reply()["id"] for _ in range(3)] == [7, 7, 7]


@pytest.mark.parametrize(
    "line",
    [
        b'{"jsonrpc":"2.0","method":"poll"}',
        b'{"jsonrpc":"2.0","method":"nope"}',
        b'{"jsonrpc":"2.0","method":"initialize","params":[]}',
        b'{"jsonrpc":"2.0","method":"resolve","params":{}}',
    ],
)
def test_a_notification_is_never_answered(child: ChildProcess, line: bytes) -> None:
    child.send(line + b"\n" + call("nope", '"next"') + b"\n")
    assert child.read_reply()["id"] == "next"


def test_a_notification_is_carried_out(child: ChildProcess) -> None:
    child.initialize()
    child.send_line({"jsonrpc": "2.0", "method": "start", "params": {"source": "export default 5;"}})
    assert child.poll() == {"type": "complete", "output": {"result": 5}}


def test_a_failing_notification_is_not_answered_either(child: ChildProcess) -> None:
    child.initialize()
    child.send_line({"jsonrpc": "2.0", "method": "start", "params": {"source": "("}})
    with pytest.raises(Refusal) as caught:
        child.poll()
    assert caught.value.kind == "syntax"


def test_shutdown_as_a_notification_ends_the_child_in_silence(child: ChildProcess) -> None:
    child.send_line({"jsonrpc": "2.0", "method": "shutdown"})
    assert child.expect_exit() == b""


def test_pipelined_requests_are_answered_in_order(child: ChildProcess) -> None:
    source = 'log("a");\nexport default await agent("b");'
    requests: list[tuple[str, dict[str, Any]]] = [
        ("initialize", {"protocolVersion": "1.0"}),
        ("start", {"source": source}),
        ("poll", {}),
        ("take", {}),
        ("resolve", {"id": "1", "resolution": {"type": "ok", "value": "c"}}),
        ("drain", {}),
    ]
    lines = [{"jsonrpc": "2.0", "id": f"r{i}", "method": m, "params": p} for i, (m, p) in enumerate(requests)]
    child.send("".join(json.dumps(line) + "\n" for line in lines).encode())
    results = [child.expect_reply(f"r{i}") for i in range(len(requests))]
    assert results[2]["call"]["values"] == ["a"]
    assert results[3]["requests"][0]["prompt"] == "b"
    assert results[5]["output"] == {"result": "c"}


def test_a_request_may_arrive_byte_by_byte(child: ChildProcess) -> None:
    for byte in call("nope") + b"\n":
        child.send(bytes([byte]))
    assert child.read_reply()["id"] == 7


def test_only_a_newline_ends_a_line(child: ChildProcess) -> None:
    text = "a\u2028b\u2029c\u0085d\x7fe"
    child.initialize()
    child.send_line(
        {
            "jsonrpc": "2.0",
            "id": "s",
            "method": "start",
            "params": {"source": f'export default ["{text}", args];', "args": text},
        }
    )
    assert child.expect_reply("s") == {}
    assert child.result() == [text, text]


def test_blanks_around_a_request_are_json_too(child: ChildProcess) -> None:
    child.send(b" \t" + call("nope") + b" \r\n")
    assert child.read_reply()["error"]["code"] == -32601


def test_unknown_members_are_ignored_everywhere(child: ChildProcess) -> None:
    child.send(
        call(
            "initialize",
            '"a"',
            ',"extra":1,"params":{"protocolVersion":"1.0","extra":{},'
            '"client":{"name":"n","version":"v","extra":1},"limits":{"extra":"x"}}',
        )
        + b"\n"
    )
    child.expect_reply("a")
    child.request(
        "start",
        source="export default await agent('x');",
        extra=1,
        budget={"total": 1, "spent": 0, "extra": 1},
    )
    assert child.request("drain", extra=1)["state"] == "pending"
    child.settle("1", {"type": "ok", "value": 1, "extra": 1})
    assert child.result() == 1


def test_the_end_of_stdin_ends_the_child_with_status_0(child: ChildProcess) -> None:
    child.close_stdin()
    assert child.expect_exit() == b""


@pytest.mark.parametrize("begun", [False, True])
def test_half_a_line_before_the_end_of_stdin_is_dropped(child: ChildProcess, begun: bool) -> None:
    if begun:
        child.start("export default await agent('x');")
    child.send(call("nope")[:-1])
    child.close_stdin()
    assert child.expect_exit() == b""


def test_complete_lines_before_the_end_of_stdin_are_answered(child: ChildProcess) -> None:
    child.send((call("nope") + b"\n") * 3 + b'{"half')
    child.close_stdin()
    lines = child.expect_exit().splitlines()
    assert [json.loads(line)["error"]["code"] for line in lines] == [-32601] * 3


def test_the_child_leaves_when_stdin_ends_while_a_workflow_waits(child: ChildProcess) -> None:
    child.start("export default await agent('x');")
    assert len(child.take()) == 1
    child.close_stdin()
    assert child.expect_exit() == b""


def test_shutdown_is_answered_then_the_child_leaves_with_status_0(child: ChildProcess) -> None:
    child.send(SHUTDOWN + call("nope") + b"\n")
    assert child.read_reply() == {"jsonrpc": "2.0", "id": 1, "result": {}}
    assert child.expect_exit() == b""


def test_a_reply_does_not_wait_for_what_came_with_its_message() -> None:
    child = ChildProcess()
    try:
        child.initialize(stepTimeoutMs=1_000_000)
        start = call("start", "8", ',"params":{"source":"for (;;);"}')
        child.send(start + b"\n" + call("drain", "9") + b"\n")  # in one write, so in one read
        assert child.expect_reply(8) == {}
    finally:
        child.kill()
