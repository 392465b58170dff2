"""The host's end of the wire: replies matched to requests, and nothing believed that does not match."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flowcage.protocol import envelope
from flowcage.protocol.connection import (
    ChildConnection,
    ConnectionClosed,
    HostConnection,
    HostEvent,
    Received,
)
from flowcage.protocol.envelope import Failure, Result
from flowcage.protocol.errors import ErrorReply, LocalProtocolError, RemoteProtocolError
from flowcage.protocol.messages import (
    Advance,
    Check,
    Drain,
    Initialize,
    Message,
    Ok,
    Poll,
    Resolve,
    Run,
    Shutdown,
    Start,
)


def line(**members: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **members}).encode() + b"\n"


def host_events(host: HostConnection, *pieces: bytes) -> list[HostEvent]:
    events = []
    for piece in pieces:
        host.receive_data(piece)
        while (event := host.next_event()) is not None:
            events.append(event)
    return events


def greeted_host() -> HostConnection:
    host = HostConnection()
    host.send(Initialize("1.0"))
    assert host_events(host, envelope.result(1, "{}")) == [Result(1, {})]
    return host


def test_the_host_numbers_its_requests() -> None:
    host = HostConnection()
    lines = [host.send(Initialize("1.0")), host.send(Start("1")), host.send(Drain())]
    assert [json.loads(text)["id"] for text in lines] == [1, 2, 3]
    assert [json.loads(text)["method"] for text in lines] == ["initialize", "start", "drain"]


def test_the_host_matches_pipelined_replies_in_order() -> None:
    host = greeted_host()
    host.send(Start("1"))
    host.send(Drain())
    replies = envelope.result(2, "{}") + envelope.result(3, '{"calls":[]}')
    assert host_events(host, replies) == [Result(2, {}), Result(3, {"calls": []})]


def test_the_host_reads_replies_byte_by_byte() -> None:
    host = greeted_host()
    host.send(Start("1"))
    reply = envelope.error(2, ErrorReply("syntax", "é"))
    failure = Failure(2, -32001, "é", {"kind": "syntax"})
    assert host_events(host, *(bytes([byte]) for byte in reply)) == [failure]


@pytest.mark.parametrize("identifier", [1, 3, "2", None])
def test_a_reply_to_something_else_is_the_fault_of_the_child(identifier: object) -> None:
    host = greeted_host()
    host.send(Start("1"))
    error = {"code": -32001, "message": "x", "data": {"kind": "syntax"}}
    with pytest.raises(RemoteProtocolError, match="instead of 2"):
        host_events(host, line(id=identifier, error=error))


@pytest.mark.parametrize("identifier", [True, 1.0, [1]])
def test_a_reply_under_an_id_that_only_looks_like_ours_is_the_fault_of_the_child(identifier: object) -> None:
    host = HostConnection()
    host.send(Initialize("1.0"))
    with pytest.raises(RemoteProtocolError):
        host_events(host, line(id=identifier, result={}))


def test_a_reply_nobody_asked_for_is_the_fault_of_the_child() -> None:
    with pytest.raises(RemoteProtocolError, match="replied to nothing"):
        host_events(greeted_host(), envelope.result(2, "{}"))


def test_a_second_reply_to_one_request_is_the_fault_of_the_child() -> None:
    host = greeted_host()
    host.send(Start("1"))
    assert host_events(host, envelope.result(2, "{}")) == [Result(2, {})]
    with pytest.raises(RemoteProtocolError):
        host_events(host, envelope.result(2, "{}"))


@pytest.mark.parametrize("text", [b"\n", b"hello\n", b"\xff\n", b"[]\n", line(id=1, method="poll")])
def test_a_line_that_is_no_reply_is_the_fault_of_the_child(text: bytes) -> None:
    host = HostConnection()
    host.send(Initialize("1.0"))
    with pytest.raises(RemoteProtocolError):
        host_events(host, text)


def test_a_reply_over_the_cap_is_the_fault_of_the_child() -> None:
    host = HostConnection(max_message_bytes=100)
    host.send(Shutdown())
    with pytest.raises(RemoteProtocolError, match="over 100 bytes"):
        host_events(host, b"x" * 101 + b"\n")


def test_a_message_the_child_would_find_too_long_is_not_sent() -> None:
    host = greeted_host()
    host.max_message_bytes = 500
    with pytest.raises(LocalProtocolError, match="500"):
        host.send(Start("x" * 500))
    assert host.state == "ready"
    sent = host.send(Start("x"))
    assert json.loads(sent)["id"] == 2, "what was not sent has no number"


def test_a_line_of_exactly_the_cap_is_sent_and_taken() -> None:
    size = len(greeted_host().send(Start("x"))) - 1
    host, child = greeted_host(), ChildConnection(max_message_bytes=size)
    host.max_message_bytes = size - 1
    with pytest.raises(LocalProtocolError):
        host.send(Start("x"))
    host.max_message_bytes = size
    child.carried_out(Initialize("1.0"))
    child.receive_data(host.send(Start("x")))
    assert child.next_event() == Received(2, Start("x"))


def test_a_message_the_child_would_find_too_deep_is_not_sent() -> None:
    host = greeted_host()
    deep: list[Any] = []
    for _ in range(600):
        deep = [deep]
    with pytest.raises(LocalProtocolError, match="levels deep"):
        host.send(Start("1", args=deep))
    assert host.state == "ready"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_json_does_not_have_is_not_sent(value: float) -> None:
    host = greeted_host()
    host.send(Start("1"))
    with pytest.raises(ValueError, match="JSON compliant"):
        host.send(Resolve("1", Ok(value)))
    assert json.loads(host.send(Poll()))["id"] == 3


@pytest.mark.parametrize("message", [Start("("), Run("(")])
def test_a_start_that_failed_leaves_a_failed_run(message: Message) -> None:
    host = greeted_host()
    host.send(message)
    host_events(host, envelope.error(2, ErrorReply("syntax", "x")))
    assert host.state == "failed"
    assert json.loads(host.send(Drain()))["method"] == "drain"


@pytest.mark.parametrize("message", [Start("1"), Run("1")])
def test_a_start_that_was_refused_changed_nothing(message: Message) -> None:
    host = greeted_host()
    host.send(message)
    host_events(host, envelope.error(2, ErrorReply("invalid_params", "x")))
    assert host.state == "ready"


@pytest.mark.parametrize(("kind", "state"), [("unknown_request", "running"), ("exception", "failed")])
def test_an_advance_that_was_refused_is_no_failed_run(kind: str, state: str) -> None:
    host = greeted_host()
    host.send(Run("1"))
    host.send(Advance(((Resolve("1", Ok(1)),),)))
    host_events(host, envelope.result(2, "{}"))
    host_events(host, envelope.error(3, ErrorReply(kind, "x")))
    assert host.state == state


def test_a_check_that_failed_is_no_failed_run() -> None:
    host = greeted_host()
    host.send(Check("("))
    host_events(host, envelope.error(2, ErrorReply("syntax", "x")))
    assert host.state == "ready"
    assert json.loads(host.send(Start("1")))["method"] == "start"


def test_an_initialize_that_was_refused_may_be_tried_again() -> None:
    host = HostConnection()
    host.send(Initialize("9.9"))
    host_events(host, envelope.error(1, ErrorReply("protocol_version", "x")))
    assert host.state == "new"
    assert json.loads(host.send(Initialize("1.0")))["id"] == 2


def test_what_was_pipelined_behind_a_refused_initialize_failed_no_run() -> None:
    host = HostConnection()
    host.send(Initialize("9.9"))
    host.send(Start("1"))
    first = envelope.error(1, ErrorReply("protocol_version", "x"))
    second = envelope.error(2, ErrorReply("invalid_state", "x"))
    assert [type(event) for event in host_events(host, first + second)] == [Failure, Failure]
    assert host.state == "new"


def test_a_shutdown_that_is_under_way_is_not_undone_by_a_failed_start() -> None:
    host = greeted_host()
    host.send(Start("("))
    host.send(Shutdown())
    host_events(host, envelope.error(2, ErrorReply("syntax", "x")))
    assert host.state == "closed"


def test_a_failed_poll_ends_the_run() -> None:
    host = greeted_host()
    host.send(Start("1"))
    host.send(Poll())
    host_events(host, envelope.result(2, "{}"), envelope.error(3, ErrorReply("exception", "x")))
    assert host.state == "failed"


def test_the_host_learns_that_the_child_left_and_whether_it_was_cut_off() -> None:
    assert host_events(HostConnection(), b"") == [ConnectionClosed()]
    assert host_events(HostConnection(), b'{"js', b"") == [ConnectionClosed(4)]


def test_the_host_reads_complete_replies_before_the_end() -> None:
    host = HostConnection()
    host.send(Shutdown())
    host.receive_data(envelope.result(1, "{}"))
    host.receive_data(b"")
    assert [host.next_event(), host.next_event()] == [Result(1, {}), ConnectionClosed()]


def test_the_version_is_agreed_once_the_child_has_answered_with_it() -> None:
    host = HostConnection()
    host.send(Initialize("1.1"))
    assert host.version is None
    refusal = ErrorReply("protocol_version", "unsupported", {"supported": ["1.0"]})
    host_events(host, envelope.error(1, refusal))
    assert host.version is None
    host.send(Initialize("1.0"))
    host_events(host, envelope.result(2, '{"protocolVersion":"1.0"}'))
    assert host.version == "1.0"


def test_a_child_that_answers_with_a_version_that_was_not_asked_for_is_at_fault() -> None:
    host = HostConnection()
    host.send(Initialize("1.0"))
    with pytest.raises(RemoteProtocolError, match=r"answered with version '1\.1' instead of '1\.0'"):
        host_events(host, envelope.result(1, '{"protocolVersion":"1.1"}'))
