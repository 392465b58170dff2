"""The child's end of the wire: lines in, messages to carry out or to refuse, and every line answered."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flowcage.protocol.connection import ChildConnection, ChildEvent, ConnectionClosed, Received
from flowcage.protocol.envelope import Refused
from flowcage.protocol.messages import Check, Drain, Initialize, Shutdown, Start


def line(**members: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **members}).encode() + b"\n"


def child_events(child: ChildConnection, *pieces: bytes) -> list[ChildEvent]:
    events = []
    for piece in pieces:
        child.receive_data(piece)
        while (event := child.next_event()) is not None:
            events.append(event)
    return events


def initialized_child() -> ChildConnection:
    child = ChildConnection()
    child.carried_out(Initialize("1.0"))
    return child


def refusals(events: list[ChildEvent]) -> list[tuple[Any, str]]:
    return [(event.id, event.error.kind) for event in events if isinstance(event, Refused)]


def test_the_child_receives_a_message_under_the_id_it_came_with() -> None:
    data = line(id="a", method="initialize", params={"protocolVersion": "1.0"})
    assert child_events(ChildConnection(), data) == [Received("a", Initialize("1.0"))]


def test_the_child_receives_the_same_byte_by_byte() -> None:
    data = line(id=1, method="check", params={"source": "é"}) + line(
        id=2, method="start", params={"source": ""}
    )
    expected = [Received(1, Check("é")), Received(2, Start(""))]
    assert child_events(initialized_child(), data) == expected
    assert child_events(initialized_child(), *(bytes([byte]) for byte in data)) == expected


def test_the_child_needs_the_newline_before_it_acts() -> None:
    child = ChildConnection()
    whole = line(id=1, method="shutdown")
    assert child_events(child, whole[:-1]) == []
    assert child_events(child, b"\n") == [Received(1, Shutdown())]


def test_the_child_judges_a_pipelined_message_when_its_turn_comes() -> None:
    child = ChildConnection()
    child.receive_data(
        line(id=1, method="initialize", params={"protocolVersion": "1.0"})
        + line(id=2, method="start", params={"source": "1"})
        + line(id=3, method="drain")
    )
    for expected in [Received(1, Initialize("1.0")), Received(2, Start("1")), Received(3, Drain())]:
        event = child.next_event()
        assert event == expected
        assert isinstance(event, Received)
        child.carried_out(event.message)
    assert child.next_event() is None


@pytest.mark.parametrize("identifier", [True, 1.0, None, [1]])
def test_the_child_refuses_an_id_that_it_could_not_echo(identifier: object) -> None:
    events = child_events(ChildConnection(), line(id=identifier, method="shutdown"))
    assert refusals(events) == [(None, "invalid_request")]


def test_the_child_answers_lines_that_are_no_requests_and_reads_on() -> None:
    data = b"\xff\n" + b"[]\n" + b"{}\n" + b"\n" + line(id=9, method="nope") + line(id=10, method="shutdown")
    events = child_events(ChildConnection(), data)
    assert refusals(events) == [
        (None, "parse_error"),
        (None, "invalid_request"),
        (None, "invalid_request"),
        (None, "parse_error"),
        (9, "method_not_found"),
    ]
    assert events[-1] == Received(10, Shutdown())


def test_the_child_refuses_a_batch_without_looking_into_it() -> None:
    batch = b"[" + line(id=1, method="shutdown").strip() + b"]\n"
    events = child_events(ChildConnection(), batch)
    assert refusals(events) == [(None, "invalid_request")]
    assert len(events) == 1


def test_the_child_refuses_an_over_long_line_and_takes_the_next() -> None:
    child = ChildConnection(max_message_bytes=60)
    events = child_events(child, b"x" * 500 + b"\n" + line(id=1, method="shutdown"))
    assert refusals(events) == [(None, "message_too_large")]
    assert isinstance(events[0], Refused)
    assert events[0].error.data["limit"] == 60
    assert events[1:] == [Received(1, Shutdown())]


def test_a_message_that_changes_the_cap_changes_it_for_the_lines_that_came_with_it() -> None:
    child = ChildConnection(max_message_bytes=100)
    child.receive_data(line(id=1, method="shutdown") + b"x" * 70 + b"\n" + b"y" * 70 + b"\n")
    assert child.next_event() == Received(1, Shutdown())
    child.max_message_bytes = 50
    assert refusals([event for event in [child.next_event()] if event]) == [(None, "message_too_large")]
    child.max_message_bytes = 100
    assert refusals([event for event in [child.next_event()] if event]) == [(None, "parse_error")]


def test_notifications_are_carried_out_and_never_answered() -> None:
    shutdown = line(method="shutdown")
    assert child_events(ChildConnection(), shutdown) == [Received(None, Shutdown())]


@pytest.mark.parametrize(
    "notification",
    [
        line(method="nope"),
        line(method="poll"),
        line(method="start", params={"source": 1}),
        line(method="start", params=None),
        line(method="initialize"),
    ],
)
def test_a_notification_that_cannot_be_carried_out_is_dropped_in_silence(notification: bytes) -> None:
    events = child_events(initialized_child(), notification + line(id=1, method="shutdown"))
    assert events == [Received(1, Shutdown())]


@pytest.mark.parametrize("params", [None, [], [1], "x", 1, True])
def test_params_by_position_or_no_params_at_all_are_refused(params: object) -> None:
    events = child_events(initialized_child(), line(id=1, method="check", params=params))
    assert refusals(events) == [(1, "invalid_params")]


def test_bad_params_are_named_by_pointer_and_schema() -> None:
    params = {"protocolVersion": "1.0", "limits": {"cpuSeconds": 1.0}}
    events = child_events(ChildConnection(), line(id=1, method="initialize", params=params))
    assert refusals(events) == [(1, "invalid_params")]
    assert isinstance(events[0], Refused)
    assert events[0].error.code == -32602
    assert events[0].error.data == {
        "kind": "invalid_params",
        "path": "/limits/cpuSeconds",
        "message": "must be an integer, not a number",
        "schema": "https://flowcage.dev/schemas/1.0/initialize.params.json",
    }


def test_a_method_nobody_knows_is_not_quoted_at_full_length() -> None:
    events = child_events(initialized_child(), line(id=1, method="x" * 100_000))
    assert isinstance(events[0], Refused)
    assert events[0].error.kind == "method_not_found"
    assert len(events[0].error.message) < 200


def test_the_child_learns_that_the_host_left() -> None:
    assert child_events(ChildConnection(), b"") == [ConnectionClosed()]


def test_the_child_hears_out_complete_lines_before_the_end() -> None:
    child = ChildConnection()
    child.receive_data(line(id=1, method="shutdown") + b'{"jsonrpc"')
    child.receive_data(b"")
    assert [child.next_event(), child.next_event()] == [Received(1, Shutdown()), ConnectionClosed(10)]
    assert child.next_event() is None


def test_the_child_speaks_the_version_that_it_was_initialized_with() -> None:
    child = ChildConnection()
    child.carried_out(Initialize("2.0"), failed=True)
    assert child.version is None
    child.carried_out(Initialize("1.0"))
    child.carried_out(Start(""), failed=True)
    assert child.version == "1.0"
