"""What the kit finds wrong with every reply, whatever is checked."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from flowcage.conformance.check import Deviation
from flowcage.conformance.conversation import Refused
from flowcage.conformance.peer import ChildPeer
from flowcage.conformance.process import Program

# Answers each line with the next of its arguments.
ANSWERS = "import sys\nfor answer in sys.argv[1:]: sys.stdin.readline(), print(answer, flush=True)"
INVALID = '"code": -32602, "message": "m", "data": {"kind": "invalid_params", "path": "", "message": "m", '


@pytest.fixture
def programs() -> Iterator[list[Program]]:
    """Those that a test starts; they are ended after it."""
    started: list[Program] = []
    yield started
    for program in started:
        program.end()


def heard(programs: list[Program], answer: str, method: str, **params: Any) -> Any:
    """The result of a request that a child answers so."""
    program = Program((sys.executable, "-I", "-c", ANSWERS, answer), 20.0)
    programs.append(program)
    return ChildPeer(program).request(method, **params)


def reply(rest: str) -> str:
    return f'{{"jsonrpc": "2.0", "id": 1, {rest}}}'


TAKEN = reply('"result": {}')
REFUSED = reply(f'"error": {{{INVALID} "schema": "s"}}}}')
RESOLVE = {"id": "1", "resolution": {"type": "ok_undefined"}}


def test_a_result_for_params_that_fit_is_right(programs: list[Program]) -> None:
    assert heard(programs, TAKEN, "resolve", **RESOLVE) == {}


def test_an_error_tells_what_it_is_to_whoever_catches_it(programs: list[Program]) -> None:
    with pytest.raises(Refused) as caught:
        heard(programs, REFUSED, "resolve", id=5)
    refused = caught.value
    assert (refused.id, refused.code, refused.kind, refused.message) == (1, -32602, "invalid_params", "m")


@pytest.mark.parametrize(
    ("answer", "params", "told"),
    [
        (
            TAKEN,
            {**RESOLVE, "id": 5},
            "resolve was carried out with params that .*resolve.params.json refuses",
        ),
        (REFUSED, RESOLVE, "params of resolve that fit their schema were refused"),
        (reply('"result": 5'), RESOLVE, "the result of resolve does not fit .*resolve.result.json"),
        (reply('"error": {"code": 1, "message": "m"}'), RESOLVE, "the error does not fit error.json"),
        ("hello", RESOLVE, "a line on stdout is not JSON"),
        ("[]", RESOLVE, "is not a JSON-RPC 2.0 object"),
        (reply('"result": {}, "error": {}'), RESOLVE, "either a result or an error"),
        ('{"jsonrpc": "2.0", "result": {}}', RESOLVE, "a reply has an id"),
        ('{"jsonrpc": "2.0", "id": true, "result": {}}', RESOLVE, "expected the reply to 1"),
    ],
)
def test_a_deviation_in_any_reply_is_told(
    programs: list[Program], answer: str, params: dict[str, Any], told: str
) -> None:
    with pytest.raises(Deviation, match=told):
        heard(programs, answer, "resolve", **params)
