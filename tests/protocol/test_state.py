"""What may be said when: the table, and both connections obeying it in every state."""

from __future__ import annotations

from itertools import product

import pytest

from flowcage.protocol import encode, state
from flowcage.protocol.connection import ChildConnection, HostConnection, Received
from flowcage.protocol.envelope import Refused, request
from flowcage.protocol.errors import LocalProtocolError
from flowcage.protocol.messages import (
    METHODS,
    Advance,
    Check,
    Drain,
    Imports,
    Initialize,
    Message,
    OkUndefined,
    Poll,
    Replay,
    Resolve,
    Run,
    Shutdown,
    Sites,
    Start,
    Take,
)

MESSAGES: dict[str, Message] = {
    "initialize": Initialize("1.0"),
    "start": Start("1"),
    "run": Run("1"),
    "check": Check("1"),
    "imports": Imports("1"),
    "poll": Poll(),
    "take": Take(),
    "drain": Drain(),
    "resolve": Resolve("1", OkUndefined()),
    "advance": Advance(((Resolve("1", OkUndefined()),),)),
    "replay": Replay(((Resolve("1", OkUndefined()),),)),
    "sites": Sites(),
    "shutdown": Shutdown(),
}

# Written down here once more, from the contract: method by method, where each state leads.
AT_WORK = {"poll", "take", "drain", "resolve", "advance", "replay", "sites"}
ALLOWED: dict[str, dict[str, str]] = {
    "new": {"initialize": "ready", "shutdown": "closed"},
    "ready": {
        "check": "ready",
        "imports": "ready",
        "start": "running",
        "run": "running",
        "shutdown": "closed",
    },
    "running": {**dict.fromkeys(AT_WORK, "running"), "shutdown": "closed"},
    "failed": {**dict.fromkeys(AT_WORK, "failed"), "shutdown": "closed"},
    "closed": {},
}
PATHS: dict[str, list[tuple[str, bool]]] = {
    "new": [],
    "ready": [("initialize", False)],
    "running": [("initialize", False), ("start", False)],
    "failed": [("initialize", False), ("start", True)],
    "closed": [("shutdown", False)],
}
CASES = list(product(ALLOWED, METHODS))
REFUSED = [case for case in CASES if case[1] not in ALLOWED[case[0]]]


def child_in(name: str) -> ChildConnection:
    child = ChildConnection()
    for method, failed in PATHS[name]:
        child.carried_out(MESSAGES[method], failed=failed)
    assert child.state == name
    return child


def host_in(name: str) -> HostConnection:
    host = HostConnection()
    host.state = name
    return host


def test_the_cases_cover_every_state_and_method() -> None:
    states = {origin for origin, _ in state.TRANSITIONS} | set(state.TRANSITIONS.values())
    states |= set(state.ON_FAILURE.values())
    assert states == ALLOWED.keys() == PATHS.keys()
    assert MESSAGES.keys() == METHODS.keys()


@pytest.mark.parametrize(("name", "method"), CASES)
def test_the_child_carries_out_what_the_table_allows_and_nothing_else(name: str, method: str) -> None:
    child, message = child_in(name), MESSAGES[method]
    child.receive_data(request(7, method, encode.params(message)))
    event = child.next_event()
    if method in ALLOWED[name]:
        assert event == Received(7, message)
    else:
        assert isinstance(event, Refused)
        assert (event.id, event.error.kind) == (7, "invalid_state")
        assert event.error.data == {"kind": "invalid_state", "state": name}
    assert child.state == name, "only carrying a message out moves the state"


@pytest.mark.parametrize(("name", "method"), CASES)
def test_the_host_sends_what_the_table_allows_and_nothing_else(name: str, method: str) -> None:
    host = host_in(name)
    if method in ALLOWED[name]:
        assert host.send(MESSAGES[method]).endswith(b"\n")
        assert host.state == ALLOWED[name][method]
    else:
        with pytest.raises(LocalProtocolError):
            host.send(MESSAGES[method])
        assert host.state == name


@pytest.mark.parametrize(("name", "method"), [case for case in CASES if case not in REFUSED])
def test_carrying_a_message_out_moves_the_child_on(name: str, method: str) -> None:
    child = child_in(name)
    child.carried_out(MESSAGES[method])
    assert child.state == ALLOWED[name][method]


@pytest.mark.parametrize(("name", "method"), [case for case in CASES if case not in REFUSED])
def test_a_failure_that_ends_the_run_leaves_the_child_failed(name: str, method: str) -> None:
    child = child_in(name)
    child.carried_out(MESSAGES[method], failed=True)
    ends = {"ready": {"start", "run"}, "running": {"poll", "take", "drain", "advance", "replay", "sites"}}
    assert child.state == ("failed" if method in ends.get(name, ()) else name)


@pytest.mark.parametrize(("name", "method"), REFUSED)
def test_a_refusal_names_the_method_and_what_it_came_too_early_or_too_late_for(
    name: str, method: str
) -> None:
    reason = state.why_not(name, method)
    assert reason is not None
    assert method in reason
    expected = {"new": "before initialize", "closed": "after shutdown"}
    assert expected.get(name, "") in reason


def test_a_second_start_is_told_that_a_child_runs_one_workflow() -> None:
    assert state.why_not("running", "start") == state.why_not("failed", "start")
    assert "one workflow" in str(state.why_not("running", "start"))
