"""Verdicts on messages: the right place, in few words, whatever the message holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flowcage.protocol.errors import CODES
from flowcage.schemas import validate
from flowcage.schemas.validate import Violation

BEYOND_INTEGERS = 2**53
AGENT = {"type": "agent", "id": "1", "prompt": "x"}
EXEC = {"type": "sandbox_exec", "id": "1", "profile": "p", "request": {"command": "c"}}
EMPTY_DRAIN: dict[str, Any] = {"calls": [], "requests": [], "state": "pending"}


def drain(**members: Any) -> dict[str, Any]:
    return {**EMPTY_DRAIN, **members}


def asked(**members: Any) -> dict[str, Any]:
    return drain(requests=[AGENT, {**AGENT, **members}])


def run(**members: Any) -> dict[str, Any]:
    return drain(requests=[{**EXEC, "request": {"command": "c", **members}}])


DRAINS = {
    "not an object": ([], "", "must be an object, not an array"),
    "no calls": ({"requests": [], "state": "pending"}, "", "member 'calls' is required"),
    "calls in an object": (drain(calls={}), "/calls", "must be an array, not an object"),
    "a call that is null": (drain(calls=[None]), "/calls/0", "must be an object, not null"),
    "a call without type": (drain(calls=[{}]), "/calls/0", "member 'type' is required"),
    "a call of no type": (
        drain(calls=[{"type": "x"}]),
        "/calls/0/type",
        "must be one of 'log', 'phase', not 'x'",
    ),
    "a log without values": (drain(calls=[{"type": "log"}]), "/calls/0", "member 'values' is required"),
    "a phase of a number": (
        drain(calls=[{"type": "phase", "name": 1}]),
        "/calls/0/name",
        "must be a string, not a number",
    ),
    "phase options in a list": (
        drain(calls=[{"type": "phase", "name": "", "options": []}]),
        "/calls/0/options",
        "must be an object, not an array",
    ),
    "a second request with a fault": (asked(prompt=None), "/requests/1/prompt", "must be a string, not null"),
    "an empty id": (asked(id=""), "/requests/1/id", "must not be empty"),
    "an id that is a number": (asked(id=1), "/requests/1/id", "must be a string, not a number"),
    "agent options that are null": (
        asked(options=None),
        "/requests/1/options",
        "must be an object, not null",
    ),
    "a workflow without ref": (asked(type="workflow"), "/requests/1", "member 'ref' is required"),
    "a workflow ref that is a number": (
        asked(type="workflow", ref=1),
        "/requests/1/ref",
        "must be a string or an object, not a number",
    ),
    "a workflow ref without path": (
        asked(type="workflow", ref={"path": "x"}),
        "/requests/1/ref",
        "member 'scriptPath' is required",
    ),
    "a sleep of 1.0": (
        asked(type="sleep", durationMs=1.0),
        "/requests/1/durationMs",
        "must be an integer, not a number",
    ),
    "a sleep of true": (
        asked(type="sleep", durationMs=True),
        "/requests/1/durationMs",
        "must be an integer, not a boolean",
    ),
    "a sleep of less than nothing": (
        asked(type="sleep", durationMs=-1),
        "/requests/1/durationMs",
        "must be from 0 to 9007199254740991",
    ),
    "a sleep past every double": (
        asked(type="sleep", durationMs=BEYOND_INTEGERS),
        "/requests/1/durationMs",
        "must be from 0 to 9007199254740991",
    ),
    "a program without name": (
        drain(requests=[{**EXEC, "request": {}}]),
        "/requests/0/request",
        "member 'command' is required",
    ),
    "arguments in a text": (run(args="x"), "/requests/0/request/args", "must be an array, not a string"),
    "an argument that is a number": (
        run(args=["x", 1]),
        "/requests/0/request/args/1",
        "must be a string, not a number",
    ),
    "a variable that is a number": (
        run(env={"A": "", "B/C~": 1}),
        "/requests/0/request/env/B~1C~0",
        "must be a string, not a number",
    ),
    "no working folder": (run(cwd=None), "/requests/0/request/cwd", "must be a string, not null"),
    "another state": (drain(state="failed"), "/state", "must be one of 'pending', 'complete', not 'failed'"),
    "complete without output": (drain(state="complete"), "", "member 'output' is required"),
    "an output without result": (
        drain(state="complete", output={}),
        "/output",
        "member 'result' is required",
    ),
    "stalled by a number": (drain(stalled=1), "/stalled", "must be a boolean, not a number"),
    "more that is null": (drain(more=None), "/more", "must be a boolean, not null"),
    "a diagnostic without message": (
        drain(diagnostics=[{"kind": "x"}]),
        "/diagnostics/0",
        "member 'message' is required",
    ),
}


@pytest.mark.parametrize(("result", "path", "message"), DRAINS.values(), ids=DRAINS.keys())
def test_a_bad_drain_is_blamed_on_the_right_place(result: object, path: str, message: str) -> None:
    schema = "https://flowcage.dev/schemas/1.0/drain.result.json"
    assert validate.result_error("drain", result) == Violation(path, message, schema)


@pytest.mark.parametrize(
    "result",
    [
        EMPTY_DRAIN,
        drain(state="complete", output={"result": None}),
        drain(output="only read when complete"),
        drain(stalled=True, more=False, diagnostics=[{"kind": "", "message": "", "index": 0}]),
        drain(calls=[{"type": "log", "values": [], "x": 1}, {"type": "phase", "name": "", "options": {}}]),
        asked(options={}, x=1),
        asked(type="workflow", ref=""),
        asked(type="workflow", ref={"scriptPath": "", "x": 1}, args=None),
        asked(type="sleep", durationMs=0),
        asked(type="sleep", durationMs=BEYOND_INTEGERS - 1),
        run(args=[], cwd="", env={}, stdin="", x=1),
    ],
)
def test_a_good_drain_passes_whatever_else_it_says(result: object) -> None:
    assert validate.result_error("drain", result) is None


EVENTS = [
    {"type": "call", "call": {"type": "log", "values": [1]}},
    {"type": "request", "request": AGENT},
    {"type": "complete", "output": {"result": None}},
    {"type": "pending", "stalled": True},
]


@pytest.mark.parametrize("event", EVENTS)
def test_a_good_event_passes(event: object) -> None:
    assert validate.result_error("poll", event) is None


@pytest.mark.parametrize(
    ("event", "path"),
    [
        ({}, ""),
        ({"type": "drain"}, "/type"),
        ({"type": "call"}, ""),
        ({"type": "call", "call": {"type": "agent"}}, "/call/type"),
        ({"type": "request", "request": {**AGENT, "id": 1}}, "/request/id"),
        ({"type": "complete"}, ""),
        ({"type": "complete", "output": None}, "/output"),
        ({"type": "complete", "output": {}}, "/output"),
        ({"type": "pending"}, ""),
        ({"type": "pending", "stalled": 0}, "/stalled"),
    ],
)
def test_a_bad_event_is_blamed_on_the_right_place(event: object, path: str) -> None:
    violation = validate.result_error("poll", event)
    assert violation is not None
    assert violation.path == path
    assert violation.schema == "https://flowcage.dev/schemas/1.0/poll.result.json"


def test_take_hands_out_a_list_of_requests() -> None:
    assert validate.result_error("take", {"requests": []}) is None
    assert validate.result_error("take", {"requests": [AGENT, EXEC]}) is None


@pytest.mark.parametrize(
    ("result", "path"),
    [({}, ""), ({"requests": None}, "/requests"), ({"requests": [AGENT, 1]}, "/requests/1")],
)
def test_a_bad_list_of_requests_is_blamed_on_the_right_place(result: object, path: str) -> None:
    violation = validate.result_error("take", result)
    assert violation is not None
    assert violation.path == path


@pytest.mark.parametrize("method", ["start", "resolve", "shutdown"])
def test_an_empty_result_is_an_object_and_may_grow_members(method: str) -> None:
    assert validate.result_error(method, {}) is None
    assert validate.result_error(method, {"x": 1}) is None


@pytest.mark.parametrize("method", ["start", "resolve", "shutdown"])
@pytest.mark.parametrize("result", [None, [], "", 0, False])
def test_an_empty_result_is_nothing_but_an_object(method: str, result: object) -> None:
    assert validate.result_error(method, result) is not None


# ---- errors ----------------------------------------------------------------------------------

DATA: dict[str, dict[str, Any]] = {
    "invalid_params": {"path": "", "message": "x", "schema": "y"},
    "unknown_request": {"id": "7"},
    "invalid_state": {"state": "ready"},
    "isolation_unavailable": {"layers": ["memory"]},
    "protocol_version": {"supported": ["1.0"]},
    **{kind: {} for kind in ("parse_error", "invalid_request", "method_not_found", "internal")},
    "message_too_large": {},
}
FAILURE = {"name": "Error", "message": "x", "stack": ""}


def error(kind: str) -> dict[str, Any]:
    return {"code": CODES[kind], "message": "x", "data": {"kind": kind, **DATA.get(kind, FAILURE)}}


@pytest.mark.parametrize("kind", CODES)
def test_an_error_of_every_kind_passes_with_more_than_it_needs(kind: str) -> None:
    assert validate.error_error(error(kind)) is None
    wordy = {**error(kind), "x": 1, "data": {**error(kind)["data"], "x": 1}}
    assert validate.error_error(wordy) is None


@pytest.mark.parametrize("kind", CODES)
def test_an_error_without_what_its_kind_needs_does_not_pass(kind: str) -> None:
    for member in DATA.get(kind, FAILURE):
        broken = error(kind)
        del broken["data"][member]
        violation = validate.error_error(broken)
        assert violation is not None
        assert (violation.path, violation.message) == ("/data", f"member {member!r} is required")


@pytest.mark.parametrize("kind", CODES)
def test_an_error_under_the_code_of_another_kind_does_not_pass(kind: str) -> None:
    violation = validate.error_error({**error(kind), "code": -32099})
    assert violation is not None
    assert (violation.path, violation.message) == ("/code", f"must be {CODES[kind]}")


@pytest.mark.parametrize(
    ("bad", "path"),
    [
        (None, ""),
        ({"message": "x", "data": {"kind": "internal"}}, ""),
        ({**error("internal"), "code": -32603.0}, "/code"),
        ({**error("internal"), "code": True}, "/code"),
        ({**error("internal"), "message": None}, "/message"),
        ({**error("internal"), "data": []}, "/data"),
        ({**error("internal"), "data": {}}, "/data"),
        ({**error("internal"), "data": {"kind": "surprise"}}, "/data/kind"),
        ({**error("exception"), "data": {"kind": "exception", **FAILURE, "name": 1}}, "/data/name"),
        ({**error("syntax"), "data": {"kind": "syntax", **FAILURE, "line": 0}}, "/data/line"),
    ],
)
def test_a_bad_error_is_blamed_on_the_right_place(bad: object, path: str) -> None:
    violation = validate.error_error(bad)
    assert violation is not None
    assert violation.path == path


# ---- verdicts stay small ---------------------------------------------------------------------

HUGE = "x" * 1_000_000
VERDICTS: dict[str, Callable[[], Violation | None]] = {
    "text for an object": lambda: validate.result_error("drain", HUGE),
    "text for a choice": lambda: validate.result_error("drain", drain(state=HUGE)),
    "a list for a text": lambda: validate.params_error("start", {"source": [HUGE] * 10}),
    "text for a number": lambda: validate.params_error(
        "initialize", {"protocolVersion": "1.0", "limits": {"cpuSeconds": HUGE}}
    ),
    "a number of 300 digits": lambda: validate.params_error(
        "initialize", {"protocolVersion": "1.0", "limits": {"cpuSeconds": 10**300}}
    ),
    "an unknown error kind": lambda: validate.error_error({**error("internal"), "data": {"kind": HUGE}}),
    "a long member name": lambda: validate.result_error("drain", run(env={HUGE: 1})),
    "very many members": lambda: validate.result_error("take", dict.fromkeys(map(str, range(100_000)))),
}


@pytest.mark.parametrize("verdict", VERDICTS.values(), ids=VERDICTS.keys())
def test_a_verdict_is_short_however_large_the_message(verdict: Callable[[], Violation | None]) -> None:
    violation = verdict()
    assert violation is not None
    assert sum(map(len, violation)) < 500


def test_a_method_nobody_knows_has_no_schema() -> None:
    with pytest.raises(KeyError):
        validate.params_error("nope", {})
    with pytest.raises(KeyError):
        validate.result_error("../error", {})
