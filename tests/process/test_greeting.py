"""The answer to the first message: judged once, and then compared."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from flowcage.host import ProtocolViolation, RunError
from flowcage.host.process.launch.greeting import Greeting, initialize_message
from flowcage.protocol.layers import STRICT_LAYERS
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import Isolation

PEER = {"name": "child", "version": "0"}


REFUSAL = (
    b'{"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": "", "data": {"kind": "internal"}}}\n'
)


def answer(**members: Any) -> bytes:
    result = {
        "protocolVersion": "1.0",
        "server": PEER,
        "engine": PEER,
        "limits": Limits().to_wire(),
        "isolation": {},
        "maxMessageBytes": Limits().max_message_bytes,
        **members,
    }
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode() + b"\n"


def greeting(isolation: Isolation = "none") -> Greeting:
    return Greeting(initialize_message(Limits(), isolation))


def test_an_answer_that_was_judged_before_is_the_same_value_and_another_one_is_read() -> None:
    greets = greeting()
    first = greets.judge(0, answer())
    assert greets.judge(0, answer()) is first
    other = greets.judge(0, answer(server={"name": "another", "version": "0"}))
    assert other.server.name == "another"
    assert greets.judge(0, answer()) == first


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"", ProtocolViolation),
        (b"{", ProtocolViolation),
        (answer()[:-1], ProtocolViolation),
        (answer() * 2, ProtocolViolation),
        (answer() + b"{", ProtocolViolation),
        (answer().replace(b'"id": 1', b'"id": 2'), ProtocolViolation),
        (answer(protocolVersion="9.9"), ProtocolViolation),
        (answer(maxMessageBytes=Limits().max_message_bytes + 1), ProtocolViolation),
        (REFUSAL, RunError),
    ],
)
def test_an_answer_that_is_not_as_it_should_be_is_refused_also_after_a_good_one(
    said: bytes, error: type[RunError]
) -> None:
    greets = greeting()
    for _ in range(2):
        with pytest.raises(error):
            greets.judge(0, said)
        greets.judge(0, answer())


def test_a_cage_that_the_child_claims_is_looked_for_each_time() -> None:
    layers = {name: {"applied": True, "detail": ""} for name in STRICT_LAYERS}
    greets = greeting("strict")
    # A process without children: one that has some would be taken for a wrapper.
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        for _ in range(2):
            with pytest.raises(ProtocolViolation, match="does not confirm"):
                greets.judge(child.pid, answer(isolation=layers))
        with pytest.raises(ProtocolViolation, match="without strict isolation"):
            greets.judge(child.pid, answer())
        child.kill()
