"""Lines too long and values too many: answered, skipped, and the child serves on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ..child.child_process import ChildProcess, Refusal

MIB = 1 << 20


def refusal_of(child: ChildProcess, line: bytes) -> Refusal:
    child.send(line + b"\n")
    refusal = Refusal(child.read_reply())
    assert child.result_of("export default 'served on';") == "served on"
    return refusal


def padded(size: int) -> bytes:
    """A request of exactly so many bytes."""
    head, tail = b'{"jsonrpc":"2.0","id":7,"method":"nope","params":{"p":"', b'"}}'
    return head + b"x" * (size - len(head) - len(tail)) + tail


def test_a_line_beyond_eight_mebibytes_is_refused_and_skipped(child: ChildProcess) -> None:
    refusal = refusal_of(child, padded(8 * MIB + 1))
    assert (refusal.kind, refusal.id) == ("message_too_large", None)


def test_a_line_of_exactly_eight_mebibytes_is_read(child: ChildProcess) -> None:
    assert refusal_of(child, padded(8 * MIB)).code == -32601


def test_a_line_of_many_times_the_maximum_is_refused_once(child: ChildProcess) -> None:
    refusal = refusal_of(child, b"x" * (40 * MIB))
    assert refusal.kind == "message_too_large"


@pytest.mark.parametrize(("size", "kind"), [(1000, "method_not_found"), (1001, "message_too_large")])
def test_max_message_bytes_is_the_longest_line_without_its_newline(
    child: ChildProcess, size: int, kind: str
) -> None:
    assert child.initialize(maxMessageBytes=1000)["maxMessageBytes"] == 1000
    assert refusal_of(child, padded(size)).kind == kind


TOO_MUCH = {
    "100,000 arrays deep": b"[" * 100_000 + b"]" * 100_000,
    "100,000 objects deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "1,000 deep": b"[" * 1000 + b"]" * 1000,
    "open arrays": b"[" * (2 * MIB),
    "8 MB of empty arrays": b"[" + b"[]," * 2_600_000 + b"[]]",
    "3 million numbers": b"[" + b"0," * 3_000_000 + b"0]",
}


@pytest.mark.parametrize("value", TOO_MUCH.values(), ids=TOO_MUCH)
def test_more_structure_than_bytes_justify_is_refused(child: ChildProcess, value: bytes) -> None:
    line = b'{"jsonrpc":"2.0","id":7,"method":"poll","params":{"p":' + value + b"}}"
    refusal = refusal_of(child, line)
    assert (refusal.kind, refusal.id) == ("message_too_large", None)


def test_brackets_and_commas_inside_strings_are_no_structure(child: ChildProcess) -> None:
    text = '[[[[,,,,{{{{"\\' * 200_000
    assert child.result_of("export default args.length;", args=text) == len(text)


def test_a_refused_resolution_leaves_its_request_outstanding(child: ChildProcess) -> None:
    child.start("export default await agent('x');")
    child.drain()
    deep: Any = json.loads("[" * 900 + "]" * 900)
    with pytest.raises(AssertionError):  # the id was not read: the refusal bears null
        child.resolve("1", deep)
    child.resolve("1", "fine")
    assert child.result() == "fine"


def test_an_answer_of_several_mebibytes_crosses_whole(child: ChildProcess) -> None:
    child.start("const a = await agent('x');\nexport default [a.length, a];")
    child.drain()
    child.resolve("1", "ü" * (3 * MIB))
    assert child.result() == [3 * MIB, "ü" * (3 * MIB)]
